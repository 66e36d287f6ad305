//! The writer: one thread that takes what waits, writes it, commits it, and only then says so.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_audit::{Checkpoint, CheckpointKey, Frontier, Header, commit_line, record_line};
use countersign_core::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::segments::{
    SEGMENT_BYTES_MAX, files,
    recover::{OpenError, Tail},
};

/// Entries that share one commit.
const GROUP_MAX: usize = 512;

/// An entry that waits for the disk.
pub struct Job {
    /// The entry, sealed, as one line.
    pub json: String,
    /// Takes the entry's number when it is safe; dropped when it is not.
    pub done: oneshot::Sender<u64>,
}

/// Writes one log.
pub struct Writer {
    directory: PathBuf,
    key: CheckpointKey,
    clock: Arc<dyn Clock>,
    frontier: Frontier,
    file: File,
    length: u64,
}

impl Writer {
    /// Continues the log at `tail`.
    pub fn new(directory: &Path, key: CheckpointKey, tail: Tail, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (path, length, begun) = match tail.segment {
            Some((path, length)) => (path, length, true),
            None => (directory.join(files::name(0)), 0, false),
        };
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        let mut writer = Self { directory: directory.to_path_buf(), key, clock, frontier: tail.frontier, file, length };
        if !begun {
            writer.begin().map_err(failed)?;
        }
        Ok(writer)
    }

    /// Takes what waits until nobody is left to ask. After a failure the log takes nothing any more: every waiting and
    /// every later entry is dropped, which its caller sees as a refusal.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let Ok(first) = self.commit(&group) else { return };
            for (job, seq) in group.drain(..).zip(first..) {
                // A caller that went away needs no answer; its entry is recorded all the same.
                let _ = job.done.send(seq);
            }
        }
    }

    /// Writes and commits a group; the number of its first entry.
    fn commit(&mut self, group: &[Job]) -> io::Result<u64> {
        if self.length >= SEGMENT_BYTES_MAX {
            let path = self.directory.join(files::name(self.frontier.size()));
            self.file = OpenOptions::new().append(true).create_new(true).open(path)?;
            self.begin()?;
        }
        let first = self.frontier.size();
        let mut text = String::with_capacity(group.iter().map(|job| job.json.len().saturating_add(80)).sum());
        for (job, seq) in group.iter().zip(first..) {
            let (line, hash) = record_line(seq, &job.json);
            self.frontier.append(hash);
            text.push_str(&line);
        }
        let checkpoint = Checkpoint { size: self.frontier.size(), root: self.frontier.root(), at: self.clock.now() };
        text.push_str(&commit_line(&self.key, &checkpoint));
        self.write(&text)?;
        Ok(first)
    }

    /// Begins a segment. The directory is synchronised too, or the file itself could be lost.
    fn begin(&mut self) -> io::Result<()> {
        let header = Header { origin: self.key.origin().to_owned(), before: self.frontier.clone() }.render();
        self.length = 0;
        self.write(&header)?;
        File::open(&self.directory)?.sync_all()
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.length = self.length.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}
