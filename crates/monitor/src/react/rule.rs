//! What each kind of signal leads to.

use std::collections::BTreeMap;

use countersign_core::{Seconds, SessionState, SignalKind};

/// What is done. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Somebody is told.
    Alert,
    /// The session may do less until its person confirms.
    Limit,
    /// The session may do nothing until its person signs in again.
    Challenge,
    /// The session ends.
    Revoke,
}

impl Act {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Limit => "limit",
            Self::Challenge => "challenge",
            Self::Revoke => "revoke",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Alert, Self::Limit, Self::Challenge, Self::Revoke].into_iter().find(|act| act.as_str() == text)
    }

    /// The state that a session gets, if it has a better one.
    #[must_use]
    pub fn turns(self, from: SessionState) -> Option<SessionState> {
        let to = match self {
            Self::Alert => return None,
            Self::Limit => SessionState::Limited,
            Self::Challenge => SessionState::Challenged,
            Self::Revoke => SessionState::Revoked,
        };
        (to > from).then_some(to)
    }
}

/// Whether a rule acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It does what it says.
    Enforce,
    /// It says what it would do.
    Observe,
}

impl Mode {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Enforce, Self::Observe].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What one kind of signal leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReactRule {
    /// Whether it acts.
    pub mode: Mode,
    /// What it does.
    pub act: Act,
}

/// What signals lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactRules {
    /// The operator's, instead of the shipped.
    pub own: BTreeMap<SignalKind, ReactRule>,
    /// Signals about the same within this time are one incident.
    pub together: Seconds,
    /// How long a session stays limited when nobody confirms and nobody objects.
    pub limited_for: Seconds,
}

impl Default for ReactRules {
    fn default() -> Self {
        Self { own: BTreeMap::new(), together: Seconds(3600), limited_for: Seconds(86_400) }
    }
}

impl ReactRules {
    /// What a kind of signal leads to.
    #[must_use]
    pub fn of(&self, kind: SignalKind) -> ReactRule {
        self.own.get(&kind).copied().unwrap_or(ReactRule { mode: Mode::Enforce, act: shipped(kind) })
    }
}

/// What the shipped configuration does. A theft that gains nothing changes nothing for its victim: whoever could sign a person
/// out by showing a captured proof would have won something after all.
const fn shipped(kind: SignalKind) -> Act {
    match kind {
        // Refused where they happen, or dealt with there already.
        SignalKind::BruteForce
        | SignalKind::CodeReused
        | SignalKind::CredentialStuffing
        | SignalKind::DeviceDisowned
        | SignalKind::ForeignProofKey
        | SignalKind::ForeignRefreshKey
        | SignalKind::HoneyAccount
        | SignalKind::PasswordSpraying
        | SignalKind::ProofReplayed
        | SignalKind::RefreshReused
        | SignalKind::SignalsLost
        | SignalKind::SteppedUp => Act::Alert,
        SignalKind::AssertionReused
        | SignalKind::AttestationDowngrade
        | SignalKind::ImpossibleTravel
        | SignalKind::MfaFatigue
        | SignalKind::PasskeyCloned
        | SignalKind::RateBurst
        | SignalKind::SharedRisk
        | SignalKind::UnusualLogin
        | SignalKind::UnusualUse => Act::Limit,
        // Limited sessions may read, and reading is what a scraper does; and whoever has a stolen credential has to be asked for another.
        SignalKind::Scraping | SignalKind::SharedCredentialChange => Act::Challenge,
        // Nobody gets there by accident; and what ended elsewhere ends here.
        SignalKind::HoneyOperation | SignalKind::SharedRevocation => Act::Revoke,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_only_make_worse() {
        use SessionState::{Active, Challenged, Limited, Revoked};
        let rows = [
            (Act::Alert, [None, None, None, None]),
            (Act::Limit, [Some(Limited), None, None, None]),
            (Act::Challenge, [Some(Challenged), Some(Challenged), None, None]),
            (Act::Revoke, [Some(Revoked), Some(Revoked), Some(Revoked), None]),
        ];
        for (act, expected) in rows {
            assert_eq!([Active, Limited, Challenged, Revoked].map(|from| act.turns(from)), expected, "{act:?}");
        }
    }

    #[test]
    fn the_operators_rule_stands_before_the_shipped_one() {
        let observe = ReactRule { mode: Mode::Observe, act: Act::Revoke };
        let rules = ReactRules { own: [(SignalKind::Scraping, observe)].into(), ..ReactRules::default() };
        assert_eq!(rules.of(SignalKind::Scraping), observe);
        assert_eq!(rules.of(SignalKind::HoneyOperation), ReactRule { mode: Mode::Enforce, act: Act::Revoke });
        assert_eq!(rules.of(SignalKind::ProofReplayed).act, Act::Alert);
    }

    #[test]
    fn words_are_read_back() {
        for act in [Act::Alert, Act::Limit, Act::Challenge, Act::Revoke] {
            assert_eq!(Act::parse(act.as_str()), Some(act));
        }
        for mode in [Mode::Enforce, Mode::Observe] {
            assert_eq!(Mode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!((Act::parse("Limit"), Mode::parse("off")), (None, None));
    }
}
