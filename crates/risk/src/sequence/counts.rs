//! Counts of a bounded number of keys in sorted lists: few bytes and no hashing.

use crate::snapshot::{Reader, SnapshotRefusal, Writer};

/// Counts of up to `capacity` keys, six bytes each. When it is full, the rarest eighth is dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    keys: Vec<u32>,
    counts: Vec<u16>,
    capacity: usize,
}

/// Statement whether a key had a count before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counted {
    Again,
    First,
}

impl Counts {
    pub(crate) const fn empty(capacity: usize) -> Self {
        Self { keys: Vec::new(), counts: Vec::new(), capacity }
    }

    pub(crate) fn get(&self, key: u32) -> u16 {
        self.keys.binary_search(&key).ok().and_then(|at| self.counts.get(at)).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, key: u32) -> Counted {
        if let Ok(at) = self.keys.binary_search(&key) {
            if let Some(count) = self.counts.get_mut(at) {
                *count = count.saturating_add(1);
            }
            return Counted::Again;
        }
        // Room is made before the place is searched again, because it moves the keys.
        if self.keys.len() >= self.capacity {
            self.make_room();
        }
        if let Err(at) = self.keys.binary_search(&key) {
            self.keys.insert(at, key);
            self.counts.insert(at, 1);
        }
        Counted::First
    }

    /// Halves every count, rounding down, and drops keys whose count reaches zero.
    pub(crate) fn halve(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
        self.retain(|_, count| count > 0);
    }

    /// Merges another list: for each key the greater count. When there are too many keys, the rarest are dropped.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut all: Vec<(u32, u16)> = self.iter().map(|(key, count)| (key, count.max(other.get(key)))).collect();
        all.extend(other.iter().filter(|(key, _)| self.keys.binary_search(key).is_err()));
        all.sort_unstable_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
        all.truncate(self.capacity);
        all.sort_unstable();
        (self.keys, self.counts) = all.into_iter().unzip();
    }

    /// Sum of all counts.
    pub(crate) fn sum(&self) -> u32 {
        self.counts.iter().fold(0, |sum: u32, count| sum.saturating_add(u32::from(*count)))
    }

    fn make_room(&mut self) {
        // An eighth at once, so that the cost is spread over many insertions.
        let surplus = (self.capacity / 8).max(1);
        let mut sorted = self.counts.clone();
        sorted.sort_unstable();
        let limit = sorted.get(surplus.saturating_sub(1)).copied().unwrap_or(u16::MAX);
        let mut left = surplus;
        self.retain(|_, count| {
            // With many equal counts, `count <= limit` alone would drop most of the list.
            let goes = count <= limit && left > 0;
            left = left.saturating_sub(usize::from(goes));
            !goes
        });
    }

    fn retain(&mut self, mut keep: impl FnMut(u32, u16) -> bool) {
        let kept: Vec<_> = self.iter().filter(|(key, count)| keep(*key, *count)).collect();
        self.keys.clear();
        self.counts.clear();
        for (key, count) in kept {
            self.keys.push(key);
            self.counts.push(count);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u16)> {
        self.keys.iter().copied().zip(self.counts.iter().copied())
    }

    /// Memory on the heap, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let keys = self.keys.capacity().saturating_mul(size_of::<u32>());
        keys.saturating_add(self.counts.capacity().saturating_mul(size_of::<u16>()))
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.len(self.keys.len());
        for (key, count) in self.iter() {
            out.u32(key);
            out.u16(count);
        }
    }

    pub(crate) fn read(from: &mut Reader<'_>, capacity: usize) -> Result<Self, SnapshotRefusal> {
        let n = from.len(capacity)?;
        let mut read = Self::empty(capacity);
        for _ in 0..n {
            let (key, count) = (from.u32()?, from.u16()?);
            // Keys in strict order and counts above zero are what `add` keeps true; the binary search relies on both.
            let ascends = read.keys.last().is_none_or(|last| *last < key);
            if !ascends || count == 0 {
                return Err(SnapshotRefusal::Value);
            }
            read.keys.push(key);
            read.counts.push(count);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_make_room() {
        let mut counts = Counts::empty(8);
        for key in 0..8 {
            (0..=key).for_each(|_| {
                counts.add(key);
            });
        }
        assert_eq!(counts.add(100), Counted::First);
        assert_eq!((counts.get(0), counts.get(1), counts.get(7), counts.get(100)), (0, 2, 8, 1));
        assert_eq!(counts.iter().count(), 8);
    }

    #[test]
    fn equal_counts_make_room_too() {
        let mut counts = Counts::empty(8);
        (0..1000).for_each(|key| {
            counts.add(key);
        });
        assert_eq!(counts.iter().count(), 8);
    }

    #[test]
    fn halving_forgets_what_happened_once() {
        let mut counts = Counts::empty(8);
        (0..5).for_each(|_| {
            counts.add(1);
        });
        counts.add(2);
        counts.halve();
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(1, 2)]);
    }
}
