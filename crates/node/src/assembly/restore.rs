//! Going on with files of another time, because an operator said so.

use std::{
    collections::BTreeMap,
    fs,
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
    sqlite::{Continuity, Sqlite},
};

use crate::{
    assembly::{
        behind::{self, AllBehind, Behind, Knowledge, LookError},
        keys,
        lock::DataLock,
        restrictions::{self, Applied},
        start_error::StartError,
        stores::OpenError,
    },
    config::Operators,
    layout,
};

/// Place and time of a restore.
pub struct RestoreAt<'a> {
    /// Path of the data directory.
    pub data: &'a Path,
    /// Name of the log: the host of the public origin.
    pub origin: &'a str,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Source of unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// Result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Differences that were accepted, each by its word and told in a sentence; empty when all files are of one time and nothing was done.
    pub accepted: BTreeMap<&'static str, String>,
    /// Number of restrictions of the log that hold in the database now.
    pub restrictions_applied: u64,
    /// Number of restrictions of the log that cannot be read, because the key of their person is not there.
    pub restrictions_unreadable: u64,
    /// Place of the log that could not go on.
    pub set_aside: Option<PathBuf>,
    /// True when sessions, refresh tokens and access tokens of before are void.
    pub voided: bool,
}

/// Compares the files of a data directory that no node uses, and goes on with them as they are if every difference is among the words of
/// `accepted`. On an older database the restrictions of the log are applied and everything that was given out is made void; all of it is
/// recorded.
///
/// # Errors
/// What is of another time and was not accepted, or what cannot be read or written. Nothing has changed then, unless a disk failed in between:
/// asking again goes on.
pub async fn restore(at: &RestoreAt<'_>, accepted: &[String]) -> Result<Restored, StartError> {
    let _lock = DataLock::take(at.data)?;
    Ok(compare(at, accepted).await?)
}

async fn compare(at: &RestoreAt<'_>, accepted: &[String]) -> Result<Restored, OpenError> {
    let now = at.clock.now().seconds();
    let missing = behind::missing(at.data).await?;
    let mut found: Vec<Behind> = missing.iter().cloned().collect();
    refuse_unless_accepted(&found, accepted)?;
    let log = at.data.join(layout::LOG);
    let mut set_aside = None;
    if found.iter().any(Behind::ends_log) {
        set_aside = put_aside(&log, now.0)?;
    }
    let database = Arc::new(Sqlite::open(at.data).await.map_err(OpenError::Database)?);
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
        return Ok(restored(&found, Applied::default(), set_aside));
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
    Ok(restored(&found, restrictions, set_aside))
}

fn restored(found: &[Behind], restrictions: Applied, set_aside: Option<PathBuf>) -> Restored {
    Restored {
        accepted: found.iter().map(|one| (one.word(), one.to_string())).collect(),
        restrictions_applied: restrictions.applied,
        restrictions_unreadable: restrictions.unreadable,
        set_aside,
        voided: found.iter().any(Behind::loses_state),
    }
}

fn refuse_unless_accepted(found: &[Behind], accepted: &[String]) -> Result<(), OpenError> {
    if found.iter().all(|one| accepted.iter().any(|word| word == one.word())) {
        return Ok(());
    }
    Err(OpenError::Behind(AllBehind(found.to_vec()).to_string()))
}

/// Moves a log that cannot go on out of the way. Nothing of it is deleted.
fn put_aside(log: &Path, now: u64) -> Result<Option<PathBuf>, OpenError> {
    if !log.is_dir() {
        return Ok(None);
    }
    let aside = log.with_file_name(format!("{}-set-aside-{now}", layout::LOG));
    fs::rename(log, &aside).map_err(|source| OpenError::Io { path: log.to_path_buf(), source })?;
    Ok(Some(aside))
}

/// Notes the files as they are: from here on they are of one time.
async fn go_on(at: &RestoreAt<'_>, database: &Sqlite, knowledge: &Knowledge) -> Result<Continuity, OpenError> {
    let log = at.data.join(layout::LOG);
    let checkpoint = if log.is_dir() { segments::durable_checkpoint(&log).map_err(LookError::Log)? } else { None };
    let (log_size, log_root) = checkpoint.map_or((0, Frontier::default().root()), |checkpoint| (checkpoint.size, checkpoint.root));
    let known = Continuity {
        database: knowledge.truth.as_ref().map_or_else(|| behind::new_name(&*at.entropy), |known| known.database.clone()),
        number: knowledge.number().saturating_add(1),
        log_size,
        log_root,
        backup: false,
    };
    database.note_continuity(&known).await?;
    Ok(known)
}

async fn record(
    at: &RestoreAt<'_>,
    database: &Arc<Sqlite>,
    key: CheckpointKey,
    known: &Continuity,
    found: &[Behind],
) -> Result<(), OpenError> {
    let (clock, entropy) = (Arc::clone(&at.clock), Arc::clone(&at.entropy));
    let log = SegmentLog::open(&at.data.join(layout::LOG), key, Arc::clone(database) as _, clock, entropy).map_err(OpenError::Log)?;
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
