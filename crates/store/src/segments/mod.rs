//! The audit log as files: text segments in one directory, written by one thread, group-committed.
//!
//! An entry is acknowledged when its record and a signed commit over it are on the disk (`fdatasync`). Entries that wait at
//! the same moment share one commit, so the disk's latency is paid once for all of them. A log that cannot be written
//! refuses everything from then on: half-written state is only ever repaired by opening the log again.

mod disk;
mod files;
mod key_cache;
mod read;
mod recover;
mod write;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use countersign_audit::{CheckpointKey, Entry, PersonKey, SealBytes, seal};
use countersign_core::{Clock, Entropy, Secret, UnixMillis, UserId};
use tokio::sync::{mpsc, mpsc::error::TrySendError, oneshot};

use crate::{
    keys::SubjectKeys,
    records::{Receipt, Recorder},
    segments::{
        disk::{Directory, Disk},
        key_cache::KeyCache,
    },
    unavailable::Unavailable,
};

pub use files::ReadError;
pub use read::{
    Record, database_seen, durable_checkpoint, find_decision, is_signed_by, latest_note, leaves, proof, read_record, root_at, tail, verify,
    walk_back, walk_from,
};
pub use recover::OpenError;

/// Entries that may wait for the disk; beyond it new ones are refused.
const QUEUE_MAX: usize = 4096;

/// When a new segment is begun.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The log of one node. Dropping it waits until everything that was taken is on the disk.
pub struct SegmentLog {
    directory: PathBuf,
    subject_keys: Arc<dyn SubjectKeys>,
    entropy: Arc<dyn Entropy>,
    at_hand: Mutex<KeyCache>,
    stopped: write::Stopped,
    // INVARIANT: fields are dropped in this order. The queue closes, the writer ends, and only then another may write.
    queue: mpsc::Sender<write::Job>,
    _writer: Joined,
    _lock: fs::File,
}

/// What a log is opened with.
struct Setup {
    key: CheckpointKey,
    subject_keys: Arc<dyn SubjectKeys>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    segment_bytes_max: u64,
}

/// A thread that is waited for.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        // A writer that panicked has nothing more to say; whoever waited for it was refused.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

impl SegmentLog {
    /// Opens the log in `directory`, or begins one, and starts its writer. What was written but never acknowledged is cut
    /// off; anything else that does not fit is an error, because the log would hide it by growing on.
    ///
    /// # Errors
    /// When the directory cannot be used or is in use, or the log in it does not verify where it is continued.
    pub fn open(
        directory: &Path,
        key: CheckpointKey,
        subject_keys: Arc<dyn SubjectKeys>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let setup = Setup { key, subject_keys, clock, entropy, segment_bytes_max: SEGMENT_BYTES_MAX };
        Self::start(directory, setup, |disk| Box::new(disk))
    }

    fn start(directory: &Path, setup: Setup, over: impl FnOnce(Directory) -> Box<dyn Disk>) -> Result<Self, OpenError> {
        let Setup { key, subject_keys, clock, entropy, segment_bytes_max } = setup;
        let failed = |source| OpenError::Io { path: directory.to_path_buf(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = files::lock(directory).map_err(|error| match error {
            fs::TryLockError::Error(source) => failed(source),
            fs::TryLockError::WouldBlock => OpenError::InUse { path: directory.to_path_buf() },
        })?;
        let tail = recover::recover(directory, &key)?;
        let disk = match &tail.segment {
            Some((path, length)) => Directory::resume(directory, path, *length).map_err(failed)?,
            None => Directory::empty(directory),
        };
        let stopped = Arc::new(OnceLock::new());
        let (disk, frontier) = (over(disk), tail.frontier);
        let mut writer = write::Writer { key, clock, frontier, disk, segment_bytes_max, stopped: Arc::clone(&stopped) };
        if tail.segment.is_none() {
            writer.begin().map_err(failed)?;
        }
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new().name("audit-log".to_owned()).spawn(move || writer.run(jobs)).map_err(failed)?;
        let (directory, at_hand, writer) = (directory.to_path_buf(), Mutex::default(), Joined(Some(thread)));
        Ok(Self { directory, subject_keys, entropy, at_hand, stopped, queue, _writer: writer, _lock: lock })
    }

    /// Where the segments are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Why the log takes nothing any more, if that is so: a write failed, and only a restart repairs what it left.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    /// Forgets a person's key, which the store has just destroyed.
    pub fn forget(&self, user: &UserId) {
        self.at_hand().forget(user);
    }

    fn at_hand(&self) -> MutexGuard<'_, KeyCache> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that seals the entry; `None` for an erased person, whose fields are left out.
    async fn person_key(&self, entry: &Entry) -> Result<Option<Arc<PersonKey>>, Unavailable> {
        let user = match &entry.person {
            Some(user) => user.clone(),
            None => nobody(entry.at)?,
        };
        let asked = match self.at_hand().find(&user) {
            Ok(key) => return Ok(Some(key)),
            Err(asked) => asked,
        };
        let mut fresh = [0; 32];
        self.entropy.fill(&mut fresh);
        let Some(bytes) = self.subject_keys.key(&user, Secret::new(fresh)).await? else { return Ok(None) };
        let key = Arc::new(PersonKey::new(&bytes).ok_or_else(|| Unavailable::new("making a sealing key"))?);
        self.at_hand().keep(user, &key, asked);
        Ok(Some(key))
    }

    fn refused(&self) -> Unavailable {
        match self.stopped() {
            Some(cause) => Unavailable::new(format!("the audit log stopped: {cause}; see to its disk, then restart")),
            None => Unavailable::new("the audit log stopped; restart"),
        }
    }
}

/// Whose key seals the fields of a request by nobody known: one for each month, so that old addresses can be destroyed
/// together.
fn nobody(at: UnixMillis) -> Result<UserId, Unavailable> {
    const MONTH_MILLIS: u64 = 30 * 86_400 * 1000;
    UserId::parse(&format!("nobody_{}", at.0 / MONTH_MILLIS)).map_err(|_| Unavailable::new("naming a sealing key"))
}

#[async_trait]
impl Recorder for SegmentLog {
    async fn record(&self, entry: Entry) -> Result<Receipt, Unavailable> {
        let key = if entry.identity.is_empty() { None } else { self.person_key(&entry).await? };
        let mut bytes = [0; SealBytes::LENGTH];
        self.entropy.fill(&mut bytes);
        let json =
            seal(&entry, key.as_deref(), &SealBytes::new(&bytes)).map_err(|why| Unavailable::new(format!("sealing an entry: {why}")))?;
        let (done, acknowledged) = oneshot::channel();
        self.queue.try_send(write::Job { json, done }).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::new("the audit log's queue is full; its disk is slower than the requests come"),
            TrySendError::Closed(_) => self.refused(),
        })?;
        match acknowledged.await {
            Ok(seq) => Ok(Receipt::new(seq)),
            Err(_) => Err(self.refused()),
        }
    }
}

#[cfg(test)]
mod tests;
