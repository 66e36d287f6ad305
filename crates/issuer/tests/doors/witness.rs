//! Where the witnesses come from that only the store can make: its own replay memory and its own log.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use countersign_audit::CheckpointKey;
use countersign_core::{Clock, Entropy, Secret, UnixMillis, UserId};
use countersign_proof::jwk::{Algorithm, SigningKey};
use countersign_store::{Recorder, ReplayMemory, SubjectKeys, Unavailable, memory::MemoryReplay, segments::SegmentLog};

use crate::world::START;

struct OneKey;

#[async_trait]
impl SubjectKeys for OneKey {
    async fn key(&self, _: &UserId, _: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(Some(Secret::new([4; 32])))
    }

    async fn find(&self, _: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(Some(Secret::new([4; 32])))
    }

    async fn destroy(&self, _: &UserId) -> Result<(), Unavailable> {
        Ok(())
    }
}

struct Outside;

impl Clock for Outside {
    fn now(&self) -> UnixMillis {
        UnixMillis(START * 1000)
    }
}

impl Entropy for Outside {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

/// A replay memory that has seen nothing.
pub fn replay() -> Arc<dyn ReplayMemory> {
    Arc::new(MemoryReplay::new())
}

/// One log for all tests: what is written into it is read from the entries that the stores keep.
pub fn recorder() -> Arc<dyn Recorder> {
    static LOG: OnceLock<(Arc<SegmentLog>, tempfile::TempDir)> = OnceLock::new();
    let (log, _) = LOG.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let (_, pkcs8) = SigningKey::generate(Algorithm::EdDsa).expect("a key");
        let key = CheckpointKey::from_pkcs8("api.example.org", &pkcs8).expect("a key");
        let log = SegmentLog::open(directory.path(), key, Arc::new(OneKey), Arc::new(Outside), Arc::new(Outside)).expect("a log");
        // One log for all tests, and one budget.
        let log = log.with_strangers(1_000_000);
        (Arc::new(log), directory)
    });
    log.clone()
}
