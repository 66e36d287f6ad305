//! What one person usually does.

use crate::numbers::real;
use crate::sequence::counts::{Counted, Counts};
use crate::sequence::operation::{Operation, Step};
use crate::snapshot::{Kind, Reader, SnapshotRefusal, Writer};

/// Operations of which counts are kept.
const OPERATIONS: usize = 256;
/// Steps of which counts are kept.
const STEPS: usize = 1024;
/// The same of [`History::small`].
const OPERATIONS_SMALL: usize = 48;
/// The same of [`History::small`].
const STEPS_SMALL: usize = 128;
/// Operations after which everything counts half: newer habits outweigh older ones.
const MEMORY_OPERATIONS: u32 = 16_384;

/// The operations and steps of one person, at most 9.4 KiB; 0.5 KiB for someone who uses 20 operations in 60 steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    operations: Counts,
    /// Per operation, how many different ones followed it.
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
    /// Nothing known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: Counts::empty(OPERATIONS), followers: Counts::empty(OPERATIONS), steps: Counts::empty(STEPS), total: 0 }
    }

    /// Nothing known yet, in less memory: 48 operations and 128 steps, at most 1.5 KiB on the heap. For the million people whom a
    /// node watches at a time; an app has fewer operations than a shell has commands.
    #[must_use]
    pub const fn small() -> Self {
        Self {
            operations: Counts::empty(OPERATIONS_SMALL),
            followers: Counts::empty(OPERATIONS_SMALL),
            steps: Counts::empty(STEPS_SMALL),
            total: 0,
        }
    }

    /// Learns a block of operations in their order. Only what was allowed may be learned.
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
            if self.total >= MEMORY_OPERATIONS {
                self.age();
            }
        }
    }

    fn age(&mut self) {
        self.operations.halve();
        self.steps.halve();
        self.followers.halve();
        self.total = self.operations.sum();
    }

    /// Joins what another node learned of the same person: of each operation and step the greater count. Joining the same state twice
    /// changes nothing, and the order does not matter while all fit.
    pub fn merge(&mut self, other: &Self) {
        self.operations.merge(&other.operations);
        self.followers.merge(&other.followers);
        self.steps.merge(&other.steps);
        self.total = self.total.max(other.total).max(self.operations.sum()).min(MEMORY_OPERATIONS.saturating_sub(1));
    }

    /// How many operations are remembered: the depth of the history.
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

    /// The mass that is kept for steps never seen, after Witten and Bell: one per different follower.
    pub(crate) fn followers(&self, operation: Operation) -> f64 {
        real(u64::from(self.followers.get(operation.0)))
    }

    /// Bytes of this history now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let counts = self.operations.bytes().saturating_add(self.followers.bytes()).saturating_add(self.steps.bytes());
        size_of::<Self>().saturating_add(counts)
    }

    /// The state as bytes.
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

    /// The state that [`History::snapshot`] wrote.
    ///
    /// # Errors
    /// When the bytes are not what was written.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotRefusal> {
        let mut from = Reader::open(bytes, Kind::History)?;
        let read = Self::read(&mut from, OPERATIONS, STEPS)?;
        from.close()?;
        Ok(read)
    }
}
