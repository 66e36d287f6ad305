//! Every promise of the store with the backend that keeps it: SQLite for the truth, memory for the fast state, segments for
//! the log.

use std::{fmt, io, path::Path, sync::Arc};

use countersign_audit::{CheckpointKey, CheckpointVerifier};
use countersign_core::{Clock, Entropy, UnixSeconds};
use countersign_monitor::react::ReactStores;
use countersign_store::{
    Keys, Unavailable,
    memory::{MemoryChallenges, MemoryCounters, MemoryReplay},
    segments::{self, ReadError, SegmentLog},
    sqlite::{self, Sqlite},
};

use crate::{
    admin::service,
    assembly::{
        behind::{self, AllBehind, Knowledge, LookError},
        keys,
        noting::Noting,
        restrictions::{self, Applied},
    },
    files, layout,
};

/// Why the stores do not open. Alphabetical.
#[derive(Debug)]
pub enum OpenError {
    /// Database, keys and log are not of one time: every difference, in words.
    Behind(String),
    /// The database cannot be used.
    Database(sqlite::OpenError),
    /// A file cannot be written.
    Io {
        /// Which.
        path: std::path::PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The log cannot be continued.
    Log(segments::OpenError),
    /// The database does not answer, or holds what it should not.
    Unavailable(Unavailable),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind(found) => f.write_str(found),
            Self::Database(fault) => fault.fmt(f),
            Self::Io { path, source } => {
                write!(f, "`{}` cannot be written ({source}); check the disk of the data directory", path.display())
            }
            Self::Log(fault) => write!(f, "the audit log cannot be continued: {fault}; run `countersign audit verify` for details"),
            Self::Unavailable(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<Unavailable> for OpenError {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// Settings with which the stores are opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreSettings<'a> {
    /// Data directory of the node.
    pub data: &'a Path,
    /// Name of the log, which its checkpoints carry.
    pub origin: &'a str,
    /// Records a minute for refusals of callers without a live session.
    pub strangers_per_minute: u32,
}

impl From<LookError> for OpenError {
    fn from(fault: LookError) -> Self {
        match fault {
            LookError::Log(ReadError { path, source }) => Self::Log(segments::OpenError::Io { path, source }),
            LookError::Unavailable(fault) => Self::Unavailable(fault),
        }
    }
}

/// All promises.
pub struct Stores {
    sqlite: Arc<Sqlite>,
    challenges: Arc<MemoryChallenges>,
    counters: Arc<MemoryCounters>,
    replay: Arc<MemoryReplay>,
    log: Arc<SegmentLog>,
    /// Keys of ours.
    pub keys: Arc<dyn Keys>,
    /// Verifies the log.
    pub log_key: Arc<CheckpointVerifier>,
}

impl Stores {
    /// Opens everything in the data directory.
    ///
    /// # Errors
    /// Whatever cannot be opened.
    pub async fn open(settings: StoreSettings<'_>, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> Result<Self, OpenError> {
        let StoreSettings { data, origin, strangers_per_minute } = settings;
        if let Some(missing) = behind::missing(data).await? {
            return Err(OpenError::Behind(AllBehind(vec![missing]).to_string()));
        }
        let sqlite = Arc::new(Sqlite::open(data).await.map_err(OpenError::Database)?);
        let pkcs8 = keys::checkpoint(&*sqlite, clock.now().seconds()).await?;
        let key = CheckpointKey::from_pkcs8(origin, &pkcs8).map_err(|_| Unavailable::new("reading the log's key"))?;
        let public = key.verifier_text();
        let log_key = CheckpointVerifier::parse(&public).map_err(|_| Unavailable::new("reading the log's key"))?;
        let knowledge = Knowledge::gather(data, &sqlite, &log_key).await?;
        let found = knowledge.judge();
        if !found.is_empty() {
            sqlite.close().await;
            return Err(OpenError::Behind(AllBehind(found).to_string()));
        }
        if let Some(known) = &knowledge.truth {
            catch_up(&sqlite, &data.join(layout::LOG), known.log_size, clock.now().seconds()).await?;
        }
        let path = data.join(layout::LOG_KEY);
        files::write_private(&path, format!("{public}\n").as_bytes()).map_err(|source| OpenError::Io { path, source })?;
        let log = SegmentLog::open(&data.join(layout::LOG), key, Arc::clone(&sqlite) as _, Arc::clone(clock), Arc::clone(entropy));
        Ok(Self {
            keys: Arc::clone(&sqlite) as _,
            sqlite,
            challenges: Arc::default(),
            counters: Arc::default(),
            replay: Arc::default(),
            log: Arc::new(log.map_err(OpenError::Log)?.with_strangers(strangers_per_minute)),
            log_key: Arc::new(log_key),
        })
    }

    /// The log itself, for whoever looks after it.
    #[must_use]
    pub fn log(&self) -> Arc<SegmentLog> {
        Arc::clone(&self.log)
    }

    /// The memory of used proofs, for whoever asks whether it has room.
    #[must_use]
    pub(crate) fn replay(&self) -> Arc<MemoryReplay> {
        Arc::clone(&self.replay)
    }

    /// Makes the notes by which database and log know of each other.
    ///
    /// # Errors
    /// Our fault only.
    pub(crate) async fn noting(&self, data: &Path, entropy: &dyn Entropy) -> Result<Noting, Unavailable> {
        Noting::begin(Arc::clone(&self.sqlite), data, behind::new_name(entropy)).await
    }

    /// The database itself, for whoever closes it.
    #[must_use]
    pub fn database(&self) -> Arc<Sqlite> {
        Arc::clone(&self.sqlite)
    }

    /// Latest second by which a proof was judged.
    #[must_use]
    pub(crate) fn judged_until(&self) -> UnixSeconds {
        self.replay.latest()
    }

    /// Begins to remember used proofs again, after the clock was set back to `now`. Earlier nonces are void by then.
    pub(crate) fn begin_again(&self, now: UnixSeconds) {
        self.replay.begin_again(now);
    }

    /// What says who asks leans on.
    #[must_use]
    pub fn for_access(&self) -> countersign_access::Stores {
        countersign_access::Stores {
            replay: Arc::clone(&self.replay) as _,
            sessions: Arc::clone(&self.sqlite) as _,
            devices: Arc::clone(&self.sqlite) as _,
            subjects: Arc::clone(&self.sqlite) as _,
        }
    }

    /// What the way of a request leans on beside that.
    #[must_use]
    pub fn for_gateway(&self) -> countersign_gateway::Stores {
        countersign_gateway::Stores {
            rates: Arc::clone(&self.counters) as _,
            recorder: Arc::clone(&self.log) as _,
            changes: self.sqlite.changes().clone(),
        }
    }

    /// What the issuer leans on.
    #[must_use]
    pub fn for_issuer(&self) -> countersign_issuer::Stores {
        countersign_issuer::Stores {
            bindings: Arc::clone(&self.sqlite) as _,
            challenges: Arc::clone(&self.challenges) as _,
            dev_tokens: Arc::clone(&self.sqlite) as _,
            devices: Arc::clone(&self.sqlite) as _,
            grants: Arc::clone(&self.sqlite) as _,
            recorder: Arc::clone(&self.log) as _,
            replay: Arc::clone(&self.replay) as _,
            sessions: Arc::clone(&self.sqlite) as _,
            subjects: Arc::clone(&self.sqlite) as _,
        }
    }

    /// What the monitor leans on.
    #[must_use]
    pub fn for_monitor(&self) -> ReactStores {
        ReactStores { incidents: Arc::clone(&self.sqlite) as _, sessions: Arc::clone(&self.sqlite) as _ }
    }

    /// What an operator's acts lean on.
    #[must_use]
    pub fn for_admin_service(&self) -> service::Stores {
        service::Stores {
            dev_tokens: Arc::clone(&self.sqlite) as _,
            devices: Arc::clone(&self.sqlite) as _,
            incidents: Arc::clone(&self.sqlite) as _,
            recorder: Arc::clone(&self.log) as _,
            sessions: Arc::clone(&self.sqlite) as _,
            subjects: Arc::clone(&self.sqlite) as _,
        }
    }
}

/// Makes hold in the database what was recorded since its last note: a node that was killed may have recorded a restriction and not made it.
async fn catch_up(database: &Sqlite, log: &Path, from: u64, now: UnixSeconds) -> Result<(), LookError> {
    let Applied { applied, unreadable } = restrictions::apply(database, log, from, now).await?;
    if applied > 0 {
        tracing::info!(applied, "restrictions of the log, recorded since the last note, hold in the database");
    }
    if unreadable > 0 {
        tracing::warn!(unreadable, "restrictions of the log cannot be read, because the keys of their people are not there");
    }
    Ok(())
}
