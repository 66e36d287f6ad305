//! A vendor that does not answer, and what the operator decided about that.
//!
//! A phone cannot help it that its vendor is down: what was fresh when the vendor fell silent is forgiven for a while. What was
//! stale before, or never there, is not: an outage lets nobody in.

use countersign_core::{Seconds, UnixSeconds};

/// What happens when the grace is over and the vendor is still silent. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterGrace {
    /// Phones are limited, even where they would be refused.
    Limit,
    /// Everything is as if the vendor answered.
    Refuse,
}

/// What the operator decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageRule {
    /// How long nothing happens.
    pub grace: Seconds,
    /// And then.
    pub then: AfterGrace,
}

/// A vendor that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The first time that it did not, after it last did.
    pub since: UnixSeconds,
    /// What the operator decided.
    pub rule: OutageRule,
}

/// What an outage forgives. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgiven {
    /// All: nothing happens.
    Everything,
    /// Nothing: what was asked happens.
    Nothing,
    /// The refusal: phones are limited at most.
    Refusal,
}

impl Outage {
    /// What is forgiven to something made at `made_at` that may be at most `age_max` old.
    #[must_use]
    pub fn forgives(&self, made_at: UnixSeconds, age_max: Seconds, now: UnixSeconds) -> Forgiven {
        if self.since.since(made_at) > age_max {
            return Forgiven::Nothing;
        }
        match self.rule.then {
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
