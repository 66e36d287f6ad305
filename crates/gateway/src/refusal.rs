//! What judging a request can end in when it does not end in a permit.

use countersign_core::{Decision, Reason, Seconds, SignalKind};
use countersign_proof::{access_token::TokenRefusal, dpop::ProofRefusal};
use countersign_store::{LiveError, PostureError, SpendError, TakeError};

use crate::receive::{CredentialRefusal, RequestRefusal};

/// A decision that forwards nothing, and what the answer to it needs besides.
#[derive(Debug)]
pub struct Refusal {
    decision: Box<Decision>,
    retry_after: Option<Seconds>,
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
        Self { decision: Box::new(decision), retry_after: None }
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

macro_rules! refused_because {
    ($($error:ty),*) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::because(error.reason())
            }
        }
    )*};
}

refused_because!(CredentialRefusal, LiveError, PostureError, ProofRefusal, RequestRefusal, SpendError, TokenRefusal);

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
