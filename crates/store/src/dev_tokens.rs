//! Promise: development tokens, and how many phones each has enrolled.

use async_trait::async_trait;
use countersign_core::{DevTokenId, DeviceId, UnixSeconds};
use countersign_identity::{DevToken, TokenHash};

use crate::unavailable::Unavailable;

/// A token with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDevToken {
    /// The token.
    pub token: DevToken,
    /// The phones that it enrolled, in the order of their ids.
    pub phones: Vec<DeviceId>,
    /// When it was used last.
    pub last_used_at: Option<UnixSeconds>,
}

/// What became of a use. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevTokenNoted {
    /// The phone counts among the token's.
    Noted,
    /// It does not: there is no such token, it was revoked, its time is over, or somebody else was its last phone.
    Refused,
}

/// Development tokens.
#[async_trait]
pub trait DevTokens: Send + Sync {
    /// Remembers a new token.
    ///
    /// # Errors
    /// Our fault only.
    async fn create(&self, token: DevToken) -> Result<(), Unavailable>;

    /// The token of that hash, in whatever state.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, hash: &TokenHash) -> Result<Option<KeptDevToken>, Unavailable>;

    /// The newest tokens in whatever state, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, count_max: u32) -> Result<Vec<KeptDevToken>, Unavailable>;

    /// Ends a token for good; the instant of the first revocation stays. `None`: no such token. The phones that it enrolled are
    /// named, so that they can be cut off; once this returns, no use is noted any more.
    ///
    /// # Errors
    /// Our fault only.
    async fn revoke(&self, id: &DevTokenId, now: UnixSeconds) -> Result<Option<KeptDevToken>, Unavailable>;

    /// Notes that the token enrols a phone, if it still may. Atomic: however many come at once, no more phones than its
    /// `phones_max` are ever noted; one that is noted already counts once.
    ///
    /// # Errors
    /// Our fault only.
    async fn note_use(&self, id: &DevTokenId, device: &DeviceId, now: UnixSeconds) -> Result<DevTokenNoted, Unavailable>;
}
