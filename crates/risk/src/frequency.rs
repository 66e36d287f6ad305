//! Decayed counts: exact ones for the few values of one person, a sketch for the many values of everyone.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    fingerprint::{Fingerprint, mix},
    maths::{age, narrow, stamp},
};

/// Statement whether the person confirmed a value by passing a step-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// The value came with a login that was allowed without a step-up.
    No,
    /// The value came with a step-up that was passed, or with the person's first login.
    Yes,
}

/// Record of one value of one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Fingerprint of the value.
    pub value: Fingerprint,
    /// Decayed number of observations.
    pub count: f32,
    /// Time of the first observation, in seconds since 1970.
    pub first: u32,
    /// Time of the latest observation, in seconds since 1970.
    pub last: u32,
    /// Additional data of the value: the operating system of a device ([`crate::platform::system`]); 0 for other fields.
    pub note: u32,
    /// Confirmation by a step-up; a confirmed value counts as known at once, without a probation.
    pub vouched: Vouched,
}

/// The values of one field of one person, at most `CAPACITY`. The rarest value is evicted first, so that a flood of made-up values pushes
/// out itself and not the values that the person really uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally<const CAPACITY: usize> {
    entries: Vec<Seen>,
    total: f32,
    fresh: f32,
}

impl<const CAPACITY: usize> Tally<CAPACITY> {
    /// Rebuilds a tally from the results of [`Self::entries`], [`Self::total`] and [`Self::fresh`]. Entries beyond the capacity are
    /// dropped.
    #[must_use]
    pub(crate) fn from_parts(mut entries: Vec<Seen>, total: f32, fresh: f32) -> Self {
        entries.truncate(CAPACITY);
        Self { entries, total, fresh }
    }

    /// All values held, in no meaningful order.
    #[must_use]
    pub(crate) fn entries(&self) -> &[Seen] {
        &self.entries
    }

    /// Decayed number of all observations, those of evicted values included.
    #[must_use]
    pub const fn total(&self) -> f32 {
        self.total
    }

    /// Decayed number of observations that brought a new value, without the very first one.
    #[must_use]
    pub const fn fresh(&self) -> f32 {
        self.fresh
    }

    /// The record of `value`, when it is held.
    #[must_use]
    pub(crate) fn get(&self, value: Fingerprint) -> Option<&Seen> {
        self.entries.iter().find(|seen| seen.value == value)
    }

    /// The record of `value`, when a step-up confirmed it or when it was first seen at least `probation` ago.
    #[must_use]
    pub(crate) fn known(&self, value: Fingerprint, probation: Seconds, now: UnixSeconds) -> Option<&Seen> {
        // SECURITY: without the probation, a value that an intruder brought an hour ago would already speak for the intruder.
        self.get(value).filter(|seen| seen.vouched == Vouched::Yes || age(now, seen.first) >= probation)
    }

    /// Share of the held observations that had `value`, 0 to 1.
    #[must_use]
    pub fn share(&self, value: Fingerprint) -> f64 {
        let held: f64 = self.entries.iter().map(|seen| f64::from(seen.count)).sum();
        match self.get(value) {
            Some(seen) if held > 0.0 => f64::from(seen.count) / held,
            Some(_) | None => 0.0,
        }
    }

    /// Rate at which this person brings new values, 0 to 1: the mean of a beta-binomial. `base` is the rate of everyone with such a
    /// history, and it counts as much as `strength` observations of this person.
    #[must_use]
    pub(crate) fn novelty(&self, base: f64, strength: f64) -> f64 {
        // Without the first observation, which `fresh` leaves out as well.
        let own = crate::maths::within(f64::from(self.total) - 1.0, 0.0, f64::MAX);
        (f64::from(self.fresh) + strength * base) / (own + strength)
    }

    /// Counts one observation of `value`, which may evict the rarest value held.
    pub fn add(&mut self, value: Fingerprint, note: u32, vouched: Vouched, now: UnixSeconds) {
        // The very first value is new for everybody, so it says nothing about how often this person brings new ones.
        let first_ever = self.total <= 0.0;
        self.total += 1.0;
        if let Some(seen) = self.entries.iter_mut().find(|seen| seen.value == value) {
            seen.count += 1.0;
            seen.last = seen.last.max(stamp(now));
            // The latest note counts: an updated operating system replaces the old one.
            seen.note = note;
            if vouched == Vouched::Yes {
                seen.vouched = Vouched::Yes;
            }
            return;
        }
        if !first_ever {
            self.fresh += 1.0;
        }
        self.make_room();
        self.entries.push(Seen { value, count: 1.0, first: stamp(now), last: stamp(now), note, vouched });
    }

    fn make_room(&mut self) {
        if self.entries.len() < CAPACITY {
            return;
        }
        let rarest = self
            .entries
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.count.total_cmp(&b.count).then(a.last.cmp(&b.last)))
            .map(|(index, _)| index);
        if let Some(index) = rarest {
            self.entries.swap_remove(index);
        }
    }

    /// Multiplies all counts by `factor`, 0 to 1.
    pub(crate) fn fade(&mut self, factor: f64) {
        for seen in &mut self.entries {
            seen.count = narrow(f64::from(seen.count) * factor);
        }
        self.total = narrow(f64::from(self.total) * factor);
        self.fresh = narrow(f64::from(self.fresh) * factor);
    }

    /// Merges the state of another node about the same person: for each value the greater count, the earlier first and the later last
    /// observation. Merging the same state twice changes nothing, and the order of merges does not matter.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.entries {
            match self.entries.iter_mut().find(|ours| ours.value == theirs.value) {
                Some(ours) => {
                    // The later observation knows the present note. On a tie the greater one counts, so that the order of merges does not
                    // matter.
                    if theirs.last > ours.last || (theirs.last == ours.last && theirs.note > ours.note) {
                        ours.note = theirs.note;
                    }
                    ours.count = ours.count.max(theirs.count);
                    ours.first = ours.first.min(theirs.first);
                    ours.last = ours.last.max(theirs.last);
                    if theirs.vouched == Vouched::Yes {
                        ours.vouched = Vouched::Yes;
                    }
                }
                None => self.entries.push(*theirs),
            }
        }
        // A total order without ties, so that two nodes that merge keep the same entries.
        self.entries.sort_by(|a, b| b.count.total_cmp(&a.count).then(b.last.cmp(&a.last)).then(a.value.cmp(&b.value)));
        self.entries.truncate(CAPACITY);
        self.total = self.total.max(other.total);
        self.fresh = self.fresh.max(other.fresh);
    }
}

/// Rows of a sketch; each row uses another hash of the value.
const ROWS: u64 = 4;

/// Decayed counts of any number of values in fixed memory: a count-min sketch (Cormode, Muthukrishnan 2005) of four rows. A count is never
/// too small. With `width` columns, it is too great by more than `2.72 / width` of the total for fewer than 1 in 50 values.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    cells: Vec<f32>,
    width: u16,
    total: f32,
}

impl Sketch {
    /// An empty sketch of `width` columns; 0 counts as 1.
    #[must_use]
    pub fn new(width: u16) -> Self {
        let width = width.max(1);
        Self { cells: vec![0.0; usize::from(width).saturating_mul(4)], width, total: 0.0 }
    }

    /// Rebuilds a sketch from its cells and total. `None` when there are not four rows of `width` cells.
    #[must_use]
    pub fn from_parts(cells: Vec<f32>, width: u16, total: f32) -> Option<Self> {
        (width > 0 && cells.len() == usize::from(width).saturating_mul(4)).then_some(Self { cells, width, total })
    }

    /// All cells, row by row.
    #[must_use]
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// Number of columns, cells per row.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Decayed number of all observations.
    #[must_use]
    pub const fn total(&self) -> f32 {
        self.total
    }

    /// Share of `value` among all observations, as if each of `alphabet` possible values had been seen once: never zero.
    #[must_use]
    pub fn share(&self, value: Fingerprint, alphabet: f64) -> f64 {
        (self.count(value) + 1.0) / (f64::from(self.total) + alphabet)
    }

    /// Decayed count of `value`; never smaller than the true one.
    #[must_use]
    pub fn count(&self, value: Fingerprint) -> f64 {
        let least = (0..ROWS).filter_map(|row| self.cells.get(self.cell(row, value))).copied().fold(f32::MAX, f32::min);
        f64::from(least)
    }

    /// Counts one observation of `value`.
    pub fn add(&mut self, value: Fingerprint) {
        self.total += 1.0;
        for row in 0..ROWS {
            let index = self.cell(row, value);
            if let Some(cell) = self.cells.get_mut(index) {
                *cell += 1.0;
            }
        }
    }

    /// Multiplies all counts by `factor`, 0 to 1.
    pub(crate) fn fade(&mut self, factor: f64) {
        for cell in &mut self.cells {
            *cell = narrow(f64::from(*cell) * factor);
        }
        self.total = narrow(f64::from(self.total) * factor);
    }

    /// Merges the sketch of another node: for each cell the greater count. A sketch of another width is ignored.
    pub fn merge(&mut self, other: &Self) {
        // Cells of sketches with different widths stand for different values.
        if self.width != other.width {
            return;
        }
        for (ours, theirs) in self.cells.iter_mut().zip(&other.cells) {
            *ours = ours.max(*theirs);
        }
        self.total = self.total.max(other.total);
    }

    fn cell(&self, row: u64, value: Fingerprint) -> usize {
        let width = u64::from(self.width);
        let column = mix(u64::from(value.0) ^ (row.wrapping_add(1) << 32)).checked_rem(width).unwrap_or(0);
        usize::try_from(row.saturating_mul(width).saturating_add(column)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Seconds = Seconds(86_400);

    #[test]
    fn a_value_is_known_when_vouched_for_or_after_probation() {
        let mut tally = Tally::<4>::default();
        tally.add(Fingerprint(1), 0, Vouched::No, UnixSeconds(1000));
        tally.add(Fingerprint(2), 0, Vouched::Yes, UnixSeconds(1000));
        let rows = [
            ("vouched for, at once", 2, 1000, true),
            ("not vouched for, at once", 1, 1000, false),
            ("one second before its probation ends", 1, 1000 + 86_399, false),
            ("when its probation ends", 1, 1000 + 86_400, true),
            ("never seen", 3, 1000 + 86_400, false),
        ];
        for (name, value, now, known) in rows {
            assert_eq!(tally.known(Fingerprint(value), DAY, UnixSeconds(now)).is_some(), known, "{name}");
        }
    }

    #[test]
    fn a_flood_displaces_itself() {
        let mut tally = Tally::<4>::default();
        for _ in 0..3 {
            tally.add(Fingerprint(1), 0, Vouched::Yes, UnixSeconds(1));
        }
        for value in 100..10_000 {
            tally.add(Fingerprint(value), 0, Vouched::No, UnixSeconds(u64::from(value)));
        }
        assert!(tally.get(Fingerprint(1)).is_some());
        assert_eq!(tally.entries().len(), 4);
    }

    #[test]
    fn merging_is_idempotent_and_commutative() {
        let (mut a, mut b) = (Tally::<3>::default(), Tally::<3>::default());
        for (value, at) in [(1, 10), (2, 20), (1, 30)] {
            a.add(Fingerprint(value), 7, Vouched::No, UnixSeconds(at));
        }
        for (value, at) in [(2, 5), (3, 40), (4, 50), (3, 60)] {
            b.add(Fingerprint(value), 8, Vouched::Yes, UnixSeconds(at));
        }
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        assert_eq!(ab, ba);
        let before = ab.clone();
        ab.merge(&b);
        assert_eq!(ab, before);
    }

    #[test]
    fn a_sketch_never_counts_too_little_and_fades() {
        let mut sketch = Sketch::new(64);
        for value in 0..500 {
            sketch.add(Fingerprint(value % 50));
        }
        for value in 0..50 {
            assert!(sketch.count(Fingerprint(value)) >= 10.0);
        }
        sketch.fade(0.5);
        assert!((f64::from(sketch.total()) - 250.0).abs() < 1e-3);
        assert!(Sketch::from_parts(vec![0.0; 7], 2, 0.0).is_none());
    }
}
