//! Promise: a challenge counts once, in its time, for what it was made for (law 5).

use async_trait::async_trait;
use countersign_core::UnixSeconds;

use crate::unavailable::Unavailable;

/// What a challenge is for. One made for something else is as good as none.
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

/// Why no challenge was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// As many are outstanding as are kept.
    Full,
    /// Our fault.
    Unavailable(Unavailable),
}

/// Challenges that wait for their answer.
#[async_trait]
pub trait Challenges: Send + Sync {
    /// Remembers a challenge and what the server must recall when it is answered.
    ///
    /// # Errors
    /// When too many are outstanding, or by our fault.
    async fn issue(&self, id: ChallengeId, purpose: ChallengePurpose, recall: Vec<u8>, expires_at: UnixSeconds) -> Result<(), IssueError>;

    /// Uses the challenge up. Atomic: of two callers one gets what is to be recalled. `None`: never issued, lapsed, used, or
    /// made for something else (which leaves it in place).
    ///
    /// # Errors
    /// Our fault only.
    async fn take(&self, id: &ChallengeId, purpose: ChallengePurpose, now: UnixSeconds) -> Result<Option<Vec<u8>>, Unavailable>;
}
