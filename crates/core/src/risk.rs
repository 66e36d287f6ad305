//! Risk of a request: a comparison with what is usual, and the score from which it has consequences.

use std::borrow::Cow;

use crate::decision::Outcome;

/// One part of a risk score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskReason {
    /// Stable word that names the feature; one of ours, or one that an earlier version wrote into the log.
    pub name: Cow<'static, str>,
    /// Evidence in tenths of a nat; a negative weight speaks for the person.
    pub weight_tenths: i32,
}

impl RiskReason {
    /// The weight in nats as text, such as `+1.4` or `-0.3`.
    #[must_use]
    pub fn in_nats(&self) -> String {
        let sign = if self.weight_tenths < 0 { '-' } else { '+' };
        let tenths = self.weight_tenths.unsigned_abs();
        format!("{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

/// Risk score with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RiskView {
    /// Score from 0 to 100. From 50 on, the shipped configuration asks for a step-up.
    pub score: u8,
    /// Parts of the score, heaviest first.
    pub reasons: Vec<RiskReason>,
}

/// Thresholds of the risk score. The shipped configuration asks for a fresh step-up from 50 on and refuses from 95 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RiskBar {
    /// Score from which a fresh step-up is required; `None` for never.
    pub step_up_at: Option<u8>,
    /// Score from which every request is refused; `None` for never.
    pub deny_at: Option<u8>,
}

impl RiskBar {
    /// Thresholds of the shipped configuration.
    pub const SHIPPED: Self = Self { step_up_at: Some(50), deny_at: Some(95) };

    /// Applies the thresholds to a score.
    #[must_use]
    pub fn judge(self, view: RiskView) -> RiskFacts {
        let reached = |bar: Option<u8>| bar.is_some_and(|bar| view.score >= bar);
        // Where both thresholds are reached, the stricter outcome counts.
        let asks = match (reached(self.deny_at), reached(self.step_up_at)) {
            (true, _) => Outcome::Deny,
            (false, true) => Outcome::StepUp,
            (false, false) => Outcome::Allow,
        };
        RiskFacts { view, asks }
    }
}

/// Risk of the request, with its consequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskFacts {
    /// Score and reasons of the request.
    pub view: RiskView,
    /// Outcome that the operator's thresholds ask for.
    pub asks: Outcome,
}

impl Default for RiskFacts {
    fn default() -> Self {
        RiskBar::default().judge(RiskView::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_reached_from_its_score_on() {
        let both = RiskBar { step_up_at: Some(50), deny_at: Some(95) };
        let rows = [
            (both, 0, Outcome::Allow),
            (both, 49, Outcome::Allow),
            (both, 50, Outcome::StepUp),
            (both, 94, Outcome::StepUp),
            (both, 95, Outcome::Deny),
            (RiskBar { deny_at: None, ..both }, 100, Outcome::StepUp),
            (RiskBar { step_up_at: None, ..both }, 94, Outcome::Allow),
            (RiskBar::default(), 100, Outcome::Allow),
        ];
        for (bar, score, asks) in rows {
            let view = RiskView { score, reasons: Vec::new() };
            assert_eq!(bar.judge(view).asks, asks, "{bar:?} {score}");
        }
    }
}
