//! What is much for one person: a mark that rises slowly and falls slowly.

use crate::{
    maths::{narrow, within},
    snapshot::{Reader, SnapshotRefusal, Writer},
};

/// How far one window may lift the mark. Whoever feeds it a little more each time lifts it by no more than this.
const RISE_MAX: f64 = 1.10;
/// What of the way down one window goes.
const FALL: f64 = 0.02;

/// About the highest count that a person's windows have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usual(f32);

impl Usual {
    /// What is ordinary for the person: half as much again as the usual, at least `floor`, and at most `floor * share_max` whatever was taught.
    pub(crate) fn ordinary(self, floor: f64, share_max: f64) -> f64 {
        within(1.5 * f64::from(self.0), floor, floor * share_max)
    }

    /// Learns the count of a window that has ended.
    pub(crate) fn learn(&mut self, count: f64, floor: f64) {
        let held = f64::from(self.0);
        // Below a quarter of what is ordinary for everyone nothing is won by going slowly.
        let most = within(held * RISE_MAX, floor / 4.0, f64::MAX);
        let next = if count > held { within(count, 0.0, most) } else { held + FALL * (count - held) };
        self.0 = narrow(next);
    }

    /// The higher mark.
    pub(crate) const fn merge(&mut self, other: Self) {
        self.0 = self.0.max(other.0);
    }

    pub(crate) fn write(self, out: &mut Writer) {
        out.f32(self.0);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotRefusal> {
        from.count().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_moves_slowly_and_has_a_ceiling() {
        let mut usual = Usual::default();
        assert!((usual.ordinary(40.0, 2.5) - 40.0).abs() < 1e-6);
        usual.learn(1e9, 40.0);
        assert!((usual.ordinary(40.0, 2.5) - 40.0).abs() < 1e-6, "one window lifts nothing beyond what is ordinary");
        usual.learn(1e9, 40.0);
        assert!((f64::from(usual.0) - 11.0).abs() < 1e-4);
        (0..1000).for_each(|_| usual.learn(1e9, 40.0));
        assert!((usual.ordinary(40.0, 2.5) - 100.0).abs() < 1e-6);
        (0..1000).for_each(|_| usual.learn(0.0, 40.0));
        assert!((usual.ordinary(40.0, 2.5) - 40.0).abs() < 1e-6);
    }
}
