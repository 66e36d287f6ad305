//! Going on with files of another time, because an operator said so.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_audit::{
    Activated, Actor, CheckpointKey, CheckpointVerifier, ConfigActivated, DatabaseSeen, Entry, Event, Frontier, Identity, Recorded,
};
use countersign_core::{Clock, DecisionId, Entropy};
use countersign_store::{
    Recorder, Unavailable,
    segments::{self, SegmentLog},
    sqlite::{self, Continuity, Sqlite},
};

use crate::{
    admin::operators::Operators,
    assembly::{
        behind::{self, AllBehind, Behind, Knowledge, LookError},
        keys,
        lock::{DataLock, LockError},
        restrictions::{self, Applied},
    },
    layout,
};

/// Place and time of a restore.
pub struct RestoreAt<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// Name of the log: the host of the public origin.
    pub origin: &'a str,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// Result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Differences that were accepted; empty when all files are of one time and nothing was done.
    pub accepted: Vec<Behind>,
    /// Restrictions of the log that hold in the database now.
    pub restrictions: Applied,
    /// Place of the log that could not go on.
    pub set_aside: Option<PathBuf>,
    /// True when sessions, refresh tokens and access tokens of before are void.
    pub voided: bool,
}

/// Reason why nothing was restored. Alphabetical.
#[derive(Debug)]
pub enum RestoreError {
    /// The database cannot be used.
    Database(sqlite::OpenError),
    /// A file cannot be used.
    Io(PathBuf, io::Error),
    /// The data directory is not ours.
    Lock(LockError),
    /// The log cannot be continued.
    Log(segments::OpenError),
    /// The files cannot be compared.
    Look(LookError),
    /// Something is of another time, and it was not accepted.
    NotAccepted(AllBehind),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(fault) => fault.fmt(f),
            Self::Io(path, source) => write!(f, "`{}` cannot be used: {source}", path.display()),
            Self::Lock(fault) => fault.fmt(f),
            Self::Log(fault) => fault.fmt(f),
            Self::Look(LookError::Log(fault)) => fault.fmt(f),
            Self::Look(LookError::Unavailable(fault)) => fault.fmt(f),
            Self::NotAccepted(found) => found.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<LookError> for RestoreError {
    fn from(fault: LookError) -> Self {
        Self::Look(fault)
    }
}

impl From<Unavailable> for RestoreError {
    fn from(fault: Unavailable) -> Self {
        Self::Look(LookError::Unavailable(fault))
    }
}

/// Compares the files of a data directory that no node uses, and goes on with them as they are if every difference is among the words of
/// `accepted`. On an older database the restrictions of the log are applied and everything that was given out is made void; all of it is
/// recorded.
///
/// # Errors
/// What is of another time and was not accepted, or what cannot be read or written. Nothing has changed then, unless a disk failed in between:
/// asking again goes on.
pub async fn restore(at: &RestoreAt<'_>, accepted: &[String]) -> Result<Restored, RestoreError> {
    let _lock = DataLock::take(at.data).map_err(RestoreError::Lock)?;
    let now = at.clock.now().seconds();
    let missing = behind::missing(at.data).await?;
    let mut found: Vec<Behind> = missing.iter().cloned().collect();
    refuse_unless_accepted(&found, accepted)?;
    let log = at.data.join(layout::LOG);
    let mut set_aside = None;
    if found.iter().any(Behind::ends_log) {
        set_aside = put_aside(&log, now.0)?;
    }
    let database = Arc::new(Sqlite::open(at.data).await.map_err(RestoreError::Database)?);
    let pkcs8 = keys::checkpoint(&*database, now).await?;
    let key = CheckpointKey::from_pkcs8(at.origin, &pkcs8).map_err(|_| Unavailable::new("reading the log's key"))?;
    let verifier = CheckpointVerifier::parse(&key.verifier_text()).map_err(|_| Unavailable::new("reading the log's key"))?;
    let knowledge = Knowledge::gather(at.data, &database, &verifier).await?;
    // What was missing is new by now, and that it knows nothing is no other fault.
    found.extend(knowledge.judge().into_iter().filter(|one| match missing {
        Some(Behind::DatabaseMissing) => false,
        Some(_) => !matches!(one, Behind::KeysOlder),
        None => true,
    }));
    refuse_unless_accepted(&found, accepted)?;
    if found.is_empty() {
        database.close().await;
        return Ok(Restored { accepted: found, restrictions: Applied::default(), set_aside, voided: false });
    }
    let from = knowledge.truth.as_ref().map_or(0, |known| known.log_size);
    let ends_log = found.iter().any(Behind::ends_log);
    let mut restrictions = Applied::default();
    let voided = found.iter().any(Behind::loses_state);
    if voided && !ends_log {
        restrictions = restrictions::apply(&database, &log, from, now).await?;
    }
    if voided {
        database.void_all().await?;
    }
    if ends_log && set_aside.is_none() {
        set_aside = put_aside(&log, now.0)?;
    }
    let known = go_on(at, &database, &knowledge).await?;
    record(at, &database, key, &known, &found).await?;
    database.close().await;
    Ok(Restored { accepted: found, restrictions, set_aside, voided })
}

fn refuse_unless_accepted(found: &[Behind], accepted: &[String]) -> Result<(), RestoreError> {
    if found.iter().all(|one| accepted.iter().any(|word| word == one.word())) {
        return Ok(());
    }
    Err(RestoreError::NotAccepted(AllBehind(found.to_vec())))
}

/// Moves a log that cannot go on out of the way. Nothing of it is deleted.
fn put_aside(log: &Path, now: u64) -> Result<Option<PathBuf>, RestoreError> {
    if !log.is_dir() {
        return Ok(None);
    }
    let aside = log.with_file_name(format!("{}-set-aside-{now}", layout::LOG));
    fs::rename(log, &aside).map_err(|source| RestoreError::Io(log.to_path_buf(), source))?;
    Ok(Some(aside))
}

/// Notes the files as they are: from here on they are of one time.
async fn go_on(at: &RestoreAt<'_>, database: &Sqlite, knowledge: &Knowledge) -> Result<Continuity, RestoreError> {
    let log = at.data.join(layout::LOG);
    let checkpoint = if log.is_dir() { segments::durable_checkpoint(&log).map_err(LookError::Log)? } else { None };
    let (log_size, log_root) = checkpoint.map_or((0, Frontier::default().root()), |checkpoint| (checkpoint.size, checkpoint.root));
    let known = Continuity {
        database: knowledge.truth.as_ref().map_or_else(|| new_name(&*at.entropy), |known| known.database.clone()),
        number: knowledge.number().saturating_add(1),
        log_size,
        log_root,
        backup: false,
    };
    database.note_continuity(&known).await?;
    Ok(known)
}

/// A name for a database that has none.
pub fn new_name(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    hex::encode(bytes)
}

async fn record(
    at: &RestoreAt<'_>,
    database: &Arc<Sqlite>,
    key: CheckpointKey,
    known: &Continuity,
    found: &[Behind],
) -> Result<(), RestoreError> {
    let (clock, entropy) = (Arc::clone(&at.clock), Arc::clone(&at.entropy));
    let log = SegmentLog::open(&at.data.join(layout::LOG), key, Arc::clone(database) as _, clock, entropy).map_err(RestoreError::Log)?;
    let mut bytes = [0; 8];
    at.entropy.fill(&mut bytes);
    // Whoever runs the command is asked by nobody for a name: the system knows the user.
    let by = Operators::Unnamed.name(rustix::process::getuid().as_raw()).map_err(|_| Unavailable::new("naming the operator"))?;
    let restored = ConfigActivated {
        by: Actor::Operator(by),
        what: Activated::Restore,
        sha256: None,
        rules: None,
        database: Some(DatabaseSeen { id: known.database.clone(), number: known.number }),
        accepted: found.iter().map(|one| one.word().to_owned()).collect(),
    };
    let event = Event::allowed(Recorded::ConfigActivated(restored));
    let decision = DecisionId::from_random(bytes);
    let _receipt = log.record(Entry { at: at.clock.now(), decision, event, person: None, identity: Identity::default() }).await?;
    Ok(())
}
