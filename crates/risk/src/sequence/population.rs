//! The operations and steps of everybody.

use crate::numbers::{real, real_len};
use crate::sequence::operation::{Operation, Step};
use crate::snapshot::{Kind, Reader, SnapshotRefusal, Writer};
use std::collections::BTreeMap;

/// Greatest number of operations counted.
const OPERATIONS: usize = 4096;
/// Greatest number of steps counted.
const STEPS: usize = 65_536;
/// Number of operations after which all counts are halved.
const MEMORY_OPERATIONS: u64 = 1 << 40;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Known {
    count: u64,
    followers: u32,
}

/// The operations and steps of everybody: at most 4,096 and 65,536 of them, below 3 MiB.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Population {
    operations: BTreeMap<Operation, Known>,
    steps: BTreeMap<Step, u64>,
    total: u64,
}

impl Population {
    /// An empty state, with nothing learned.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: BTreeMap::new(), steps: BTreeMap::new(), total: 0 }
    }

    /// Learns a block of somebody's operations in their order. These have to be the same blocks that the histories learn, so that a
    /// person's own part can be subtracted when the person is compared with everybody else.
    pub fn learn(&mut self, block: &[Operation]) {
        let mut previous = None;
        for operation in block {
            let known = self.operations.entry(*operation).or_default();
            known.count = known.count.saturating_add(1);
            self.total = self.total.saturating_add(1);
            if let Some(before) = previous {
                self.follow(before, *operation);
            }
            previous = Some(*operation);
            self.keep_within_bounds();
        }
    }

    fn follow(&mut self, before: Operation, operation: Operation) {
        let count = self.steps.entry(before.then(operation)).or_default();
        *count = count.saturating_add(1);
        // A step seen for the first time is one more different follower of `before`.
        if *count == 1 {
            let known = self.operations.entry(before).or_default();
            known.followers = known.followers.saturating_add(1);
        }
    }

    /// Halves all counts until they are within the bounds.
    ///
    /// INVARIANT: the loop ends, because a count that reaches zero is dropped, so a full map cannot stay full.
    fn keep_within_bounds(&mut self) {
        while self.operations.len() > OPERATIONS || self.steps.len() > STEPS || self.total >= MEMORY_OPERATIONS {
            self.operations.values_mut().for_each(|known| {
                known.count /= 2;
                known.followers /= 2;
            });
            self.operations.retain(|_, known| known.count > 0);
            self.steps.values_mut().for_each(|count| *count /= 2);
            self.steps.retain(|_, count| *count > 0);
            self.total = self.operations.values().fold(0, |sum: u64, known| sum.saturating_add(known.count));
        }
    }

    /// Merges what another node learned: for each operation and step the greater count.
    pub fn merge(&mut self, other: &Self) {
        for (operation, theirs) in &other.operations {
            let ours = self.operations.entry(*operation).or_default();
            *ours = Known { count: ours.count.max(theirs.count), followers: ours.followers.max(theirs.followers) };
        }
        for (step, theirs) in &other.steps {
            let ours = self.steps.entry(*step).or_default();
            *ours = (*theirs).max(*ours);
        }
        let sum = self.operations.values().fold(0, |sum: u64, known| sum.saturating_add(known.count));
        self.total = self.total.max(other.total).max(sum);
        self.keep_within_bounds();
    }

    /// Number of operations remembered.
    #[must_use]
    pub const fn depth(&self) -> u64 {
        self.total
    }

    /// Number of different operations known, at least one.
    pub(crate) fn vocabulary(&self) -> f64 {
        real_len(self.operations.len()).max(1.0)
    }

    /// Number of times that people other than the one with `own` did `operation`.
    pub(crate) fn count_without(&self, operation: Operation, own: u64) -> f64 {
        // Saturating, because everybody's counts and the person's own are halved at different times.
        real(self.operations.get(&operation).map_or(0, |known| known.count).saturating_sub(own))
    }

    pub(crate) fn steps_without(&self, step: Step, own: u64) -> f64 {
        real(self.steps.get(&step).copied().unwrap_or(0).saturating_sub(own))
    }

    pub(crate) fn total_without(&self, own: u64) -> f64 {
        real(self.total.saturating_sub(own))
    }

    pub(crate) fn followers(&self, operation: Operation) -> f64 {
        real(self.operations.get(&operation).map_or(0, |known| u64::from(known.followers)))
    }

    /// Serialises the state, with head and checksum.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.len(self.operations.len());
        for (operation, known) in &self.operations {
            out.u32(operation.0);
            out.u64(known.count);
            out.u32(known.followers);
        }
        out.len(self.steps.len());
        for (step, count) in &self.steps {
            out.u32(step.0);
            out.u64(*count);
        }
        out.u64(self.total);
        out.seal(Kind::Population)
    }

    /// Restores the state that [`Population::snapshot`] wrote.
    ///
    /// # Errors
    /// A refusal when the bytes were damaged, cut off, or belong to another model or version.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotRefusal> {
        let mut from = Reader::open(bytes, Kind::Population)?;
        let mut read = Self::new();
        for _ in 0..from.len(OPERATIONS)? {
            let (operation, count, followers) = (Operation(from.u32()?), from.u64()?, from.u32()?);
            if read.operations.insert(operation, Known { count, followers }).is_some() {
                return Err(SnapshotRefusal::Value);
            }
        }
        for _ in 0..from.len(STEPS)? {
            let (step, count) = (Step(from.u32()?), from.u64()?);
            if read.steps.insert(step, count).is_some() {
                return Err(SnapshotRefusal::Value);
            }
        }
        read.total = from.u64()?;
        from.close()?;
        // Learning never leaves a total at the bound or above it.
        if read.total >= MEMORY_OPERATIONS {
            return Err(SnapshotRefusal::Value);
        }
        Ok(read)
    }
}
