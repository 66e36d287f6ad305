//! Opening a log: find where the last acknowledged entry ends, and cut off what came after.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use countersign_audit::{CheckpointKey, CheckpointVerifier, Frontier, Line, leaf_hash};

use crate::segments::files::{self, ReadError};

/// Where a log is continued.
pub struct Tail {
    /// The tree so far.
    pub frontier: Frontier,
    /// The segment that is continued, and its length.
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
                "the audit log does not verify: `{}`, line {line}: {what}; run `countersign audit verify`, and move the directory away to begin a new log",
                path.display()
            ),
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

/// Reads the last segment that has a whole header, and truncates it behind its last commit.
pub fn recover(directory: &Path, key: &CheckpointKey) -> Result<Tail, OpenError> {
    fs::create_dir_all(directory).map_err(|source| OpenError::Io { path: directory.to_path_buf(), source })?;
    let verifier = CheckpointVerifier::parse(&key.verifier_text()).map_err(|_| OpenError::Corrupt {
        path: directory.to_path_buf(),
        line: 0,
        what: "the log's own key cannot be used",
    })?;
    for path in files::list(directory)?.into_iter().rev() {
        let Some(read) = Replay::of(&path, &verifier)? else {
            // Begun in the last moment and never used: nothing in it was acknowledged.
            fs::remove_file(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
            continue;
        };
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let file = fs::OpenOptions::new().write(true).open(&path).map_err(failed)?;
        file.set_len(read.length).and_then(|()| file.sync_all()).map_err(failed)?;
        return Ok(Tail { frontier: read.committed, segment: Some((path, read.length)) });
    }
    Ok(Tail { frontier: Frontier::default(), segment: None })
}

/// A segment read from its header to its last commit.
struct Replay {
    frontier: Frontier,
    committed: Frontier,
    length: u64,
    fault: Option<(u64, &'static str)>,
    /// A line that does not fit; torn if no commit follows, a fault if one does.
    odd: Option<(u64, &'static str)>,
}

impl Replay {
    /// `None` for a segment without a whole header.
    fn of(path: &Path, verifier: &CheckpointVerifier) -> Result<Option<Self>, OpenError> {
        let (mut replay, mut number) = (None::<Self>, 0_u64);
        files::each_line(path, |text, offset| {
            number = number.saturating_add(1);
            match (&mut replay, Line::parse(text)) {
                (None, Ok(Line::Header(header))) if header.origin == verifier.origin() => {
                    replay =
                        Some(Self { frontier: header.before.clone(), committed: header.before, length: offset, fault: None, odd: None });
                }
                (None, _) => {}
                (Some(replay), line) => replay.take(line.ok(), verifier, number, offset),
            }
        })?;
        match replay {
            Some(Self { fault: Some((line, what)), .. }) => Err(OpenError::Corrupt { path: path.to_path_buf(), line, what }),
            None if number > 0 => {
                Err(OpenError::Corrupt { path: path.to_path_buf(), line: 1, what: "the segment is another log's, or of another format" })
            }
            whole => Ok(whole),
        }
    }

    fn take(&mut self, line: Option<Line<'_>>, verifier: &CheckpointVerifier, number: u64, offset: u64) {
        match line {
            Some(Line::Record { seq, claimed, json }) => {
                if seq != self.frontier.size() {
                    self.odd = self.odd.or(Some((number, "a record has another number than its place")));
                }
                if leaf_hash(json.as_bytes()) != claimed {
                    self.odd = self.odd.or(Some((number, "a record does not match its hash")));
                }
                self.frontier.append(claimed);
            }
            Some(Line::Commit { checkpoint, signature }) => {
                self.fault = self.fault.or(self.odd);
                if checkpoint.size != self.frontier.size() || checkpoint.root != self.frontier.root() {
                    self.fault = self.fault.or(Some((number, "the records do not match the signed checkpoint")));
                }
                if verifier.verify(&checkpoint, signature).is_err() {
                    self.fault = self.fault.or(Some((number, "the checkpoint's signature does not verify")));
                }
                self.committed = self.frontier.clone();
                self.length = offset;
            }
            Some(Line::Header(_)) | None => self.odd = self.odd.or(Some((number, "the line is none of the log"))),
        }
    }
}
