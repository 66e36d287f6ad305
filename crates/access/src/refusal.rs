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
    /// Token or proof is missing, repeated or no text of its grammar.
    Credentials(CredentialRefusal),
    /// No device that may act.
    Device(PostureError),
    /// The device was enrolled by another app. What it proved to one is no proof to another, which may ask for more.
    DeviceOfAnotherApp,
    /// A proof of possession that does not fit the request.
    Proof(ProofRefusal),
    /// A proof by another key than the token's: a stolen token looks like this, whatever else is wrong with the proof.
    ProofByForeignKey(ProofRefusal),
    /// A proof that does not count.
    Replay(SpendError),
    /// No session that may act.
    Session(LiveError),
    /// No token of ours, for us, now.
    Token(TokenRefusal),
}

impl AccessRefusal {
    /// Stable code of the refusal, for the log and for the class that the client is told.
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
            Self::Proof(refusal) | Self::ProofByForeignKey(refusal) => refusal.reason(),
            Self::Replay(error) => error.reason(),
            Self::Session(error) => error.reason(),
            Self::Token(refusal) => refusal.reason(),
        }
    }

    /// Signal for the monitor, of what no honest client does.
    #[must_use]
    pub const fn signal(&self) -> Option<SignalKind> {
        match self {
            Self::ProofByForeignKey(_) => Some(SignalKind::ForeignProofKey),
            Self::Replay(SpendError::AlreadySpent) => Some(SignalKind::ProofReplayed),
            Self::AccountNotActive
            | Self::AccountUnavailable(_)
            | Self::AppUnknown
            | Self::ClientMismatch
            | Self::Credentials(_)
            | Self::Device(_)
            | Self::DeviceOfAnotherApp
            | Self::Proof(_)
            | Self::Replay(SpendError::CrowdedOut | SpendError::Full | SpendError::ShareUsed | SpendError::Unavailable(_))
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
    /// The first rule that was broken.
    pub refusal: AccessRefusal,
    /// Identity of the caller as far as checks had passed: for the record, and for nothing that is decided.
    pub known: Known,
}

/// Findings of the checks that passed before the refusal. Each member is there only if those before it are.
#[derive(Debug, Default)]
pub struct Known {
    /// The token, which is ours and was not over.
    pub token: Option<Arc<VerifiedToken>>,
    /// The key that signed a proof that fits the request. Absent where no proof is asked for, as with an open connection.
    pub proved_by: Option<Thumbprint>,
    /// The key that signed the proof, fitting or not: the nonce of the answer is for that key.
    pub speaker: Option<Thumbprint>,
    /// The session, which was alive.
    pub session: Option<Session>,
}

impl Unauthenticated {
    pub(crate) fn with_token(token: &Arc<VerifiedToken>, refusal: impl Into<AccessRefusal>) -> Self {
        Self { refusal: refusal.into(), known: Known { token: Some(Arc::clone(token)), ..Known::default() } }
    }

    pub(crate) fn proved_by(self, key: Thumbprint) -> Self {
        Self { known: Known { proved_by: Some(key), speaker: Some(key), ..self.known }, ..self }
    }

    pub(crate) fn spoken_by(self, key: Thumbprint) -> Self {
        Self { known: Known { speaker: Some(key), ..self.known }, ..self }
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
