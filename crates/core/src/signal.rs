//! Observations that may change trust, and where servers drop them.

use crate::{
    id::{DeviceId, SessionId},
    reason::Reason,
    time::UnixMillis,
};

/// What was observed. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalKind {
    /// An App Attest assertion's counter was used before.
    AssertionReused,
    /// A code was redeemed twice.
    CodeReused,
    /// A key other than the token's signed a proof.
    ForeignProofKey,
    /// A key other than the device key asked for a refresh.
    ForeignRefreshKey,
    /// A passkey's counter went back.
    PasskeyCloned,
    /// A proof was seen before.
    ProofReplayed,
    /// The channel for signals was full and some were dropped.
    SignalsLost,
}

impl SignalKind {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssertionReused => "assertion_reused",
            Self::CodeReused => "code_reused",
            Self::ForeignProofKey => "foreign_proof_key",
            Self::ForeignRefreshKey => "foreign_refresh_key",
            Self::PasskeyCloned => "passkey_cloned",
            Self::ProofReplayed => "proof_replayed",
            Self::SignalsLost => "signals_lost",
        }
    }
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What.
    pub kind: SignalKind,
    /// Why it was noticed.
    pub reason: Reason,
    /// Whose session, when known.
    pub session: Option<SessionId>,
    /// Whose device, when known.
    pub device: Option<DeviceId>,
    /// When.
    pub at: UnixMillis,
}

/// Takes signals without ever making the request wait.
pub trait SignalSink: Send + Sync {
    /// Hands `signal` over. Bounded and non-blocking: an overflow is counted and itself becomes [`SignalKind::SignalsLost`].
    fn emit(&self, signal: Signal);
}
