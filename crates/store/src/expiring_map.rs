//! Values that end by themselves: found by key, forgotten by time.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

use countersign_core::UnixSeconds;

/// Values, each with the last second in which it counts. Forgetting a value costs no more than remembering it did.
pub(crate) struct ExpiringMap<K, V> {
    values: HashMap<K, (UnixSeconds, V)>,
    // INVARIANT: holds each key of `values` once, under its own end, and nothing else.
    ends: BTreeMap<UnixSeconds, HashSet<K>>,
}

impl<K, V> Default for ExpiringMap<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), ends: BTreeMap::new() }
    }
}

impl<K: Copy + Eq + Hash, V> ExpiringMap<K, V> {
    /// Number of remembered values, including lapsed ones that were not forgotten yet.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Finds a value that counts at `now`; each counts through its last second.
    pub fn get(&self, key: &K, now: UnixSeconds) -> Option<&V> {
        self.values.get(key).filter(|(end, _)| *end >= now).map(|(_, value)| value)
    }

    /// Remembers `value` through the second `end`, in place of an earlier value.
    pub fn insert(&mut self, key: K, value: V, end: UnixSeconds) {
        self.remove(&key);
        self.values.insert(key, (end, value));
        self.ends.entry(end).or_default().insert(key);
    }

    /// Takes the value out, with its end.
    pub fn remove(&mut self, key: &K) -> Option<(UnixSeconds, V)> {
        let (end, value) = self.values.remove(key)?;
        if let Some(keys) = self.ends.get_mut(&end) {
            keys.remove(key);
            if keys.is_empty() {
                self.ends.remove(&end);
            }
        }
        Some((end, value))
    }

    /// Forgets every value that ended before `instant`.
    pub fn forget_before(&mut self, instant: UnixSeconds) {
        while self.ends.first_key_value().is_some_and(|(end, _)| *end < instant) {
            self.forget_soonest();
        }
    }

    /// Forgets every value that ends later than `instant`, because nothing that is remembered by a right clock could.
    pub(crate) fn forget_beyond(&mut self, instant: UnixSeconds) {
        while self.ends.last_key_value().is_some_and(|(end, _)| *end > instant) {
            for key in self.ends.pop_last().into_iter().flat_map(|(_, keys)| keys) {
                self.values.remove(&key);
            }
        }
    }

    /// Forgets the values that end soonest: all of one second.
    pub(crate) fn forget_soonest(&mut self) {
        for key in self.ends.pop_first().into_iter().flat_map(|(_, keys)| keys) {
            self.values.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is remembered, and whether both halves agree about it.
    fn keys(expiring: &ExpiringMap<u8, &str>) -> Vec<u8> {
        let mut by_end: Vec<u8> = expiring.ends.values().flatten().copied().collect();
        let mut by_key: Vec<u8> = expiring.values.keys().copied().collect();
        assert!(expiring.ends.values().all(|keys| !keys.is_empty()), "an end without keys is kept for nothing");
        by_end.sort_unstable();
        by_key.sort_unstable();
        assert_eq!(by_end, by_key);
        by_key
    }

    #[test]
    fn each_counts_through_its_last_second() {
        let mut expiring = ExpiringMap::default();
        expiring.insert(1, "a", UnixSeconds(10));
        for (name, now, expected) in [
            ("long before", 0, Some(&"a")),
            ("the last second", 10, Some(&"a")),
            ("one second late", 11, None),
            ("the end", u64::MAX, None),
        ] {
            assert_eq!(expiring.get(&1, UnixSeconds(now)), expected, "{name}");
        }
        assert_eq!(expiring.get(&2, UnixSeconds(0)), None);
    }

    #[test]
    fn forgetting_takes_what_ended_and_nothing_else() {
        let mut expiring = ExpiringMap::default();
        for (key, end) in [(1, 10), (2, 10), (3, 11), (4, 12)] {
            expiring.insert(key, "a", UnixSeconds(end));
        }
        expiring.forget_before(UnixSeconds(10));
        assert_eq!(keys(&expiring), [1, 2, 3, 4]);
        expiring.forget_before(UnixSeconds(11));
        assert_eq!(keys(&expiring), [3, 4]);
        expiring.forget_soonest();
        assert_eq!(keys(&expiring), [4]);
        expiring.insert(5, "a", UnixSeconds(13));
        expiring.forget_beyond(UnixSeconds(12));
        assert_eq!(keys(&expiring), [4], "what a clock that was ahead left behind");
        expiring.forget_before(UnixSeconds(u64::MAX));
        expiring.forget_soonest();
        assert_eq!((keys(&expiring), expiring.len()), (vec![], 0));
    }

    #[test]
    fn what_is_replaced_or_removed_leaves_no_end_behind() {
        let mut expiring = ExpiringMap::default();
        expiring.insert(1, "a", UnixSeconds(10));
        expiring.insert(1, "b", UnixSeconds(20));
        expiring.forget_before(UnixSeconds(11));
        assert_eq!((keys(&expiring), expiring.get(&1, UnixSeconds(20))), (vec![1], Some(&"b")));
        assert_eq!(expiring.remove(&1), Some((UnixSeconds(20), "b")));
        assert_eq!((keys(&expiring), expiring.remove(&1)), (vec![], None));
    }
}
