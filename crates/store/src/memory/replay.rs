//! Memory of used proofs, ordered by the second up to which each must be remembered.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
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
    /// Latest second by which anything was judged here.
    latest: AtomicU64,
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
        Self { shards, place: RandomState::new(), entries_max: entries_max.div_ceil(usize::from(SHARDS)), latest: AtomicU64::new(0) }
    }
}

impl MemoryReplay {
    /// Number of proofs that are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).seen.len()).sum()
    }

    /// Latest second by which a proof was judged here. A clock that is behind it was set back.
    #[must_use]
    pub fn latest(&self) -> UnixSeconds {
        UnixSeconds(self.latest.load(Ordering::SeqCst))
    }

    /// Begins again at `now`, to which the clock was set back: what was forgotten no longer stands against new proofs, and what is remembered
    /// is remembered for the longest time of a proof, not until a second that was never to be.
    // SECURITY: whoever calls this made all earlier nonces void before, and asks for one (`NonceKeys::begin_again`). Otherwise a proof
    // whose use was forgotten would count again.
    pub fn begin_again(&self, now: UnixSeconds) {
        self.latest.store(now.0, Ordering::SeqCst);
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.forgotten = None;
            let end = now.plus(Limits::PROOF_REMEMBERED_MAX);
            let ids: Vec<_> = shard.ends.split_off(&end).into_values().flatten().collect();
            if !ids.is_empty() {
                shard.ends.insert(end, ids);
            }
        }
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
        self.latest.fetch_max(now.0, Ordering::SeqCst);
        shard.forget(now);
        // SECURITY: a clock that was set back makes old proofs count again whose use is forgotten. Nobody can tell them from
        // new ones, so none of them counts until the clock is where it was.
        if shard.may_have_forgotten(proof.remember_until()) {
            return Err(SpendError::Unavailable(Unavailable::new(
                "the clock was set back behind the replay memory; it begins again in a moment",
            )));
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
