//! Deciding again what was decided once, from recorded facts and the set of rules that decided then.

use countersign_core::{Decision, Facts};

use crate::load::Policies;

/// How a decision looks when it is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The answer is the same in outcome, reasons, obligations and all that explains it.
    Same,
    /// The answer is another one.
    Differs {
        /// What the facts lead to now.
        now: Box<Decision>,
    },
}

/// Decides again. Pure: with the policies that decided then, the answer is the recorded one, whatever has changed since.
#[must_use]
pub fn replay(policies: &Policies, facts: &Facts, recorded: &Decision) -> Replayed {
    let now = policies.decide(facts);
    if now == *recorded { Replayed::Same } else { Replayed::Differs { now: Box::new(now) } }
}
