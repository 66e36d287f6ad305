//! Observations that may change trust, and where servers drop them.

use crate::{
    id::{DeviceId, SessionId, UserId},
    reason::Reason,
    risk::RiskView,
    time::UnixMillis,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// What was observed. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SignalKind {
            $($(#[$doc])* $variant,)*
        }

        impl SignalKind {
            /// Every kind, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in configuration, metrics and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the word back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().find(|kind| kind.as_str() == text).copied()
            }
        }
    };
}

kinds! {
    /// An App Attest assertion's counter was used before.
    AssertionReused = "assertion_reused";
    /// A device showed weaker evidence than it had shown before.
    AttestationDowngrade = "attestation_downgrade";
    /// Many wrong secrets for one account.
    BruteForce = "brute_force";
    /// A code was redeemed twice.
    CodeReused = "code_reused";
    /// Far more wrong secrets everywhere than there usually are.
    CredentialStuffing = "credential_stuffing";
    /// A person said that a device is not theirs.
    DeviceDisowned = "device_disowned";
    /// A key other than the token's signed a proof.
    ForeignProofKey = "foreign_proof_key";
    /// A key other than the device key asked for a refresh.
    ForeignRefreshKey = "foreign_refresh_key";
    /// Someone used an account that belongs to nobody.
    HoneyAccount = "honey_account";
    /// Someone called an operation that no app of ours calls.
    HoneyOperation = "honey_operation";
    /// Two places sooner than an airliner.
    ImpossibleTravel = "impossible_travel";
    /// A person was pestered with prompts.
    MfaFatigue = "mfa_fatigue";
    /// A passkey's counter went back.
    PasskeyCloned = "passkey_cloned";
    /// Wrong secrets for many accounts from one device, site or network.
    PasswordSpraying = "password_spraying";
    /// A proof was seen before.
    ProofReplayed = "proof_replayed";
    /// More requests than hands make.
    RateBurst = "rate_burst";
    /// A refresh token that was already exchanged came again.
    RefreshReused = "refresh_reused";
    /// One person touched far more objects than people do.
    Scraping = "scraping";
    /// Somebody whom we listen to says that a credential was changed, or is known to others.
    SharedCredentialChange = "shared_credential_change";
    /// Somebody whom we listen to says that sessions ended, or that an account was closed.
    SharedRevocation = "shared_revocation";
    /// Somebody whom we listen to says that a person or device is less sound than before.
    SharedRisk = "shared_risk";
    /// The channel for signals was full and some were dropped.
    SignalsLost = "signals_lost";
    /// A person proved to be there, strongly and just now.
    SteppedUp = "stepped_up";
    /// A login that does not look like its person.
    UnusualLogin = "unusual_login";
    /// A session that is not used as its person uses it.
    UnusualUse = "unusual_use";
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
    /// Who, when known.
    pub user: Option<UserId>,
    /// What a score was made of, when one was the cause.
    pub view: RiskView,
    /// When.
    pub at: UnixMillis,
}

/// Takes signals without ever making the request wait.
pub trait SignalSink: Send + Sync {
    /// Hands `signal` over. Bounded and non-blocking: an overflow is counted and itself becomes [`SignalKind::SignalsLost`].
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
