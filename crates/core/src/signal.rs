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
    /// A device showed weaker evidence than it had shown before.
    AttestationDowngrade,
    /// Many wrong secrets for one account.
    BruteForce,
    /// A code was redeemed twice.
    CodeReused,
    /// Far more wrong secrets everywhere than there usually are.
    CredentialStuffing,
    /// A key other than the token's signed a proof.
    ForeignProofKey,
    /// A key other than the device key asked for a refresh.
    ForeignRefreshKey,
    /// Someone used an account that belongs to nobody.
    HoneyAccount,
    /// Someone called an operation that no app of ours calls.
    HoneyOperation,
    /// Two places sooner than an airliner.
    ImpossibleTravel,
    /// A person was pestered with prompts.
    MfaFatigue,
    /// A passkey's counter went back.
    PasskeyCloned,
    /// Wrong secrets for many accounts from one device, site or network.
    PasswordSpraying,
    /// A proof was seen before.
    ProofReplayed,
    /// More requests than hands make.
    RateBurst,
    /// A refresh token that was already exchanged came again.
    RefreshReused,
    /// One person touched far more objects than people do.
    Scraping,
    /// The channel for signals was full and some were dropped.
    SignalsLost,
    /// A login that does not look like its person.
    UnusualLogin,
    /// A session that is not used as its person uses it.
    UnusualUse,
}

impl SignalKind {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssertionReused => "assertion_reused",
            Self::AttestationDowngrade => "attestation_downgrade",
            Self::BruteForce => "brute_force",
            Self::CodeReused => "code_reused",
            Self::CredentialStuffing => "credential_stuffing",
            Self::ForeignProofKey => "foreign_proof_key",
            Self::ForeignRefreshKey => "foreign_refresh_key",
            Self::HoneyAccount => "honey_account",
            Self::HoneyOperation => "honey_operation",
            Self::ImpossibleTravel => "impossible_travel",
            Self::MfaFatigue => "mfa_fatigue",
            Self::PasskeyCloned => "passkey_cloned",
            Self::PasswordSpraying => "password_spraying",
            Self::ProofReplayed => "proof_replayed",
            Self::RateBurst => "rate_burst",
            Self::RefreshReused => "refresh_reused",
            Self::Scraping => "scraping",
            Self::SignalsLost => "signals_lost",
            Self::UnusualLogin => "unusual_login",
            Self::UnusualUse => "unusual_use",
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
