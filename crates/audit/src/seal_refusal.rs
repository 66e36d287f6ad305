//! Why an entry was not sealed, or does not open.

use std::fmt;

/// Why an entry was not sealed or does not open. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealRefusal {
    /// The value is not the one committed to.
    CommitmentMismatch,
    /// The key is another person's.
    KeyMismatch,
    /// The entry is not one of this log.
    Malformed,
    /// Two fields have one name.
    NameRepeated,
    /// The box was changed after it was sealed.
    SealBroken,
    /// The entry is longer than a line of the log may be.
    TooLong,
}

impl fmt::Display for SealRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommitmentMismatch => "the value is not the one that the entry commits to",
            Self::KeyMismatch => "the entry was sealed with another person's key",
            Self::Malformed => "this is no entry of the log",
            Self::NameRepeated => "two personal fields of the entry have one name",
            Self::SealBroken => "the sealed fields were changed after they were sealed; run `countersign audit verify`",
            Self::TooLong => "the entry is longer than a line of the log may be",
        })
    }
}

impl std::error::Error for SealRefusal {}
