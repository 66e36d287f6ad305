//! Memory of used proofs, ordered by the second up to which each must be remembered.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use countersign_core::{DeviceId, Limits, UnixSeconds};
use countersign_proof::dpop::{BoundProof, ReplayId};

use crate::{
    memory::spent_room::{Spending, SpentRoom},
    replay::{FreshProof, ReplayMemory, SpendError},
    spender::Spender,
    unavailable::Unavailable,
};

/// Parts of the memory with a lock each, so that requests rarely wait for one another.
const SHARDS: u8 = 16;

/// Used proofs in memory: bounded, and those of devices never forgotten early.
///
/// A device may hold a fixed part of what is free (dynamic thresholds, Choudhury and Hahne 1998). One that floods alone gets a good part
/// of the memory; of many each gets less, and something always stays free for those who do not flood. Proofs of strangers are in a room
/// of their own, where the oldest go.
pub struct MemoryReplay {
    shards: Vec<Mutex<Shard>>,
    strangers: Vec<Mutex<SpentRoom<ReplayId>>>,
    /// Keyed hasher that chooses the shard of a device or of a stranger's proof, so that nobody can aim at one shard and fill it.
    place: RandomState,
    /// Proofs of devices that are remembered, in all shards.
    held: AtomicUsize,
    /// Second in which all shards were last asked to forget.
    swept_at: AtomicU64,
    entries_max: usize,
    /// Latest second by which anything was judged here.
    latest: AtomicU64,
    strangers_max: usize,
}

/// Proofs of some devices; a device's proofs are all in one shard.
#[derive(Default)]
struct Shard {
    seen: HashSet<ReplayId>,
    /// Proofs that may be forgotten after each second, with the device that they count for.
    ends: BTreeMap<UnixSeconds, Vec<(ReplayId, DeviceMark)>>,
    /// Number of proofs that each device holds.
    held_by: HashMap<DeviceMark, usize>,
    /// Latest second of which proofs were forgotten.
    forgotten: Option<UnixSeconds>,
}

/// Keyed hash of a device's id: two devices that share one would share their share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct DeviceMark(u64);

impl MemoryReplay {
    /// Makes a memory for [`Limits::REPLAY_ENTRIES_MAX`] proofs of devices and [`Limits::REPLAY_STRANGERS_MAX`] of strangers.
    #[must_use]
    pub fn new() -> Self {
        Self::with_rooms(Limits::REPLAY_ENTRIES_MAX, Limits::REPLAY_STRANGERS_MAX)
    }

    /// Makes a memory for `entries_max` proofs of devices, and for about as many of strangers.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn with_room(entries_max: usize) -> Self {
        Self::with_rooms(entries_max, entries_max)
    }

    fn with_rooms(entries_max: usize, strangers_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            strangers: (0..SHARDS).map(|_| Mutex::default()).collect(),
            place: RandomState::new(),
            held: AtomicUsize::new(0),
            swept_at: AtomicU64::new(0),
            entries_max,
            strangers_max: strangers_max.div_ceil(usize::from(SHARDS)),
            latest: AtomicU64::new(0),
        }
    }

    fn spend_of_device(&self, proof: &BoundProof, device: &DeviceId, now: UnixSeconds) -> Result<(), SpendError> {
        let mark = DeviceMark(self.place.hash_one(device));
        match self.try_of_device(proof, mark, now) {
            // What has lapsed in shards that nobody came to still counts as held. All are asked to forget, at most once a second.
            Err(SpendError::Full | SpendError::ShareUsed) if self.swept_at.swap(now.0, Ordering::Relaxed) != now.0 => {
                for shard in &self.shards {
                    shard.lock().map_err(|_| gone())?.forget(now, &self.held);
                }
                self.try_of_device(proof, mark, now)
            }
            tried => tried,
        }
    }

    fn try_of_device(&self, proof: &BoundProof, mark: DeviceMark, now: UnixSeconds) -> Result<(), SpendError> {
        let mut shard = at(&self.shards, mark.0)?.lock().map_err(|_| gone())?;
        shard.forget(now, &self.held);
        // SECURITY: a clock that was set back makes old proofs count again whose use is forgotten. Nobody can tell them from
        // new ones, so none of them counts until the clock is where it was.
        if shard.may_have_forgotten(proof.remember_until()) {
            return Err(SpendError::Unavailable(Unavailable::new(
                "the clock was set back behind the replay memory; it begins again in a moment",
            )));
        }
        // Before the check for room: a replay is refused as one also when the memory is full.
        if shard.seen.contains(proof.id()) {
            return Err(SpendError::AlreadySpent);
        }
        let free = self.entries_max.saturating_sub(self.held.load(Ordering::Relaxed));
        if free == 0 {
            return Err(SpendError::Full);
        }
        if shard.held_by.get(&mark).is_some_and(|held| *held >= free.div_ceil(Limits::REPLAY_SHARE_OF_FREE)) {
            return Err(SpendError::ShareUsed);
        }
        shard.remember(*proof.id(), mark, proof.remember_until());
        self.held.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn spend_of_stranger(&self, proof: &BoundProof, now: UnixSeconds) -> Result<(), SpendError> {
        let mut room = at(&self.strangers, self.place.hash_one(proof.key()))?.lock().map_err(|_| gone())?;
        match room.spend(*proof.id(), proof.remember_until(), self.strangers_max, now) {
            Spending::Again => Err(SpendError::AlreadySpent),
            Spending::CrowdedOut => Err(SpendError::CrowdedOut),
            Spending::Done => Ok(()),
        }
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
        // What strangers used is of no more use: it named nonces that are void.
        for room in &self.strangers {
            *room.lock().unwrap_or_else(PoisonError::into_inner) = SpentRoom::default();
        }
    }
}

impl MemoryReplay {
    /// Counts the proofs of devices that can still be remembered.
    #[must_use]
    pub fn left(&self, now: UnixSeconds) -> usize {
        for shard in &self.shards {
            let Ok(mut shard) = shard.lock() else { return 0 };
            shard.forget(now, &self.held);
        }
        self.entries_max.saturating_sub(self.held.load(Ordering::Relaxed))
    }
}

impl Default for MemoryReplay {
    fn default() -> Self {
        Self::new()
    }
}

fn gone() -> SpendError {
    SpendError::Unavailable(Unavailable::new("the replay memory"))
}

/// The part of a memory that belongs to a hash.
fn at<T>(parts: &[Mutex<T>], hash: u64) -> Result<&Mutex<T>, SpendError> {
    usize::try_from(hash % u64::from(SHARDS)).ok().and_then(|place| parts.get(place)).ok_or_else(gone)
}

impl Shard {
    fn remember(&mut self, id: ReplayId, mark: DeviceMark, until: UnixSeconds) {
        self.seen.insert(id);
        self.ends.entry(until).or_default().push((id, mark));
        let held = self.held_by.entry(mark).or_default();
        *held = held.saturating_add(1);
    }

    /// Forgets the proofs that cannot be accepted again: each counts through its last second.
    fn forget(&mut self, now: UnixSeconds, held: &AtomicUsize) {
        while let Some(end) = self.ends.first_entry().filter(|end| *end.key() < now) {
            self.forgotten = self.forgotten.max(Some(*end.key()));
            let ended = end.remove();
            held.fetch_sub(ended.len(), Ordering::Relaxed);
            for (id, mark) in ended {
                self.seen.remove(&id);
                if let Some(held) = self.held_by.get_mut(&mark) {
                    *held = held.saturating_sub(1);
                    if *held == 0 {
                        self.held_by.remove(&mark);
                    }
                }
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
    async fn spend(&self, proof: BoundProof, by: Spender<'_>, now: UnixSeconds) -> Result<FreshProof, SpendError> {
        self.latest.fetch_max(now.0, Ordering::SeqCst);
        match by {
            Spender::Device(device) => self.spend_of_device(&proof, device, now)?,
            Spender::Stranger => self.spend_of_stranger(&proof, now)?,
        }
        Ok(FreshProof::new(*proof.key()))
    }
}
