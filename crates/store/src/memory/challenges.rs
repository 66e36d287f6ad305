//! Challenges in memory, while they wait for their answer.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use countersign_core::{Limits, UnixSeconds};

use crate::{
    challenges::{ChallengeId, ChallengePurpose, Challenges, IssueError},
    expiring_map::ExpiringMap,
    unavailable::Unavailable,
};

/// Outstanding challenges in memory, bounded. Each purpose has a room of its own: anybody may ask for a challenge to enrol, and whoever
/// fills that room crowds out nobody who signs in.
pub struct MemoryChallenges {
    waiting: Mutex<Rooms>,
    count_max: usize,
}

/// Remembered data, by purpose and challenge.
type Rooms = HashMap<ChallengePurpose, ExpiringMap<ChallengeId, Vec<u8>>>;

impl MemoryChallenges {
    /// Makes a memory with room for [`Limits::CHALLENGES_MAX`] challenges of each purpose.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(Limits::CHALLENGES_MAX)
    }

    /// Makes a memory with room for `count_max` challenges of each purpose.
    #[must_use]
    pub(crate) fn with_room(count_max: usize) -> Self {
        Self { waiting: Mutex::default(), count_max }
    }
}

impl Default for MemoryChallenges {
    fn default() -> Self {
        Self::new()
    }
}

fn gone() -> Unavailable {
    Unavailable::new("the memory of challenges")
}

#[async_trait]
impl Challenges for MemoryChallenges {
    async fn issue(&self, id: ChallengeId, purpose: ChallengePurpose, recall: Vec<u8>, expires_at: UnixSeconds) -> Result<(), IssueError> {
        let mut rooms = self.waiting.lock().map_err(|_| IssueError::Unavailable(gone()))?;
        // SECURITY: an id is 256 unpredictable bits. One that comes twice means broken entropy, and must not replace what waits.
        let (repeated, room) = (rooms.values().any(|room| room.contains(&id)), rooms.entry(purpose).or_default());
        // No challenge lives longer than this limit, so whatever ends that much earlier than the newest has ended already.
        room.forget_before(expires_at.minus(Limits::CHALLENGE_LIFE));
        // And none ends that much later: such a one was given out while the clock was ahead.
        room.forget_beyond(expires_at.plus(Limits::CHALLENGE_LIFE));
        if room.len() >= self.count_max {
            return Err(IssueError::Full);
        }
        if repeated {
            return Err(IssueError::Unavailable(Unavailable::new("a challenge that is outstanding was issued again")));
        }
        room.insert(id, recall, expires_at);
        Ok(())
    }

    async fn take(&self, id: &ChallengeId, purpose: ChallengePurpose, now: UnixSeconds) -> Result<Option<Vec<u8>>, Unavailable> {
        let mut rooms = self.waiting.lock().map_err(|_| gone())?;
        let Some(room) = rooms.get_mut(&purpose) else { return Ok(None) };
        room.forget_beyond(now.plus(Limits::CHALLENGE_LIFE));
        if room.get(id, now).is_none() {
            return Ok(None);
        }
        Ok(room.remove(id).map(|(_, recall)| recall))
    }
}
