//! Promise: a challenge counts once, within its lifetime, for the purpose it was made for (law 5).

use async_trait::async_trait;
use countersign_core::UnixSeconds;

use crate::unavailable::Unavailable;

/// Purpose of a challenge. A challenge that was made for another purpose is as good as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengePurpose {
    /// Fresh evidence about an enrolled device.
    Attestation,
    /// Enrolment of a device.
    Enrolment,
    /// Sign-in with a passkey.
    Login,
    /// Registration of a passkey.
    Registration,
}

/// 256 unpredictable bits that name a challenge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChallengeId(pub [u8; 32]);

/// Reason why no challenge was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// As many challenges wait for an answer as are kept.
    Full,
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

/// Challenges that wait for their answer.
#[async_trait]
pub trait Challenges: Send + Sync {
    /// Remembers a challenge, and the data that the server needs again when the challenge is answered.
    ///
    /// # Errors
    /// [`IssueError::Full`] when too many challenges wait for an answer; [`IssueError::Unavailable`] when the backend failed.
    async fn issue(&self, id: ChallengeId, purpose: ChallengePurpose, recall: Vec<u8>, expires_at: UnixSeconds) -> Result<(), IssueError>;

    /// Uses the challenge up and returns the data that was remembered with it. Atomic: of two callers one gets the data. `None` when the
    /// challenge was never issued, has lapsed, was used, or was made for another purpose; in the last case it stays in place.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn take(&self, id: &ChallengeId, purpose: ChallengePurpose, now: UnixSeconds) -> Result<Option<Vec<u8>>, Unavailable>;
}
