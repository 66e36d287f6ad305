//! Memory of used proofs, ordered by the second up to which each must be remembered.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Mutex,
};

use async_trait::async_trait;
use countersign_core::{Limits, UnixSeconds};
use countersign_proof::dpop::{BoundProof, ReplayId};

use crate::{
    replay::{FreshProof, ReplayMemory, SpendError},
    unavailable::Unavailable,
};

/// Parts of the memory with a lock each, so that requests rarely wait for one another.
const SHARDS: u8 = 16;

/// Used proofs in memory: bounded, and never forgotten early.
pub struct MemoryReplay {
    shards: Vec<Mutex<Shard>>,
    /// Keyed hasher that chooses the shard of a proof, so that nobody can aim many proofs at one shard and fill it.
    place: RandomState,
    entries_max: usize,
}

#[derive(Default)]
struct Shard {
    seen: HashSet<ReplayId>,
    /// Proofs that may be forgotten after each second.
    ends: BTreeMap<UnixSeconds, Vec<ReplayId>>,
    /// Latest second of which proofs were forgotten.
    forgotten: Option<UnixSeconds>,
}

impl MemoryReplay {
    /// Makes a memory for [`Limits::REPLAY_ENTRIES_MAX`] proofs.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(Limits::REPLAY_ENTRIES_MAX)
    }

    /// Makes a memory for about `entries_max` proofs.
    #[must_use]
    pub(crate) fn with_room(entries_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, place: RandomState::new(), entries_max: entries_max.div_ceil(usize::from(SHARDS)) }
    }
}

impl MemoryReplay {
    /// Counts the proofs that can still be remembered, in the part that has least room.
    #[must_use]
    pub fn left(&self, now: UnixSeconds) -> usize {
        let left = |shard: &Mutex<Shard>| {
            let Ok(mut shard) = shard.lock() else { return 0 };
            shard.forget(now);
            self.entries_max.saturating_sub(shard.seen.len())
        };
        self.shards.iter().map(left).min().unwrap_or(0)
    }
}

impl Default for MemoryReplay {
    fn default() -> Self {
        Self::new()
    }
}

impl Shard {
    /// Forgets the proofs that cannot be accepted again: each counts through its last second.
    fn forget(&mut self, now: UnixSeconds) {
        while let Some(end) = self.ends.first_entry().filter(|end| *end.key() < now) {
            self.forgotten = self.forgotten.max(Some(*end.key()));
            for id in end.remove() {
                self.seen.remove(&id);
            }
        }
    }

    /// Tells whether a proof to be remembered through this second may have been seen and forgotten.
    fn may_have_forgotten(&self, remember_until: UnixSeconds) -> bool {
        self.forgotten.is_some_and(|forgotten| remember_until <= forgotten)
    }
}

#[async_trait]
impl ReplayMemory for MemoryReplay {
    async fn spend(&self, proof: BoundProof, now: UnixSeconds) -> Result<FreshProof, SpendError> {
        let gone = || SpendError::Unavailable(Unavailable::new("the replay memory"));
        let id = *proof.id();
        let place = usize::try_from(self.place.hash_one(id) % u64::from(SHARDS)).map_err(|_| gone())?;
        let mut shard = self.shards.get(place).ok_or_else(gone)?.lock().map_err(|_| gone())?;
        shard.forget(now);
        // SECURITY: a clock that was set back makes old proofs count again whose use is forgotten. Nobody can tell them from
        // new ones, so none of them counts until the clock is where it was.
        if shard.may_have_forgotten(proof.remember_until()) {
            return Err(SpendError::Unavailable(Unavailable::new("the clock was set back behind the replay memory; restart")));
        }
        // Before the check for room: a replay is refused as one also when the memory is full.
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
