//! One column of the remembered rows: its values and how far apart they usually are.

use crate::numbers::{real, real_len};

/// The farthest that one column may put two rows apart, in spreads. One absurd value must not drown all other columns, and
/// heavy tails are ordinary in counts and sizes.
pub(crate) const FARTHEST: f64 = 3.0;

/// The values of one column, one per remembered row.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Column {
    /// In the order of the rows.
    pub(crate) values: Vec<f64>,
    /// 1 / spread: what a distance is multiplied with.
    pub(crate) inverse_spread: f64,
}

impl Column {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), inverse_spread: f64::MAX }
    }

    /// How far `x` is from the remembered `value`: at most [`FARTHEST`].
    pub(crate) fn distance(&self, x: f64, value: f64) -> f64 {
        ((x - value).abs() * self.inverse_spread).min(FARTHEST)
    }

    /// Measures the spread again: from the 10th to the 90th percentile, so that outliers do not stretch it; where these are
    /// equal, the standard deviation; in a constant column nothing, so that any other value is as far as a column can say.
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
