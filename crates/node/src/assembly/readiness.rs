//! Whether the node is ready: everything is asked that fails closed, so that whoever sends it requests hears of a fault before phones do.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use countersign_core::{Clock, Limits};
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

/// A part of the node that fails closed. In the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
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
pub(crate) struct NotReady {
    /// Part that would refuse.
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

/// Everything that is asked.
pub(crate) struct Readiness {
    /// Audit log, which is probed.
    pub log: Arc<SegmentLog>,
    /// Database, which is read and written.
    pub database: Arc<Sqlite>,
    /// The memory of used proofs.
    pub replay: Arc<MemoryReplay>,
    /// Keys that sign access tokens.
    pub access: Arc<ArcSwap<KeyRing>>,
    /// Keys that sign statements to upstreams.
    pub statements: Arc<ArcSwap<KeyRing>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Data directory, whose disk must have room.
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
        match tokio::time::timeout(Duration::from_secs(Limits::PROBE_WAIT_MAX.0), self.database.probe()).await {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assembly::{
        OsEntropy, SystemClock,
        rotation::Rings,
        stores::{StoreSettings, Stores},
    };
    use countersign_core::Entropy;
    use countersign_proof::key_set::Rotation;

    /// Each row: what is made to fail, and what is told then.
    #[tokio::test]
    async fn whatever_fails_closed_is_told_by_its_name() {
        let home = tempfile::tempdir().expect("a directory");
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        let settings = StoreSettings { data: home.path(), origin: "api.example.com", strangers_per_minute: 10 };
        let stores = Stores::open(settings, &clock, &entropy).await.expect("stores");
        let rings = Rings::load(&*stores.keys, clock.now().seconds()).await.expect("keys");
        let mut readiness = Readiness {
            log: stores.log(),
            database: stores.database(),
            replay: stores.replay(),
            access: Arc::clone(&rings.access),
            statements: Arc::clone(&rings.statements),
            clock,
            data: home.path().to_owned(),
            shutdown: CancellationToken::new(),
            last: Mutex::default(),
        };
        let told = async |readiness: &Readiness| {
            *readiness.last.lock().expect("unbroken") = None;
            readiness.ask().await.iter().map(|part| part.part.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(told(&readiness).await, [] as [&str; 0]);

        let keys = rings.statements.load_full();
        rings.statements.store(Arc::new(KeyRing::new(Vec::new(), Rotation::ACCESS_TOKENS)));
        assert_eq!(told(&readiness).await, ["keys"]);
        assert_eq!(readiness.ask().await.len(), 1, "the answer is given again for a moment");
        rings.statements.store(keys);
        assert_eq!(told(&readiness).await, [] as [&str; 0], "and yes again");

        readiness.data = home.path().join("gone");
        assert_eq!(told(&readiness).await, ["disk"]);
        readiness.data = home.path().to_owned();
        stores.database().close().await;
        assert_eq!(told(&readiness).await, ["store"]);
        readiness.shutdown.cancel();
        assert_eq!(told(&readiness).await, ["serving"]);
    }
}
