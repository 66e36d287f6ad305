//! What was used up, bounded: when it is full the oldest go, and whatever is as old as those does not count any more.
//!
//! A memory that refuses when it is full can be shut by whoever fills it, and one that forgets lets things count twice. This one does
//! neither: a flood only shortens the time in which things count, and whoever is refused asks for something newer, which does.

use std::{
    collections::{BTreeMap, HashSet},
    hash::Hash,
};

use countersign_core::UnixSeconds;

/// Names of what was used up, by the last second in which each must be remembered.
pub(super) struct SpentRoom<K> {
    seen: HashSet<K>,
    // INVARIANT: holds each name of `seen` once, under its own end.
    ends: BTreeMap<UnixSeconds, Vec<K>>,
    /// Latest end of what was dropped before its time: what ends no later may have been used up.
    floor: Option<UnixSeconds>,
}

/// Outcome for something that was to be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spending {
    /// It was used before.
    Again,
    /// It is so old that nobody can tell whether it was used before.
    CrowdedOut,
    /// It is used up now.
    Done,
}

impl<K> Default for SpentRoom<K> {
    fn default() -> Self {
        Self { seen: HashSet::new(), ends: BTreeMap::new(), floor: None }
    }
}

impl<K: Copy + Eq + Hash> SpentRoom<K> {
    /// Uses up `key`, to be remembered through `end`, in a room for `count_max`.
    pub fn spend(&mut self, key: K, end: UnixSeconds, count_max: usize, now: UnixSeconds) -> Spending {
        self.forget(now);
        if self.seen.contains(&key) {
            return Spending::Again;
        }
        while self.seen.len() >= count_max.max(1) {
            self.drop_oldest();
        }
        if self.floor.is_some_and(|floor| end <= floor) {
            return Spending::CrowdedOut;
        }
        self.seen.insert(key);
        self.ends.entry(end).or_default().push(key);
        Spending::Done
    }

    /// Forgets what cannot count again: each counts through its last second.
    fn forget(&mut self, now: UnixSeconds) {
        while let Some(end) = self.ends.first_entry().filter(|end| *end.key() < now) {
            for key in end.remove() {
                self.seen.remove(&key);
            }
        }
    }

    /// Drops all names of the oldest second, before their time.
    fn drop_oldest(&mut self) {
        // SECURITY: the floor rises with what is dropped, so that nothing of it counts a second time.
        let Some((end, keys)) = self.ends.pop_first() else { return };
        self.floor = self.floor.max(Some(end));
        for key in keys {
            self.seen.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_room_drops_the_oldest_and_never_counts_them_twice() {
        let mut room = SpentRoom::default();
        let mut spend = |key: u32, end, now| room.spend(key, UnixSeconds(end), 3, UnixSeconds(now));
        let rows = [
            ("the first", 1, 100, 50, Spending::Done),
            ("again", 1, 100, 50, Spending::Again),
            ("another of its second", 2, 100, 50, Spending::Done),
            ("a younger one", 3, 101, 50, Spending::Done),
            ("when it is full, the oldest second goes", 4, 102, 50, Spending::Done),
            ("what was dropped", 1, 100, 50, Spending::CrowdedOut),
            ("what is as old and was never used", 9, 100, 50, Spending::CrowdedOut),
            ("what was kept", 3, 101, 50, Spending::Again),
            ("one of the second that was kept", 5, 101, 50, Spending::Done),
            ("after their time, there is room", 6, 200, 103, Spending::Done),
        ];
        for (name, key, end, now, expected) in rows {
            assert_eq!(spend(key, end, now), expected, "{name}");
        }
    }

    proptest! {
        /// Whatever comes in whatever order, nothing is used up twice while it could count.
        #[test]
        fn nothing_counts_twice(asked in prop::collection::vec((0_u8..20, 0_u64..30), 1..200), count_max in 1_usize..8) {
            let (mut room, mut done, mut now) = (SpentRoom::default(), HashSet::new(), 0);
            for (key, step) in asked {
                now += step / 10;
                // A name has one end, as a challenge or proof has.
                let end = UnixSeconds(u64::from(key) * 3);
                if end.0 >= now && room.spend(key, end, count_max, UnixSeconds(now)) == Spending::Done {
                    prop_assert!(done.insert(key), "{key} was used up twice");
                }
                prop_assert!(room.seen.len() <= count_max);
                prop_assert_eq!(room.seen.len(), room.ends.values().map(Vec::len).sum::<usize>());
            }
        }
    }
}
