//! A vendor that does not answer, and the operator's decision for that case.
//!
//! A phone cannot help it that its vendor is down: evidence that was fresh when the vendor fell silent is forgiven for a while. Evidence
//! that was stale before, or was never there, is not forgiven: an outage lets nobody in.

use countersign_core::{Seconds, UnixSeconds};

/// Treatment of phones when the grace is over and the vendor is still silent. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterGrace {
    /// Phones are limited at most, even where a requirement would refuse them.
    Limit,
    /// Phones are treated as if the vendor answered: stale evidence is refused where that is required.
    Refuse,
}

/// Decision of the operator for outages of a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageRule {
    /// Duration, from the beginning of the outage, in which stale verdicts have no consequence.
    pub grace: Seconds,
    /// Treatment of phones after the grace.
    pub then: AfterGrace,
}

/// Outage of a vendor: its beginning, and the rule for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// First time that the vendor did not answer, after the last time that it did.
    pub since: UnixSeconds,
    /// Rule that the operator set for outages of this vendor.
    pub rule: OutageRule,
}

/// Consequence that an outage takes away from an unmet requirement. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgiven {
    /// All consequences are forgiven: the unmet requirement is only observed.
    Everything,
    /// Nothing is forgiven: the unmet requirement has its usual stage.
    Nothing,
    /// The refusal is forgiven: phones are limited at most.
    Refusal,
}

impl Outage {
    /// Decides what is forgiven for evidence that was made at `made_at` and may be at most `age_max` old.
    #[must_use]
    pub(crate) fn forgives(&self, made_at: UnixSeconds, age_max: Seconds, now: UnixSeconds) -> Forgiven {
        // SECURITY: what was stale when the outage began was not made stale by it. Without this check an outage would let in whoever is
        // able to cause one.
        if self.since.since(made_at) > age_max {
            return Forgiven::Nothing;
        }
        match self.rule.then {
            // The grace counts from the beginning of the outage, not from the end of each verdict's time, so that it ends for all phones at
            // once.
            AfterGrace::Limit | AfterGrace::Refuse if now.since(self.since) <= self.rule.grace => Forgiven::Everything,
            AfterGrace::Limit => Forgiven::Refusal,
            AfterGrace::Refuse => Forgiven::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_outage_made_old_is_forgiven() {
        const SINCE: u64 = 1_000_000;
        let outage = |then| Outage { since: UnixSeconds(SINCE), rule: OutageRule { grace: Seconds(600), then } };
        let (limit, refuse) = (outage(AfterGrace::Limit), outage(AfterGrace::Refuse));
        // Something may be 100 seconds old.
        let rows = [
            ("within the grace", limit, SINCE - 100, SINCE + 600, Forgiven::Everything),
            ("then it is limited", limit, SINCE - 100, SINCE + 601, Forgiven::Refusal),
            ("or refused", refuse, SINCE - 100, SINCE + 601, Forgiven::Nothing),
            ("within the grace of a refusal", refuse, SINCE - 100, SINCE + 600, Forgiven::Everything),
            ("what was too old before", limit, SINCE - 101, SINCE + 1, Forgiven::Nothing),
            ("what was made since", limit, SINCE + 1, SINCE + 500, Forgiven::Everything),
        ];
        for (name, outage, made_at, now, expected) in rows {
            assert_eq!(outage.forgives(UnixSeconds(made_at), Seconds(100), UnixSeconds(now)), expected, "{name}");
        }
    }
}
