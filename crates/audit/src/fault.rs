//! What a verification can find, and where.

use std::fmt;

/// What is wrong. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Records are missing.
    Dropped,
    /// A record is not what was hashed and signed.
    Flipped,
    /// The log is not the continuation of a checkpoint that is known from elsewhere, or a segment not of the one before.
    Forked,
    /// A record or commit is there twice, or was put in.
    Inserted,
    /// A line is none of the log.
    Malformed,
    /// Records stand in another order.
    Reordered,
    /// Records between two commits are not those that were signed, though each fits its hash.
    Rewritten,
    /// A commit's signature does not verify.
    SignatureInvalid,
    /// A segment or the log ends before something that is known to have been in it.
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

/// A fault in a segment that is known to whoever found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FaultKind,
    /// The first record that it can concern.
    pub first: u64,
    /// The last record that it can concern.
    pub last: u64,
    /// Line of the segment, from 1.
    pub line: u64,
    /// In words.
    pub what: String,
}

impl Finding {
    /// A finding about one record.
    pub fn at(kind: FaultKind, seq: u64, line: u64, what: &str) -> Self {
        Self { kind, first: seq, last: seq, line, what: what.to_owned() }
    }
}
