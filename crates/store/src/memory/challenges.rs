//! Challenges that were answered, in memory until they lapse.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use async_trait::async_trait;
use countersign_core::{DeviceId, Limits, UnixSeconds};
use countersign_proof::challenge::{ChallengePurpose, OpenChallenge, ROOMS};

use crate::{
    challenges::{ChallengeError, Challenges},
    memory::spent_room::{Spending, SpentRoom},
    spender::Spender,
    unavailable::Unavailable,
};

/// Spent challenges in memory, bounded. Each purpose has rooms of its own, and a challenge says which of them is its own: a flood of
/// enrolments crowds out nobody who signs in, and what comes from one network or device shortens the time of its own room.
pub struct MemoryChallenges {
    spent: Mutex<Spent>,
    room_max: usize,
}

#[derive(Default)]
struct Spent {
    rooms: HashMap<(ChallengePurpose, u8), SpentRoom<[u8; 16]>>,
    shares: Shares,
    /// Era of the challenges that are remembered; those of an earlier one do not verify any more.
    era: u32,
}

/// Number of challenges that each device has answered, for each purpose and window.
#[derive(Default)]
struct Shares {
    answered: HashMap<(ChallengePurpose, DeviceId), Share>,
    /// The same devices, by the end of their window.
    ends: BTreeMap<UnixSeconds, Vec<(ChallengePurpose, DeviceId)>>,
}

#[derive(Clone, Copy)]
struct Share {
    count: u32,
    /// Last second of the window.
    end: UnixSeconds,
}

impl MemoryChallenges {
    /// Makes a memory with room for [`Limits::CHALLENGES_SPENT_MAX`] challenges of each purpose.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(Limits::CHALLENGES_SPENT_MAX)
    }

    /// Makes a memory with room for about `count_max` challenges of each purpose.
    #[must_use]
    pub(crate) fn with_room(count_max: usize) -> Self {
        Self { spent: Mutex::default(), room_max: count_max.div_ceil(usize::from(ROOMS)) }
    }
}

impl Default for MemoryChallenges {
    fn default() -> Self {
        Self::new()
    }
}

impl Shares {
    /// Counts one more for the device.
    ///
    /// # Errors
    /// [`ChallengeError::ShareUsed`] when the device has had its share of this window.
    fn take(&mut self, purpose: ChallengePurpose, device: &DeviceId, now: UnixSeconds) -> Result<(), ChallengeError> {
        while let Some(end) = self.ends.first_entry().filter(|end| *end.key() < now) {
            for key in end.remove() {
                self.answered.remove(&key);
            }
        }
        let key = (purpose, device.clone());
        if let Some(share) = self.answered.get_mut(&key) {
            if share.count >= Limits::CHALLENGES_PER_DEVICE_MAX {
                return Err(ChallengeError::ShareUsed(share.end.since(now)));
            }
            share.count = share.count.saturating_add(1);
            return Ok(());
        }
        // The window that ends soonest makes room: its device may answer a few more, in rooms that stay bounded.
        while self.answered.len() >= Limits::CHALLENGES_SPENT_MAX {
            for soonest in self.ends.pop_first().into_iter().flat_map(|(_, keys)| keys) {
                self.answered.remove(&soonest);
            }
        }
        let end = now.plus(Limits::CHALLENGE_LIFE);
        self.answered.insert(key.clone(), Share { count: 1, end });
        self.ends.entry(end).or_default().push(key);
        Ok(())
    }
}

#[async_trait]
impl Challenges for MemoryChallenges {
    async fn spend(&self, challenge: OpenChallenge, by: Spender<'_>, now: UnixSeconds) -> Result<(), ChallengeError> {
        let gone = |_| ChallengeError::Unavailable(Unavailable::new("the memory of spent challenges"));
        let mut spent = self.spent.lock().map_err(gone)?;
        // A clock that was set back ended the era of every challenge from before, so their memory would only be in the way.
        if challenge.era() > spent.era {
            *spent = Spent { era: challenge.era(), ..Spent::default() };
        }
        // SECURITY: one that was checked just before the clock was set back is not looked up in a memory that was emptied since.
        if challenge.era() < spent.era {
            return Err(ChallengeError::CrowdedOut);
        }
        if let Spender::Device(device) = by {
            spent.shares.take(challenge.purpose(), device, now)?;
        }
        let room = spent.rooms.entry((challenge.purpose(), challenge.room())).or_default();
        match room.spend(*challenge.id(), challenge.remember_until(), self.room_max, now) {
            Spending::Again => Err(ChallengeError::AlreadySpent),
            Spending::CrowdedOut => Err(ChallengeError::CrowdedOut),
            Spending::Done => Ok(()),
        }
    }
}
