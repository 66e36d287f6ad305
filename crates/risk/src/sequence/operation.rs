//! Names of operations as 32-bit fingerprints.

use crate::numbers::mix;

/// An operation, such as `accounts.list`, as the fingerprint of its name.
///
/// Operations come from the operator's contract, so no caller can choose their names to collide, and 32 bits are enough: among 1,000 names,
/// two share a fingerprint in one of 8,600 contracts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Operation(pub(crate) u32);

impl Operation {
    /// The operation with this name. Equal names give equal operations on every machine and in every version.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let fnv = name.bytes().fold(0xCBF2_9CE4_8422_2325, |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        Self(high(mix(fnv)))
    }

    /// The step from this operation to `next`.
    pub(crate) fn then(self, next: Self) -> Step {
        Step(high(mix((u64::from(self.0) << 32) | u64::from(next.0))))
    }
}

/// Fingerprint of two operations, one directly after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Step(pub(crate) u32);

fn high(n: u64) -> u32 {
    u32::try_from(n >> 32).unwrap_or(0)
}
