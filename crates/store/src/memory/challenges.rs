//! Challenges that wait for their answer.

use std::sync::Mutex;

use async_trait::async_trait;
use countersign_core::{Limits, UnixSeconds};

use crate::{
    challenges::{ChallengeId, ChallengePurpose, Challenges, IssueError},
    lapsing::Lapsing,
    unavailable::Unavailable,
};

/// Outstanding challenges in memory, bounded.
pub struct MemoryChallenges {
    waiting: Mutex<Lapsing<ChallengeId, Waiting>>,
    count_max: usize,
}

struct Waiting {
    purpose: ChallengePurpose,
    recall: Vec<u8>,
}

impl MemoryChallenges {
    /// Room for as many challenges as [`Limits::CHALLENGES_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(Limits::CHALLENGES_MAX)
    }

    /// Room for `count_max` challenges.
    #[must_use]
    pub fn with_room(count_max: usize) -> Self {
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
        let mut waiting = self.waiting.lock().map_err(|_| IssueError::Unavailable(gone()))?;
        // None lives longer than a challenge may, so what ends that much earlier than the newest has ended already.
        waiting.forget_before(expires_at.minus(Limits::CHALLENGE_LIFE));
        if waiting.len() >= self.count_max {
            return Err(IssueError::Full);
        }
        // SECURITY: an id is 256 unpredictable bits. One that comes twice means broken entropy, and must not replace what waits.
        if waiting.contains(&id) {
            return Err(IssueError::Unavailable(Unavailable::new("a challenge that is outstanding was issued again")));
        }
        waiting.insert(id, Waiting { purpose, recall }, expires_at);
        Ok(())
    }

    async fn take(&self, id: &ChallengeId, purpose: ChallengePurpose, now: UnixSeconds) -> Result<Option<Vec<u8>>, Unavailable> {
        let mut waiting = self.waiting.lock().map_err(|_| gone())?;
        if waiting.get(id, now).is_none_or(|challenge| challenge.purpose != purpose) {
            return Ok(None);
        }
        Ok(waiting.remove(id).map(|(_, challenge)| challenge.recall))
    }
}
