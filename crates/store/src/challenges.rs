//! Promise: a challenge counts once (law 5).

use async_trait::async_trait;
use countersign_core::{Reason, Seconds, UnixSeconds};
use countersign_proof::challenge::OpenChallenge;

use crate::{spender::Spender, unavailable::Unavailable};

/// 256 bits that name a challenge: the bytes that evidence is made for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChallengeId(pub [u8; 32]);

/// Reason why a challenge does not count. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChallengeError {
    /// The challenge was answered before.
    AlreadySpent,
    /// So many others were answered that challenges as old as this one cannot be told from spent ones any more.
    CrowdedOut,
    /// The device has answered as many challenges as it may; more count after this time.
    ShareUsed(Seconds),
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

impl ChallengeError {
    /// Stable code of the refusal.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AlreadySpent => Reason::ChallengeUnknown,
            Self::CrowdedOut => Reason::ChallengeCrowdedOut,
            Self::ShareUsed(_) => Reason::ChallengeShareUsed,
            Self::Unavailable(_) => Reason::StoreUnavailable,
        }
    }
}

/// Memory of the challenges that were answered. Nothing is remembered of those that were only asked for.
#[async_trait]
pub trait Challenges: Send + Sync {
    /// Uses `challenge` up. Atomic on every node: of two callers with the same challenge one succeeds.
    ///
    /// # Errors
    /// [`ChallengeError`]; each refuses.
    async fn spend(&self, challenge: OpenChallenge, by: Spender<'_>, now: UnixSeconds) -> Result<(), ChallengeError>;
}
