//! The ordinary amount for one person: a mark that rises slowly and falls slowly.

use crate::{
    maths::{narrow, within},
    snapshot::{Reader, SnapshotRefusal, Writer},
};

/// Greatest factor by which one window may raise the mark. Somebody who uses a little more each time raises it by no more than this.
const RISE_MAX: f64 = 1.10;
/// Share of the distance down to the count that one quieter window lowers the mark.
const FALL: f64 = 0.02;

/// A mark near the greatest amounts of the person's windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usual(f32);

impl Usual {
    /// Ordinary amount for the person: one and a half times the mark, at least `floor` and at most `floor * share_max`, whatever was
    /// learned.
    pub(crate) fn ordinary(self, floor: f64, share_max: f64) -> f64 {
        within(1.5 * f64::from(self.0), floor, floor * share_max)
    }

    /// Learns the amount of a window that has ended.
    pub(crate) fn learn(&mut self, count: f64, floor: f64) {
        let held = f64::from(self.0);
        // Below a quarter of everyone's ordinary amount the mark may rise at once, since nothing can be gained there by going slowly.
        let most = within(held * RISE_MAX, floor / 4.0, f64::MAX);
        let next = if count > held { within(count, 0.0, most) } else { held + FALL * (count - held) };
        self.0 = narrow(next);
    }

    /// Keeps the higher of the two marks.
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
