//! Verifying a whole log: every record against its hash, every hash against the signed checkpoints, every segment against
//! the one before it.
//!
//! A change is located as exactly as the log allows: a record that does not fit its own hash by its number, a record whose
//! hash was changed with it by the two signed commits that it lies between.

use std::fmt;

use crate::{
    checkpoint::{Checkpoint, CheckpointVerifier},
    hash::{Hash, leaf_hash},
    line::Line,
    merkle::Frontier,
};

/// Faults that are reported; beyond it the log is broken enough.
const FAULTS_MAX: usize = 100;

/// What is wrong. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A record is missing.
    Dropped,
    /// A record's content is not what was hashed.
    Flipped,
    /// The log is not the continuation of a checkpoint that is known from elsewhere, or a segment not of the one before.
    Forked,
    /// A record is there twice, or was put in.
    Inserted,
    /// A line is none of the log.
    Malformed,
    /// Records stand in another order.
    Reordered,
    /// Records between two commits are not those that were signed, though each fits its hash.
    Rewritten,
    /// A commit's signature does not verify.
    SignatureInvalid,
    /// The log ends before something that is known to have been in it.
    Truncated,
}

impl FaultKind {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Flipped => "flipped",
            Self::Forked => "forked",
            Self::Inserted => "inserted",
            Self::Malformed => "malformed",
            Self::Reordered => "reordered",
            Self::Rewritten => "rewritten",
            Self::SignatureInvalid => "signature_invalid",
            Self::Truncated => "truncated",
        }
    }
}

/// One fault and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The first record that it can concern.
    pub first: u64,
    /// The last record that it can concern.
    pub last: u64,
    /// Name of the segment.
    pub segment: String,
    /// Line of the segment, from 1.
    pub line: u64,
    /// In words.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "record {}: ", self.first)?;
        } else {
            write!(f, "records {} to {}: ", self.first, self.last)?;
        }
        write!(f, "{} ({}, line {})", self.what, self.segment, self.line)
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records under a valid commit.
    pub committed: u64,
    /// Records after the last commit: written, never acknowledged, no fault.
    pub unacknowledged: u64,
    /// The last valid checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// All faults, in order of appearance; at most a hundred.
    pub faults: Vec<Fault>,
}

/// Verifies a log line by line, in one pass and with memory that does not grow with it.
pub struct Verifier<'a> {
    key: &'a CheckpointVerifier,
    known: Option<Checkpoint>,
    frontier: Frontier,
    next: u64,
    committed: Frontier,
    clean: bool,
    missing: Option<u64>,
    segment: String,
    line: u64,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// Begins. `known` is a checkpoint that was kept elsewhere, against which a rewrite of the whole log is found.
    #[must_use]
    pub fn new(key: &'a CheckpointVerifier, known: Option<Checkpoint>) -> Self {
        Self {
            key,
            known,
            frontier: Frontier::default(),
            next: 0,
            committed: Frontier::default(),
            clean: true,
            missing: None,
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

    /// Takes the next line, without its line break.
    pub fn line(&mut self, text: &str) {
        self.line = self.line.saturating_add(1);
        match Line::parse(text) {
            Ok(Line::Header(header)) if self.line == 1 => {
                if header.origin != self.key.origin() || header.before != self.frontier {
                    let what = format!("the segment does not continue the log, which has {} records here", self.frontier.size());
                    self.fault(FaultKind::Forked, (self.next, self.next), what);
                }
            }
            Ok(Line::Record { seq, claimed, json }) if self.line > 1 => self.record(seq, claimed, json),
            Ok(Line::Commit { checkpoint, signature }) if self.line > 1 => self.commit(&checkpoint, signature),
            Ok(_) | Err(_) => self.fault(FaultKind::Malformed, (self.next, self.next), "the line is none of the log".to_owned()),
        }
    }

    fn record(&mut self, seq: u64, claimed: Hash, json: &str) {
        if leaf_hash(json.as_bytes()) != claimed {
            self.fault(FaultKind::Flipped, (seq, seq), "the record does not match its hash".to_owned());
        }
        match seq.cmp(&self.next) {
            std::cmp::Ordering::Equal => self.next = seq.saturating_add(1),
            std::cmp::Ordering::Greater => {
                let last = seq.saturating_sub(1);
                self.missing = Some(self.next);
                self.fault(FaultKind::Dropped, (self.next, last), "missing".to_owned());
                self.next = seq.saturating_add(1);
            }
            std::cmp::Ordering::Less if self.missing == Some(seq) => {
                self.missing = None;
                self.fault(FaultKind::Reordered, (seq, seq), "stands after later records".to_owned());
            }
            std::cmp::Ordering::Less => self.fault(FaultKind::Inserted, (seq, seq), "a second record of this number".to_owned()),
        }
        self.frontier.append(claimed);
        self.compare_with_known();
    }

    /// At the size of the checkpoint that is known from elsewhere, the root must be that checkpoint's.
    fn compare_with_known(&mut self) {
        if let Some(known) = self.known.filter(|known| known.size == self.frontier.size())
            && self.frontier.root() != known.root
        {
            let what = "the log is not the one of the checkpoint that was kept elsewhere".to_owned();
            self.fault(FaultKind::Forked, (0, known.size.saturating_sub(1)), what);
        }
    }

    fn commit(&mut self, checkpoint: &Checkpoint, signature: &str) {
        let (first, last) = (self.committed.size(), checkpoint.size.saturating_sub(1));
        if self.key.verify(checkpoint, signature).is_err() {
            self.fault(FaultKind::SignatureInvalid, (first, last.max(first)), "the commit's signature does not verify".to_owned());
        } else if self.clean && self.frontier.size() != checkpoint.size {
            self.fault(FaultKind::Dropped, (first, last.max(first)), format!("the commit is over {} records", checkpoint.size));
        } else if self.clean && self.frontier.root() != checkpoint.root {
            self.fault(FaultKind::Rewritten, (first, last.max(first)), "the records do not match the signed checkpoint".to_owned());
        } else if self.clean {
            self.report.committed = checkpoint.size;
            self.report.checkpoint = Some(*checkpoint);
        }
        self.committed = self.frontier.clone();
    }

    /// Ends: the last segment is read.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.report.unacknowledged = self.frontier.size().saturating_sub(self.committed.size());
        if let Some(known) = self.known.filter(|known| known.size > self.committed.size()) {
            let what = format!("the log ends before record {}, which a checkpoint kept elsewhere covers", known.size.saturating_sub(1));
            self.fault(FaultKind::Truncated, (self.committed.size(), known.size.saturating_sub(1)), what);
        }
        self.report
    }

    fn fault(&mut self, kind: FaultKind, (first, last): (u64, u64), what: String) {
        // After a first fault roots cannot fit any more, and saying so again would hide where it began.
        self.clean = false;
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(Fault { kind, first, last, segment: self.segment.clone(), line: self.line, what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::{CheckpointKey, tests::key},
        line::{Header, commit_line, record_line},
        seal::{
            seal,
            tests::{entry, person_key, seal_bytes},
        },
    };
    use countersign_core::UnixMillis;

    /// A log of 20 records, committed in groups of four, in one segment.
    fn log(key: &CheckpointKey, salt: u8) -> (Vec<String>, Checkpoint) {
        let mut frontier = Frontier::default();
        let mut lines = vec![Header { origin: key.origin().to_owned(), before: frontier.clone() }.render()];
        let mut checkpoint = Checkpoint { size: 0, root: frontier.root(), at: UnixMillis(0) };
        for seq in 0..20_u64 {
            let json = seal(&entry(seq as u8), Some(&person_key(1)), &seal_bytes(salt)).expect("sealed");
            let (line, hash) = record_line(seq, &json);
            frontier.append(hash);
            lines.push(line);
            if seq % 4 == 3 {
                checkpoint = Checkpoint { size: seq + 1, root: frontier.root(), at: UnixMillis(seq) };
                lines.push(commit_line(key, &checkpoint));
            }
        }
        (lines, checkpoint)
    }

    fn verify(key: &CheckpointVerifier, known: Option<Checkpoint>, lines: &[String]) -> Report {
        let mut verifier = Verifier::new(key, known);
        verifier.segment("log-0");
        lines.iter().for_each(|line| verifier.line(line.trim_end_matches('\n')));
        verifier.finish()
    }

    fn at(lines: &[String], seq: u64) -> usize {
        lines.iter().position(|line| line.starts_with(&format!("r {seq} "))).expect("the record")
    }

    #[test]
    fn each_kind_of_tampering_is_found_and_located() {
        let (signer, key) = key("log.example.com");
        let (genuine, last) = log(&signer, 1);
        let (forked, _) = log(&signer, 2);
        type Change = fn(&mut Vec<String>);
        let rows: &[(&str, Change, Option<(FaultKind, u64, u64)>)] = &[
            ("nothing", |_| {}, None),
            (
                "a byte flipped",
                |log| {
                    let i = at(log, 12);
                    log[i] = log[i].replace("allow", "alloW");
                },
                Some((FaultKind::Flipped, 12, 12)),
            ),
            (
                "a record dropped",
                |log| {
                    let i = at(log, 6);
                    log.remove(i);
                },
                Some((FaultKind::Dropped, 6, 6)),
            ),
            (
                "a record inserted",
                |log| {
                    let i = at(log, 6);
                    log.insert(i + 1, log[i].clone());
                },
                Some((FaultKind::Inserted, 6, 6)),
            ),
            (
                "two records swapped",
                |log| {
                    let i = at(log, 5);
                    log.swap(i, i + 1);
                },
                Some((FaultKind::Dropped, 5, 5)),
            ),
            (
                "rewritten with its hash",
                |log| {
                    let i = at(log, 9);
                    let json = log[i].trim_end().splitn(4, ' ').nth(3).expect("json").replace("allow", "alloW");
                    log[i] = record_line(9, &json).0;
                },
                Some((FaultKind::Rewritten, 8, 11)),
            ),
            (
                "a forged commit",
                |log| {
                    let i = at(log, 7) + 1;
                    log[i] = log[i].replacen("c 8 ", "c 9 ", 1);
                },
                Some((FaultKind::SignatureInvalid, 4, 8)),
            ),
            ("a line of rubbish", |log| log.insert(3, "rubbish\n".to_owned()), Some((FaultKind::Malformed, 2, 2))),
            (
                "a header in the middle",
                |log| {
                    let header = log[0].clone();
                    log.insert(3, header);
                },
                Some((FaultKind::Malformed, 2, 2)),
            ),
        ];
        for (name, change, expected) in rows {
            let mut lines = genuine.clone();
            change(&mut lines);
            let report = verify(&key, None, &lines);
            assert_eq!(report.faults.first().map(|fault| (fault.kind, fault.first, fault.last)), *expected, "{name}: {:?}", report.faults);
        }
        // What leaves a consistent log behind is found against a checkpoint that was kept elsewhere.
        let shorter: Vec<_> = genuine[..at(&genuine, 16)].to_vec();
        let kind = |lines: &[String]| verify(&key, Some(last), lines).faults.first().map(|fault| (fault.kind, fault.first, fault.last));
        assert_eq!(kind(&shorter), Some((FaultKind::Truncated, 16, 19)));
        assert_eq!(kind(&forked), Some((FaultKind::Forked, 0, 19)));
        assert_eq!(kind(&genuine), None);
        // Swapped records are called by their name too.
        let mut lines = genuine.clone();
        let i = at(&lines, 5);
        lines.swap(i, i + 1);
        assert!(verify(&key, None, &lines).faults.iter().any(|fault| fault.kind == FaultKind::Reordered && fault.first == 5));
    }

    #[test]
    fn an_unacknowledged_tail_is_no_fault() {
        let (signer, key) = key("log.example.com");
        let (mut lines, _) = log(&signer, 1);
        lines.pop();
        let report = verify(&key, None, &lines);
        assert_eq!((report.committed, report.unacknowledged, report.faults.len()), (16, 4, 0));
    }

    #[test]
    fn a_segment_must_continue_the_one_before() {
        let (signer, key) = key("log.example.com");
        let (lines, _) = log(&signer, 1);
        let mut verifier = Verifier::new(&key, None);
        for name in ["log-0", "log-0-again"] {
            verifier.segment(name);
            lines.iter().for_each(|line| verifier.line(line.trim_end()));
        }
        let fault = verifier.finish().faults.into_iter().next().expect("a fault");
        assert_eq!((fault.kind, fault.segment.as_str(), fault.line), (FaultKind::Forked, "log-0-again", 1));
        assert_eq!(fault.to_string(), "record 20: the segment does not continue the log, which has 20 records here (log-0-again, line 1)");
    }
}
