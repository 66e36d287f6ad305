//! Signals: observations that may change trust, and the channel to which servers send them.

use crate::{
    id::{DeviceId, SessionId, UserId},
    reason::Reason,
    risk::RiskView,
    time::UnixMillis,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// Kind of an observation. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SignalKind {
            $($(#[$doc])* $variant,)*
        }

        impl SignalKind {
            /// All kinds, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable word of the kind in configuration, metrics and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The kind with this word; `None` for any other.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().find(|kind| kind.as_str() == text).copied()
            }
        }
    };
}

kinds! {
    /// The counter of an App Attest assertion was used before.
    AssertionReused = "assertion_reused";
    /// A device showed weaker evidence than before.
    AttestationDowngrade = "attestation_downgrade";
    /// Many wrong secrets were tried for one account.
    BruteForce = "brute_force";
    /// A code was redeemed twice.
    CodeReused = "code_reused";
    /// Far more wrong secrets than usual were tried everywhere.
    CredentialStuffing = "credential_stuffing";
    /// A person reported that a device is not theirs.
    DeviceDisowned = "device_disowned";
    /// A key other than the token's signed a proof.
    ForeignProofKey = "foreign_proof_key";
    /// A key other than the device key asked for a refresh.
    ForeignRefreshKey = "foreign_refresh_key";
    /// Somebody used an account that belongs to nobody and exists only as a trap.
    HoneyAccount = "honey_account";
    /// Somebody called an operation that no app of ours calls and that exists only as a trap.
    HoneyOperation = "honey_operation";
    /// One person appeared at two places within a time in which no airliner gets from one to the other.
    ImpossibleTravel = "impossible_travel";
    /// A person got prompt after prompt.
    MfaFatigue = "mfa_fatigue";
    /// The counter of a passkey went back, so a copy of the passkey exists.
    PasskeyCloned = "passkey_cloned";
    /// Wrong secrets were tried for many accounts from one device, site or network.
    PasswordSpraying = "password_spraying";
    /// A proof was used before.
    ProofReplayed = "proof_replayed";
    /// One person sent more requests than a person can.
    RateBurst = "rate_burst";
    /// A refresh token that was already exchanged was used again.
    RefreshReused = "refresh_reused";
    /// One person touched far more objects than people do.
    Scraping = "scraping";
    /// A transmitter of shared signals reports that a credential was changed, or is known to others.
    SharedCredentialChange = "shared_credential_change";
    /// A transmitter of shared signals reports that sessions ended, or that an account was closed.
    SharedRevocation = "shared_revocation";
    /// A transmitter of shared signals reports that a person or device is less trustworthy than before.
    SharedRisk = "shared_risk";
    /// The channel for signals was full, and some were dropped.
    SignalsLost = "signals_lost";
    /// A person passed a strong authentication just now.
    SteppedUp = "stepped_up";
    /// A login does not look like its person.
    UnusualLogin = "unusual_login";
    /// A session is used in a way that does not look like its person.
    UnusualUse = "unusual_use";
}

/// One observation that may change trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Kind of the observation.
    pub kind: SignalKind,
    /// Reason why it was noticed.
    pub reason: Reason,
    /// Session that it concerns, when known.
    pub session: Option<SessionId>,
    /// Device that it concerns, when known.
    pub device: Option<DeviceId>,
    /// Person that it concerns, when known.
    pub user: Option<UserId>,
    /// Risk score and its parts, when a score was the cause.
    pub view: RiskView,
    /// Time of the observation.
    pub at: UnixMillis,
}

/// A channel for signals that never makes a request wait.
pub trait SignalSink: Send + Sync {
    /// Hands over `signal`. The channel is bounded and does not block: what does not fit is counted and reported as
    /// [`SignalKind::SignalsLost`].
    fn emit(&self, signal: Signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_read_back() {
        assert!(SignalKind::ALL.is_sorted_by_key(|kind| kind.as_str()));
        assert!(SignalKind::ALL.iter().all(|kind| SignalKind::parse(kind.as_str()) == Some(*kind)));
        assert_eq!(SignalKind::parse("Scraping"), None);
    }
}
