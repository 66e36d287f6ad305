//! The log under tearing, tampering, failing disks and many writers.

use super::*;
use crate::{records::Stranger, segments::room::Reserve};
use countersign_audit::{
    CheckpointVerifier, Event, EventKind, FaultKind, Format, Frontier, Glance, Header, Identity, Line, PersonalName, Recorded, check,
    check_disclosure, disclose, leaf_hash,
};
use countersign_core::DecisionId;
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

fn setup(segment_bytes_max: u64) -> Setup {
    let world = Arc::new(Ticking(AtomicU64::new(1)));
    let clock = Arc::clone(&world) as Arc<dyn Clock>;
    Setup { key: key(), subject_keys: Arc::new(OneKey), clock, entropy: world, segment_bytes_max }
}

fn open(directory: &Path) -> Result<SegmentLog, OpenError> {
    let Setup { key, subject_keys, clock, entropy, .. } = setup(0);
    SegmentLog::open(directory, key, subject_keys, clock, entropy)
}

/// A log that begins a new segment after a few entries.
fn open_small(directory: &Path) -> SegmentLog {
    SegmentLog::start(directory, setup(3000), |disk| Box::new(disk)).expect("opens")
}

fn entry(number: u64, user: &str) -> Entry {
    Entry {
        at: UnixMillis(number),
        decision: DecisionId::from_random((number << 8).to_be_bytes()),
        event: Event::allowed(Recorded::Request(Box::default())),
        person: Some(UserId::parse(user).expect("an id")),
        identity: Identity { user: UserId::parse(user).ok(), ..Identity::default() },
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
    let segment = files::list(home.path()).expect("readable").remove(0);
    let header = fs::read_to_string(segment).expect("a segment").lines().next().expect("a header").to_owned();
    for length in 0..header.len() {
        fs::write(home.path().join(files::name(2)), header.split_at(length).0).expect("writable");
        drop(open(home.path()).expect("opens"));
        assert_eq!(files::list(home.path()).expect("readable").len(), 1, "torn at {length}");
    }
    write(home.path(), 1).await;
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, 3);
}

/// Each row: what stands in the last segment, and why the log is not opened; `None`: it is, with so many entries.
#[tokio::test]
async fn a_log_that_does_not_verify_is_not_continued() {
    let home = tempfile::tempdir().expect("a directory");
    write(home.path(), 3).await;
    let path = files::list(home.path()).expect("readable").remove(0);
    let genuine = fs::read_to_string(&path).expect("a segment");
    let last = genuine.lines().last().expect("a commit").to_owned();
    let without_commit = genuine.strip_suffix(&format!("{last}\n")).expect("the commit").to_owned();
    let (header, _) = genuine.split_once('\n').expect("a header");
    let rows: &[(&str, String, Result<u64, &str>)] = &[
        ("nothing", genuine.clone(), Ok(3)),
        ("a record changed", genuine.replacen("allow", "alloW", 1), Err("does not match its hash")),
        ("a record numbered otherwise", genuine.replacen("r 0 ", "r 7 ", 1), Err("another number")),
        ("another checkpoint", genuine.replacen("\nc 1 ", "\nc 2 ", 1), Err("do not match the signed checkpoint")),
        ("rubbish between", genuine.replacen("\nc 1 ", "\nx\nc 1 ", 1), Err("not a line of a log")),
        ("zeros between", genuine.replacen("\nc 1 ", "\n\0\nc 1 ", 1), Err("not a line of a log")),
        ("another log", genuine.replacen("log.example", "bog.example", 1), Err("another log")),
        ("another format", genuine.replacen("countersign-log 2", "countersign-log 3", 1), Err("no header")),
        ("a header somewhere", format!("{genuine}{header}\n"), Err("not a line of a log")),
        ("rubbish for a header", "x".repeat(5000), Err("no header")),
        ("the last commit's time", without_commit.clone() + &last.replacen("c 3 ", "c 3 9", 1) + "\n", Err("not a line of a log")),
        ("the last commit's signature", without_commit.clone() + last.split_at(last.len() - 8).0 + "AAAAAAAA\n", Err("signature")),
        // A damaged commit may have acknowledged what stands before it: that must not be cut off.
        ("the last commit's kind", without_commit.clone() + &last.replacen("c 3 ", "x 3 ", 1) + "\n", Err("not a line of a log")),
        ("the last commit's size", without_commit.clone() + &last.replacen("c 3 ", "c 3x ", 1) + "\n", Err("not a line of a log")),
        ("rubbish at the end", format!("{genuine}x\n"), Err("not a line of a log")),
        ("a foreign record at the end", format!("{genuine}r 7 {} {{}}\n", leaf_hash(b"{}")), Err("another number")),
        ("a changed record at the end", format!("{genuine}r 3 {} {{ }}\n", leaf_hash(b"{}")), Err("does not match its hash")),
        // What a torn write leaves is cut off.
        ("no last commit", without_commit.clone(), Ok(2)),
        ("a last commit without its break", without_commit + &last, Ok(2)),
        ("a record at the end", format!("{genuine}r 3 {} {{}}\n", leaf_hash(b"{}")), Ok(3)),
        ("zeros at the end", genuine.clone() + &"\0".repeat(9000), Ok(3)),
        ("zeros in lines at the end", format!("{genuine}r 3 \0\0\n\0\0 x\nr 4"), Ok(3)),
        // Last, because it begins a segment of its own.
        ("an earlier format", genuine.replacen("countersign-log 2", "countersign-log 1", 1), Ok(3)),
    ];
    for (name, text, expected) in rows {
        fs::write(&path, text).expect("writable");
        match (open(home.path()), expected) {
            (Ok(log), Ok(committed)) => {
                drop(log);
                let report = verify(home.path(), &verifier(), None).expect("readable");
                assert_eq!((report.committed, report.unacknowledged, report.faults), (*committed, 0, vec![]), "{name}");
            }
            (Err(error), Err(what)) => assert!(error.to_string().contains(what), "{name}: {error}"),
            (found, expected) => panic!("{name}: {:?} instead of {expected:?}", found.err().map(|error| error.to_string())),
        }
    }
}

#[tokio::test]
async fn a_segment_without_entries_must_continue_the_one_before() {
    let home = tempfile::tempdir().expect("a directory");
    write(home.path(), 3).await;
    let text = fs::read_to_string(files::list(home.path()).expect("readable").remove(0)).expect("a segment");
    let tree = |upto: usize| {
        let mut tree = Frontier::default();
        let records = text.lines().filter_map(|line| match Line::parse(line) {
            Ok(Line::Record { claimed, .. }) => Some(claimed),
            _ => None,
        });
        records.take(upto).for_each(|leaf| tree.append(leaf));
        Header { format: Format::Two, origin: "log.example.com".to_owned(), before: tree }.render()
    };
    let rows: &[(&str, u64, String, Option<&str>)] = &[
        ("it does", 3, tree(3), None),
        ("another tree", 3, tree(3).replace(" 3 ", " 5 "), Some("disagree")),
        ("a shorter tree", 2, tree(2), Some("does not continue")),
        ("another name", 4, tree(3), Some("disagree")),
    ];
    for (name, first, header, expected) in rows {
        let home = copy(home.path());
        fs::write(home.path().join(files::name(*first)), header).expect("writable");
        let error = open(home.path()).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{name}: {error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()), "{name}");
    }
    let alone = tempfile::tempdir().expect("a directory");
    fs::write(alone.path().join(files::name(3)), tree(3)).expect("writable");
    let error = open(alone.path()).err().expect("nothing is before it").to_string();
    assert!(error.contains("does not continue the previous one"), "{error}");
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a directory");
    for path in files::list(from).expect("readable") {
        fs::copy(&path, to.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    to
}

#[tokio::test]
async fn one_process_writes_at_a_time() {
    let home = tempfile::tempdir().expect("a directory");
    let first = open(home.path()).expect("opens");
    let error = open(home.path()).err().expect("in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("is in use; stop the other process first"));
    drop(first);
    assert!(open(home.path()).is_ok());
}

/// Many segments, each of several groups: everything is found where it is, with bounded steps.
#[tokio::test]
async fn a_log_of_many_segments_is_read_from_anywhere() {
    let home = tempfile::tempdir().expect("a directory");
    for _ in 0..3 {
        let log = open_small(home.path());
        for number in 0..20 {
            let _ = log.record(entry(number, "u_1")).await.expect("recorded");
        }
    }
    assert!(files::list(home.path()).expect("readable").len() > 5);
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").faults, []);
    for seq in 0..60 {
        assert_eq!(read_record(home.path(), seq).expect("readable").expect("a record").seq, seq);
    }
    assert_eq!(read_record(home.path(), 60).expect("readable"), None);
    let seqs = |from, count| tail(home.path(), from, count).expect("readable").iter().map(|record| record.seq).collect::<Vec<_>>();
    assert_eq!(seqs(0, 3), [57, 58, 59]);
    assert_eq!(seqs(58, 10), [58, 59]);
    assert_eq!(seqs(60, 10), [] as [u64; 0]);
    assert_eq!(seqs(0, 1000), (0..60).collect::<Vec<_>>());
    for seq in [0, 31, 59] {
        let text = proof(home.path(), &verifier(), seq, &[]).expect("readable").expect("a proof");
        assert_eq!(check(&text, &verifier()).map(|entry| entry.seq), Ok(seq));
    }
    assert_eq!(proof(home.path(), &verifier(), 60, &[]).expect("readable"), None);
    let held = |wanted: fn(Glance) -> bool, ends: fn(Option<Glance>) -> bool| {
        let mut found = Vec::new();
        walk_back(home.path(), wanted, ends, |entry| found.push(entry.decision)).expect("readable");
        found
    };
    assert_eq!(held(|seen| seen.kind == EventKind::Request, |_| false).len(), 60);
    assert_eq!(held(|seen| seen.kind == EventKind::SignedIn, |_| false).len(), 0);
    let newest = held(|_| true, |_| true);
    assert!((1..20).contains(&newest.len()), "the newest segment alone: {}", newest.len());
    assert!(newest.last() == Some(&entry(19, "u_1").decision), "in their order");
    // A segment that is missing is missed.
    fs::remove_file(files::list(home.path()).expect("readable").remove(4)).expect("removed");
    let faults = verify(home.path(), &verifier(), None).expect("readable").faults;
    assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Truncated]);
}

/// One segment long enough that records are looked for by halving.
#[tokio::test]
async fn a_record_of_a_long_segment_is_found_by_halving() {
    let home = tempfile::tempdir().expect("a directory");
    {
        let log = open(home.path()).expect("opens");
        for round in 0..8 {
            let entries = (0..500).map(|n| log.record(entry(round * 500 + n, "u_1")));
            assert!(futures_util::future::join_all(entries).await.iter().all(Result::is_ok));
        }
    }
    let path = files::list(home.path()).expect("readable").remove(0);
    assert!(fs::metadata(&path).expect("a segment").len() > 1024 * 1024);
    for seq in (0..4000).step_by(97).chain([3999]) {
        assert_eq!(read_record(home.path(), seq).expect("readable").expect("a record").seq, seq);
        let wanted = entry(seq, "u_1").decision;
        assert_eq!(find_decision(home.path(), &wanted).expect("readable").expect("a record").seq, seq);
    }
    // What no commit follows was never acknowledged, and is not shown.
    let text = fs::read_to_string(&path).expect("a segment");
    let record = text.lines().find(|line| line.starts_with("r 3999 ")).expect("a record");
    let waiting = entry(9999, "u_1").decision;
    let torn = record.replacen("r 3999 ", "r 4000 ", 1).replace(entry(3999, "u_1").decision.as_str(), waiting.as_str());
    fs::write(&path, format!("{text}{torn}\n")).expect("writable");
    assert_eq!(read_record(home.path(), 4000).expect("readable"), None);
    assert_eq!(find_decision(home.path(), &waiting).expect("readable"), None);
    assert_eq!(tail(home.path(), 3999, 10).expect("readable").len(), 1);
}

/// What a call of a failing disk leaves behind.
#[derive(Clone, Copy, Debug)]
enum Left {
    /// Nothing.
    Nothing,
    /// The first half.
    Half,
    /// Everything, but nobody knows whether it would survive.
    Unsynced,
}

/// A disk of which some calls in a row fail.
struct Failing {
    disk: Directory,
    home: PathBuf,
    calls_left: u32,
    failures_left: u32,
    left: Left,
    taken_back: bool,
}

impl Failing {
    fn failed<T>(&mut self, text: &str, name: Option<u64>) -> std::io::Result<T> {
        let path = name.map_or_else(
            || files::list(&self.home).expect("readable").pop().expect("a segment"),
            |first| self.home.join(files::name(first)),
        );
        let text = match self.left {
            Left::Nothing => "",
            Left::Half => text.split_at(text.len() / 2).0,
            Left::Unsynced => text,
        };
        if !text.is_empty() {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a segment");
            std::io::Write::write_all(&mut file, text.as_bytes()).expect("writable");
        }
        Err(full())
    }

    fn fails(&mut self) -> bool {
        if self.calls_left > 0 {
            self.calls_left -= 1;
            return false;
        }
        let fails = self.failures_left > 0;
        self.failures_left = self.failures_left.saturating_sub(1);
        fails
    }
}

fn full() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left")
}

impl Disk for Failing {
    fn begin(&mut self, first: u64, header: &str) -> std::io::Result<Begun> {
        if self.fails() { self.failed(header, Some(first)) } else { self.disk.begin(first, header) }
    }

    fn append(&mut self, text: &str) -> std::io::Result<()> {
        if self.fails() { self.failed(text, None) } else { self.disk.append(text) }
    }

    fn take_back(&mut self) {
        if self.taken_back {
            self.disk.take_back();
        }
    }

    fn length(&self) -> u64 {
        self.disk.length()
    }

    fn prepare(&mut self) {
        self.disk.prepare();
    }

    fn probe(&mut self) -> std::io::Result<()> {
        if self.fails() { Err(full()) } else { self.disk.probe() }
    }

    fn resume(&mut self, segment: Option<(&Path, u64)>) -> std::io::Result<()> {
        self.disk.resume(segment)
    }

    fn give_up_reserve(&mut self) -> Reserve {
        self.disk.give_up_reserve()
    }
}

/// Tries until it is recorded, as a client would that is told 503; how often it was refused.
async fn insist(log: &SegmentLog, number: u64) -> (u64, u32) {
    for refused in 0.. {
        match log.record(entry(number, "u_1")).await {
            Ok(written) => return (written.seq(), refused),
            Err(unavailable) => assert!(unavailable.what.contains("the audit log c"), "{unavailable}"),
        }
        assert!(refused < 10_000, "the log does not go on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (0, 0)
}

/// Law 8: whichever calls of the disk fail, and whatever they leave, nothing that was acknowledged is lost, nothing is acknowledged
/// meanwhile, and the log goes on by itself as soon as it can.
#[tokio::test]
async fn any_failure_of_the_disk_loses_nothing_and_passes() {
    let rows = (1..12).flat_map(|n| [Left::Nothing, Left::Half, Left::Unsynced].map(move |left| (n, left))).flat_map(|(n, left)| {
        [(true, 1), (false, 1), (true, 3), (false, 2)].map(move |(taken_back, failures)| (n, left, taken_back, failures))
    });
    for (calls_left, left, taken_back, failures_left) in rows {
        let name = format!("after {calls_left} calls {failures_left} fail, leaving {left:?}, taken back: {taken_back}");
        let home = tempfile::tempdir().expect("a directory");
        let over = |disk| {
            let home = home.path().to_path_buf();
            Box::new(Failing { disk, home, calls_left, failures_left, left, taken_back }) as Box<dyn Disk>
        };
        let log = SegmentLog::start(home.path(), setup(2000), over).expect("opens");
        let (mut acknowledged, mut refused) = (Vec::new(), 0);
        for number in 0..20 {
            let (seq, times) = insist(&log, number).await;
            acknowledged.push((seq, number));
            refused += times;
        }
        assert!(refused > 0, "{name}: nothing was refused");
        assert_eq!(log.failing(), None, "{name}");
        drop(log);
        let report = verify(home.path(), &verifier(), None).expect("readable");
        assert_eq!((report.faults, report.unacknowledged), (vec![], 0), "{name}");
        let kinds: Vec<_> =
            tail(home.path(), 0, 100).expect("readable").iter().map(|record| record.read().expect("an entry").event.kind()).collect();
        // A group that could not be taken back is found whole and signed: the log says more than was acknowledged, never less.
        let interrupted = kinds.iter().filter(|kind| **kind == EventKind::LogInterrupted).count();
        assert!(interrupted >= 1, "{name}: {kinds:?}");
        assert!(kinds.len() - interrupted >= 20, "{name}: {kinds:?}");
        for (seq, number) in acknowledged {
            let record = read_record(home.path(), seq).expect("readable").expect("a record");
            assert!(record.json.contains(entry(number, "u_1").decision.as_str()), "{name}");
        }
    }
}

/// While it cannot be written, whoever asks is refused at once, and is told why; it can be dropped, too.
#[tokio::test]
async fn a_log_that_cannot_be_written_refuses_at_once() {
    let home = tempfile::tempdir().expect("a directory");
    let over = |disk| {
        let home = home.path().to_path_buf();
        Box::new(Failing { disk, home, calls_left: 2, failures_left: u32::MAX, left: Left::Half, taken_back: true }) as Box<dyn Disk>
    };
    let log = SegmentLog::start(home.path(), setup(2000), over).expect("opens");
    assert_eq!(log.probe().await, Ok(()));
    for number in 0..9 {
        let refused = log.record(entry(number, "u_1")).await.expect_err("the disk is full");
        assert!(refused.what.contains("cannot be written: no space left"), "{refused}");
    }
    assert!(log.probe().await.is_err());
    assert_eq!(log.failing().as_deref(), Some("no space left"));
    drop(log);
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").faults, []);
}

/// A disk on which no segment can be begun for a while.
struct Scarce(Directory, u32);

impl Disk for Scarce {
    fn begin(&mut self, first: u64, header: &str) -> std::io::Result<Begun> {
        if self.1 > 0 {
            self.1 -= 1;
            return Ok(Begun::NotYet(std::io::Error::other("too many open files")));
        }
        self.0.begin(first, header)
    }

    fn append(&mut self, text: &str) -> std::io::Result<()> {
        self.0.append(text)
    }

    fn take_back(&mut self) {
        self.0.take_back();
    }

    fn length(&self) -> u64 {
        self.0.length()
    }

    fn prepare(&mut self) {
        self.0.prepare();
    }

    fn probe(&mut self) -> std::io::Result<()> {
        self.0.probe()
    }

    fn resume(&mut self, segment: Option<(&Path, u64)>) -> std::io::Result<()> {
        self.0.resume(segment)
    }

    fn give_up_reserve(&mut self) -> Reserve {
        Reserve::None
    }
}

/// When the next segment cannot be begun, the present one goes on, and nobody is refused.
#[tokio::test]
async fn a_segment_that_cannot_end_goes_on() {
    let home = tempfile::tempdir().expect("a directory");
    drop(open_small(home.path()));
    let log = SegmentLog::start(home.path(), setup(3000), |disk| Box::new(Scarce(disk, 9))).expect("opens");
    assert!(home.path().join("next").exists(), "made beforehand");
    for number in 0..30 {
        assert_eq!(insist(&log, number).await, (number, 0));
    }
    drop(log);
    let lengths =
        files::list(home.path()).expect("readable").iter().map(|path| fs::metadata(path).expect("a file").len()).collect::<Vec<_>>();
    assert!(lengths.len() > 1 && lengths[0] > 6000, "{lengths:?}");
    let report = verify(home.path(), &verifier(), None).expect("readable");
    assert_eq!((report.committed, report.faults), (30, vec![]));
}

fn stranger(number: u64, last: u8) -> StrangerRefusal {
    let reasons = vec![countersign_core::Reason::TokenMissing];
    let event = Event { outcome: Outcome::Deny, reasons, of: Recorded::Request(Box::default()) };
    let identity = Identity { path: Some("/x".repeat(64)), address: Some("192.0.2.0/24".to_owned()), ..Identity::default() };
    let entry = Entry { event, person: None, identity, ..entry(number, "u_1") };
    let site = countersign_core::Site::of(std::net::IpAddr::from([192, 0, last, 7]));
    StrangerRefusal::of(entry, &Stranger { site, theft: None, session: None }).expect("a stranger's refusal")
}

/// The budget of section 1: a flood of strangers is counted and summed up, from however many sites, and what is left to others is theirs.
#[tokio::test]
async fn a_flood_of_strangers_grows_the_log_by_its_budget() {
    let home = tempfile::tempdir().expect("a directory");
    let log = open(home.path()).expect("opens");
    let size = || files::list(home.path()).expect("readable").iter().map(|path| fs::metadata(path).expect("a file").len()).sum::<u64>();
    let before = size();
    let (mut recorded, mut counted) = (0_u64, 0_u64);
    // Two minutes, first from one site and then from two hundred.
    for second in 0..120_u64 {
        for n in 0..500 {
            let last = if second < 60 { 1 } else { u8::try_from(n % 200).expect("small") };
            match log.refuse(stranger(second * 1000 + n, last)).await.expect("refused") {
                Receipt::Counted(_) => counted += 1,
                Receipt::Recorded(_) => recorded += 1,
            }
        }
        log.summarise(Due::ByTheClock, UnixMillis(second * 1000 + 999)).await.expect("written");
    }
    log.summarise(Due::Now, UnixMillis(120_000)).await.expect("written");
    let grown = size() - before;
    assert!(grown * 720 < 50_000_000, "{grown} bytes in two minutes");
    assert_eq!(recorded + counted, 60_000);
    assert!((8..=30).contains(&recorded), "{recorded}");
    drop(log);
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").faults, []);
    let summed: u64 = tail(home.path(), 0, 1000)
        .expect("readable")
        .iter()
        .map(|record| {
            let Recorded::RefusalsCounted(it) = record.read().expect("an entry").event.of else { return 0 };
            it.counts.iter().map(|each| each.count).sum::<u64>() + it.others
        })
        .sum();
    assert_eq!(summed, counted, "every one that was not recorded is in a signed summary");
}

/// A stranger's refusal beyond the budget needs no disk: it is counted while the log cannot be written, and while its writer hangs.
#[tokio::test]
async fn a_counted_refusal_waits_for_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let (go, wait) = std::sync::mpsc::channel();
    let log = SegmentLog::start(home.path(), setup(SEGMENT_BYTES_MAX), |disk| Box::new(Stuck(disk, wait))).expect("opens");
    let mut waiting = Vec::new();
    for number in 0..10_000 {
        let mut refused = log.refuse(stranger(number / 1000, 1));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(refused.as_mut().poll(context))).await;
        match polled {
            std::task::Poll::Pending => waiting.push(refused),
            std::task::Poll::Ready(receipt) => assert!(matches!(receipt, Ok(Receipt::Counted(_)))),
        }
    }
    assert!(waiting.len() < 10, "{} wait for the disk", waiting.len());
    drop(waiting);
    drop(go);
}

/// A disk that does not answer until it is told to.
struct Stuck(Directory, std::sync::mpsc::Receiver<()>);

impl Disk for Stuck {
    fn begin(&mut self, first: u64, header: &str) -> std::io::Result<Begun> {
        self.0.begin(first, header)
    }

    fn prepare(&mut self) {}

    fn probe(&mut self) -> std::io::Result<()> {
        self.0.probe()
    }

    fn resume(&mut self, segment: Option<(&Path, u64)>) -> std::io::Result<()> {
        self.0.resume(segment)
    }

    fn give_up_reserve(&mut self) -> Reserve {
        Reserve::None
    }

    fn append(&mut self, text: &str) -> std::io::Result<()> {
        let _ = self.1.recv();
        self.0.append(text)
    }

    fn take_back(&mut self) {
        self.0.take_back();
    }

    fn length(&self) -> u64 {
        self.0.length()
    }
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_refused_at_once() {
    let home = tempfile::tempdir().expect("a directory");
    let (go, wait) = std::sync::mpsc::channel();
    let log = SegmentLog::start(home.path(), setup(SEGMENT_BYTES_MAX), |disk| Box::new(Stuck(disk, wait))).expect("opens");
    // One group is with the disk, and the queue holds as many as it may: of so many more some must be refused.
    let many = u64::try_from(QUEUE_MAX).expect("small") + 2000;
    let mut waiting: Vec<_> = (0..many).map(|number| log.record(entry(number, "u_1"))).collect();
    let mut refused = 0;
    for entry in &mut waiting {
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(entry.as_mut().poll(context))).await;
        if let std::task::Poll::Ready(answer) = polled {
            let unavailable = answer.expect_err("nothing is on the disk");
            assert!(unavailable.what.contains("queue is full"), "{unavailable}");
            refused += 1;
        }
    }
    assert!((1..2000).contains(&refused), "{refused} refused");
    drop(waiting);
    drop(go);
    drop(log);
    // Callers that went away are recorded all the same.
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, many - refused);
}

#[tokio::test]
async fn without_a_key_nothing_personal_is_written_and_without_a_store_nothing_at_all() {
    let home = tempfile::tempdir().expect("a directory");
    let log = open(home.path()).expect("opens");
    let _ = log.record(entry(0, "u_erased")).await.expect("recorded");
    assert!(!read_record(home.path(), 0).expect("readable").expect("a record").json.contains("sealed"));
    assert_eq!(log.record(entry(1, "u_away")).await.err(), Some(Unavailable::new("away")));
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, 1);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_not_begun() {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join(files::name(0))).expect("writable");
    assert!(open(home.path()).is_err());
}

/// A log that began in format 1 goes on in format 2: one tree, one verification, one reader.
#[tokio::test]
async fn a_log_of_format_1_goes_on_in_format_2() {
    let home = tempfile::tempdir().expect("a directory");
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../audit/tests/fixtures/format1/log").join(files::name(0));
    fs::copy(&old, home.path().join(files::name(0))).expect("copied");
    let before = latest_note(home.path(), &verifier()).expect("readable").expect("a checkpoint").0;
    write(home.path(), 3).await;
    write(home.path(), 2).await;
    let names = [files::name(0), files::name(6)].map(|name| home.path().join(name));
    assert_eq!(files::list(home.path()).expect("readable"), names, "one new segment, and the old one is not touched");
    assert_eq!(fs::read(&names[0]).expect("a segment"), fs::read(&old).expect("a segment"));
    let report = verify(home.path(), &verifier(), Some(before)).expect("readable");
    assert_eq!((report.committed, report.faults), (11, vec![]));
    let kinds: Vec<_> =
        tail(home.path(), 0, 100).expect("readable").iter().map(|record| record.read().expect("an entry").event.kind()).collect();
    assert_eq!((kinds.len(), kinds[1], kinds[10]), (11, EventKind::DeviceEnrolled, EventKind::Request));
    let key = PersonKey::new(&Secret::new([7; 32])).expect("a key");
    for (seq, name, value) in [(3, PersonalName::Resource, "a1"), (10, PersonalName::User, "u_1")] {
        let record = read_record(home.path(), seq).expect("readable").expect("a record");
        let found = find_decision(home.path(), &record.read().expect("an entry").decision).expect("readable");
        assert_eq!(found, Some(record.clone()));
        let shown = disclose(&record.json, &key, &[name]).expect("opens");
        assert_eq!(check_disclosure(&record.json, &shown[0]).map(|field| field.value).as_deref(), Ok(value));
        let text = proof(home.path(), &verifier(), seq, &shown).expect("readable").expect("a proof");
        assert_eq!(check(&text, &verifier()).map(|entry| (entry.seq, entry.disclosed.len())), Ok((seq, 1)));
    }
}

/// A segment of format 1 that was begun and never used makes room for one of format 2.
#[tokio::test]
async fn an_empty_segment_of_format_1_is_begun_again() {
    let home = tempfile::tempdir().expect("a directory");
    let header = Header { format: Format::One, origin: "log.example.com".to_owned(), before: Frontier::default() };
    fs::write(home.path().join(files::name(0)), header.render()).expect("written");
    write(home.path(), 1).await;
    let text = fs::read_to_string(home.path().join(files::name(0))).expect("a segment");
    assert!(text.starts_with("countersign-log 2 "), "{text}");
    assert_eq!(verify(home.path(), &verifier(), None).expect("readable").committed, 1);
}
