//! Shares: how much each of many may take in a time, counted in bounded memory.
//!
//! The count is the generic cell rate algorithm (ITU-T I.371 annex A): one instant for each key, no list of what was taken. When the memory
//! is full, the key whose share is nearest to being whole is forgotten first, which gives back the least.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use countersign_core::{RateLimit, Seconds, UnixMillis};

const MICROS: u64 = 1_000;

/// One taking: whose share it is from, and how large that share is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking<K> {
    /// Owner of the share.
    pub of: K,
    /// Size of the share: so much at once, and so much again in every window.
    pub limit: RateLimit,
}

/// Shares of many, by key.
#[derive(Clone, Debug)]
pub struct Shares<K> {
    /// Instant, in microseconds that went by, at which each share is whole again.
    whole_at: HashMap<K, u64>,
    by_age: BTreeSet<(u64, K)>,
    keys_max: usize,
    /// Clock at the last taking.
    clock: UnixMillis,
    /// Microseconds that went by: the clock, without its steps back. It alone is what instants are compared with, so that a clock which was
    /// ahead leaves no share spent until its time comes again.
    went_by: u64,
}

impl<K: Clone + Eq + Hash + Ord> Shares<K> {
    /// Makes a memory of which nothing is taken, with room for `keys_max` keys.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        Self { whole_at: HashMap::new(), by_age: BTreeSet::new(), keys_max, clock: UnixMillis(0), went_by: 0 }
    }

    /// Number of shares that are not whole, or were not at the last look.
    #[must_use]
    pub fn len(&self) -> usize {
        self.whole_at.len()
    }

    /// True when nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole_at.is_empty()
    }

    /// Takes one from every share that is named, or from none: who is refused by one share does not spend the others, which may belong to
    /// more people than one.
    ///
    /// `now` is the clock as it is read for this call, after the call before it: an earlier one counts as a step back of the clock.
    ///
    /// # Errors
    /// The longest wait until all of them have room.
    pub fn take(&mut self, takings: &[Taking<K>], now: UnixMillis) -> Result<(), Seconds> {
        let at = self.pass(now);
        let wait = takings.iter().map(|taking| self.over(taking, at)).max().unwrap_or_default();
        if wait > 0 {
            return Err(Seconds(wait.div_ceil(1_000_000)));
        }
        for taking in takings {
            let whole_at = self.whole_at(&taking.of, at).saturating_add(each(taking.limit));
            self.set(&taking.of, whole_at);
        }
        self.prune(at);
        Ok(())
    }

    /// Gives back what was taken for something that turned out well.
    pub fn give_back(&mut self, takings: &[Taking<K>]) {
        for taking in takings {
            if let Some(whole_at) = self.whole_at.get(&taking.of).copied() {
                self.set(&taking.of, whole_at.saturating_sub(each(taking.limit)));
            }
        }
    }

    /// Lets the time go by up to `now`. A clock that was set back lets none go by.
    fn pass(&mut self, now: UnixMillis) -> u64 {
        let later = now.0.saturating_sub(self.clock.0).saturating_mul(MICROS);
        (self.clock, self.went_by) = (now, self.went_by.saturating_add(later));
        self.went_by
    }

    /// Microseconds until the share has room; 0 when it has.
    fn over(&self, taking: &Taking<K>, at: u64) -> u64 {
        let window = taking.limit.window.0.saturating_mul(1_000_000);
        self.whole_at(&taking.of, at).saturating_add(each(taking.limit)).saturating_sub(at).saturating_sub(window)
    }

    fn whole_at(&self, key: &K, at: u64) -> u64 {
        self.whole_at.get(key).copied().unwrap_or_default().max(at)
    }

    fn set(&mut self, key: &K, whole_at: u64) {
        if let Some(before) = self.whole_at.insert(key.clone(), whole_at) {
            self.by_age.remove(&(before, key.clone()));
        }
        self.by_age.insert((whole_at, key.clone()));
    }

    /// Forgets what is whole again, a few at a time, and what has no room.
    fn prune(&mut self, at: u64) {
        for _ in 0..8 {
            let Some((whole_at, _)) = self.by_age.first() else { return };
            if *whole_at > at && self.by_age.len() <= self.keys_max {
                return;
            }
            if let Some((_, key)) = self.by_age.pop_first() {
                self.whole_at.remove(&key);
            }
        }
    }
}

/// Microseconds after which one more fits.
fn each(limit: RateLimit) -> u64 {
    limit.window.0.saturating_mul(1_000_000).checked_div(u64::from(limit.count)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: RateLimit = RateLimit { count: 3, window: Seconds(60) };

    fn of(key: u16) -> Taking<u16> {
        Taking { of: key, limit: LIMIT }
    }

    #[test]
    fn so_much_at_once_and_then_one_at_a_time() {
        let mut shares = Shares::new(10);
        let mut at = |second: u64| shares.take(&[of(1)], UnixMillis(second * 1000));
        assert_eq!([at(100), at(100), at(100)], [Ok(()); 3]);
        assert_eq!(at(100), Err(Seconds(20)));
        assert_eq!(at(119), Err(Seconds(1)));
        assert_eq!(at(120), Ok(()));
        assert_eq!(at(120), Err(Seconds(20)));
        assert_eq!(shares.take(&[of(2)], UnixMillis(100_000)), Ok(()), "another's share");
    }

    #[test]
    fn who_is_refused_by_one_share_does_not_spend_the_others() {
        let mut shares = Shares::new(10);
        let now = UnixMillis(1);
        let both = [of(1), Taking { of: 2, limit: RateLimit { count: 4, window: Seconds(60) } }];
        for _ in 0..100 {
            let _ = shares.take(&both, now);
        }
        assert_eq!(shares.take(&both[1..], now), Ok(()), "three were spent of four");
        assert!(shares.take(&both[1..], now).is_err());
        shares.give_back(&both);
        assert_eq!(shares.take(&both, now), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_neither_spends_a_share_nor_gives_it_back() {
        let day = 86_400_000_u64;
        for (name, back) in [("a second", 1_000), ("an hour", 3_600_000), ("ten years", 3_650 * day)] {
            let (mut shares, then) = (Shares::new(10), 20_000 * day);
            let mut at = |millis: u64| shares.take(&[of(1)], UnixMillis(millis));
            assert_eq!([at(then), at(then), at(then)], [Ok(()); 3], "{name}");
            assert_eq!(at(then - back), Err(Seconds(20)), "{name}");
            assert_eq!(at(then - back + 19_000), Err(Seconds(1)), "{name}");
            assert_eq!(at(then - back + 20_000), Ok(()), "{name}");
            assert_eq!(at(then - back + 20_000), Err(Seconds(20)), "{name}");
        }
    }

    /// What was counted while the clock was ahead does not crowd out what is counted now.
    #[test]
    fn a_clock_that_was_ahead_leaves_the_memory_as_it_is() {
        let mut shares = Shares::new(2);
        let (ahead, right) = (UnixMillis(400 * 86_400_000), UnixMillis(1_000));
        for key in 0..2 {
            assert_eq!(shares.take(&[of(key)], ahead), Ok(()));
        }
        for _ in 0..3 {
            assert_eq!(shares.take(&[of(9)], right), Ok(()));
        }
        assert_eq!(shares.take(&[of(9)], right), Err(Seconds(20)));
    }

    #[test]
    fn nothing_fits_into_no_share() {
        let none = Taking { of: 1, limit: RateLimit { count: 0, window: Seconds(60) } };
        assert!(Shares::new(10).take(&[none], UnixMillis(1)).is_err());
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_nobody_gets_more_than_a_share(takings in proptest::collection::vec((0_u16..40, 0_u64..2_000), 0..400)) {
            let (mut shares, mut roomy) = (Shares::new(8), Shares::new(1_000));
            let (mut now, mut taken) = (0, std::collections::HashMap::<u16, u64>::new());
            for (key, later) in takings {
                now += later;
                let _ = shares.take(&[of(key)], UnixMillis(now));
                if roomy.take(&[of(key)], UnixMillis(now)).is_ok() {
                    *taken.entry(key).or_default() += 1;
                }
                prop_assert!(shares.len() <= 8 && shares.by_age.len() == shares.len());
            }
            prop_assert!(taken.values().all(|count| *count <= 3 + now * 3 / 60_000 + 1));
        }
    }
}
