//! Rates per person, device and action, by the generic cell rate algorithm: one instant per counter, no list of requests.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use countersign_core::{Limits, RateLimit, Seconds, UnixMillis, UnixSeconds};

use crate::{
    counters::{RateCounters, Rated, TakeError},
    unavailable::Unavailable,
};

/// Counters in memory, bounded.
pub struct MemoryCounters {
    counters: Mutex<Counters>,
    count_max: usize,
}

#[derive(Default)]
struct Counters {
    /// Instant at which each counter will be empty, in milliseconds times the count of its limit, so that no rate is rounded.
    empty_at: HashMap<(Rated, RateLimit), u128>,
    swept_at: Option<UnixSeconds>,
}

impl MemoryCounters {
    /// Makes a memory with room for a hundred thousand counters.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(Limits::RATE_COUNTERS_MAX)
    }

    /// Makes a memory with room for `count_max` counters.
    #[must_use]
    pub(crate) fn with_room(count_max: usize) -> Self {
        Self { counters: Mutex::default(), count_max }
    }
}

impl Default for MemoryCounters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// Drops the counters that are empty. At most once a second, so that a client that fills the memory cannot make every request walk
    /// through all of it.
    fn sweep(&mut self, now: UnixMillis) {
        if self.swept_at == Some(now.seconds()) {
            return;
        }
        self.swept_at = Some(now.seconds());
        self.empty_at.retain(|(_, limit), empty_at| {
            *empty_at = (*empty_at).min(full_at(now.0, *limit));
            *empty_at > scaled(now.0, *limit)
        });
    }
}

/// Converts milliseconds into the unit of a limit's counters.
fn scaled(millis: u64, limit: RateLimit) -> u128 {
    u128::from(millis).saturating_mul(u128::from(limit.count))
}

/// Instant at which a counter that is full at `millis` will be empty. One that would be empty later was counted while the clock was ahead:
/// it is full, and no fuller.
fn full_at(millis: u64, limit: RateLimit) -> u128 {
    scaled(millis, limit).saturating_add(scaled(limit.window.0.saturating_mul(1000), limit))
}

#[async_trait]
impl RateCounters for MemoryCounters {
    async fn take(&self, of: &Rated, limit: RateLimit, now: UnixMillis) -> Result<(), TakeError> {
        let gone = || TakeError::Unavailable(Unavailable::new("the rate counters"));
        let mut counters = self.counters.lock().map_err(|_| gone())?;
        let key = (of.clone(), limit);
        if counters.empty_at.len() >= self.count_max && !counters.empty_at.contains_key(&key) {
            counters.sweep(now);
            if counters.empty_at.len() >= self.count_max {
                return Err(gone());
            }
        }
        let (window, at) = (limit.window.0.saturating_mul(1000), scaled(now.0, limit));
        let held = counters.empty_at.get_mut(&key).map(|held| {
            *held = (*held).min(full_at(now.0, limit));
            *held
        });
        let empty_at = held.unwrap_or_default().max(at).saturating_add(u128::from(window));
        let over = empty_at.saturating_sub(at).saturating_sub(scaled(window, limit));
        if over > 0 {
            let wait = over.div_ceil(scaled(1000, limit).max(1));
            return Err(TakeError::Exceeded(Seconds(u64::try_from(wait).unwrap_or(u64::MAX))));
        }
        counters.empty_at.insert(key, empty_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::UserId;

    #[tokio::test]
    async fn a_burst_of_the_count_then_one_at_a_time() {
        let counters = MemoryCounters::default();
        let rated = Rated::Person(UserId::from_random([1; 16]));
        let limit = RateLimit { count: 3, window: Seconds(60) };
        let at = |millis| counters.take(&rated, limit, UnixMillis(millis));
        for _ in 0..3 {
            assert_eq!(at(0).await, Ok(()));
        }
        assert_eq!(at(0).await, Err(TakeError::Exceeded(Seconds(20))));
        assert_eq!(at(19_999).await, Err(TakeError::Exceeded(Seconds(1))));
        assert_eq!(at(20_000).await, Ok(()));
        assert_eq!(at(20_000).await, Err(TakeError::Exceeded(Seconds(20))));
        let other = Rated::Person(UserId::from_random([2; 16]));
        assert_eq!(counters.take(&other, limit, UnixMillis(20_000)).await, Ok(()));
    }

    #[tokio::test]
    async fn no_rate_is_rounded() {
        let rows: &[(&str, RateLimit)] = &[
            ("one an hour", RateLimit { count: 1, window: Seconds(3600) }),
            ("seven a minute", RateLimit { count: 7, window: Seconds(60) }),
            ("more than one a millisecond", RateLimit { count: 1500, window: Seconds(1) }),
            ("forty thousand a minute", RateLimit { count: 40_000, window: Seconds(60) }),
        ];
        let rated = Rated::Person(UserId::from_random([1; 16]));
        for (name, limit) in rows {
            let counters = MemoryCounters::new();
            let mut taken = 0;
            while counters.take(&rated, *limit, UnixMillis(1_789_302_400_000)).await.is_ok() {
                taken += 1;
                assert!(taken <= limit.count, "{name}");
            }
            assert_eq!(taken, limit.count, "{name}");
        }
    }

    #[tokio::test]
    async fn a_full_memory_counts_nobody_in_until_a_counter_runs_empty() {
        let counters = MemoryCounters::with_room(2);
        let limit = RateLimit { count: 1, window: Seconds(10) };
        let people: Vec<_> = (1..=3).map(|n| Rated::Person(UserId::from_random([n; 16]))).collect();
        let take = |n: usize, millis| counters.take(&people[n], limit, UnixMillis(millis));
        assert_eq!((take(0, 0).await, take(1, 5_000).await), (Ok(()), Ok(())));
        assert!(matches!(take(2, 9_999).await, Err(TakeError::Unavailable(_))), "both still count");
        assert_eq!(take(0, 9_999).await, Err(TakeError::Exceeded(Seconds(1))), "who is in is still judged");
        assert_eq!(take(2, 10_000).await, Ok(()), "the first has run empty");
        assert!(matches!(take(0, 10_000).await, Err(TakeError::Unavailable(_))), "and is out");
    }

    #[tokio::test]
    async fn what_was_counted_by_a_clock_that_was_ahead_counts_for_one_window_at_most() {
        for ahead in [7_200_000, 400 * 86_400_000, u64::MAX / 4] {
            let counters = MemoryCounters::with_room(1);
            let limit = RateLimit { count: 3, window: Seconds(60) };
            let people: Vec<_> = (1..=2).map(|n| Rated::Person(UserId::from_random([n; 16]))).collect();
            let take = |n: usize, millis| counters.take(&people[n], limit, UnixMillis(millis));
            assert_eq!(take(0, ahead).await, Ok(()));
            assert_eq!(take(0, 1_000).await, Err(TakeError::Exceeded(Seconds(20))), "full, and no fuller");
            assert_eq!(take(0, 21_000).await, Ok(()));
            assert!(matches!(take(1, 80_000).await, Err(TakeError::Unavailable(_))), "it still counts");
            assert_eq!(take(1, 81_000).await, Ok(()), "and is forgotten when it is empty");
        }
    }

    #[tokio::test]
    async fn numbers_that_make_no_sense_do_not_panic() {
        let counters = MemoryCounters::new();
        let rated = Rated::Person(UserId::from_random([1; 16]));
        for (count, window) in [(0, 0), (0, 60), (1, u64::MAX), (u32::MAX, u64::MAX)] {
            let limit = RateLimit { count, window: Seconds(window) };
            for now in [0, u64::MAX] {
                let _ = counters.take(&rated, limit, UnixMillis(now)).await;
            }
        }
    }
}
