//! The log as text: what a person sees with `less`, and what a machine verifies.
//!
//! A segment begins with `countersign-log 2 ORIGIN FIRST PEAKS`, or with a 1 if its entries are of format 1. Then come records, `r SEQ LEAFHASH JSON`, and after each
//! group of records that was written together one commit, `c SIZE ROOT MILLIS SIGNATURE`: a signed checkpoint. Records
//! after the last commit were never acknowledged.

use countersign_core::UnixMillis;

use crate::{
    checkpoint::Checkpoint,
    hash::{Hash, leaf_hash},
    merkle::Frontier,
};

/// Bytes of a line; a longer one is refused.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an entry's JSON, so that its line stays within bounds.
pub(crate) const JSON_BYTES_MAX: usize = 60 * 1024;

/// Characters of a signature: base64url of a key's hash (4 bytes) and an Ed25519 signature (64).
const SIGNATURE_CHARS: usize = 91;

/// How the entries of a segment are written. The tree over them is the same: a log that began in an earlier format goes on in a
/// later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Facts as words, a commitment for each personal field.
    One,
    /// A struct for each kind of event, one commitment for all personal fields.
    Two,
}

impl Format {
    /// What is written.
    pub const WRITTEN: Self = Self::Two;

    const fn number(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// The first line of a segment: which log, and the tree that it continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How its entries are written.
    pub format: Format,
    /// The log's name.
    pub origin: String,
    /// The tree before the segment's first record.
    pub before: Frontier,
}

impl Header {
    /// The line, with its line break.
    #[must_use]
    pub fn render(&self) -> String {
        let peaks: Vec<_> = self.before.peaks().iter().map(Hash::to_string).collect();
        let peaks = if peaks.is_empty() { "-".to_owned() } else { peaks.join(",") };
        format!("countersign-log {} {} {} {peaks}\n", self.format.number(), self.origin, self.before.size())
    }
}

/// A line of a segment, without its line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A signed checkpoint over everything before it.
    Commit {
        /// What was signed.
        checkpoint: Checkpoint,
        /// Key and signature, as [`crate::CheckpointKey::sign`] writes them.
        signature: &'a str,
    },
    /// The first line.
    Header(Header),
    /// An entry.
    Record {
        /// Its number, from 0.
        seq: u64,
        /// The hash that the line claims.
        claimed: Hash,
        /// The entry, as hashed.
        json: &'a str,
    },
}

/// Why a line is none of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineRefusal {
    /// It has other parts than its kind has, or a part is not what it should be.
    Malformed,
    /// It is longer than a line may be.
    TooLong,
    /// It is of a format that this version does not know.
    VersionUnknown,
}

impl<'a> Line<'a> {
    /// Reads a line, given without its line break.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &'a str) -> Result<Self, LineRefusal> {
        if text.len() > LINE_BYTES_MAX {
            return Err(LineRefusal::TooLong);
        }
        let (kind, rest) = text.split_once(' ').ok_or(LineRefusal::Malformed)?;
        match kind {
            "r" => record(rest),
            "c" => commit(rest),
            "countersign-log" => header(rest),
            _ => Err(LineRefusal::Malformed),
        }
    }
}

fn record(rest: &str) -> Result<Line<'_>, LineRefusal> {
    let mut parts = rest.splitn(3, ' ');
    let seq = parts.next().and_then(number).ok_or(LineRefusal::Malformed)?;
    let claimed = parts.next().and_then(Hash::parse).ok_or(LineRefusal::Malformed)?;
    let json = parts.next().ok_or(LineRefusal::Malformed)?;
    Ok(Line::Record { seq, claimed, json })
}

fn commit(rest: &str) -> Result<Line<'_>, LineRefusal> {
    let mut parts = rest.split(' ');
    let size = parts.next().and_then(number).ok_or(LineRefusal::Malformed)?;
    let root = parts.next().and_then(Hash::parse).ok_or(LineRefusal::Malformed)?;
    let at = parts.next().and_then(number).ok_or(LineRefusal::Malformed)?;
    let signature = parts.next().filter(|text| text.len() == SIGNATURE_CHARS).ok_or(LineRefusal::Malformed)?;
    match parts.next() {
        None => Ok(Line::Commit { checkpoint: Checkpoint { size, root, at: UnixMillis(at) }, signature }),
        Some(_) => Err(LineRefusal::Malformed),
    }
}

fn header(rest: &str) -> Result<Line<'_>, LineRefusal> {
    let mut parts = rest.split(' ');
    let named = parts.next().and_then(|number| [Format::One, Format::Two].into_iter().find(|format| format.number() == number));
    let format = named.ok_or(LineRefusal::VersionUnknown)?;
    let origin = parts.next().filter(|text| !text.is_empty()).ok_or(LineRefusal::Malformed)?;
    let size = parts.next().and_then(number).ok_or(LineRefusal::Malformed)?;
    let peaks = match parts.next() {
        None => return Err(LineRefusal::Malformed),
        Some("-") => Vec::new(),
        Some(text) => text.split(',').map(|peak| Hash::parse(peak).ok_or(LineRefusal::Malformed)).collect::<Result<_, _>>()?,
    };
    let before = Frontier::resume(size, peaks).ok_or(LineRefusal::Malformed)?;
    match parts.next() {
        None => Ok(Line::Header(Header { format, origin: origin.to_owned(), before })),
        Some(_) => Err(LineRefusal::Malformed),
    }
}

/// A number in its one spelling.
fn number(text: &str) -> Option<u64> {
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// Renders a record with its line break, and its leaf hash. `json` is one line.
#[must_use]
pub fn record_line(seq: u64, json: &str) -> (String, Hash) {
    let hash = leaf_hash(json.as_bytes());
    (format!("r {seq} {hash} {json}\n"), hash)
}

/// Renders a commit with its line break.
#[must_use]
pub(crate) fn commit_text(checkpoint: &Checkpoint, signature: &str) -> String {
    format!("c {} {} {} {signature}\n", checkpoint.size, checkpoint.root, checkpoint.at.0)
}

/// Renders a signed commit with its line break.
#[must_use]
pub fn commit_line(key: &crate::checkpoint::CheckpointKey, checkpoint: &Checkpoint) -> String {
    commit_text(checkpoint, &key.sign(checkpoint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_taken_strictly() {
        let hash = Hash([7; 32]).to_string();
        let signature = "A".repeat(91);
        let long = format!("r 0 {hash} {}", "x".repeat(LINE_BYTES_MAX));
        let rows: &[(&str, String, Option<LineRefusal>)] = &[
            ("a record", format!("r 0 {hash} {{}}"), None),
            ("a commit", format!("c 1 {hash} 5 {signature}"), None),
            ("the first header", "countersign-log 1 a 0 -".to_owned(), None),
            ("a later header", format!("countersign-log 1 a 2 {hash}"), None),
            ("the format that is written", "countersign-log 2 a 0 -".to_owned(), None),
            ("a newer format", "countersign-log 3 a 0 -".to_owned(), Some(LineRefusal::VersionUnknown)),
            ("too many peaks", format!("countersign-log 1 a 2 {hash},{hash}"), Some(LineRefusal::Malformed)),
            ("a number with a zero before it", format!("r 00 {hash} {{}}"), Some(LineRefusal::Malformed)),
            ("a short hash", "r 0 abc {}".to_owned(), Some(LineRefusal::Malformed)),
            ("something after the signature", format!("c 1 {hash} 5 {signature} x"), Some(LineRefusal::Malformed)),
            ("another kind", "x 1".to_owned(), Some(LineRefusal::Malformed)),
            ("nothing", String::new(), Some(LineRefusal::Malformed)),
            ("a line without end", long, Some(LineRefusal::TooLong)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Line::parse(text).err(), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Line::parse(&text);
        }

        #[test]
        fn records_come_back(seq: u64, json in "[ -~]{0,200}") {
            let (line, hash) = record_line(seq, &json);
            prop_assert_eq!(Line::parse(line.trim_end_matches('\n')), Ok(Line::Record { seq, claimed: hash, json: &json }));
        }

        #[test]
        fn headers_come_back(leaves in 0_u64..100, second: bool) {
            let mut before = Frontier::default();
            (0..leaves).for_each(|n| before.append(leaf_hash(&n.to_be_bytes())));
            let header = Header { format: if second { Format::Two } else { Format::One }, origin: "a".to_owned(), before };
            let text = header.render();
            prop_assert_eq!(Line::parse(text.trim_end()), Ok(Line::Header(header)));
        }
    }
}
