//! Keys of challenges, and the eras in which challenges count.

use std::sync::{Mutex, PoisonError};

use countersign_core::{Clock, Limits, Secret, UnixSeconds};
use countersign_proof::challenge::ChallengeKeys;

/// Maker and reader of challenges. Its keys live as long as the process, as the memory of spent challenges does.
pub struct Challenger {
    keys: ChallengeKeys,
    era: Mutex<Era>,
}

/// Time between two steps back of the clock. In an earlier one, challenges were spent whose names are forgotten, so none of it counts.
struct Era {
    number: u32,
    latest: UnixSeconds,
}

impl Challenger {
    /// Makes a challenger with keys derived from 32 unpredictable bytes.
    #[must_use]
    pub fn new(secret: &Secret<[u8; 32]>) -> Self {
        Self { keys: ChallengeKeys::new(secret), era: Mutex::new(Era { number: 0, latest: UnixSeconds(0) }) }
    }

    /// Keys that make and read challenges.
    pub(crate) const fn keys(&self) -> &ChallengeKeys {
        &self.keys
    }

    /// Number of the present era.
    pub(crate) fn era(&self, clock: &dyn Clock) -> u32 {
        let mut era = self.era.lock().unwrap_or_else(PoisonError::into_inner);
        // SECURITY: read here, under the lock. A request that took long brings an older time, which is no step of the clock.
        let now = clock.now().seconds();
        if now.plus(Limits::PROOF_SKEW_MAX) < era.latest {
            *era = Era { number: era.number.saturating_add(1), latest: now };
        }
        era.latest = era.latest.max(now);
        era.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::UnixMillis;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn an_era_ends_when_the_clock_is_set_back_and_not_before() {
        let (challenger, clock) = (Challenger::new(&Secret::new([1; 32])), Hand(AtomicU64::new(0)));
        let rows = [
            ("the start", 1_000_000, 0),
            ("later", 2_000_000, 0),
            ("far ahead", 9_000_000, 0),
            ("back by what clocks differ", 8_995_000, 0),
            ("right again", 2_000_000, 1),
            ("later", 2_001_000, 1),
            ("set back once more", 1_000_000, 2),
        ];
        for (name, at, expected) in rows {
            clock.0.store(at, Ordering::Relaxed);
            assert_eq!(challenger.era(&clock), expected, "{name}");
        }
    }
}
