//! Reading a log: for people who ask why, and for verification. Everything here also works offline, on a copy.

use std::path::Path;

use countersign_audit::{Checkpoint, CheckpointVerifier, Hash, Line, Report, Verifier};
use countersign_core::DecisionId;

use crate::segments::files::{ReadError, each_line, list};

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// The entry, as hashed.
    pub json: String,
}

/// Calls `take` with every record of a segment.
fn records(path: &Path, mut take: impl FnMut(u64, Hash, &str)) -> Result<(), ReadError> {
    each_line(path, |text, _| {
        if let Ok(Line::Record { seq, claimed, json }) = Line::parse(text) {
            take(seq, claimed, json);
        }
    })
}

/// The record of a decision, looked for from the newest segment back. Of several with one number, the last.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_decision(directory: &Path, decision: &DecisionId) -> Result<Option<Record>, ReadError> {
    let wanted = format!("\"decision\":\"{decision}\"");
    for path in list(directory)?.iter().rev() {
        let mut found = None;
        records(path, |seq, _, json| {
            if json.contains(&wanted) {
                found = Some(Record { seq, json: json.to_owned() });
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Record number `seq`.
///
/// # Errors
/// When the directory cannot be read.
pub fn read_record(directory: &Path, seq: u64) -> Result<Option<Record>, ReadError> {
    let mut found = None;
    for path in list(directory)?.iter().rev() {
        records(path, |number, _, json| {
            if number == seq {
                found = Some(Record { seq, json: json.to_owned() });
            }
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// The last `count_max` records from number `from` on, in order.
///
/// # Errors
/// When the directory cannot be read.
pub fn tail(directory: &Path, from: u64, count_max: usize) -> Result<Vec<Record>, ReadError> {
    let mut found = std::collections::VecDeque::new();
    let segments = list(directory)?;
    let first = segments.partition_point(|path| first_of(path).is_some_and(|first| first <= from)).saturating_sub(1);
    for path in segments.iter().skip(first) {
        records(path, |seq, _, json| {
            if seq >= from {
                found.push_back(Record { seq, json: json.to_owned() });
                if found.len() > count_max {
                    found.pop_front();
                }
            }
        })?;
    }
    Ok(found.into())
}

/// The number in a segment's name.
fn first_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.strip_prefix("log-")?.parse().ok()
}

/// The hashes of the first `size` records.
///
/// # Errors
/// When the directory cannot be read.
pub fn leaves(directory: &Path, size: u64) -> Result<Vec<Hash>, ReadError> {
    let mut found = Vec::new();
    for path in list(directory)? {
        records(&path, |seq, hash, _| {
            if seq < size {
                found.push(hash);
            }
        })?;
    }
    Ok(found)
}

/// The last commit as a signed note, and what it says. `None` for a log without entries.
///
/// # Errors
/// When the directory cannot be read.
pub fn latest_note(directory: &Path, key: &CheckpointVerifier) -> Result<Option<(Checkpoint, String)>, ReadError> {
    for path in list(directory)?.iter().rev() {
        let mut last = None;
        each_line(path, |text, _| {
            if let Ok(Line::Commit { checkpoint, signature }) = Line::parse(text) {
                last = key.signed_note(&checkpoint, signature).map(|note| (checkpoint, note));
            }
        })?;
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

/// Verifies a whole log; see [`Verifier`].
///
/// # Errors
/// When the directory cannot be read; what does not verify stands in the report.
pub fn verify(directory: &Path, key: &CheckpointVerifier, known: Option<Checkpoint>) -> Result<Report, ReadError> {
    let mut verifier = Verifier::new(key, known);
    for path in list(directory)? {
        verifier.segment(&path.file_name().unwrap_or_default().to_string_lossy());
        each_line(&path, |text, _| verifier.line(text))?;
    }
    Ok(verifier.finish())
}
