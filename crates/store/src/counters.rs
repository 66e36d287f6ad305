//! Promise: nobody makes more requests in a span of time than they may, however many sessions they open.

use async_trait::async_trait;
use countersign_core::{Action, DeviceId, RateLimit, Seconds, UnixMillis, UserId};

use crate::unavailable::Unavailable;

/// Group of requests that are counted together. Never those of a session: whoever opens another session would get another rate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rated {
    /// Requests of a person on a device for an action.
    Operation {
        /// Person who asks for it.
        user: UserId,
        /// Device on which they ask.
        device: DeviceId,
        /// Operation that is asked for.
        action: Action,
    },
    /// All requests of a person, on whatever device.
    Person(UserId),
}

/// Reason why a request does not fit into its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeError {
    /// The rate is used up; the next request fits after this time, which is at least one second.
    Exceeded(Seconds),
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

/// Counters of requests, one for each [`Rated`] and limit.
#[async_trait]
pub trait RateCounters: Send + Sync {
    /// Takes one request from `limit` by the generic cell rate algorithm: the rate is refilled evenly, and a burst has at most
    /// `limit.count` requests. Atomic.
    ///
    /// # Errors
    /// [`TakeError::Exceeded`] when nothing is left; [`TakeError::Unavailable`] when the backend failed or has no room for another counter.
    async fn take(&self, of: &Rated, limit: RateLimit, now: UnixMillis) -> Result<(), TakeError>;
}
