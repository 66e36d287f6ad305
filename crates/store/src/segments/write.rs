//! The writer: one thread that takes what waits, writes it, commits it, and only then says so. When the log cannot be written, it refuses
//! everything and tries to go on from the last durable entry, until that succeeds.

use std::{io, path::PathBuf, sync::Arc, thread, time::Duration};

use countersign_audit::{
    Checkpoint, CheckpointKey, Entry, Event, Format, Frontier, Header, Identity, LogInterrupted, Recorded, SealBytes, commit_line,
    record_line, seal,
};
use countersign_core::{Clock, DecisionId, Entropy, UnixMillis};
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    oneshot,
};

use crate::segments::{
    disk::{Begun, Disk},
    health::Health,
    recover,
    room::Reserve,
};

/// Entries that share one commit.
const GROUP_MAX: usize = 512;

/// Time between the first two tries to go on, and the longest. A cause that has gone is found out within the longest.
const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_LONGEST: Duration = Duration::from_millis(1000);

/// Time between two looks at who asks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Work that waits for the disk. Alphabetical.
pub(crate) enum Job {
    /// A question whether the log can be written.
    Probe {
        /// Told when it can; dropped when it cannot.
        done: oneshot::Sender<()>,
    },
    /// Entry that is to be written.
    Record {
        /// The entry, sealed, as one line.
        json: String,
        /// Takes the entry's number when it is safe; dropped when it is not.
        done: oneshot::Sender<u64>,
    },
}

/// Writes one log.
pub struct Writer {
    /// Signs the commits.
    pub key: CheckpointKey,
    /// Dates them.
    pub clock: Arc<dyn Clock>,
    /// Numbers the entries of its own.
    pub entropy: Arc<dyn Entropy>,
    /// The tree so far.
    pub frontier: Frontier,
    /// Where the segments are.
    pub directory: PathBuf,
    /// Disk by which they are written.
    pub disk: Box<dyn Disk>,
    /// When a new segment is begun.
    pub segment_bytes_max: u64,
    /// Told when the log cannot be written, and when it can again.
    pub health: Health,
}

/// Answer to whether somebody can still ask.
#[derive(PartialEq, Eq)]
enum Asked {
    Nobody,
    Somebody,
}

impl Writer {
    /// Begins a segment that continues the tree.
    pub fn begin(&mut self) -> io::Result<Begun> {
        let header = Header { format: Format::WRITTEN, origin: self.key.origin().to_owned(), before: self.frontier.clone() }.render();
        self.disk.begin(self.frontier.size(), &header)
    }

    /// Takes what waits until nobody is left to ask. A group that cannot be written is dropped, which its callers see as a refusal.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        self.disk.prepare();
        while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let acknowledged = self.frontier.clone();
            match self.take(&mut group) {
                Ok(()) => self.disk.prepare(),
                Err(cause) => {
                    self.health.fails(&cause.to_string());
                    group.clear();
                    if self.go_on(&acknowledged, &cause, &mut jobs) == Asked::Nobody {
                        return;
                    }
                }
            }
        }
    }

    /// Writes a group and says so. Whoever only asks whether that is possible is answered by it.
    fn take(&mut self, group: &mut Vec<Job>) -> io::Result<()> {
        let lines: Vec<_> = group.iter().filter_map(Job::json).collect();
        let first = if lines.is_empty() {
            self.disk.probe()?;
            self.frontier.size()
        } else {
            self.commit(&lines)?
        };
        let mut seq = first;
        for job in group.drain(..) {
            // A caller that went away needs no answer; its entry is recorded all the same.
            match job {
                Job::Probe { done } => drop(done.send(())),
                Job::Record { done, .. } => {
                    let _ = done.send(seq);
                    seq = seq.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    /// Writes and commits lines; the number of the first.
    fn commit(&mut self, lines: &[&str]) -> io::Result<u64> {
        if self.disk.length() >= self.segment_bytes_max
            && let Begun::NotYet(cause) = self.begin()?
        {
            tracing::warn!(%cause, "no new segment of the audit log can be begun; the present one is continued");
        }
        let first = self.frontier.size();
        let mut text = String::with_capacity(lines.iter().map(|json| json.len().saturating_add(80)).sum());
        for (json, seq) in lines.iter().zip(first..) {
            let (line, hash) = record_line(seq, json);
            self.frontier.append(hash);
            text.push_str(&line);
        }
        let checkpoint = Checkpoint { size: self.frontier.size(), root: self.frontier.root(), at: self.clock.now() };
        text.push_str(&commit_line(&self.key, &checkpoint));
        self.disk.append(&text)?;
        Ok(first)
    }

    /// Tries to go on until that succeeds, or nobody is left to ask.
    fn go_on(&mut self, acknowledged: &Frontier, cause: &io::Error, jobs: &mut mpsc::Receiver<Job>) -> Asked {
        tracing::error!(%cause, "the audit log cannot be written; all requests that need a record are refused until it can");
        let since = self.clock.now();
        self.disk.take_back();
        let mut wait = WAIT_FIRST;
        if out_of_room(cause) && self.disk.give_up_reserve() == Reserve::GivenUp {
            tracing::error!("the disk of the audit log is full, and its reserve was given up; make room");
        }
        loop {
            match self.reopen(acknowledged, since, cause) {
                Ok(()) => {
                    self.health.is_well();
                    tracing::warn!("the audit log is written again");
                    return Asked::Somebody;
                }
                Err(again) => {
                    tracing::debug!(cause = %again, "the audit log still cannot be written");
                    self.health.fails(&again.to_string());
                }
            }
            if refuse_for(wait, jobs) == Asked::Nobody {
                return Asked::Nobody;
            }
            wait = wait.saturating_mul(2).min(WAIT_LONGEST);
        }
    }

    /// Opens the log again as a start would: cut off behind the last durable entry, and verified. That nothing could be written for a
    /// while is the first thing that it says then.
    fn reopen(&mut self, acknowledged: &Frontier, since: UnixMillis, cause: &io::Error) -> io::Result<()> {
        self.disk.probe()?;
        let tail = recover::recover(&self.directory, &self.key).map_err(io::Error::other)?;
        let lost = tail.frontier.size() < acknowledged.size()
            || (tail.frontier.size() == acknowledged.size() && tail.frontier.root() != acknowledged.root());
        if lost {
            return Err(io::Error::other("entries that were acknowledged are not in the log any more; run `countersign audit verify`"));
        }
        self.frontier = tail.frontier;
        self.disk.resume(tail.segment.as_ref().map(|(path, length)| (path.as_path(), *length)))?;
        if tail.segment.is_none()
            && let Begun::NotYet(cause) = self.begin()?
        {
            return Err(cause);
        }
        let written = self.interrupted(since, cause).and_then(|json| self.commit(&[&json]).map(drop));
        if written.is_err() {
            self.disk.take_back();
        }
        written
    }

    /// The entry that says so.
    fn interrupted(&self, since: UnixMillis, cause: &io::Error) -> io::Result<String> {
        let (mut number, mut bytes) = ([0; 8], [0; SealBytes::LENGTH]);
        self.entropy.fill(&mut number);
        self.entropy.fill(&mut bytes);
        let entry = Entry {
            at: self.clock.now(),
            decision: DecisionId::from_random(number),
            event: Event::allowed(Recorded::LogInterrupted(LogInterrupted { since, cause: cause.to_string() })),
            person: None,
            identity: Identity::default(),
        };
        seal(&entry, None, &SealBytes::new(&bytes)).map_err(io::Error::other)
    }
}

impl Job {
    fn json(&self) -> Option<&str> {
        match self {
            Self::Probe { .. } => None,
            Self::Record { json, .. } => Some(json),
        }
    }
}

/// Tells whether more room would help: the disk, a quota or a limit on the size of files is reached.
fn out_of_room(cause: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    [FileTooLarge, QuotaExceeded, StorageFull].contains(&cause.kind())
}

/// Waits, and refuses at once whoever asks meanwhile.
fn refuse_for(wait: Duration, jobs: &mut mpsc::Receiver<Job>) -> Asked {
    let mut left = wait;
    while !left.is_zero() {
        match jobs.try_recv() {
            Ok(refused) => drop(refused),
            Err(TryRecvError::Disconnected) => return Asked::Nobody,
            Err(TryRecvError::Empty) => {
                let step = left.min(LOOK_EVERY);
                thread::sleep(step);
                left = left.saturating_sub(step);
            }
        }
    }
    Asked::Somebody
}
