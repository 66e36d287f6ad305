//! Promise: development tokens, and how many phones each has enrolled.

use async_trait::async_trait;
use countersign_core::{DevTokenId, DeviceId, UnixSeconds};
use countersign_identity::{DevToken, TokenHash};

use crate::unavailable::Unavailable;

/// Development token with the record of its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDevToken {
    /// The token as it was made, with its revocation.
    pub token: DevToken,
    /// Phones that the token enrolled, in the order of their ids.
    pub phones: Vec<DeviceId>,
    /// Instant of the last use; `None` when the token was never used.
    pub last_used_at: Option<UnixSeconds>,
}

/// Answer to the use of a token. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevTokenNoted {
    /// The phone counts among the token's phones.
    Noted,
    /// The phone does not count: there is no such token, it was revoked or has expired, or its last place went to another phone.
    Refused,
}

/// Development tokens and their use.
#[async_trait]
pub trait DevTokens: Send + Sync {
    /// Remembers a new token.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn create(&self, token: DevToken) -> Result<(), Unavailable>;

    /// Finds the token of this hash, in whatever state.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find(&self, hash: &TokenHash) -> Result<Option<KeptDevToken>, Unavailable>;

    /// Lists the newest tokens in whatever state, at most `count_max`.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn list(&self, count_max: u32) -> Result<Vec<KeptDevToken>, Unavailable>;

    /// Ends a token for good; the instant of the first revocation stays. The answer names the phones that the token enrolled, so that they
    /// can be cut off. Once this returns, no use is noted any more. `None` when there is no such token.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn revoke(&self, id: &DevTokenId, now: UnixSeconds) -> Result<Option<KeptDevToken>, Unavailable>;

    /// Notes that the token enrols a phone, if the token still may. Atomic: however many phones come at once, no more than its `phones_max`
    /// are ever noted. A phone that comes again counts once.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn note_use(&self, id: &DevTokenId, device: &DeviceId, now: UnixSeconds) -> Result<DevTokenNoted, Unavailable>;
}
