//! Promise: a code is redeemed once, and a refresh answered twice is answered the same.

use async_trait::async_trait;
use countersign_core::{Secret, Thumbprint, UnixSeconds};
use countersign_identity::{CodeGrant, CodeState, RefreshFamily, RefreshState, TokenHash};

use crate::unavailable::Unavailable;

/// Why a code could not be redeemed after the rule had allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeemError {
    /// Somebody was faster. Ask the rule again.
    AlreadyExchanged,
    /// Our fault.
    Unavailable(Unavailable),
}

/// What a refresh is known again by: a retry asks for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Renewed {
    /// The refresh token, hashed.
    pub token: TokenHash,
    /// The key that the access token is bound to.
    pub key: Thumbprint,
}

/// An access token that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenToken {
    /// The token. Never stored in plain beyond memory.
    pub token: Secret<String>,
    /// When the token lapses.
    pub expires_at: UnixSeconds,
}

/// Authorization codes and refresh families.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Remembers a code under its hash.
    ///
    /// # Errors
    /// Our fault only.
    async fn issue_code(&self, code: TokenHash, grant: CodeGrant) -> Result<(), Unavailable>;

    /// The code's state.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_code(&self, code: &TokenHash) -> Result<Option<CodeState>, Unavailable>;

    /// Redeems the code: it becomes `Exchanged` and `family` becomes live, both or neither. Atomic: of two callers one redeems. If
    /// the family's session has ended meanwhile, the family is revoked from the beginning.
    ///
    /// # Errors
    /// When somebody was faster, or by our fault.
    async fn redeem(&self, code: &TokenHash, family: RefreshFamily) -> Result<(), RedeemError>;

    /// The refresh family that a token belongs to.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_refresh(&self, token: &TokenHash) -> Result<Option<RefreshState>, Unavailable>;

    /// The one answer to this refresh: `proposed` if none was given within its time, else the one given before. Atomic, so that
    /// threads, processes and retries that race get the same access token. Forgotten after `until`, its last second.
    ///
    /// # Errors
    /// Our fault only.
    async fn answer_once(
        &self,
        asked: Renewed,
        proposed: GivenToken,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<GivenToken, Unavailable>;
}
