//! Refusal of a request: the exact reason for the log, and nothing for the wire.

use countersign_access::AccessRefusal;
use countersign_attest::{android::AttestRefusal, apple::AppleRefusal, play::PlayRefusal, report::ReportRefusal};
use countersign_codec::json::JsonRefusal;
use countersign_core::{ContractViolation, Limits, Reason, Seconds, Unmet, Update};
use countersign_identity::{GrantRefusal, PasskeyRefusal};
use countersign_proof::{challenge::ChallengeRefusal, delegation::DelegationRefusal, dpop::ProofRefusal, jwk::CryptoFailure};
use countersign_store::{BindError, ChallengeError, ChangeError, LiveError, PostureError, SpendError, Unavailable};

use crate::{form::FormRefusal, json};

/// Refusal of an endpoint, whether the client or this server is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Exact reason; the client is told only its class.
    pub reason: Reason,
    /// Addition for the operator's log: the exact rule, or the step that failed. Holds no secret and nothing personal.
    pub cause: String,
    /// Version of the app that is asked for; `None` where an update is no cure.
    pub update: Option<Update>,
    /// Time after which another try makes sense; `None` where that is not known.
    pub retry_after: Option<Seconds>,
}

impl Refusal {
    /// Makes a refusal about which the reason says everything.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, cause: String::new(), update: None, retry_after: None }
    }

    /// Makes a refusal with an addition for the operator's log.
    #[must_use]
    pub const fn because(reason: Reason, cause: String) -> Self {
        Self { reason, cause, update: None, retry_after: None }
    }
}

impl From<Unmet> for Refusal {
    fn from(unmet: Unmet) -> Self {
        Self { update: unmet.update, ..Self::new(unmet.reason) }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl From<Unavailable> for Refusal {
    fn from(fault: Unavailable) -> Self {
        Self::because(Reason::StoreUnavailable, fault.what)
    }
}

impl From<ContractViolation> for Refusal {
    fn from(fault: ContractViolation) -> Self {
        Self::because(Reason::Internal, fault.to_string())
    }
}

impl From<CryptoFailure> for Refusal {
    fn from(fault: CryptoFailure) -> Self {
        Self::because(Reason::Internal, fault.to_string())
    }
}

impl From<SpendError> for Refusal {
    fn from(error: SpendError) -> Self {
        let reason = error.reason();
        match error {
            SpendError::AlreadySpent | SpendError::CrowdedOut | SpendError::Full => Self::new(reason),
            // What a device holds is forgotten second by second, so it may go on soon.
            SpendError::ShareUsed => Self { retry_after: Some(Limits::PROOF_SKEW_MAX), ..Self::new(reason) },
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

impl From<AccessRefusal> for Refusal {
    fn from(refusal: AccessRefusal) -> Self {
        let reason = refusal.reason();
        match refusal {
            AccessRefusal::AccountUnavailable(fault) => fault.into(),
            AccessRefusal::Device(error) => error.into(),
            AccessRefusal::Proof(refusal) | AccessRefusal::ProofByForeignKey(refusal) => refusal.into(),
            AccessRefusal::Replay(error) => error.into(),
            AccessRefusal::Session(error) => error.into(),
            AccessRefusal::AccountNotActive
            | AccessRefusal::AppUnknown
            | AccessRefusal::ClientMismatch
            | AccessRefusal::Credentials(_)
            | AccessRefusal::DeviceOfAnotherApp
            | AccessRefusal::Token(_) => Self::new(reason),
        }
    }
}

impl From<ChallengeRefusal> for Refusal {
    fn from(refusal: ChallengeRefusal) -> Self {
        Self::because(Reason::ChallengeUnknown, format!("{refusal:?}"))
    }
}

impl From<ChallengeError> for Refusal {
    fn from(error: ChallengeError) -> Self {
        let reason = error.reason();
        match error {
            ChallengeError::AlreadySpent | ChallengeError::CrowdedOut => Self::new(reason),
            ChallengeError::ShareUsed(wait) => Self { retry_after: Some(wait), ..Self::new(reason) },
            ChallengeError::Unavailable(fault) => fault.into(),
        }
    }
}

/// Refusals of evidence: the cause is the rule in words.
macro_rules! from_evidence {
    ($($rules:ty)*) => {$(
        impl From<$rules> for Refusal {
            fn from(refusal: $rules) -> Self {
                Self::because(refusal.reason(), refusal.to_string())
            }
        }
    )*};
}

from_evidence! { AppleRefusal AttestRefusal PlayRefusal ReportRefusal }

impl From<BindError> for Refusal {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Refused(why) => Self::new(why.reason()),
            BindError::Unavailable(fault) => fault.into(),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        let reason = error.reason();
        match error {
            ChangeError::Counter(refusal) => Self::because(reason, refusal.to_string()),
            ChangeError::Unavailable(fault) => fault.into(),
            ChangeError::Unknown => Self::new(reason),
        }
    }
}

impl From<JsonRefusal> for Refusal {
    fn from(refusal: JsonRefusal) -> Self {
        Self::because(json::reason(refusal), format!("{refusal:?}"))
    }
}

/// Refusals of pure rooms: the rule's own name is the cause.
macro_rules! from_rules {
    ($($rules:ty)*) => {$(
        impl From<$rules> for Refusal {
            fn from(refusal: $rules) -> Self {
                Self::because(refusal.reason(), format!("{refusal:?}"))
            }
        }
    )*};
}

from_rules! { DelegationRefusal FormRefusal GrantRefusal PasskeyRefusal ProofRefusal }
