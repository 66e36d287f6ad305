//! Challenges that wait for their answer.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use countersign_core::{Limits, UnixSeconds};

use crate::{
    challenges::{ChallengeId, ChallengePurpose, Challenges, IssueError},
    unavailable::Unavailable,
};

/// Outstanding challenges in memory, bounded.
#[derive(Default)]
pub struct MemoryChallenges {
    waiting: Mutex<HashMap<ChallengeId, Waiting>>,
}

struct Waiting {
    purpose: ChallengePurpose,
    recall: Vec<u8>,
    expires_at: UnixSeconds,
}

fn gone() -> Unavailable {
    Unavailable::new("the memory of challenges")
}

#[async_trait]
impl Challenges for MemoryChallenges {
    async fn issue(&self, id: ChallengeId, purpose: ChallengePurpose, recall: Vec<u8>, expires_at: UnixSeconds) -> Result<(), IssueError> {
        let mut waiting = self.waiting.lock().map_err(|_| IssueError::Unavailable(gone()))?;
        if waiting.len() >= Limits::CHALLENGES_MAX {
            // Nothing lives longer than a challenge may, so what ends that much earlier than the newest has ended already.
            waiting.retain(|_, challenge| challenge.expires_at.plus(Limits::CHALLENGE_LIFE) >= expires_at);
        }
        if waiting.len() >= Limits::CHALLENGES_MAX {
            return Err(IssueError::Full);
        }
        waiting.insert(id, Waiting { purpose, recall, expires_at });
        Ok(())
    }

    async fn take(&self, id: &ChallengeId, purpose: ChallengePurpose, now: UnixSeconds) -> Result<Option<Vec<u8>>, Unavailable> {
        let mut waiting = self.waiting.lock().map_err(|_| gone())?;
        if waiting.get(id).is_none_or(|challenge| challenge.purpose != purpose) {
            return Ok(None);
        }
        Ok(waiting.remove(id).filter(|challenge| challenge.expires_at >= now).map(|challenge| challenge.recall))
    }
}
