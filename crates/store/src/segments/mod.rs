//! The audit log as files: text segments in one directory, written by one thread, group-committed.
//!
//! An entry is acknowledged when its record and a signed commit over it are on the disk (`fdatasync`). Entries that wait at
//! the same moment share one commit, so the disk's latency is paid once for all of them. A log that cannot be written
//! refuses everything from then on: half-written state is only ever repaired by opening the log again.

mod disk;
mod files;
mod keys_at_hand;
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
    segments::{disk::Directory, keys_at_hand::KeysAtHand},
    unavailable::Unavailable,
};

pub use files::ReadError;
pub use read::{Record, find_decision, latest_note, leaves, proof, read_record, tail, verify};
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
    at_hand: Mutex<KeysAtHand>,
    stopped: write::Stopped,
    // INVARIANT: fields are dropped in this order. The queue closes, the writer ends, and only then another may write.
    queue: mpsc::Sender<write::Job>,
    _writer: Joined,
    _lock: fs::File,
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
        let mut writer = write::Writer {
            key,
            clock,
            frontier: tail.frontier,
            disk: Box::new(disk),
            segment_bytes_max: SEGMENT_BYTES_MAX,
            stopped: Arc::clone(&stopped),
        };
        if tail.segment.is_none() {
            writer.begin().map_err(failed)?;
        }
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new().name("audit-log".to_owned()).spawn(move || writer.run(jobs)).map_err(failed)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            subject_keys,
            entropy,
            at_hand: Mutex::default(),
            stopped,
            queue,
            _writer: Joined(Some(thread)),
            _lock: lock,
        })
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

    fn at_hand(&self) -> MutexGuard<'_, KeysAtHand> {
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
        let key = if entry.personal.is_empty() { None } else { self.person_key(&entry).await? };
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
mod tests {
    use super::*;
    use countersign_audit::{CheckpointVerifier, Event, EventKind, PersonalField, PersonalName};
    use countersign_core::{DecisionId, Outcome};
    use std::{
        fs,
        sync::atomic::{AtomicU64, Ordering},
    };

    struct Ticking(AtomicU64);

    impl Clock for Ticking {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.fetch_add(1, Ordering::SeqCst))
        }
    }

    impl Entropy for Ticking {
        fn fill(&self, buffer: &mut [u8]) {
            let seed = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
            buffer.iter_mut().zip(seed.iter().cycle()).for_each(|(to, from)| *to = *from);
        }
    }

    /// One key for everybody; `u_erased` has none, and for `u_away` the store is down.
    struct OneKey;

    #[async_trait]
    impl SubjectKeys for OneKey {
        async fn key(&self, user: &UserId, _: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
            match user.as_str() {
                "u_erased" => Ok(None),
                "u_away" => Err(Unavailable::new("away")),
                _ => Ok(Some(Secret::new([7; 32]))),
            }
        }

        async fn find(&self, _: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
            Ok(None)
        }

        async fn destroy(&self, _: &UserId) -> Result<(), Unavailable> {
            Ok(())
        }
    }

    /// A fixed Ed25519 key in PKCS#8 (RFC 8410 section 10.3), so that reopening uses the same one.
    const PKCS8: &[u8] = &[
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13,
        0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f,
        0x44, 0x75, 0x58, 0x42,
    ];

    fn key() -> CheckpointKey {
        CheckpointKey::from_pkcs8("log.example.com", &Secret::new(PKCS8.to_vec())).expect("a key")
    }

    fn verifier() -> CheckpointVerifier {
        CheckpointVerifier::parse(&key().verifier_text()).expect("its own text")
    }

    fn open(directory: &Path) -> Result<SegmentLog, OpenError> {
        let world = Arc::new(Ticking(AtomicU64::new(1)));
        SegmentLog::open(directory, key(), Arc::new(OneKey), Arc::clone(&world) as Arc<dyn Clock>, world)
    }

    fn entry(number: u64, user: &str) -> Entry {
        Entry {
            at: UnixMillis(number),
            decision: DecisionId::from_random((number << 8).to_be_bytes()),
            event: Event::new(EventKind::Request, Outcome::Allow),
            person: Some(UserId::parse(user).expect("an id")),
            personal: vec![PersonalField { name: PersonalName::User, value: user.to_owned() }],
        }
    }

    async fn write(directory: &Path, count: u64) {
        let log = open(directory).expect("opens");
        for number in 0..count {
            let _ = log.record(entry(number, "u_1")).await.expect("recorded");
        }
    }

    #[tokio::test]
    async fn entries_are_numbered_committed_and_found_again() {
        let home = tempfile::tempdir().expect("a directory");
        write(home.path(), 3).await;
        write(home.path(), 2).await;
        let report = verify(home.path(), &verifier(), None).expect("readable");
        assert_eq!((report.committed, report.unacknowledged, report.faults.len()), (5, 0, 0));
        assert_eq!(read_record(home.path(), 4).expect("readable").expect("a record").seq, 4);
        assert_eq!(read_record(home.path(), 5).expect("readable"), None);
        // The second opening began its numbers again at 0: of two records of one decision the later one is found.
        let wanted = entry(1, "u_1").decision;
        assert_eq!(find_decision(home.path(), &wanted).expect("readable").expect("a record").seq, 4);
        let seqs: Vec<_> = tail(home.path(), 1, 2).expect("readable").iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [3, 4]);
        let (checkpoint, note) = latest_note(home.path(), &verifier()).expect("readable").expect("a checkpoint");
        assert_eq!(verifier().open_note(&note), Ok(checkpoint));
        assert_eq!(countersign_audit::root(&leaves(home.path(), 5).expect("readable")), checkpoint.root);
    }

    #[tokio::test]
    async fn concurrent_entries_share_commits_and_all_survive() {
        let home = tempfile::tempdir().expect("a directory");
        let log = Arc::new(open(home.path()).expect("opens"));
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let log = Arc::clone(&log);
                tokio::spawn(async move { log.record(entry(n, "u_1")).await.map(|receipt| receipt.seq()) })
            })
            .collect();
        let mut seqs = Vec::new();
        for task in tasks {
            seqs.push(task.await.expect("no panic").expect("recorded"));
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (0..200).collect::<Vec<_>>());
        assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, 200);
    }

    #[tokio::test]
    async fn a_write_torn_anywhere_loses_nothing_that_was_acknowledged() {
        let home = tempfile::tempdir().expect("a directory");
        write(home.path(), 2).await;
        let path = files::list(home.path()).expect("readable").remove(0);
        let acknowledged = fs::read(&path).expect("a segment");
        write(home.path(), 1).await;
        let whole = fs::read(&path).expect("a segment");
        for length in acknowledged.len()..whole.len() {
            fs::write(&path, &whole[..length]).expect("writable");
            let log = open(home.path()).expect("opens");
            assert_eq!(fs::read(&path).expect("a segment"), acknowledged, "torn at {length}");
            assert_eq!(log.record(entry(9, "u_1")).await.expect("recorded").seq(), 2, "torn at {length}");
        }
        assert_eq!(verify(home.path(), &verifier(), None).expect("readable").faults, []);
    }

    #[tokio::test]
    async fn a_segment_torn_in_its_header_is_begun_again() {
        let home = tempfile::tempdir().expect("a directory");
        write(home.path(), 2).await;
        fs::write(home.path().join(files::name(2)), "countersign-l").expect("writable");
        write(home.path(), 1).await;
        assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, 3);
    }

    #[tokio::test]
    async fn a_log_that_does_not_verify_is_not_continued() {
        let home = tempfile::tempdir().expect("a directory");
        write(home.path(), 3).await;
        let path = files::list(home.path()).expect("readable").remove(0);
        let genuine = fs::read_to_string(&path).expect("a segment");
        let rows: &[(&str, String, &str)] = &[
            ("a record changed", genuine.replacen("allow", "alloW", 1), "does not match its hash"),
            ("a record numbered otherwise", genuine.replacen("r 0 ", "r 7 ", 1), "another number"),
            ("another checkpoint", genuine.replacen("\nc 1 ", "\nc 2 ", 1), "do not match the signed checkpoint"),
            ("rubbish between", genuine.replacen("\nc 1 ", "\nx\nc 1 ", 1), "none of the log"),
            ("another log", genuine.replacen("log.example", "bog.example", 1), "another log"),
        ];
        for (name, text, expected) in rows {
            fs::write(&path, text).expect("writable");
            let error = open(home.path()).err().expect(name).to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
        fs::write(&path, genuine).expect("writable");
        assert!(open(home.path()).is_ok());
    }

    #[tokio::test]
    async fn without_a_key_nothing_personal_is_written_and_without_a_store_nothing_at_all() {
        let home = tempfile::tempdir().expect("a directory");
        let log = open(home.path()).expect("opens");
        let _ = log.record(entry(0, "u_erased")).await.expect("recorded");
        assert!(!read_record(home.path(), 0).expect("readable").expect("a record").json.contains("personal"));
        assert_eq!(log.record(entry(1, "u_away")).await.err(), Some(Unavailable::new("away")));
        assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, 1);
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_is_not_begun() {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join(files::name(0))).expect("writable");
        assert!(open(home.path()).is_err());
    }
}
