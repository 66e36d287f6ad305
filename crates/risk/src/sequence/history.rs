//! The operations and steps of one person.

use crate::numbers::real;
use crate::sequence::counts::{Counted, Counts};
use crate::sequence::operation::{Operation, Step};
use crate::snapshot::{Kind, Reader, SnapshotRefusal, Writer};

/// Greatest number of operations counted.
const OPERATIONS: usize = 256;
/// Greatest number of steps counted.
const STEPS: usize = 1024;
/// Greatest number of operations counted by [`History::small`].
const OPERATIONS_SMALL: usize = 48;
/// Greatest number of steps counted by [`History::small`].
const STEPS_SMALL: usize = 128;
/// Number of operations after which all counts are halved, so that newer habits outweigh older ones.
const MEMORY_OPERATIONS: u32 = 16_384;

/// The operations and steps of one person: at most 9.4 KiB; 0.5 KiB for a person who uses 20 operations in 60 steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    operations: Counts,
    /// Number of different operations that followed each operation.
    followers: Counts,
    steps: Counts,
    total: u32,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// An empty history with the full bounds.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: Counts::empty(OPERATIONS), followers: Counts::empty(OPERATIONS), steps: Counts::empty(STEPS), total: 0 }
    }

    /// An empty history that takes less memory: 48 operations and 128 steps, at most 1.5 KiB on the heap. For the million people whom a
    /// node observes at a time; an app has fewer operations than a shell has commands.
    #[must_use]
    pub const fn small() -> Self {
        Self {
            operations: Counts::empty(OPERATIONS_SMALL),
            followers: Counts::empty(OPERATIONS_SMALL),
            steps: Counts::empty(STEPS_SMALL),
            total: 0,
        }
    }

    /// Learns a block of operations in their order. The caller passes only operations that were allowed and that look like the person.
    pub fn learn(&mut self, block: &[Operation]) {
        let mut previous = None;
        for operation in block {
            self.operations.add(operation.0);
            self.total = self.total.saturating_add(1);
            if let Some(before) = previous
                && self.steps.add(Operation::then(before, *operation).0) == Counted::First
            {
                self.followers.add(before.0);
            }
            previous = Some(*operation);
            // Checked after each operation, so that a long block cannot overshoot the bound.
            if self.total >= MEMORY_OPERATIONS {
                self.age();
            }
        }
    }

    fn age(&mut self) {
        self.operations.halve();
        self.steps.halve();
        self.followers.halve();
        // Counted again and not halved, because halving rounds down.
        self.total = self.operations.sum();
    }

    /// Merges what another node learned of the same person: for each operation and step the greater count. Merging the same state twice
    /// changes nothing, and the order does not matter while everything fits.
    pub fn merge(&mut self, other: &Self) {
        self.operations.merge(&other.operations);
        self.followers.merge(&other.followers);
        self.steps.merge(&other.steps);
        // Below the bound, as after learning; a state at the bound would be refused when it is restored.
        self.total = self.total.max(other.total).max(self.operations.sum()).min(MEMORY_OPERATIONS.saturating_sub(1));
    }

    /// Number of operations remembered, the depth of the history.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.total
    }

    pub(crate) fn count(&self, operation: Operation) -> u16 {
        self.operations.get(operation.0)
    }

    pub(crate) fn steps(&self, step: Step) -> u16 {
        self.steps.get(step.0)
    }

    /// Mass reserved for steps never seen, after Witten and Bell: one for each different follower of the operation.
    pub(crate) fn followers(&self, operation: Operation) -> f64 {
        real(u64::from(self.followers.get(operation.0)))
    }

    /// Memory that this history takes now, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let counts = self.operations.bytes().saturating_add(self.followers.bytes()).saturating_add(self.steps.bytes());
        size_of::<Self>().saturating_add(counts)
    }

    /// Serialises the state, with head and checksum.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.seal(Kind::History)
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        self.operations.write(out);
        self.followers.write(out);
        self.steps.write(out);
        out.u32(self.total);
    }

    /// Reads what [`Self::write`] wrote of a small history.
    pub(crate) fn read_small(from: &mut Reader<'_>) -> Result<Self, SnapshotRefusal> {
        Self::read(from, OPERATIONS_SMALL, STEPS_SMALL)
    }

    fn read(from: &mut Reader<'_>, operations_max: usize, steps_max: usize) -> Result<Self, SnapshotRefusal> {
        let operations = Counts::read(from, operations_max)?;
        let followers = Counts::read(from, operations_max)?;
        let steps = Counts::read(from, steps_max)?;
        let total = from.u32()?;
        if total >= MEMORY_OPERATIONS {
            return Err(SnapshotRefusal::Value);
        }
        Ok(Self { operations, followers, steps, total })
    }

    /// Restores the state that [`History::snapshot`] wrote.
    ///
    /// # Errors
    /// A refusal when the bytes were damaged, cut off, or belong to another model or version.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotRefusal> {
        let mut from = Reader::open(bytes, Kind::History)?;
        let read = Self::read(&mut from, OPERATIONS, STEPS)?;
        from.close()?;
        Ok(read)
    }
}
