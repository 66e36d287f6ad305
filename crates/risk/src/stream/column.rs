//! One column of the remembered rows: its values and their usual spread.

use crate::numbers::{real, real_len};

/// Greatest distance that one column may put between two rows, in spreads. One absurd value must not hide all other columns, and heavy
/// tails are ordinary in counts and sizes.
pub(crate) const FARTHEST: f64 = 3.0;

/// Values of one column, one per remembered row.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Column {
    /// Values in the order of the rows.
    pub(crate) values: Vec<f64>,
    /// Factor that turns a difference into spreads: 1 / spread.
    pub(crate) inverse_spread: f64,
}

impl Column {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), inverse_spread: f64::MAX }
    }

    /// Distance of `x` from the remembered `value`, in spreads, at most [`FARTHEST`].
    pub(crate) fn distance(&self, x: f64, value: f64) -> f64 {
        ((x - value).abs() * self.inverse_spread).min(FARTHEST)
    }

    /// Measures the spread again: the distance from the 10th to the 90th percentile, so that outliers do not stretch it. Where these are
    /// equal, the standard deviation is used. A constant column has no spread, so any other value is at the greatest distance.
    pub(crate) fn measure(&mut self) {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let low = sorted.get(n / 10).copied().unwrap_or(0.0);
        let high = sorted.get(n.saturating_mul(9) / 10).copied().unwrap_or(0.0);
        let range = high - low;
        let spread = if range > 0.0 { range } else { self.deviation() };
        self.inverse_spread = if spread > 0.0 { (1.0 / spread).min(f64::MAX) } else { f64::MAX };
    }

    fn deviation(&self) -> f64 {
        let n = real_len(self.values.len()).max(real(1));
        let mean = self.values.iter().fold(0.0, |sum, v| sum + v / n);
        self.values.iter().fold(0.0, |sum, v| sum + (v - mean) * (v - mean) / n).sqrt()
    }
}
