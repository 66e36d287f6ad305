//! States of many people in bounded memory. The least recently used one is evicted first, so made-up identities push out each other.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Hasher that returns the key itself. Keys are keyed fingerprints already, and hashing them again would only cost time.
#[derive(Clone, Copy, Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[derive(Clone, Debug)]
struct Slot<T> {
    key: u64,
    value: T,
    // Set by every use after the first. A key that came only once is evicted at the first pass of the hand.
    used_again: bool,
}

/// A map of at most `capacity` values by key. The clock algorithm (second chance, Corbato 1968) finds what to evict in amortised constant
/// time.
#[derive(Clone, Debug)]
pub struct Subjects<T> {
    slots: Vec<Slot<T>>,
    places: HashMap<u64, usize, BuildHasherDefault<AsIs>>,
    hand: usize,
    capacity: usize,
    evicted: u64,
}

impl<T: Default> Subjects<T> {
    /// An empty map for at most `capacity` values; 0 counts as 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { slots: Vec::new(), places: HashMap::default(), hand: 0, capacity: capacity.max(1), evicted: 0 }
    }

    /// Number of values held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True when no value is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Number of values evicted so far.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// All keys with their values, in no meaningful order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().map(|slot| (slot.key, &slot.value))
    }

    /// The value of `key`, when it is held. Peeking does not count as use, so it does not delay eviction.
    #[must_use]
    pub fn peek(&self, key: u64) -> Option<&T> {
        self.slots.get(*self.places.get(&key)?).map(|slot| &slot.value)
    }

    /// Keys of all values held, in no meaningful order.
    #[must_use]
    pub fn keys(&self) -> Vec<u64> {
        self.slots.iter().map(|slot| slot.key).collect()
    }

    /// The value of `key`, when it is held. Counts as use.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let slot = self.slots.get_mut(*self.places.get(&key)?)?;
        slot.used_again = true;
        Some(&mut slot.value)
    }

    /// Stores `value` under `key`. When the map is full, the least recently used value is evicted.
    pub fn insert(&mut self, key: u64, value: T) {
        if let Some(held) = self.get_mut(key) {
            *held = value;
            return;
        }
        let slot = Slot { key, value, used_again: false };
        if self.slots.len() < self.capacity {
            self.places.insert(key, self.slots.len());
            self.slots.push(slot);
            return;
        }
        let at = self.turn();
        if let Some(old) = self.slots.get_mut(at) {
            self.places.remove(&old.key);
            self.places.insert(key, at);
            *old = slot;
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    /// Removes `key` and gives back its value.
    pub fn remove(&mut self, key: u64) -> Option<T> {
        let at = self.places.remove(&key)?;
        if at >= self.slots.len() {
            return None;
        }
        let gone = self.slots.swap_remove(at);
        if let Some(moved) = self.slots.get(at) {
            self.places.insert(moved.key, at);
        }
        // Memory is given back when a crowded map has become nearly empty.
        if self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.len().saturating_mul(2));
            self.places.shrink_to(self.slots.len().saturating_mul(2));
        }
        Some(gone.value)
    }

    /// Evicts the least recently used value.
    pub(crate) fn evict(&mut self) {
        let at = self.turn();
        if let Some(key) = self.slots.get(at).map(|slot| slot.key) {
            self.remove(key);
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    /// Moves the clock hand past every slot that was used since its last pass and returns the slot to evict.
    fn turn(&mut self) -> usize {
        // One full turn clears every mark, so a victim is found at the latest one step after it.
        for _ in 0..=self.slots.len() {
            let at = self.hand;
            self.hand = if at.saturating_add(1) < self.slots.len() { at.saturating_add(1) } else { 0 };
            match self.slots.get_mut(at) {
                Some(slot) if slot.used_again => slot.used_again = false,
                Some(_) => return at,
                // Removals made the list shorter than the hand's position.
                None => self.hand = 0,
            }
        }
        self.hand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_identities_displace_each_other() {
        let mut subjects = Subjects::<u32>::new(100);
        for key in 0..50 {
            subjects.insert(key, 7);
        }
        for key in 1000_u64..100_000 {
            subjects.insert(crate::fingerprint::mix(key), 0);
            // The people of this service keep coming.
            assert!(subjects.get_mut(key % 50).is_some(), "{key}");
        }
        assert_eq!(subjects.len(), 100);
        assert!(subjects.evicted() > 98_000);
    }

    #[test]
    fn whoever_goes_leaves_the_others_in_place() {
        let mut subjects = Subjects::<u32>::new(100);
        for key in 0..10_u64 {
            subjects.insert(key, u32::try_from(key * 10).unwrap());
        }
        assert_eq!((subjects.remove(3), subjects.remove(3), subjects.remove(9)), (Some(30), None, Some(90)));
        for _ in 0..5 {
            subjects.evict();
        }
        let mut left = subjects.keys();
        left.sort_unstable();
        assert_eq!((left.len(), subjects.len(), subjects.evicted()), (3, 3, 5));
        for key in left {
            assert_eq!(subjects.peek(key).copied(), u32::try_from(key * 10).ok());
        }
        (0..9).for_each(|_| subjects.evict());
        assert!(subjects.is_empty());
    }

    #[test]
    fn everyone_used_again_still_leaves_room() {
        let mut subjects = Subjects::<u32>::new(3);
        for key in 0..3 {
            subjects.insert(key, 0);
            assert!(subjects.get_mut(key).is_some());
        }
        subjects.insert(3, 1);
        assert_eq!((subjects.len(), subjects.get_mut(3).copied()), (3, Some(1)));
        subjects.insert(3, 2);
        assert_eq!((subjects.len(), subjects.get_mut(3).copied()), (3, Some(2)));
        assert!(!subjects.is_empty());
    }
}
