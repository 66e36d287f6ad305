//! Promise: data that has ended is not kept (law 9).

use async_trait::async_trait;
use countersign_core::UnixSeconds;

use crate::unavailable::Unavailable;

/// Numbers of rows that were forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Authorization codes that were forgotten.
    pub codes: u64,
    /// Refresh families that were forgotten.
    pub families: u64,
    /// Invitations that were forgotten.
    pub invitations: u64,
    /// Sessions that were forgotten.
    pub sessions: u64,
}

/// Forgetting of data that has ended.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Forgets codes, refresh families, invitations, suppressions and sessions that ended before `instant`, and incidents that were
    /// over a quarter of a year before. Nothing that could still count is touched: a code that was redeemed is remembered as long as
    /// its session, so that a second use is still noticed.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn forget_before(&self, instant: UnixSeconds) -> Result<Forgotten, Unavailable>;
}
