//! Opening a log: find where the last acknowledged entry ends, and cut off what came after.
//!
//! Only the last segment is read, because its header holds the tree that it continues and its last signature covers both.
//! What may be cut off is only what a torn write leaves: the beginning of a group, or zeros where the file system lost it.
//! Anything else behind the last commit may be a commit that was damaged, and entries that were acknowledged under it.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use countersign_audit::{Checkpoint, CheckpointKey, CheckpointVerifier, Format, Frontier, Header, Line, leaf_hash};

use crate::segments::files::{self, ReadError};

/// Bytes of a header that was torn; a whole one has at most 64 hashes and a name.
const HEADER_BYTES_MAX: u64 = 4096;

/// Where a log is continued.
pub struct Tail {
    /// The tree so far.
    pub frontier: Frontier,
    /// The segment that is continued, and its length; `None` when a new one has to be begun.
    pub segment: Option<(PathBuf, u64)>,
}

/// Why a log cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The log does not fit where it would be continued.
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// Another process writes this log.
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory or a file cannot be used.
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { path, line, what } => write!(
                f,
                "the audit log does not verify: `{}`, line {line}: {what}; run `countersign audit verify` to see what was changed, and \
                 restore the directory, or move it away to begin a new log",
                path.display()
            ),
            Self::InUse { path } => write!(f, "the audit log in `{}` is in use; stop the other process first", path.display()),
            Self::Io { path, source } => write!(f, "the audit log cannot use `{}`: {source}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        Self::Io { path: error.path, source: error.source }
    }
}

/// Reads the last segment that has a whole header, and truncates it behind its last commit. The caller holds the lock.
pub fn recover(directory: &Path, key: &CheckpointKey) -> Result<Tail, OpenError> {
    let unusable = OpenError::Corrupt { path: directory.to_path_buf(), line: 0, what: "the log's own key cannot be used" };
    let verifier = CheckpointVerifier::parse(&key.verifier_text()).map_err(|_| unusable)?;
    let mut segments = files::list(directory)?;
    while let Some(path) = segments.pop() {
        let Some(read) = Replay::of(&path, &verifier)? else {
            // Begun in the last moment and never used: nothing in it was acknowledged.
            fs::remove_file(&path).map_err(|source| OpenError::Io { path, source })?;
            continue;
        };
        if read.last.is_none() {
            follows(&read, &path, segments.last(), &verifier)?;
        }
        let failed = |source| OpenError::Io { path: path.clone(), source };
        // A segment has one format: the log goes on in a new one, whose name would be this one's if this one holds nothing.
        if read.format != Format::WRITTEN && read.last.is_none() {
            fs::remove_file(&path).map_err(failed)?;
            return Ok(Tail { frontier: read.committed, segment: None });
        }
        let file = fs::OpenOptions::new().write(true).open(&path).map_err(failed)?;
        file.set_len(read.length).and_then(|()| file.sync_all()).map_err(failed)?;
        let segment = (read.format == Format::WRITTEN).then_some((path, read.length));
        return Ok(Tail { frontier: read.committed, segment });
    }
    Ok(Tail { frontier: Frontier::default(), segment: None })
}

/// A header that no commit covers yet must be what the segment before it ended with.
fn follows(read: &Replay, path: &Path, before: Option<&PathBuf>, verifier: &CheckpointVerifier) -> Result<(), OpenError> {
    let expected = match before {
        Some(before) => Replay::of(before, verifier)?.map(|before| before.committed),
        None => Some(Frontier::default()),
    };
    if expected.as_ref() == Some(&read.committed) {
        return Ok(());
    }
    Err(OpenError::Corrupt { path: path.to_path_buf(), line: 1, what: "the segment does not continue the one before" })
}

/// What stands where it should not.
#[derive(Clone, Copy)]
struct Odd {
    line: u64,
    what: &'static str,
    /// Zero bytes are what a torn write can leave; everything from there on was lost with it.
    zeros: bool,
}

/// A segment read from its header to its last commit.
struct Replay {
    format: Format,
    frontier: Frontier,
    committed: Frontier,
    length: u64,
    /// The last commit: its line, and what is to be verified of it.
    last: Option<(u64, Checkpoint, String)>,
    /// Torn if no commit follows, a fault if one does.
    odd: Option<Odd>,
    fault: Option<(u64, &'static str)>,
}

impl Replay {
    /// `None` for a segment without a whole header.
    fn of(path: &Path, verifier: &CheckpointVerifier) -> Result<Option<Self>, OpenError> {
        let corrupt = |line, what| OpenError::Corrupt { path: path.to_path_buf(), line, what };
        let (mut replay, mut number) = (None::<Self>, 0_u64);
        files::each_line(path, |text, offset| {
            number = number.saturating_add(1);
            match (&mut replay, Line::parse(text)) {
                (None, Ok(Line::Header(header))) if number == 1 => replay = Some(Self::begin(header, path, verifier, offset)),
                (None, _) => {}
                (Some(replay), line) => replay.take(line.ok(), text, number, offset),
            }
        })?;
        let Some(replay) = replay else {
            let length = fs::metadata(path).map_err(|source| OpenError::Io { path: path.to_path_buf(), source })?.len();
            let torn = number == 0 && length <= HEADER_BYTES_MAX;
            return if torn { Ok(None) } else { Err(corrupt(1, "the segment has no header that this version knows")) };
        };
        if let Some((line, what)) = replay.fault {
            return Err(corrupt(line, what));
        }
        if let Some(odd) = replay.odd.filter(|odd| !odd.zeros) {
            return Err(corrupt(odd.line, odd.what));
        }
        // The last signature covers the root, and the root every record and the header; earlier ones would say no more.
        if let Some((line, checkpoint, signature)) = &replay.last {
            verifier.verify(checkpoint, signature).map_err(|_| corrupt(*line, "the checkpoint's signature does not verify"))?;
        }
        Ok(Some(replay))
    }

    fn begin(header: Header, path: &Path, verifier: &CheckpointVerifier, length: u64) -> Self {
        let fault = if header.origin != verifier.origin() {
            Some((1, "the segment is another log's"))
        } else if files::first_of(path) != Some(header.before.size()) {
            Some((1, "the segment's name and header disagree on its first record"))
        } else {
            None
        };
        Self { format: header.format, frontier: header.before.clone(), committed: header.before, length, last: None, odd: None, fault }
    }

    fn take(&mut self, line: Option<Line<'_>>, text: &str, number: u64, offset: u64) {
        let mut odd = |what| {
            self.odd.get_or_insert(Odd { line: number, what, zeros: text.contains('\0') });
        };
        match line {
            Some(Line::Record { seq, claimed, json }) => {
                if seq != self.frontier.size() {
                    odd("a record has another number than its place");
                }
                if leaf_hash(json.as_bytes()) != claimed {
                    odd("a record does not match its hash");
                }
                self.frontier.append(claimed);
            }
            Some(Line::Commit { checkpoint, signature }) => {
                self.fault = self.fault.or(self.odd.map(|odd| (odd.line, odd.what)));
                if (checkpoint.size, checkpoint.root) != (self.frontier.size(), self.frontier.root()) {
                    self.fault = self.fault.or(Some((number, "the records do not match the signed checkpoint")));
                }
                self.last = Some((number, checkpoint, signature.to_owned()));
                self.committed = self.frontier.clone();
                self.length = offset;
            }
            Some(Line::Header(_)) | None => odd("the line is none of the log"),
        }
    }
}
