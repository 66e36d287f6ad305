//! Promise: no session does more in a span of time than it may.

use async_trait::async_trait;
use countersign_core::{Action, RateLimit, Seconds, SessionId, UnixMillis};

use crate::unavailable::Unavailable;

/// Why a request does not fit into its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeError {
    /// Too many; the next one fits after this time (at least one second).
    Exceeded(Seconds),
    /// Our fault.
    Unavailable(Unavailable),
}

/// Counts requests per session and action.
#[async_trait]
pub trait RateCounters: Send + Sync {
    /// Takes one of `limit` (generic cell rate algorithm: evenly refilled, a burst of at most `limit.count`). Atomic.
    ///
    /// # Errors
    /// When nothing is left, or by our fault.
    async fn take(&self, session: &SessionId, action: &Action, limit: RateLimit, now: UnixMillis) -> Result<(), TakeError>;
}
