//! Which proofs were used, by the second up to which each must be remembered.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};

use async_trait::async_trait;
use countersign_core::{Limits, UnixSeconds};
use countersign_proof::dpop::{BoundProof, ReplayId};

use crate::{
    replay::{FreshProof, ReplayMemory, SpendError},
    unavailable::Unavailable,
};

/// Parts with a lock each, so that requests rarely wait for one another.
const SHARDS: usize = 16;

/// Used proofs in memory, bounded, never forgetting early.
pub struct MemoryReplay {
    shards: Vec<Mutex<Shard>>,
    entries_max: usize,
}

#[derive(Default)]
struct Shard {
    seen: HashSet<ReplayId>,
    /// What may be forgotten after each second.
    ends: BTreeMap<UnixSeconds, Vec<ReplayId>>,
}

impl MemoryReplay {
    /// A memory of as many proofs as [`Limits::REPLAY_ENTRIES_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(Limits::REPLAY_ENTRIES_MAX)
    }

    /// A memory of about `entries_max` proofs.
    #[must_use]
    pub fn with_room(entries_max: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), entries_max: entries_max.div_ceil(SHARDS) }
    }
}

impl Default for MemoryReplay {
    fn default() -> Self {
        Self::new()
    }
}

impl Shard {
    /// Forgets what cannot be accepted again: each proof counts through its last second.
    fn forget(&mut self, now: UnixSeconds) {
        while let Some(end) = self.ends.first_entry().filter(|end| *end.key() < now) {
            for id in end.remove() {
                self.seen.remove(&id);
            }
        }
    }
}

#[async_trait]
impl ReplayMemory for MemoryReplay {
    async fn spend(&self, proof: BoundProof, now: UnixSeconds) -> Result<FreshProof, SpendError> {
        let gone = || SpendError::Unavailable(Unavailable::new("the replay memory"));
        let id = *proof.id();
        let first = id.as_bytes().first().copied().unwrap_or_default();
        let mut shard = self.shards.get(usize::from(first) % SHARDS).ok_or_else(gone)?.lock().map_err(|_| gone())?;
        shard.forget(now);
        if shard.seen.contains(&id) {
            return Err(SpendError::AlreadySpent);
        }
        if shard.seen.len() >= self.entries_max {
            return Err(SpendError::Full);
        }
        shard.seen.insert(id);
        shard.ends.entry(proof.remember_until()).or_default().push(id);
        Ok(FreshProof::new(*proof.key()))
    }
}
