//! Every promise of the store with the backend that keeps it: SQLite for the truth, memory for the fast state, segments for
//! the log.

use std::{fmt, io, path::Path, sync::Arc};

use countersign_audit::{CheckpointKey, CheckpointVerifier};
use countersign_core::{Clock, Entropy};
use countersign_monitor::react::ReactStores;
use countersign_store::{
    Keys, Unavailable,
    memory::{MemoryChallenges, MemoryCounters, MemoryReplay},
    segments::{self, SegmentLog},
    sqlite::{self, Sqlite},
};

use crate::{admin::service, assembly::keys, files, layout};

/// Why the stores do not open. Alphabetical.
#[derive(Debug)]
pub enum OpenError {
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
        let sqlite = Arc::new(Sqlite::open(data).await.map_err(OpenError::Database)?);
        let pkcs8 = keys::checkpoint(&*sqlite, clock.now().seconds()).await?;
        let key = CheckpointKey::from_pkcs8(origin, &pkcs8).map_err(|_| Unavailable::new("reading the log's key"))?;
        let public = key.verifier_text();
        let log_key = CheckpointVerifier::parse(&public).map_err(|_| Unavailable::new("reading the log's key"))?;
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

    /// The database itself, for whoever closes it.
    #[must_use]
    pub fn database(&self) -> Arc<Sqlite> {
        Arc::clone(&self.sqlite)
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
