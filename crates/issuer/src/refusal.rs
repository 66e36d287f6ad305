//! A door's no: the exact reason for the log, and nothing for the wire.

use countersign_attest::{android::AttestRefusal, apple::AppleRefusal, play::PlayRefusal, report::ReportRefusal};
use countersign_core::{ContractViolation, Reason};
use countersign_identity::{GrantRefusal, PasskeyRefusal};
use countersign_proof::{delegation::DelegationRefusal, dpop::ProofRefusal, jwk::CryptoFailure};
use countersign_store::{ChangeError, IssueError, LiveError, PostureError, SpendError, Unavailable};

use crate::{form::FormRefusal, json::JsonRefusal};

/// Why a door refuses, their fault or ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub reason: Reason,
    /// What the operator's log adds: the exact rule, or what was tried. Holds no secret and nothing personal.
    pub cause: String,
}

impl Refusal {
    /// A refusal that its reason says all about.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, cause: String::new() }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl From<Unavailable> for Refusal {
    fn from(fault: Unavailable) -> Self {
        Self { reason: Reason::StoreUnavailable, cause: fault.what }
    }
}

impl From<ContractViolation> for Refusal {
    fn from(fault: ContractViolation) -> Self {
        Self { reason: Reason::Internal, cause: fault.to_string() }
    }
}

impl From<CryptoFailure> for Refusal {
    fn from(fault: CryptoFailure) -> Self {
        Self { reason: Reason::Internal, cause: fault.to_string() }
    }
}

impl From<SpendError> for Refusal {
    fn from(error: SpendError) -> Self {
        let reason = error.reason();
        match error {
            SpendError::AlreadySpent | SpendError::Full => Self::new(reason),
            SpendError::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<PostureError> for Refusal {
    fn from(error: PostureError) -> Self {
        let reason = error.reason();
        match error {
            PostureError::Revoked | PostureError::Unknown => Self::new(reason),
            PostureError::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<LiveError> for Refusal {
    fn from(error: LiveError) -> Self {
        let reason = error.reason();
        match error {
            LiveError::Challenged | LiveError::Expired | LiveError::Revoked | LiveError::Unknown => Self::new(reason),
            LiveError::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<IssueError> for Refusal {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Full => Self::new(Reason::ChallengesFull),
            IssueError::Unavailable(fault) => fault.into(),
        }
    }
}

/// Refusals of evidence: the rule in words.
macro_rules! from_evidence {
    ($($rules:ty)*) => {$(
        impl From<$rules> for Refusal {
            fn from(refusal: $rules) -> Self {
                Self { reason: refusal.reason(), cause: refusal.to_string() }
            }
        }
    )*};
}

from_evidence! { AppleRefusal AttestRefusal PlayRefusal ReportRefusal }

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        let reason = error.reason();
        match error {
            ChangeError::Counter(refusal) => Self { reason, cause: refusal.to_string() },
            ChangeError::Unavailable(fault) => fault.into(),
            ChangeError::Unknown => Self::new(reason),
        }
    }
}

/// Refusals of pure rooms: the rule's own name is the cause.
macro_rules! from_rules {
    ($($rules:ty)*) => {$(
        impl From<$rules> for Refusal {
            fn from(refusal: $rules) -> Self {
                Self { reason: refusal.reason(), cause: format!("{refusal:?}") }
            }
        }
    )*};
}

from_rules! { DelegationRefusal FormRefusal GrantRefusal JsonRefusal PasskeyRefusal ProofRefusal }
