//! Verifying a whole log: every record against its hash, every group against the signed checkpoint over it, every segment
//! against the one before it.
//!
//! A change is located as exactly as the log allows: to the record where its line or the signed root shows it, else to the
//! two signed commits that it lies between. After a group that cannot be put right again the next segment, whose header
//! holds the tree that was signed, is where full verification resumes.

use countersign_core::UnixMillis;

use crate::{
    checkpoint::{Checkpoint, CheckpointVerifier},
    fault::{Fault, FaultKind, Finding},
    group::{Row, judge, traces},
    hash::{Hash, leaf_hash},
    line::{Header, Line},
    merkle::Frontier,
};

/// Faults that are reported; beyond it the log is broken enough.
const FAULTS_MAX: usize = 100;

/// Records without a commit that are kept for the next one; our writer commits after at most some hundreds.
const UNCOMMITTED_MAX: usize = 65_536;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records under a commit whose signature verifies.
    pub committed: u64,
    /// Records after the last commit: written, never acknowledged, no fault.
    pub unacknowledged: u64,
    /// The last checkpoint whose signature verifies.
    pub checkpoint: Option<Checkpoint>,
    /// All faults, in order of appearance; at most a hundred.
    pub faults: Vec<Fault>,
}

/// A line that is none of the log.
struct Odd {
    line: u64,
    seq: u64,
    /// It holds zero bytes, which a file system leaves where a write was cut short.
    zeros: bool,
}

/// Verifies a log line by line, in one pass. Its memory is bounded by the records of one group.
pub struct Verifier<'a> {
    key: &'a CheckpointVerifier,
    known: Option<Checkpoint>,
    /// The tree under the last commit; `None` after a group that cannot be put right again.
    tree: Option<Frontier>,
    /// The last checkpoint whose signature verifies; at first that of the empty log, which needs none.
    signed: Checkpoint,
    rows: Vec<Row>,
    odd: Vec<Odd>,
    segment: String,
    line: u64,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// Begins. `known` is a checkpoint that was kept elsewhere, against which a rewrite of the whole log is found.
    #[must_use]
    pub fn new(key: &'a CheckpointVerifier, known: Option<Checkpoint>) -> Self {
        let tree = Frontier::default();
        let signed = Checkpoint { size: 0, root: tree.root(), at: UnixMillis(0) };
        Self {
            key,
            known,
            tree: Some(tree),
            signed,
            rows: Vec::new(),
            odd: Vec::new(),
            segment: String::new(),
            line: 0,
            report: Report::default(),
        }
    }

    /// Begins a segment.
    pub fn segment(&mut self, name: &str) {
        name.clone_into(&mut self.segment);
        self.line = 0;
    }

    /// Takes the next line, without its line break. A last line that has none is torn and is not given.
    pub fn line(&mut self, text: &str) {
        self.line = self.line.saturating_add(1);
        let line = Line::parse(text).ok();
        if (self.line == 1) != matches!(line, Some(Line::Header(_))) || line.is_none() {
            self.odd.push(Odd { line: self.line, seq: self.next(), zeros: text.contains('\0') });
        }
        match line {
            Some(Line::Header(header)) if self.line == 1 => self.header(header),
            Some(Line::Record { seq, claimed, json }) => {
                self.rows.push(Row { seq, claimed, computed: leaf_hash(json.as_bytes()), line: self.line });
            }
            Some(Line::Commit { checkpoint, signature }) => self.commit(checkpoint, signature),
            Some(Line::Header(_)) | None => {}
        }
        if self.rows.len() > UNCOMMITTED_MAX || self.odd.len() > FAULTS_MAX {
            self.give_up_group();
        }
    }

    /// Ends: the last segment is read.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.tail();
        if let Some(known) = self.known.filter(|known| known.size > self.signed.size) {
            let what = "missing: a checkpoint that was kept elsewhere covers them".to_owned();
            let (first, last) = (self.signed.size, known.size.saturating_sub(1));
            self.fault(Finding { kind: FaultKind::Truncated, first, last, line: self.line, what });
        }
        self.report
    }

    /// The number that the next record should have.
    fn next(&self) -> u64 {
        self.signed.size.saturating_add(u64::try_from(self.rows.len()).unwrap_or(u64::MAX))
    }

    /// A segment must begin with the tree that the last commit of the one before signed.
    fn header(&mut self, header: Header) {
        self.report_odd();
        let (size, root) = (header.before.size(), header.before.root());
        let fault = |kind, (first, last): (u64, u64), what: &str| Some(Finding { kind, first, last, line: 1, what: what.to_owned() });
        let missing = (self.signed.size, size.saturating_sub(1));
        let uncommitted = (self.signed.size, self.next().saturating_sub(1));
        let wrong = if header.origin != self.key.origin() {
            fault(FaultKind::Forked, (size, size), "the segment is another log's")
        } else if (size, root) == (self.signed.size, self.signed.root) {
            let extra = fault(FaultKind::Inserted, uncommitted, "stand behind the last commit of the segment before");
            extra.filter(|_| !self.rows.is_empty())
        } else if size <= self.signed.size {
            fault(FaultKind::Forked, (size, size), "the segment does not continue the one before")
        } else if fits(self.tree.as_ref(), &self.rows, size, root) {
            fault(FaultKind::Truncated, missing, "the commit over them is missing at the end of the segment before")
        } else {
            fault(FaultKind::Truncated, missing, "missing, all or some: the segment before ends too early, the log goes on behind them")
        };
        if let Some(wrong) = wrong {
            self.fault(wrong);
        }
        self.rows.clear();
        // INVARIANT: the header is not signed itself, but the first commit after it is, over a tree that holds it.
        (self.signed.size, self.signed.root) = (size, root);
        self.tree = Some(header.before);
    }

    fn commit(&mut self, checkpoint: Checkpoint, signature: &str) {
        let at = |kind, first: u64, last: u64, what: &str| Finding {
            kind,
            first,
            last: last.max(first),
            line: self.line,
            what: what.to_owned(),
        };
        let last = self.next().saturating_sub(1);
        if self.key.verify(&checkpoint, signature).is_err() {
            // The records wait for the next commit, which tells whether only the signature was touched.
            let finding = at(FaultKind::SignatureInvalid, self.signed.size, last, "the signature of the commit over them does not verify");
            return self.fault(finding);
        }
        if checkpoint.size <= self.signed.size {
            let same = checkpoint.size == self.signed.size && checkpoint.root != self.signed.root;
            let finding = if same {
                at(FaultKind::Forked, 0, last, "two different logs were signed with one key and one size")
            } else {
                at(FaultKind::Inserted, checkpoint.size.saturating_sub(1), 0, "a commit that stood before stands here again")
            };
            return self.fault(finding);
        }
        self.report_odd();
        let judgement = judge(self.tree.as_ref(), self.signed.size, &self.rows, &checkpoint);
        judgement.findings.into_iter().for_each(|finding| self.fault(finding));
        self.tree = self.tree.take().zip(judgement.leaves).map(|(mut tree, leaves)| {
            for leaf in leaves {
                tree.append(leaf);
                if let Some(forked) = forked(self.known, &tree, self.line) {
                    self.fault(forked);
                }
            }
            tree
        });
        self.rows.clear();
        self.signed = checkpoint;
        self.report.committed = checkpoint.size;
        self.report.checkpoint = Some(checkpoint);
    }

    /// Behind the last commit of the last segment stands what was written and never acknowledged: the beginning of a group,
    /// perhaps with zeros where the file system lost the rest. Anything else was put there.
    fn tail(&mut self) {
        let torn = self.odd.iter().find(|odd| odd.zeros).map_or(u64::MAX, |odd| odd.line);
        self.odd.retain(|odd| odd.line < torn);
        self.rows.retain(|row| row.line < torn);
        self.report.unacknowledged = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        self.report_odd();
        let places = self.signed.size..self.next();
        traces(&self.rows, &places).into_iter().for_each(|finding| self.fault(finding));
    }

    fn report_odd(&mut self) {
        for odd in std::mem::take(&mut self.odd) {
            self.fault(Finding::at(FaultKind::Malformed, odd.seq, odd.line, "the line is none of the log"));
        }
    }

    /// So many lines without a commit are not our writer's; memory is more precious than their exact story.
    fn give_up_group(&mut self) {
        let what = "no commit follows them, as one should".to_owned();
        let (first, last) = (self.signed.size, self.next());
        self.fault(Finding { kind: FaultKind::Malformed, first, last, line: self.line, what });
        self.report_odd();
        self.rows.clear();
        self.tree = None;
    }

    fn fault(&mut self, finding: Finding) {
        if self.report.faults.len() < FAULTS_MAX {
            let Finding { kind, first, last, line, what } = finding;
            self.report.faults.push(Fault { kind, first, last, segment: self.segment.clone(), line, what });
        }
    }
}

/// Whether the tree with these records is the one of `size` and `root`.
fn fits(tree: Option<&Frontier>, rows: &[Row], size: u64, root: Hash) -> bool {
    let Some(mut tree) = tree.cloned() else { return false };
    rows.iter().for_each(|row| tree.append(row.computed));
    (tree.size(), tree.root()) == (size, root)
}

/// At the size of the checkpoint that is known from elsewhere, the root must be that checkpoint's.
fn forked(known: Option<Checkpoint>, tree: &Frontier, line: u64) -> Option<Finding> {
    let known = known.filter(|known| known.size == tree.size() && known.root != tree.root())?;
    let what = "not the records of the checkpoint that was kept elsewhere".to_owned();
    Some(Finding { kind: FaultKind::Forked, first: 0, last: known.size.saturating_sub(1), line, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::CheckpointKey,
        line::{Format, Header, commit_line, record_line},
        samples::{entry, key, person_key, seal_bytes},
        seal::seal,
    };
    use proptest::prelude::*;

    const NAMES: [&str; 2] = ["log-0", "log-12"];

    /// A log of 20 records, committed in groups of four, in two segments: of twelve records and of eight.
    fn log(key: &CheckpointKey, salt: u8) -> (Vec<Vec<String>>, Checkpoint) {
        let mut frontier = Frontier::default();
        let mut checkpoint = Checkpoint { size: 0, root: frontier.root(), at: UnixMillis(0) };
        let mut segments = Vec::new();
        for records in [0..12_u64, 12..20] {
            let mut lines = vec![Header { format: Format::Two, origin: key.origin().to_owned(), before: frontier.clone() }.render()];
            for seq in records {
                let json = seal(&entry(seq as u8), Some(&person_key(1)), &seal_bytes(salt)).expect("sealed");
                let (line, hash) = record_line(seq, &json);
                frontier.append(hash);
                lines.push(line);
                if seq % 4 == 3 {
                    checkpoint = Checkpoint { size: seq + 1, root: frontier.root(), at: UnixMillis(seq) };
                    lines.push(commit_line(key, &checkpoint));
                }
            }
            segments.push(lines);
        }
        (segments, checkpoint)
    }

    fn verify(key: &CheckpointVerifier, known: Option<Checkpoint>, segments: &[Vec<String>]) -> Report {
        let mut verifier = Verifier::new(key, known);
        for (name, lines) in NAMES.iter().zip(segments) {
            verifier.segment(name);
            lines.iter().filter_map(|line| line.strip_suffix('\n')).for_each(|line| verifier.line(line));
        }
        verifier.finish()
    }

    /// Segment and index of the line that begins so.
    fn at(segments: &[Vec<String>], start: &str) -> (usize, usize) {
        let place = |lines: &Vec<String>| lines.iter().position(|line| line.starts_with(start));
        segments.iter().enumerate().find_map(|(segment, lines)| Some((segment, place(lines)?))).expect("the line")
    }

    /// The line that begins so, to be changed.
    fn line<'a>(segments: &'a mut [Vec<String>], start: &str) -> &'a mut String {
        let (segment, line) = at(segments, start);
        &mut segments[segment][line]
    }

    fn remove(segments: &mut [Vec<String>], start: &str) {
        let (segment, line) = at(segments, start);
        segments[segment].remove(line);
    }

    fn rewrite(segments: &mut [Vec<String>], seq: u64) {
        let old = line(segments, &format!("r {seq} "));
        let json = old.trim_end().splitn(4, ' ').nth(3).expect("json").replace("allow", "alloW");
        *old = record_line(seq, &json).0;
    }

    #[test]
    fn each_kind_of_tampering_is_found_and_located() {
        use FaultKind::{Dropped, Flipped, Forked, Inserted, Malformed, Reordered, Rewritten, SignatureInvalid, Truncated};
        let (signer, key) = key("log.example.com");
        let (genuine, _) = log(&signer, 1);
        type Change = fn(&mut Vec<Vec<String>>);
        let rows: &[(&str, Change, &[(FaultKind, u64, u64, &str, u64)])] = &[
            ("nothing", |_| {}, &[]),
            (
                "a byte of a record",
                |log| *line(log, "r 12 ") = line(log, "r 12 ").replace("allow", "alloW"),
                &[(Flipped, 12, 12, "log-12", 2)],
            ),
            (
                "a byte in each segment",
                |log| {
                    *line(log, "r 3 ") = line(log, "r 3 ").replace("allow", "alloW");
                    *line(log, "r 17 ") = line(log, "r 17 ").replace("allow", "alloW");
                },
                &[(Flipped, 3, 3, "log-0", 5), (Flipped, 17, 17, "log-12", 8)],
            ),
            ("a record dropped", |log| remove(log, "r 6 "), &[(Dropped, 6, 6, "log-0", 9)]),
            (
                "a record dropped, and one in the next segment",
                |log| {
                    remove(log, "r 6 ");
                    remove(log, "r 13 ");
                },
                &[(Dropped, 6, 6, "log-0", 9), (Dropped, 13, 13, "log-12", 3)],
            ),
            (
                "a group dropped with its commit",
                |log| (4..8).map(|seq| format!("r {seq} ")).chain(["c 8 ".to_owned()]).for_each(|start| remove(log, &start)),
                &[(Dropped, 4, 7, "log-0", 7)],
            ),
            ("a record inserted", |log| log[0].insert(8, record_line(6, "{}").0), &[(Inserted, 6, 6, "log-0", 9)]),
            ("two records swapped", |log| log[0].swap(8, 9), &[(Reordered, 6, 7, "log-0", 10)]),
            (
                "two records of different groups swapped",
                |log| log[0].swap(5 - 1, 7),
                &[(Inserted, 5, 5, "log-0", 5), (Dropped, 0, 3, "log-0", 6), (Inserted, 3, 3, "log-0", 8), (Dropped, 5, 5, "log-0", 9)],
            ),
            ("rewritten with its hash", |log| rewrite(log, 9), &[(Rewritten, 8, 11, "log-0", 12)]),
            (
                "a commit's number",
                |log| *line(log, "c 8 ") = line(log, "c 8 ").replace("c 8 ", "c 9 "),
                &[(SignatureInvalid, 4, 7, "log-0", 11)],
            ),
            ("a commit's form", |log| *line(log, "c 8 ") = line(log, "c 8 ").replace("c 8 ", "c 8"), &[(Malformed, 8, 8, "log-0", 11)]),
            (
                "the last commit's form",
                |log| *line(log, "c 20 ") = line(log, "c 20 ").replace("c 20 ", "x 20 "),
                &[(Malformed, 20, 20, "log-12", 11)],
            ),
            (
                "a commit repeated",
                |log| {
                    let again = line(log, "c 8 ").clone();
                    log[0].push(again)
                },
                &[(Inserted, 7, 7, "log-0", 17)],
            ),
            ("a line of rubbish", |log| log[0].insert(3, "rubbish\n".to_owned()), &[(Malformed, 2, 2, "log-0", 4)]),
            ("zeros in the middle", |log| log[0].insert(3, "\0\0\n".to_owned()), &[(Malformed, 2, 2, "log-0", 4)]),
            (
                "a header in the middle",
                |log| {
                    let header = log[0][0].clone();
                    log[0].insert(3, header)
                },
                &[(Malformed, 2, 2, "log-0", 4)],
            ),
            ("no header", |log| drop(log[1].remove(0)), &[(Malformed, 12, 12, "log-12", 1)]),
            ("the first segment dropped", |log| drop(log.remove(0)), &[(Truncated, 0, 11, "log-0", 1)]),
            ("a segment twice", |log| log[1] = log[0].clone(), &[(Forked, 0, 0, "log-12", 1)]),
            ("another log's segment", |log| log[1][0] = log[1][0].replace("log.example", "bog.example"), &[(Forked, 12, 12, "log-12", 1)]),
            ("the last commit of a segment dropped", |log| remove(log, "c 12 "), &[(Truncated, 8, 11, "log-12", 1)]),
            ("the last records of a segment dropped", |log| log[0].truncate(13), &[(Truncated, 8, 11, "log-12", 1)]),
            (
                "a record behind the last commit of a segment",
                |log| log[0].push(record_line(12, "{}").0),
                &[(Inserted, 12, 12, "log-12", 1)],
            ),
        ];
        for (name, change, expected) in rows {
            let mut segments = genuine.clone();
            change(&mut segments);
            let faults = verify(&key, None, &segments).faults;
            let found: Vec<_> =
                faults.iter().map(|fault| (fault.kind, fault.first, fault.last, fault.segment.as_str(), fault.line)).collect();
            assert_eq!(found, *expected, "{name}: {faults:?}");
        }
    }

    /// What leaves a consistent log behind is found against a checkpoint that was kept elsewhere.
    #[test]
    fn a_log_that_was_cut_or_begun_anew_is_found_by_a_kept_checkpoint() {
        let (signer, key) = key("log.example.com");
        let ((genuine, last), (forked, _)) = (log(&signer, 1), log(&signer, 2));
        let middle = Checkpoint { size: 10, root: genuine_root(&genuine, 10), at: UnixMillis(0) };
        let shorter = [genuine[0].clone(), genuine[1][..6].to_vec()];
        let rows: &[(&str, &[Vec<String>], Checkpoint, Option<(FaultKind, u64, u64)>)] = &[
            ("the log itself", &genuine, last, None),
            ("a checkpoint within a group", &genuine, middle, None),
            ("cut behind a commit", &shorter, last, Some((FaultKind::Truncated, 16, 19))),
            ("begun anew", &forked, last, Some((FaultKind::Forked, 0, 19))),
            ("begun anew, a checkpoint within a group", &forked, middle, Some((FaultKind::Forked, 0, 9))),
        ];
        for (name, segments, known, expected) in rows {
            let report = verify(&key, Some(*known), segments);
            assert_eq!(report.faults.first().map(|fault| (fault.kind, fault.first, fault.last)), *expected, "{name}");
            assert_eq!(verify(&key, None, segments).faults, [], "{name}: without the kept checkpoint it is a log like any other");
        }
    }

    fn genuine_root(segments: &[Vec<String>], size: usize) -> Hash {
        let hashes = segments
            .iter()
            .flatten()
            .filter(|line| line.starts_with("r "))
            .map(|line| Hash::parse(line.split(' ').nth(2).expect("a hash")));
        let mut tree = Frontier::default();
        hashes.take(size).for_each(|hash| tree.append(hash.expect("a hash")));
        tree.root()
    }

    /// One key that signs two logs of one size has been misused, whichever of them is shown.
    #[test]
    fn two_checkpoints_of_one_size_are_a_fork() {
        let (signer, key) = key("log.example.com");
        let (mut segments, last) = log(&signer, 1);
        segments[1].push(commit_line(&signer, &Checkpoint { root: Hash([0; 32]), ..last }));
        let report = verify(&key, None, &segments);
        assert_eq!(report.faults.first().map(|fault| (fault.kind, fault.line)), Some((FaultKind::Forked, 12)));
    }

    #[test]
    fn what_was_never_acknowledged_is_no_fault_and_what_was_put_there_is() {
        let (signer, key) = key("log.example.com");
        let (genuine, _) = log(&signer, 1);
        let without_commit = |change: fn(&mut Vec<String>)| {
            let mut segments = genuine.clone();
            segments[1].pop();
            change(&mut segments[1]);
            segments
        };
        let rows: &[(&str, fn(&mut Vec<String>), u64, Option<FaultKind>)] = &[
            ("a group without its commit", |_| {}, 4, None),
            ("half a group", |lines| lines.truncate(8), 2, None),
            ("a line without its break", |lines| lines[9] = lines[9].trim_end().to_owned(), 3, None),
            ("zeros", |lines| lines[8] = format!("\0\0{}", lines[8]), 2, None),
            ("a content", |lines| lines[8] = lines[8].replace("allow", "alloW"), 4, Some(FaultKind::Flipped)),
            ("a number", |lines| lines[8] = lines[8].replace("r 18 ", "r 28 "), 4, Some(FaultKind::Inserted)),
            ("rubbish", |lines| lines.push("rubbish\n".to_owned()), 4, Some(FaultKind::Malformed)),
        ];
        for (name, change, unacknowledged, expected) in rows {
            let report = verify(&key, None, &without_commit(*change));
            assert_eq!((report.committed, report.unacknowledged), (16, *unacknowledged), "{name}");
            assert_eq!(report.faults.first().map(|fault| fault.kind), *expected, "{name}: {:?}", report.faults);
        }
    }

    #[test]
    fn endless_nonsense_is_bounded() {
        let (_, key) = key("log.example.com");
        let mut verifier = Verifier::new(&key, None);
        verifier.segment("log-0");
        (0..1000).for_each(|_| verifier.line("rubbish"));
        let line = record_line(7, "{}").0;
        (0..200_000).for_each(|_| verifier.line(line.trim_end()));
        assert!(verifier.rows.len() <= UNCOMMITTED_MAX && verifier.odd.len() <= FAULTS_MAX);
        assert_eq!(verifier.finish().faults.len(), FAULTS_MAX);
    }

    proptest! {
        /// Any one byte of a committed log changed to another is found, and in the group that it stands in.
        #[test]
        fn any_byte_changed_is_found(place in 0_usize..10_000, to: u8) {
            let (signer, key) = key("log.example.com");
            let (genuine, _) = log(&signer, 1);
            let text: String = genuine[0].concat();
            let mut bytes = text.clone().into_bytes();
            let place = place % bytes.len();
            prop_assume!(bytes[place] != to);
            bytes[place] = to;
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            let lines = changed.split_inclusive('\n').map(str::to_owned).collect();
            let report = verify(&key, None, &[lines, genuine[1].clone()]);
            prop_assert!(!report.faults.is_empty(), "byte {} of {:?}", place, text.get(place..));
            let seq = text.get(..place).expect("ASCII").lines().filter(|line| line.starts_with("r ")).count() as u64;
            let fault = &report.faults[0];
            prop_assert!(fault.segment == NAMES[1] || fault.first <= seq + 4 && seq <= fault.last + 5, "{} for byte {}", fault, place);
        }
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let fault =
            Fault { kind: FaultKind::Flipped, first: 7, last: 7, segment: "log-0".to_owned(), line: 9, what: "was changed".to_owned() };
        assert_eq!(fault.to_string(), "record 7: was changed (log-0, line 9)");
        let fault = Fault { last: 9, ..fault };
        assert_eq!(fault.to_string(), "records 7 to 9: was changed (log-0, line 9)");
    }
}
