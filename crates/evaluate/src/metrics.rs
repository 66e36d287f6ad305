//! Figures of merit for lists of scores.

use crate::curve;

/// Chance that a random attack scores higher than a random honest event; ties count half. `None` without both kinds.
#[must_use]
pub fn auc(honest: &[f64], attacks: &[f64]) -> Option<f64> {
    let all: Vec<_> = honest.iter().map(|score| (*score, false)).chain(attacks.iter().map(|score| (*score, true))).collect();
    curve::auc(&all)
}

/// Score that at most `share` of the honest events exceed.
#[must_use]
pub fn threshold(honest: &[f64], share: f64) -> Option<f64> {
    let mut sorted = honest.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let allowed = (0..sorted.len()).take_while(|rank| count(*rank) + 1.0 <= share * count(sorted.len())).count();
    sorted.get(allowed).copied()
}

/// Share of `scores` above `threshold`; `None` when there are no scores.
#[must_use]
pub(crate) fn share_above(scores: &[f64], threshold: f64) -> Option<f64> {
    (!scores.is_empty()).then(|| count(scores.iter().filter(|score| **score > threshold).count()) / count(scores.len()))
}

/// Value in the middle (the median); `None` when there are no values.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Converts a count into a real number, exact below 2^32. A greater count of things would not fit into memory.
#[must_use]
pub fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap_or(u32::MAX))
}

/// Converts nanoseconds of a stopwatch into microseconds.
#[must_use]
pub(crate) fn microseconds(nanoseconds: u64) -> f64 {
    f64::from(u32::try_from(nanoseconds / 1000).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_lists() {
        let rows: [(&str, &[f64], &[f64], f64); 4] = [
            ("apart", &[1.0, 2.0], &[3.0, 4.0], 1.0),
            ("the wrong way round", &[3.0, 4.0], &[1.0, 2.0], 0.0),
            ("all alike", &[1.0, 1.0], &[1.0, 1.0], 0.5),
            ("one inversion of four", &[1.0, 3.0], &[2.0, 4.0], 0.75),
        ];
        for (name, honest, attacks, expected) in rows {
            assert!(auc(honest, attacks).is_some_and(|auc| (auc - expected).abs() < 1e-12), "{name}");
        }
        assert_eq!(auc(&[], &[1.0]), None);
    }

    #[test]
    fn a_threshold_lets_no_more_than_its_share_through() {
        let honest: Vec<f64> = (0..1000).map(f64::from).collect();
        for share in [0.0, 0.001, 0.01, 0.05, 1.0] {
            let above = threshold(&honest, share).and_then(|threshold| share_above(&honest, threshold)).unwrap_or(0.0);
            assert!(above <= share + 1e-12, "{share}: {above}");
        }
        assert_eq!(threshold(&honest, 0.01), Some(989.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    }
}
