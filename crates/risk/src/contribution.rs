//! One named part of a score.

/// What one reason adds to a score. The contributions of a score add up to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Contribution<'a> {
    /// The reason, in words that logs and alerts may show.
    pub name: &'a str,
    /// What it adds, in the unit of the score. Negative: it speaks for the subject.
    pub weight: f64,
}

/// Sums weights in the order given, so that every machine rounds alike.
pub(crate) fn total(contributions: &[Contribution<'_>]) -> f64 {
    contributions.iter().fold(0.0, |sum, part| sum + part.weight)
}
