//! The audit log as files: text segments in one directory, written by one thread, group-committed.
//!
//! An entry is acknowledged when its record and a signed commit over it are on the disk (`fdatasync`). Entries that wait at
//! the same moment share one commit, so the disk's latency is paid once for all of them. A log that cannot be written refuses
//! everything until it can again: it is opened again as at a start, because half-written state is repaired in no other way.

mod disk;
mod files;
mod health;
mod key_cache;
mod read;
mod recover;
mod room;
mod write;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use countersign_audit::{CheckpointKey, Entry, Event, Identity, PersonKey, Recorded, SealBytes, seal};
use countersign_core::{Clock, DecisionId, Entropy, Limits, Outcome, Secret, UnixMillis, UserId};
use tokio::sync::{mpsc, mpsc::error::TrySendError, oneshot};

use crate::{
    keys::SubjectKeys,
    records::{Counted, Receipt, Recorder, StrangerRefusal, Written},
    segments::{
        disk::{Begun, Directory, Disk},
        health::Health,
        key_cache::KeyCache,
    },
    strangers::{self, Due, Strangers, Summary},
    unavailable::Unavailable,
};

pub use files::ReadError;
pub use read::{
    Record, database_seen, durable_checkpoint, find_decision, is_signed_by, latest_note, leaves, proof, read_record, root_at, tail, verify,
    walk_back, walk_from,
};
pub use recover::OpenError;
pub use room::{Room, room};

/// Entries that may wait for the disk; beyond it new ones are refused.
const QUEUE_MAX: usize = 4096;

/// When a new segment is begun.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Records a minute for strangers, where nobody says otherwise.
const STRANGERS_PER_MINUTE: u32 = 10;

/// The log of one node. Dropping it waits until everything that was taken is on the disk.
pub struct SegmentLog {
    directory: PathBuf,
    subject_keys: Arc<dyn SubjectKeys>,
    entropy: Arc<dyn Entropy>,
    at_hand: Mutex<KeyCache>,
    health: Health,
    strangers: Strangers,
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
        room::keep_reserve(directory);
        let mut disk = over(Directory::empty(directory).map_err(failed)?);
        disk.resume(tail.segment.as_ref().map(|(path, length)| (path.as_path(), *length))).map_err(failed)?;
        let (health, home) = (Health::default(), directory.to_path_buf());
        let mut writer = write::Writer {
            key,
            clock,
            entropy: Arc::clone(&entropy),
            frontier: tail.frontier,
            directory: home.clone(),
            disk,
            segment_bytes_max,
            health: health.clone(),
        };
        if tail.segment.is_none()
            && let Begun::NotYet(cause) = writer.begin().map_err(failed)?
        {
            return Err(failed(cause));
        }
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new().name("audit-log".to_owned()).spawn(move || writer.run(jobs)).map_err(failed)?;
        let (at_hand, strangers, writer) = (Mutex::default(), Strangers::new(STRANGERS_PER_MINUTE), Joined(Some(thread)));
        Ok(Self { directory: home, subject_keys, entropy, at_hand, health, strangers, queue, _writer: writer, _lock: lock })
    }

    /// Gives strangers another number of records a minute; beyond it, their refusals are counted.
    #[must_use]
    pub fn with_strangers(self, per_minute: u32) -> Self {
        Self { strangers: Strangers::new(per_minute), ..self }
    }

    /// Where the segments are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Why the log cannot be written, while that is so.
    #[must_use]
    pub(crate) fn failing(&self) -> Option<String> {
        self.health.cause()
    }

    /// Finds out whether the log can be written now: behind whatever waits, and on the disk.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn probe(&self) -> Result<(), Unavailable> {
        let (done, answered) = oneshot::channel();
        self.enqueue(write::Job::Probe { done })?;
        match tokio::time::timeout(Duration::from_secs(Limits::PROBE_WAIT_MAX.0), answered).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.refused()),
            Err(_) => Err(Unavailable::new("the disk of the audit log does not answer")),
        }
    }

    /// Sets a reserve of the disk aside again, once there is room for it.
    pub fn keep_reserve(&self) {
        if self.failing().is_none() {
            room::keep_reserve(&self.directory);
        }
    }

    /// Records how many refusals of strangers were counted instead of recorded, if that is due.
    ///
    /// # Errors
    /// When it cannot be written; nothing is forgotten then.
    pub async fn summarise(&self, due: Due, now: UnixMillis) -> Result<(), Unavailable> {
        let mut failed = Ok(());
        for summary in self.strangers.summary(due, now) {
            let written = if failed.is_ok() { self.record(self.counted(summary.clone(), now)).await.map(drop) } else { failed.clone() };
            if written.is_err() {
                self.strangers.put_back(summary);
                failed = written;
            }
        }
        failed
    }

    /// The entry of a summary. Which site it was is sealed, as the address of every entry is.
    fn counted(&self, summary: Summary, now: UnixMillis) -> Entry {
        let mut number = [0; 8];
        self.entropy.fill(&mut number);
        let of = Recorded::RefusalsCounted(summary.counted);
        Entry {
            at: now,
            decision: DecisionId::from_random(number),
            event: Event { outcome: Outcome::Deny, reasons: Vec::new(), of },
            person: None,
            identity: Identity { address: summary.site.map(|site| site.to_string()), ..Identity::default() },
        }
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

    fn enqueue(&self, job: write::Job) -> Result<(), Unavailable> {
        if self.failing().is_some() {
            return Err(self.refused());
        }
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::new("the audit log's queue is full; its disk is slower than the requests come"),
            TrySendError::Closed(_) => self.refused(),
        })
    }

    fn refused(&self) -> Unavailable {
        match self.failing() {
            Some(cause) => Unavailable::new(format!("the audit log cannot be written: {cause}; see to its disk, and it goes on")),
            None => Unavailable::new("the audit log could not be written"),
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
    async fn record(&self, entry: Entry) -> Result<Written, Unavailable> {
        let key = if entry.identity.is_empty() { None } else { self.person_key(&entry).await? };
        let mut bytes = [0; SealBytes::LENGTH];
        self.entropy.fill(&mut bytes);
        let json =
            seal(&entry, key.as_deref(), &SealBytes::new(&bytes)).map_err(|why| Unavailable::new(format!("sealing an entry: {why}")))?;
        let (done, acknowledged) = oneshot::channel();
        self.enqueue(write::Job::Record { json, done })?;
        match acknowledged.await {
            Ok(seq) => Ok(Written::new(seq)),
            Err(_) => Err(self.refused()),
        }
    }

    async fn refuse(&self, refusal: StrangerRefusal) -> Result<Receipt, Unavailable> {
        match self.strangers.take(&refusal) {
            strangers::Room::Beyond => Ok(Receipt::Counted(Counted::of(refusal))),
            strangers::Room::Within => self.record(refusal.into_entry()).await.map(Receipt::Recorded),
        }
    }

    fn count(&self, refusal: StrangerRefusal) -> Counted {
        self.strangers.count(&refusal);
        Counted::of(refusal)
    }
}

#[cfg(test)]
mod tests;
