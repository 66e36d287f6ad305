//! What judging a request can end in when it does not end in a permit.

use countersign_access::AccessRefusal;
use countersign_core::{Decision, Facts, Reason, Seconds, SignalKind, Stage, Thumbprint, Update};
use countersign_policy::BodyRefusal;
use countersign_store::TakeError;

use crate::receive::RequestRefusal;

/// A decision that forwards nothing, and what the answer to it needs besides.
#[derive(Debug)]
pub struct Refusal {
    decision: Box<Decision>,
    retry_after: Option<Seconds>,
    update: Option<Update>,
    evidence_age_max: Option<Seconds>,
    field: Option<Box<str>>,
    signal: Option<SignalKind>,
    // Boxed, so that a verdict stays small.
    speaker: Option<Box<Thumbprint>>,
}

impl Refusal {
    /// Refused for one reason, before any policy was asked.
    #[must_use]
    pub fn because(reason: Reason) -> Self {
        Self::by(Decision::deny(reason))
    }

    /// Refused by the policies. To refuse is safe whatever the decision says, so that any is taken.
    #[must_use]
    pub fn by(decision: Decision) -> Self {
        Self {
            decision: Box::new(decision),
            retry_after: None,
            update: None,
            evidence_age_max: None,
            field: None,
            signal: None,
            speaker: None,
        }
    }

    /// Refused by the policies, with what the facts say about a cure.
    pub(crate) fn of(decision: Decision, facts: &Facts) -> Self {
        let update = facts.unmet.iter().find_map(|unmet| unmet.update.clone().filter(|_| unmet.stage == Stage::Enforce));
        Self { update, evidence_age_max: facts.request.rules.evidence_age_max, ..Self::by(decision) }
    }

    /// The whole decision.
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

    /// The version of the app that is asked for.
    pub(crate) const fn update(&self) -> Option<&Update> {
        self.update.as_ref()
    }

    /// How old the evidence about the device may be.
    pub(crate) const fn evidence_age_max(&self) -> Option<Seconds> {
        self.evidence_age_max
    }

    /// The member of the body that is wrong, as a JSON pointer: the caller's own word, and never a value.
    pub(crate) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The key that signed the proof: a nonce that the answer carries is for that key.
    pub(crate) fn speaker(&self) -> Option<&Thumbprint> {
        self.speaker.as_deref()
    }

    /// The same refusal of a request whose proof this key signed.
    pub(crate) fn spoken_by(self, speaker: Option<Thumbprint>) -> Self {
        Self { speaker: speaker.map(Box::new), ..self }
    }

    /// What the monitor should hear of it: only what no honest client does.
    #[must_use]
    pub const fn signal(&self) -> Option<SignalKind> {
        self.signal
    }
}

impl From<AccessRefusal> for Refusal {
    fn from(refusal: AccessRefusal) -> Self {
        Self { signal: refusal.signal(), ..Self::because(refusal.reason()) }
    }
}

impl From<RequestRefusal> for Refusal {
    fn from(refusal: RequestRefusal) -> Self {
        Self::because(refusal.reason())
    }
}

impl From<BodyRefusal> for Refusal {
    fn from(refusal: BodyRefusal) -> Self {
        Self { field: Some(refusal.at).filter(|at| !at.is_empty()).map(String::into_boxed_str), ..Self::because(refusal.reason) }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::because(reason)
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Exceeded(wait) => Self { retry_after: Some(wait), ..Self::because(Reason::RateExceeded) },
            TakeError::Unavailable(_) => Self::because(Reason::StoreUnavailable),
        }
    }
}
