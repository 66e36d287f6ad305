//! Why somebody is not let in, and who it was, as far as that was known.

use std::sync::Arc;

use countersign_core::{Reason, Session, SignalKind, Thumbprint};
use countersign_proof::{
    access_token::{TokenRefusal, VerifiedToken},
    dpop::ProofRefusal,
};
use countersign_store::{LiveError, PostureError, SpendError, Unavailable};

use crate::credentials::CredentialRefusal;

/// The first rule that a request breaks on its way to an [`crate::Authenticated`]. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessRefusal {
    /// The account is closed, or gone.
    AccountNotActive,
    /// Our fault: the state of the account is not known.
    AccountUnavailable(Unavailable),
    /// The session is of an app that is not configured any more.
    AppUnknown,
    /// Token and session were made for different apps; one of the two is not what it seems.
    ClientMismatch,
    /// No usable credentials.
    Credentials(CredentialRefusal),
    /// No device that may act.
    Device(PostureError),
    /// The device was enrolled by another app. What it proved to one is no proof to another, which may ask for more.
    DeviceOfAnotherApp,
    /// No proof of possession that fits the request.
    Proof(ProofRefusal, SignedBy),
    /// A proof that does not count.
    Replay(SpendError),
    /// No session that may act.
    Session(LiveError),
    /// No token of ours, for us, now.
    Token(TokenRefusal),
}

/// Whose key signed a proof that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// A key that is not the token's: a stolen token looks like this, whatever else is wrong with the proof.
    AForeignKey,
    /// Nobody's that could be told: the proof does not parse, or its signature does not verify.
    Nobody,
    /// The key that the token is bound to.
    TheTokensKey,
}

impl AccessRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AccountNotActive => Reason::UserUnknown,
            Self::AccountUnavailable(_) => Reason::StoreUnavailable,
            Self::AppUnknown => Reason::ClientUnknown,
            Self::ClientMismatch => Reason::SessionUnknown,
            Self::Credentials(refusal) => refusal.reason(),
            Self::Device(error) => error.reason(),
            Self::DeviceOfAnotherApp => Reason::AppUnknown,
            Self::Proof(refusal, _) => refusal.reason(),
            Self::Replay(error) => error.reason(),
            Self::Session(error) => error.reason(),
            Self::Token(refusal) => refusal.reason(),
        }
    }

    /// What the monitor should hear of it: only what no honest client does.
    #[must_use]
    pub const fn signal(&self) -> Option<SignalKind> {
        match self {
            Self::Proof(_, SignedBy::AForeignKey) => Some(SignalKind::ForeignProofKey),
            Self::Replay(SpendError::AlreadySpent) => Some(SignalKind::ProofReplayed),
            Self::AccountNotActive
            | Self::AccountUnavailable(_)
            | Self::AppUnknown
            | Self::ClientMismatch
            | Self::Credentials(_)
            | Self::Device(_)
            | Self::DeviceOfAnotherApp
            | Self::Proof(_, SignedBy::Nobody | SignedBy::TheTokensKey)
            | Self::Replay(SpendError::Full | SpendError::Unavailable(_))
            | Self::Session(_)
            | Self::Token(_) => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty),)*) => {$(
        impl From<$error> for AccessRefusal {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from! { Credentials(CredentialRefusal), Device(PostureError), Replay(SpendError), Session(LiveError), Token(TokenRefusal), }

/// Somebody who is not let in.
#[derive(Debug)]
pub struct Unauthenticated {
    /// Why.
    pub refusal: AccessRefusal,
    /// Who it was, as far as checks had passed: for the record, and for nothing that is decided.
    pub known: Known,
}

/// What the checks that passed before the refusal say of who asked. Each member is there only if those before it are.
#[derive(Debug, Default)]
pub struct Known {
    /// The token.
    pub token: Option<Arc<VerifiedToken>>,
    /// The key that signed a proof that fits the request. Absent where no proof is asked for, as with an open connection.
    pub proved_by: Option<Thumbprint>,
    /// The session, which was alive.
    pub session: Option<Session>,
}

impl Unauthenticated {
    pub(crate) fn with_token(token: &Arc<VerifiedToken>, refusal: impl Into<AccessRefusal>) -> Self {
        Self { refusal: refusal.into(), known: Known { token: Some(Arc::clone(token)), ..Known::default() } }
    }

    pub(crate) fn proved_by(self, key: Thumbprint) -> Self {
        Self { known: Known { proved_by: Some(key), ..self.known }, ..self }
    }

    pub(crate) fn in_session(self, session: Session) -> Self {
        Self { known: Known { session: Some(session), ..self.known }, ..self }
    }
}

/// Nothing is known yet.
impl<E: Into<AccessRefusal>> From<E> for Unauthenticated {
    fn from(refusal: E) -> Self {
        Self { refusal: refusal.into(), known: Known::default() }
    }
}
