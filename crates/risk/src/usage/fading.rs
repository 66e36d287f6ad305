//! A count that halves every half-life.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    maths::{age, narrow, remaining, stamp},
    snapshot::{Reader, SnapshotRefusal, Writer},
};

/// A fading count. The half-life in seconds is a type parameter, so that two calls cannot use different ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Fading<const HALF_LIFE: u64> {
    value: f32,
    at: u32,
}

impl<const HALF_LIFE: u64> Fading<HALF_LIFE> {
    pub(crate) fn read(self, now: UnixSeconds) -> f64 {
        let since = age(now, self.at);
        if since.0 == 0 { f64::from(self.value) } else { f64::from(self.value) * remaining(since, Seconds(HALF_LIFE)) }
    }

    pub(crate) fn add(&mut self, amount: f64, now: UnixSeconds) -> f64 {
        let value = self.read(now) + amount;
        *self = Self { value: narrow(value), at: stamp(now).max(self.at) };
        value
    }

    /// The greater of the two counts, after both faded to the later time.
    pub(crate) fn merge(&mut self, other: Self) {
        let at = self.at.max(other.at);
        let then = |count: Self| narrow(count.read(UnixSeconds(u64::from(at))));
        *self = Self { value: then(*self).max(then(other)), at };
    }

    pub(crate) fn write(self, out: &mut Writer) {
        out.f32(self.value);
        out.u32(self.at);
    }

    pub(crate) fn read_from(from: &mut Reader<'_>) -> Result<Self, SnapshotRefusal> {
        Ok(Self { value: from.count()?, at: from.u32()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_left_after_the_half_life_and_time_never_runs_back() {
        let mut count = Fading::<60>::default();
        count.add(8.0, UnixSeconds(1000));
        for (name, now, expected) in [("at once", 1000, 8.0), ("before", 900, 8.0), ("a half-life", 1060, 4.0), ("two", 1120, 2.0)] {
            assert!((count.read(UnixSeconds(now)) - expected).abs() < 1e-6, "{name}");
        }
    }
}
