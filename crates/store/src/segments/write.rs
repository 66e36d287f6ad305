//! The writer: one thread that takes what waits, writes it, commits it, and only then says so.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use countersign_audit::{Checkpoint, CheckpointKey, Format, Frontier, Header, commit_line, record_line};
use countersign_core::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::segments::disk::Disk;

/// Entries that share one commit.
const GROUP_MAX: usize = 512;

/// An entry that waits for the disk.
pub struct Job {
    /// The entry, sealed, as one line.
    pub json: String,
    /// Takes the entry's number when it is safe; dropped when it is not.
    pub done: oneshot::Sender<u64>,
}

/// Why a log stopped, once it has.
pub type Stopped = Arc<OnceLock<String>>;

/// Writes one log.
pub struct Writer {
    /// Signs the commits.
    pub key: CheckpointKey,
    /// Dates them.
    pub clock: Arc<dyn Clock>,
    /// The tree so far.
    pub frontier: Frontier,
    /// Where it is written.
    pub disk: Box<dyn Disk>,
    /// When a new segment is begun.
    pub segment_bytes_max: u64,
    /// Told when the log cannot be written any more.
    pub stopped: Stopped,
}

impl Writer {
    /// Begins a segment that continues the tree.
    pub fn begin(&mut self) -> io::Result<()> {
        let header = Header { format: Format::WRITTEN, origin: self.key.origin().to_owned(), before: self.frontier.clone() }.render();
        self.disk.begin(self.frontier.size(), &header)
    }

    /// Takes what waits until nobody is left to ask. After a failure the log takes nothing any more: every waiting and
    /// every later entry is dropped, which its caller sees as a refusal.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            match self.commit(&group) {
                Ok(first) => {
                    for (job, seq) in group.drain(..).zip(first..) {
                        // A caller that went away needs no answer; its entry is recorded all the same.
                        let _ = job.done.send(seq);
                    }
                }
                Err(cause) => return self.stop(&cause),
            }
        }
    }

    /// Writes and commits a group; the number of its first entry.
    fn commit(&mut self, group: &[Job]) -> io::Result<u64> {
        if self.disk.length() >= self.segment_bytes_max {
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
        self.disk.append(&text)?;
        Ok(first)
    }

    fn stop(mut self, cause: &io::Error) {
        self.disk.take_back();
        tracing::error!(%cause, "the audit log cannot be written and takes nothing any more; see to its disk, then restart");
        // The first cause is the one that counts; there is no second, because the writer ends here.
        let _ = self.stopped.set(cause.to_string());
    }
}
