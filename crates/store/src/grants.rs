//! Promise: a code is redeemed once, and a refresh that is sent twice gets the same answer.

use async_trait::async_trait;
use countersign_core::{Secret, Thumbprint, UnixSeconds};
use countersign_identity::{CodeGrant, CodeState, RefreshFamily, RefreshState, TokenHash};

use crate::unavailable::Unavailable;

/// Reason why a code could not be redeemed after the rule had allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeemError {
    /// Another caller redeemed the code first. Ask the rule again.
    AlreadyExchanged,
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

/// Marks by which a repeated refresh is recognised: a retry has the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Renewed {
    /// Hash of the refresh token.
    pub token: TokenHash,
    /// Thumbprint of the key that the access token is bound to.
    pub key: Thumbprint,
}

/// Access token that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenToken {
    /// The token in plain text, which is kept in memory only.
    pub token: Secret<String>,
    /// Instant at which the token expires.
    pub expires_at: UnixSeconds,
}

/// Authorization codes and refresh families.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Remembers a code under its hash.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn issue_code(&self, code: TokenHash, grant: CodeGrant) -> Result<(), Unavailable>;

    /// Finds the state of a code; `None` when the code is not known.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find_code(&self, code: &TokenHash) -> Result<Option<CodeState>, Unavailable>;

    /// Redeems the code: the code becomes `Exchanged` and `family` becomes live, both or neither. Atomic: of two callers one redeems. If
    /// the family's session has ended meanwhile, the family is revoked from the beginning.
    ///
    /// # Errors
    /// [`RedeemError::AlreadyExchanged`] when another caller was first; [`RedeemError::Unavailable`] when the backend failed.
    async fn redeem(&self, code: &TokenHash, family: RefreshFamily) -> Result<(), RedeemError>;

    /// Finds the refresh family that a token belongs to; `None` when the token is not known.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find_refresh(&self, token: &TokenHash) -> Result<Option<RefreshState>, Unavailable>;

    /// Returns the one answer to this refresh: `proposed` if none was given within its time, else the answer that was given before. Atomic,
    /// so that threads, processes and retries that race get the same access token. The answer is forgotten after `until`, its last second.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn answer_once(
        &self,
        asked: Renewed,
        proposed: GivenToken,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<GivenToken, Unavailable>;
}
