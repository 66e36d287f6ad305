//! Promise: no session makes more requests in a span of time than it may.

use async_trait::async_trait;
use countersign_core::{Action, RateLimit, Seconds, SessionId, UnixMillis};

use crate::unavailable::Unavailable;

/// Reason why a request does not fit into its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeError {
    /// The rate is used up; the next request fits after this time, which is at least one second.
    Exceeded(Seconds),
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

/// Counters of requests, one per session, action and limit.
#[async_trait]
pub trait RateCounters: Send + Sync {
    /// Takes one request from `limit` by the generic cell rate algorithm: the rate is refilled evenly, and a burst has at most
    /// `limit.count` requests. Atomic.
    ///
    /// # Errors
    /// [`TakeError::Exceeded`] when nothing is left; [`TakeError::Unavailable`] when the backend failed or has no room for another counter.
    async fn take(&self, session: &SessionId, action: &Action, limit: RateLimit, now: UnixMillis) -> Result<(), TakeError>;
}
