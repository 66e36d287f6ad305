//! The audit log as files: text segments in one directory, written by one thread, group-committed.
//!
//! An entry is acknowledged when its record and a signed commit over it are on the disk (`fdatasync`). Entries that wait at
//! the same moment share one commit, so the disk's latency is paid once for all of them. A log that cannot be written
//! refuses everything from then on: half-written state is only ever repaired by opening the log again.

mod files;
mod read;
mod recover;
mod write;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use countersign_audit::{CheckpointKey, Entry, PersonKey, SealBytes, seal};
use countersign_core::{Clock, Entropy, Secret, UnixMillis, UserId};
use tokio::sync::{mpsc, oneshot};

use crate::{
    keys::SubjectKeys,
    records::{Receipt, Recorder},
    unavailable::Unavailable,
};

pub use files::ReadError;
pub use read::{Record, find_decision, latest_note, leaves, read_record, tail, verify};
pub use recover::OpenError;

/// Entries that may wait for the disk; beyond it new ones are refused.
const QUEUE_MAX: usize = 4096;

/// Person keys that are kept at hand.
const KEYS_MAX: usize = 10_000;

/// When a new segment is begun.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The log of one node.
pub struct SegmentLog {
    queue: mpsc::Sender<write::Job>,
    directory: PathBuf,
    subject_keys: Arc<dyn SubjectKeys>,
    entropy: Arc<dyn Entropy>,
    at_hand: Mutex<HashMap<UserId, Arc<PersonKey>>>,
}

impl SegmentLog {
    /// Opens the log in `directory`, or begins one, and starts its writer. What was written but never acknowledged is cut
    /// off; anything else that does not fit is an error, because the log would hide it by growing on.
    ///
    /// # Errors
    /// When the directory cannot be used, or the log in it does not verify where it is continued.
    pub fn open(
        directory: &Path,
        key: CheckpointKey,
        subject_keys: Arc<dyn SubjectKeys>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let tail = recover::recover(directory, &key)?;
        let writer = write::Writer::new(directory, key, tail, clock)?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(|source| OpenError::Io { path: directory.to_path_buf(), source })?;
        Ok(Self { queue, directory: directory.to_path_buf(), subject_keys, entropy, at_hand: Mutex::default() })
    }

    /// Where the segments are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Forgets a person's key, which the store has just destroyed.
    pub fn forget(&self, user: &UserId) {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }

    /// The key that seals the entry; `None` for an erased person, whose fields are left out.
    async fn person_key(&self, entry: &Entry) -> Result<Option<Arc<PersonKey>>, Unavailable> {
        let user = match &entry.person {
            Some(user) => user.clone(),
            None => nobody(entry.at)?,
        };
        if let Some(key) = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner).get(&user) {
            return Ok(Some(Arc::clone(key)));
        }
        let mut fresh = [0; 32];
        self.entropy.fill(&mut fresh);
        let Some(bytes) = self.subject_keys.key(&user, Secret::new(fresh)).await? else { return Ok(None) };
        let key = Arc::new(PersonKey::new(&bytes).ok_or_else(|| Unavailable::new("making a sealing key"))?);
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if at_hand.len() >= KEYS_MAX {
            at_hand.clear();
        }
        at_hand.insert(user, Arc::clone(&key));
        Ok(Some(key))
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
        let key = if entry.personal.is_empty() { None } else { self.person_key(&entry).await? };
        let mut bytes = [0; SealBytes::LENGTH];
        self.entropy.fill(&mut bytes);
        let json = seal(&entry, key.as_deref(), &SealBytes::new(&bytes)).map_err(|_| Unavailable::new("sealing an entry"))?;
        let (done, acknowledged) = oneshot::channel();
        self.queue.try_send(write::Job { json, done }).map_err(|_| Unavailable::new("the audit log does not take entries"))?;
        match acknowledged.await {
            Ok(seq) => Ok(Receipt::new(seq)),
            Err(_) => Err(Unavailable::new("the audit log could not be written")),
        }
    }
}
