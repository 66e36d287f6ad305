//! Promise: a code is redeemed once, and a refresh answered twice is answered the same.

use async_trait::async_trait;
use countersign_core::{Secret, SessionId, Thumbprint, UnixSeconds};
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

    /// Redeems the code: it becomes `Exchanged` and `family` becomes live, both or neither. Atomic: of two callers one redeems.
    ///
    /// # Errors
    /// When somebody was faster, or by our fault.
    async fn redeem(&self, code: &TokenHash, family: RefreshFamily) -> Result<(), RedeemError>;

    /// The refresh family that a token belongs to.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_refresh(&self, token: &TokenHash) -> Result<Option<RefreshState>, Unavailable>;

    /// Ends the refresh families of a session. Ending what has ended changes nothing.
    ///
    /// # Errors
    /// Our fault only.
    async fn revoke_session(&self, session: &SessionId) -> Result<(), Unavailable>;

    /// The one answer to this refresh token and request key: `proposed` if none was given within its time, else the one
    /// given before. Atomic, so that threads, processes and retries that race get the same access token. Never stored in
    /// plain beyond memory; forgotten at `until`.
    ///
    /// # Errors
    /// Our fault only.
    async fn answer_once(
        &self,
        asked: (TokenHash, Thumbprint),
        proposed: Secret<String>,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<Secret<String>, Unavailable>;
}
