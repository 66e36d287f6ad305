//! Rates per session and action, by the generic cell rate algorithm: one instant per counter, no list of requests.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use countersign_core::{Action, RateLimit, Seconds, SessionId, UnixMillis};

use crate::{
    counters::{RateCounters, TakeError},
    unavailable::Unavailable,
};

/// Counters that are kept; beyond it those that have run empty go, and if none has, nothing more is counted in.
const COUNTERS_MAX: usize = 100_000;

/// Counters in memory, bounded.
#[derive(Default)]
pub struct MemoryCounters {
    /// When each counter will have run empty, in milliseconds.
    full_until: Mutex<HashMap<(SessionId, Action, RateLimit), u64>>,
}

#[async_trait]
impl RateCounters for MemoryCounters {
    async fn take(&self, session: &SessionId, action: &Action, limit: RateLimit, now: UnixMillis) -> Result<(), TakeError> {
        let gone = || TakeError::Unavailable(Unavailable::new("the rate counters"));
        let mut counters = self.full_until.lock().map_err(|_| gone())?;
        let key = (session.clone(), action.clone(), limit);
        if counters.len() >= COUNTERS_MAX && !counters.contains_key(&key) {
            counters.retain(|_, until| *until > now.0);
            if counters.len() >= COUNTERS_MAX {
                return Err(gone());
            }
        }
        let window = limit.window.0.saturating_mul(1000);
        let each = window.checked_div(limit.count.into()).ok_or_else(gone)?;
        let until = counters.get(&key).copied().unwrap_or_default().max(now.0).saturating_add(each);
        let over = until.saturating_sub(now.0).saturating_sub(window);
        if over > 0 {
            return Err(TakeError::Exceeded(Seconds(over.div_ceil(1000))));
        }
        counters.insert(key, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_of_the_count_then_one_at_a_time() {
        let counters = MemoryCounters::default();
        let (session, action) = (SessionId::from_random([1; 16]), Action::parse("a").expect("an id"));
        let limit = RateLimit { count: 3, window: Seconds(60) };
        let at = |millis| counters.take(&session, &action, limit, UnixMillis(millis));
        for _ in 0..3 {
            assert_eq!(at(0).await, Ok(()));
        }
        assert_eq!(at(0).await, Err(TakeError::Exceeded(Seconds(20))));
        assert_eq!(at(19_999).await, Err(TakeError::Exceeded(Seconds(1))));
        assert_eq!(at(20_000).await, Ok(()));
        assert_eq!(at(20_000).await, Err(TakeError::Exceeded(Seconds(20))));
        let other = SessionId::from_random([2; 16]);
        assert_eq!(counters.take(&other, &action, limit, UnixMillis(20_000)).await, Ok(()));
    }
}
