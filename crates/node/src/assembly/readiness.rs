//! Whether the node is ready: everything is asked that fails closed, so that whoever sends it requests hears of a fault before phones do.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use countersign_core::Clock;
use countersign_proof::key_set::KeyRing;
use countersign_store::{
    memory::MemoryReplay,
    segments::{self, Room, SegmentLog},
    sqlite::Sqlite,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::assembly::descriptors;

/// Time for which an answer is given again: whoever asks often costs nothing.
const KEPT: Duration = Duration::from_millis(500);

/// Time within which the database answers.
const DATABASE_MAX: Duration = Duration::from_secs(2);

/// A part of the node that fails closed. In the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The node takes new work at all.
    Serving,
    /// The audit log can be written.
    Log,
    /// The database can be read and written.
    Store,
    /// There is a key that signs now.
    Keys,
    /// The memory of used proofs has room.
    ReplayMemory,
    /// The disk has room.
    Disk,
    /// File descriptors are left.
    Descriptors,
}

/// A part that is not ready, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// Which.
    pub part: Part,
    /// Why, for people who may see the side port: nothing secret, nothing personal, no path.
    pub why: String,
}

impl Part {
    /// The word in the answer and in the metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Log => "log",
            Self::Store => "store",
            Self::Keys => "keys",
            Self::ReplayMemory => "replay_memory",
            Self::Disk => "disk",
            Self::Descriptors => "descriptors",
        }
    }
}

/// What is asked.
pub struct Readiness {
    /// The audit log.
    pub log: Arc<SegmentLog>,
    /// The database.
    pub database: Arc<Sqlite>,
    /// The memory of used proofs.
    pub replay: Arc<MemoryReplay>,
    /// Sign access tokens.
    pub access: Arc<ArcSwap<KeyRing>>,
    /// Sign statements to upstreams.
    pub statements: Arc<ArcSwap<KeyRing>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The data directory.
    pub data: PathBuf,
    /// Cancelled when the node takes no new work.
    pub shutdown: CancellationToken,
    /// The last answer, and when it was found.
    pub last: Mutex<Option<(Instant, Vec<NotReady>)>>,
}

impl Readiness {
    /// Asks every part; those that are not ready.
    pub async fn ask(&self) -> Vec<NotReady> {
        if self.shutdown.is_cancelled() {
            return vec![NotReady { part: Part::Serving, why: "stopping".to_owned() }];
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, answer)) = last
            && at.elapsed() < KEPT
        {
            return answer;
        }
        let answers = [
            (Part::Log, self.log.probe().await.map_err(|fault| fault.what)),
            (Part::Store, self.store().await),
            (Part::Keys, self.keys()),
            (Part::ReplayMemory, self.replay()),
            (Part::Disk, self.disk()),
            (Part::Descriptors, descriptors::left()),
        ];
        let not_ready: Vec<_> = answers.into_iter().filter_map(|(part, answer)| answer.err().map(|why| NotReady { part, why })).collect();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), not_ready.clone()));
        not_ready
    }

    async fn store(&self) -> Result<(), String> {
        match tokio::time::timeout(DATABASE_MAX, self.database.probe()).await {
            Ok(answer) => answer.map_err(|fault| fault.what),
            Err(_) => Err("the database does not answer".to_owned()),
        }
    }

    fn keys(&self) -> Result<(), String> {
        let now = self.clock.now().seconds();
        for (ring, what) in [(&self.access, "access tokens"), (&self.statements, "statements")] {
            if ring.load().current(now).is_none() {
                return Err(format!("no key signs {what} at this time"));
            }
        }
        Ok(())
    }

    fn replay(&self) -> Result<(), String> {
        if self.replay.left(self.clock.now().seconds()) == 0 { Err("no more used proofs can be remembered".to_owned()) } else { Ok(()) }
    }

    fn disk(&self) -> Result<(), String> {
        for directory in [self.log.directory(), &self.data] {
            let Room { free, needed } = segments::room(directory).map_err(|fault| fault.to_string())?;
            if free < needed {
                return Err(format!("{free} bytes are left, {needed} are needed"));
            }
        }
        Ok(())
    }
}
