//! Reading a log: for people who ask why, and for verification. Everything here also works offline, on a copy.

use std::path::{Path, PathBuf};

use countersign_audit::{
    self as audit, Checkpoint, CheckpointRefusal, CheckpointVerifier, DatabaseSeen, Disclosure, Event, Frontier, Glance, Hash, Line,
    Recorded, Report, SealRefusal, Verifier, prove,
};
use countersign_core::DecisionId;

use crate::segments::files::{ReadError, each_line, each_line_from, first_of, list, offset_before, offset_near_end};

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// The entry, as hashed.
    pub json: String,
}

impl Record {
    /// What the entry says, whatever its format.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(&self) -> Result<audit::Record, SealRefusal> {
        audit::Record::read(&self.json)
    }
}

/// Calls `take` with every record of a segment from `offset` on that a commit follows: others were never acknowledged.
fn records(path: &Path, offset: u64, mut take: impl FnMut(u64, Hash, &str)) -> Result<(), ReadError> {
    let mut group = Vec::new();
    each_line_from(path, offset, |text, _| match Line::parse(text) {
        Ok(Line::Record { .. }) => group.push(text.to_owned()),
        Ok(Line::Commit { .. }) => {
            for text in group.drain(..) {
                if let Ok(Line::Record { seq, claimed, json }) = Line::parse(&text) {
                    take(seq, claimed, json);
                }
            }
        }
        Ok(Line::Header(_)) | Err(_) => {}
    })
}

/// The record of a decision, looked for from the newest segment back. Of several with one number, the last.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_decision(directory: &Path, decision: &DecisionId) -> Result<Option<Record>, ReadError> {
    for path in list(directory)?.iter().rev() {
        // Entries are read only where the number stands in their line: a long log is searched at the pace of the disk.
        let (mut candidate, mut found) = (None, None);
        each_line(path, |text, _| {
            if text.starts_with("c ") {
                found = candidate.take().or(found.take());
            } else if text.contains(decision.as_str())
                && let Ok(Line::Record { seq, json, .. }) = Line::parse(text)
                && audit::Record::read(json).is_ok_and(|entry| entry.decision == *decision)
            {
                candidate = Some(Record { seq, json: json.to_owned() });
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
    let segments = list(directory)?;
    let Some(path) = segments.iter().rev().find(|path| first_of(path).is_some_and(|first| first <= seq)) else { return Ok(None) };
    let mut found = None;
    records(path, offset_before(path, seq)?, |number, _, json| {
        if number == seq {
            found = Some(Record { seq, json: json.to_owned() });
        }
    })?;
    Ok(found)
}

/// The last `count_max` records from number `from` on, in order.
///
/// # Errors
/// When the directory cannot be read.
pub fn tail(directory: &Path, from: u64, count_max: usize) -> Result<Vec<Record>, ReadError> {
    let segments = list(directory)?;
    let size = match latest_commit(&segments)? {
        Some((checkpoint, _)) => checkpoint.size,
        None => return Ok(Vec::new()),
    };
    let from = from.max(size.saturating_sub(u64::try_from(count_max).unwrap_or(u64::MAX)));
    let first = segments.partition_point(|path| first_of(path).is_some_and(|first| first <= from)).saturating_sub(1);
    let mut found = Vec::new();
    for path in segments.iter().skip(first) {
        records(path, offset_before(path, from)?, |seq, _, json| {
            if (from..size).contains(&seq) {
                found.push(Record { seq, json: json.to_owned() });
            }
        })?;
    }
    Ok(found)
}

/// Calls `take` with every entry that `wanted` picks at a glance, from the newest segment back, up to and with the first segment
/// whose first entry is one of those that `ends` picks. What is no entry is passed over; verification finds it.
///
/// # Errors
/// When the directory cannot be read.
pub fn walk_back(
    directory: &Path,
    wanted: impl Fn(Glance) -> bool,
    ends: impl Fn(Option<Glance>) -> bool,
    mut take: impl FnMut(audit::Record),
) -> Result<(), ReadError> {
    for path in list(directory)?.iter().rev() {
        let mut ended = None;
        records(path, 0, |_, _, json| {
            let glance = Glance::read(json);
            ended.get_or_insert_with(|| ends(glance));
            if glance.is_some_and(&wanted)
                && let Ok(entry) = audit::Record::read(json)
            {
                take(entry);
            }
        })?;
        if ended == Some(true) {
            break;
        }
    }
    Ok(())
}

/// The hashes of the first `size` records.
///
/// # Errors
/// When the directory cannot be read.
pub fn leaves(directory: &Path, size: u64) -> Result<Vec<Hash>, ReadError> {
    let mut found = Vec::new();
    for path in list(directory)? {
        records(&path, 0, |seq, hash, _| {
            if seq < size {
                found.push(hash);
            }
        })?;
    }
    Ok(found)
}

/// The last commit, and its signature as it stands there.
fn latest_commit(segments: &[PathBuf]) -> Result<Option<(Checkpoint, String)>, ReadError> {
    for path in segments.iter().rev() {
        // Nearly always the last commit is near the end; only a torn group of unusual length is longer than a span.
        for offset in [offset_near_end(path)?, 0] {
            let mut last = None;
            each_line_from(path, offset, |text, _| {
                if let Ok(Line::Commit { checkpoint, signature }) = Line::parse(text) {
                    last = Some((checkpoint, signature.to_owned()));
                }
            })?;
            if last.is_some() {
                return Ok(last);
            }
        }
    }
    Ok(None)
}

/// The last commit, synchronised with the disk: what it covers would survive a power cut. `None` for a log without entries.
///
/// # Errors
/// When the directory cannot be read, or the disk fails.
pub fn durable_checkpoint(directory: &Path) -> Result<Option<Checkpoint>, ReadError> {
    let segments = list(directory)?;
    let latest = latest_commit(&segments)?.map(|(checkpoint, _)| checkpoint);
    if let Some(path) = segments.last() {
        let synchronised = std::fs::File::open(path).and_then(|file| file.sync_data());
        synchronised.map_err(|source| ReadError { path: path.clone(), source })?;
    }
    Ok(latest)
}

/// Tells if the last commit is signed by this key. `None` for a log without entries.
///
/// # Errors
/// When the directory cannot be read.
pub fn is_signed_by(directory: &Path, key: &CheckpointVerifier) -> Result<Option<bool>, ReadError> {
    let latest = latest_commit(&list(directory)?)?;
    Ok(latest.map(|(checkpoint, signature)| key.verify(&checkpoint, &signature) != Err(CheckpointRefusal::KeyUnknown)))
}

/// Root of the tree over the first `size` records, from the segment in which it ends. `None` when there are fewer.
///
/// # Errors
/// When the directory cannot be read.
pub fn root_at(directory: &Path, size: u64) -> Result<Option<Hash>, ReadError> {
    let segments = list(directory)?;
    // Where a segment begins at this size, the one before may end there too; either has the root.
    let Some(path) = segments.iter().rev().find(|path| first_of(path).is_some_and(|first| first <= size)) else { return Ok(None) };
    let mut tree: Option<Frontier> = None;
    each_line(path, |text, _| match (Line::parse(text), &mut tree) {
        (Ok(Line::Header(header)), None) => tree = Some(header.before),
        (Ok(Line::Record { claimed, .. }), Some(tree)) if tree.size() < size => tree.append(claimed),
        (Ok(_) | Err(_), _) => {}
    })?;
    Ok(tree.filter(|tree| tree.size() == size).map(|tree| tree.root()))
}

/// Last note of the log about the database beside it. `None` for a log that says nothing of one.
///
/// # Errors
/// When the directory cannot be read.
pub fn database_seen(directory: &Path) -> Result<Option<DatabaseSeen>, ReadError> {
    for path in list(directory)?.iter().rev() {
        let mut last = None;
        records(path, 0, |_, _, json| {
            if json.contains(DatabaseSeen::MARK)
                && let Ok(audit::Record { event: Event { of: Recorded::ConfigActivated(activated), .. }, .. }) = audit::Record::read(json)
            {
                last = activated.database.or(last.take());
            }
        })?;
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

/// Calls `take` with every entry from number `from` on that `wanted` picks at a glance, oldest first. What is no entry is passed over.
///
/// # Errors
/// When the directory cannot be read.
pub fn walk_from(
    directory: &Path,
    from: u64,
    wanted: impl Fn(Glance) -> bool,
    mut take: impl FnMut(audit::Record),
) -> Result<(), ReadError> {
    let segments = list(directory)?;
    let first = segments.partition_point(|path| first_of(path).is_some_and(|first| first <= from)).saturating_sub(1);
    for path in segments.iter().skip(first) {
        records(path, offset_before(path, from)?, |seq, _, json| {
            if seq >= from
                && Glance::read(json).is_some_and(&wanted)
                && let Ok(entry) = audit::Record::read(json)
            {
                take(entry);
            }
        })?;
    }
    Ok(())
}

/// The last commit as a signed note, and what it says. `None` for a log without entries. Not yet verified: whoever shows it
/// to others opens it first ([`CheckpointVerifier::open_note`]).
///
/// # Errors
/// When the directory cannot be read.
pub fn latest_note(directory: &Path, key: &CheckpointVerifier) -> Result<Option<(Checkpoint, String)>, ReadError> {
    let latest = latest_commit(&list(directory)?)?;
    Ok(latest.and_then(|(checkpoint, signature)| Some((checkpoint, key.signed_note(&checkpoint, &signature)?))))
}

/// The proof that record `seq` is in the log, as a file that anybody can check offline with the log's verifier key, with
/// these personal fields shown. `None` when there is no such record.
///
/// # Errors
/// When the directory cannot be read.
pub fn proof(directory: &Path, key: &CheckpointVerifier, seq: u64, disclosed: &[Disclosure]) -> Result<Option<String>, ReadError> {
    let Some(record) = read_record(directory, seq)? else { return Ok(None) };
    let Some((checkpoint, note)) = latest_note(directory, key)? else { return Ok(None) };
    Ok(prove(seq, &record.json, &leaves(directory, checkpoint.size)?, &note, disclosed))
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
