//! Detection by scores: how well they separate attacks from ordinary events, whatever their scale.

use serde::Serialize;

/// Shares of false positives for which the share of detected attacks is reported.
const FALSE_POSITIVES: [f64; 3] = [0.001, 0.01, 0.05];

/// Figures of one set of scores.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Curve {
    /// Probability that an attack scores above an ordinary event, ties counted half; `None` without both kinds.
    pub auc: Option<f64>,
    /// Detection at 0.1 %, 1 % and 5 % false positives.
    pub detection: Vec<Detection>,
}

/// Detection with a threshold that a given share of ordinary events may exceed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Detection {
    /// Share of the ordinary events that may raise an alarm.
    pub false_positives: f64,
    /// Threshold: a score above it raises an alarm.
    pub threshold: f64,
    /// Share of the attack events that raise an alarm.
    pub detected: f64,
}

impl Curve {
    /// Computes the figures of `scores`: each a number, and whether the event was an attack.
    #[must_use]
    pub fn of(scores: &[(f64, bool)]) -> Self {
        let mut ordinary: Vec<f64> = scores.iter().filter(|(_, attack)| !attack).map(|(score, _)| *score).collect();
        ordinary.sort_unstable_by(|a, b| b.total_cmp(a));
        let attacks: Vec<f64> = scores.iter().filter(|(_, attack)| *attack).map(|(score, _)| *score).collect();
        let at = |false_positives: f64| {
            // The n-th highest is the threshold itself, so at most n score above it.
            let threshold = *ordinary.get(share_of(ordinary.len(), false_positives))?;
            let above = attacks.iter().filter(|score| **score > threshold).count();
            (!attacks.is_empty()).then(|| Detection { false_positives, threshold, detected: ratio(above, attacks.len()) })
        };
        Self { auc: auc(scores), detection: FALSE_POSITIVES.iter().filter_map(|f| at(*f)).collect() }
    }

    /// Threshold that at most 1 % of the ordinary events exceed.
    #[must_use]
    pub(crate) fn threshold_at_one_percent(&self) -> Option<f64> {
        self.detection.get(1).map(|d| d.threshold)
    }
}

/// Area under the ROC curve by ranks (Mann-Whitney), with the mean rank for ties; `None` without both kinds.
#[must_use]
pub fn auc(scores: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut ranks, mut attacks) = (0_usize, 0.0, 0_usize);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let attacking = ties.iter().filter(|(_, attack)| *attack).count();
        let mean_rank = real(below) + (real(ties.len()) + 1.0) / 2.0;
        ranks += mean_rank * real(attacking);
        attacks = attacks.saturating_add(attacking);
        below = below.saturating_add(ties.len());
    }
    let ordinary = below.saturating_sub(attacks);
    if attacks == 0 || ordinary == 0 {
        return None;
    }
    Some((ranks - real(attacks) * (real(attacks) + 1.0) / 2.0) / (real(attacks) * real(ordinary)))
}

/// Computes `part` / `whole`; 0 when `whole` is 0.
#[must_use]
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

/// Greatest whole number that is not above `n` times `share`, where `share` is a number of thousandths.
fn share_of(n: usize, share: f64) -> usize {
    let thousandths = FALSE_POSITIVES.iter().zip([1_usize, 10, 50]).find(|(f, _)| **f == share).map_or(1000, |(_, t)| t);
    n.saturating_mul(thousandths) / 1000
}

/// Converts `n` into a real number; counts of events are far below 2^32.
fn real(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas() {
        let rows: &[(&str, &[(f64, bool)], Option<f64>)] = &[
            ("nothing", &[], None),
            ("no attack", &[(1.0, false)], None),
            ("attacks only", &[(1.0, true)], None),
            ("perfect", &[(1.0, false), (2.0, true)], Some(1.0)),
            ("reversed", &[(1.0, true), (2.0, false)], Some(0.0)),
            ("all alike", &[(1.0, true), (1.0, false), (1.0, false)], Some(0.5)),
            ("one tie", &[(1.0, false), (2.0, false), (2.0, true), (3.0, true)], Some(0.875)),
        ];
        for (name, scores, expected) in rows {
            assert_eq!(auc(scores), *expected, "{name}");
        }
    }

    #[test]
    fn detection_counts_what_is_above_the_threshold() {
        let mut scores: Vec<_> = (0..100).map(|n| (f64::from(n), false)).collect();
        scores.extend([(98.0, true), (98.5, true), (94.5, true), (10.0, true)]);
        let detected: Vec<_> = Curve::of(&scores).detection.iter().map(|d| (d.threshold, d.detected)).collect();
        assert_eq!(detected, [(99.0, 0.0), (98.0, 0.25), (94.0, 0.75)]);
    }
}
