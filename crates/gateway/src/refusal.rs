//! What judging a request can end in when it does not end in a permit.

use countersign_core::{Decision, Outcome, Reason, Seconds, SignalKind};

/// A decision that forwards nothing, and what the answer to it needs besides.
#[derive(Debug)]
pub struct Refusal {
    decision: Decision,
    retry_after: Option<Seconds>,
}

impl Refusal {
    /// Refused for one reason, before any policy was asked.
    #[must_use]
    pub fn because(reason: Reason) -> Self {
        Self { decision: Decision::deny(reason), retry_after: None }
    }

    /// Refused because the next request fits only after `wait`.
    #[must_use]
    pub fn too_many(wait: Seconds) -> Self {
        Self { decision: Decision::deny(Reason::RateExceeded), retry_after: Some(wait) }
    }

    /// Refused by the policies. `Err` gives back a decision that allows.
    pub(crate) fn by(decision: Decision) -> Result<Self, Decision> {
        match decision.outcome {
            Outcome::Allow | Outcome::Limit => Err(decision),
            Outcome::StepUp | Outcome::Deny => Ok(Self { decision, retry_after: None }),
        }
    }

    /// The whole decision.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The reason that the answer is made from: the first. A refusal without any would be a fault of ours.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        self.decision.reasons.first().unwrap_or(&Reason::Internal)
    }

    /// When to come again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Seconds> {
        self.retry_after
    }

    /// What the monitor should hear of it: only what no honest client does.
    #[must_use]
    pub fn signal(&self) -> Option<SignalKind> {
        if *self.reason() == Reason::ProofReplayed {
            Some(SignalKind::ProofReplayed)
        } else if *self.reason() == Reason::ProofKeyMismatch {
            Some(SignalKind::ForeignProofKey)
        } else {
            None
        }
    }
}
