//! A bounded map of people in two classes, known and guests, for memory that strangers can fill.
//!
//! An attacker can make up any number of identities. Each of them starts as a guest, and guests are evicted first, so that made-up
//! identities push out each other and not the people who are known. This module does not decide who becomes known: the caller does, with
//! [`Admission::admit`].

use crate::subjects::Subjects;

/// Denominator of the reserve for guests: 1/8 of the capacity is kept for guests even when known people would fill all of it.
const GUESTS_SHARE: usize = 8;

/// Class of an entry, which decides who is evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// A newcomer; evicted before any known person, as long as guests hold more than their reserve.
    Guest,
    /// A person whom the caller has admitted with [`Admission::admit`].
    Known,
}

/// A map of at most `capacity` values by key. Guests may fill all places that known people leave free. When the map is full, a guest is
/// evicted, unless guests hold no more than an eighth of the places; then a known person is.
///
/// The caller decides who is known, by something that takes an attacker time to get (several visits on different days, for example).
#[derive(Clone, Debug)]
pub struct Admission<T> {
    known: Subjects<T>,
    guests: Subjects<T>,
    capacity: usize,
}

impl<T: Default> Admission<T> {
    /// An empty map for at most `capacity` values; 0 counts as 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { known: Subjects::new(capacity), guests: Subjects::new(capacity), capacity }
    }

    /// Number of values held, known people and guests together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len().saturating_add(self.guests.len())
    }

    /// True when no value is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of known people held.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// All keys with their values, known people first, otherwise in no meaningful order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.known.iter().chain(self.guests.iter())
    }

    /// Keys of all values held, known people first.
    #[must_use]
    pub fn keys(&self) -> Vec<u64> {
        let mut keys = self.known.keys();
        keys.extend(self.guests.keys());
        keys
    }

    /// The value of `key`, when it is held. Peeking does not count as use, so it does not delay eviction.
    #[must_use]
    pub fn peek(&self, key: u64) -> Option<&T> {
        self.known.peek(key).or_else(|| self.guests.peek(key))
    }

    /// The value of `key`, when it is held. The access counts as use, so the value is evicted later.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        self.known.get_mut(key).or_else(|| self.guests.get_mut(key))
    }

    /// The value of `key` with its class. A key that is not held enters as a guest with `T::default()`, which may evict another entry.
    pub fn enter(&mut self, key: u64) -> Option<(&mut T, Tenure)> {
        if self.known.peek(key).is_some() {
            return self.known.get_mut(key).map(|value| (value, Tenure::Known));
        }
        if self.guests.peek(key).is_none() {
            self.put(key, T::default(), Tenure::Guest);
        }
        self.guests.get_mut(key).map(|value| (value, Tenure::Guest))
    }

    /// Stores `value` under `key` in the given class and removes what was held for `key` before. Evicts one entry when the map is full.
    pub fn put(&mut self, key: u64, value: T, tenure: Tenure) {
        self.known.remove(key);
        self.guests.remove(key);
        if self.len() >= self.capacity {
            // SECURITY: guests are evicted first, so a flood of made-up identities cannot push out known people. Their reserve lets a
            // newcomer stay long enough to become known even when known people would fill every place.
            let many = self.guests.len() > self.capacity / GUESTS_SHARE;
            let leaving = if many || self.known.is_empty() { &mut self.guests } else { &mut self.known };
            leaving.evict();
        }
        match tenure {
            Tenure::Guest => self.guests.insert(key, value),
            Tenure::Known => self.known.insert(key, value),
        }
    }

    /// Moves a guest to the known people. Does nothing when `key` is not held as a guest.
    pub fn admit(&mut self, key: u64) {
        if let Some(value) = self.guests.remove(key) {
            self.known.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::mix;

    #[test]
    fn made_up_identities_never_displace_the_known() {
        for times in [1, 2, 5] {
            let mut crowd = Admission::<u32>::new(100);
            for key in 0..80 {
                crowd.put(key, 7, Tenure::Known);
            }
            for n in 1000_u64..20_000 {
                for _ in 0..times {
                    assert_eq!(crowd.enter(mix(n)).map(|(_, tenure)| tenure), Some(Tenure::Guest));
                }
            }
            assert_eq!((crowd.len(), crowd.known()), (100, 80), "{times} visits each");
            assert!((0..80).all(|key| crowd.peek(key) == Some(&7)), "{times} visits each");
        }
    }

    #[test]
    fn newcomers_find_room_when_everyone_is_known() {
        let mut crowd = Admission::<u32>::new(80);
        for key in 0..200 {
            crowd.put(key, 7, Tenure::Known);
        }
        assert_eq!((crowd.len(), crowd.known()), (80, 80));
        for key in 1000_u64..2000 {
            assert!(crowd.enter(key).is_some());
        }
        assert_eq!((crowd.len(), crowd.known()), (80, 69), "an eighth, and the one who came last");
        crowd.admit(1999);
        assert_eq!((crowd.len(), crowd.known()), (80, 70));
        assert_eq!(crowd.enter(1999), Some((&mut 0, Tenure::Known)));
        crowd.put(1999, 3, Tenure::Guest);
        assert_eq!((crowd.len(), crowd.get_mut(1999).copied(), crowd.keys().len()), (80, Some(3), 80));
        assert!(!crowd.is_empty() && Admission::<u32>::new(0).enter(1).is_some());
    }
}
