//! One named part of a score of the streaming models. Logins have a type of their own: [`crate::evidence::Contribution`].

/// Part that one reason adds to a score. All contributions of a score add up to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Contribution<'a> {
    /// Name of the reason, in words that logs and alerts may show.
    pub name: &'a str,
    /// Amount that the reason adds, in the unit of the score. A negative amount speaks for the subject.
    pub weight: f64,
}

/// Sums weights in the order given. Floating-point addition depends on the order, and every machine has to get the same sum.
pub(crate) fn total(contributions: &[Contribution<'_>]) -> f64 {
    contributions.iter().fold(0.0, |sum, part| sum + part.weight)
}
