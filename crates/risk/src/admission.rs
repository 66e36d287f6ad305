//! Guests and known people in one bounded memory: however many identities are made up, they displace each other.

use crate::subjects::Subjects;

/// One in so many places is kept for guests even when known people would fill all.
const GUESTS_SHARE: usize = 8;

/// Whether someone has a place of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Came lately; leaves before anyone who is known.
    Guest,
    /// Came often enough.
    Known,
}

/// At most `capacity` values by key. Guests may fill whatever the known leave free, and make room first: beyond an eighth of the
/// places only they leave. Who is known is the caller's to say, by what cannot be had quickly.
#[derive(Clone, Debug)]
pub struct Admission<T> {
    known: Subjects<T>,
    guests: Subjects<T>,
    capacity: usize,
}

impl<T: Default> Admission<T> {
    /// Nobody yet, and never more than `capacity` (at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { known: Subjects::new(capacity), guests: Subjects::new(capacity), capacity }
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len().saturating_add(self.guests.len())
    }

    /// Whether no one is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// All that are held, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.known.iter().chain(self.guests.iter())
    }

    /// The keys of all that are held.
    #[must_use]
    pub fn keys(&self) -> Vec<u64> {
        let mut keys = self.known.keys();
        keys.extend(self.guests.keys());
        keys
    }

    /// The value of `key`, when it is held; looking at it is no use.
    #[must_use]
    pub fn peek(&self, key: u64) -> Option<&T> {
        self.known.peek(key).or_else(|| self.guests.peek(key))
    }

    /// The value of `key`, when it is held.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        self.known.get_mut(key).or_else(|| self.guests.get_mut(key))
    }

    /// The value of `key`, who becomes a guest when they are not held.
    pub fn enter(&mut self, key: u64) -> Option<(&mut T, Standing)> {
        if self.known.peek(key).is_some() {
            return self.known.get_mut(key).map(|value| (value, Standing::Known));
        }
        if self.guests.peek(key).is_none() {
            self.put(key, T::default(), Standing::Guest);
        }
        self.guests.get_mut(key).map(|value| (value, Standing::Guest))
    }

    /// Puts `value` in the place of `key`.
    pub fn put(&mut self, key: u64, value: T, standing: Standing) {
        self.known.remove(key);
        self.guests.remove(key);
        if self.len() >= self.capacity {
            let many = self.guests.len() > self.capacity / GUESTS_SHARE;
            let leaving = if many || self.known.is_empty() { &mut self.guests } else { &mut self.known };
            leaving.evict();
        }
        match standing {
            Standing::Guest => self.guests.insert(key, value),
            Standing::Known => self.known.insert(key, value),
        }
    }

    /// Gives a guest a place of their own.
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
                crowd.put(key, 7, Standing::Known);
            }
            for n in 1000_u64..20_000 {
                for _ in 0..times {
                    assert_eq!(crowd.enter(mix(n)).map(|(_, standing)| standing), Some(Standing::Guest));
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
            crowd.put(key, 7, Standing::Known);
        }
        assert_eq!((crowd.len(), crowd.known()), (80, 80));
        for key in 1000_u64..2000 {
            assert!(crowd.enter(key).is_some());
        }
        assert_eq!((crowd.len(), crowd.known()), (80, 69), "an eighth, and the one who came last");
        crowd.admit(1999);
        assert_eq!((crowd.len(), crowd.known()), (80, 70));
        assert_eq!(crowd.enter(1999), Some((&mut 0, Standing::Known)));
        crowd.put(1999, 3, Standing::Guest);
        assert_eq!((crowd.len(), crowd.get_mut(1999).copied(), crowd.keys().len()), (80, Some(3), 80));
        assert!(!crowd.is_empty() && Admission::<u32>::new(0).enter(1).is_some());
    }
}
