//! The time of day, read in this one place.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_core::{Clock, UnixMillis};

/// The system's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the `Clock` that everybody else asks")]
    fn now(&self) -> UnixMillis {
        // A clock before 1970 reads as 1970: every token and proof is then refused, which is the safe side.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
