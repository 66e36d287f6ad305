//! Rules: the reaction to each kind of signal.

use std::collections::BTreeMap;

use countersign_core::{Seconds, SessionState, SignalKind};

/// Reaction to a signal. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reaction {
    /// Somebody is notified, and nothing is changed.
    Alert,
    /// The session may do less until its person confirms.
    Limit,
    /// The session may do nothing until its person signs in again.
    Challenge,
    /// The session ends, together with its tokens.
    Revoke,
}

impl Reaction {
    /// Stable word of the reaction in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Limit => "limit",
            Self::Challenge => "challenge",
            Self::Revoke => "revoke",
        }
    }

    /// The reaction with this word; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Alert, Self::Limit, Self::Challenge, Self::Revoke].into_iter().find(|act| act.as_str() == text)
    }

    /// The state that a session gets; `None` when it has that state or a stricter one.
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

/// Mode of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The reaction is carried out.
    Enforce,
    /// The reaction is only reported.
    Observe,
}

impl Mode {
    /// Stable word of the mode in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }

    /// The mode with this word; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Enforce, Self::Observe].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Rule for one kind of signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReactRule {
    /// Mode of the rule.
    pub mode: Mode,
    /// Reaction of the rule.
    pub act: Reaction,
}

/// Rules for all kinds of signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactRules {
    /// Rules of the operator, which replace the shipped ones.
    pub own: BTreeMap<SignalKind, ReactRule>,
    /// Time within which signals about the same subject are one incident.
    pub together: Seconds,
    /// Time for which a session stays limited when nobody confirms and nobody objects.
    pub limited_for: Seconds,
}

impl Default for ReactRules {
    fn default() -> Self {
        Self { own: BTreeMap::new(), together: Self::TOGETHER, limited_for: Self::LIMITED_FOR }
    }
}

impl ReactRules {
    /// Time within which signals about the same subject are one incident, as shipped.
    pub const TOGETHER: Seconds = Seconds(3600);

    /// Time for which a session stays limited when nobody confirms and nobody objects, as shipped.
    pub const LIMITED_FOR: Seconds = Seconds(86_400);

    /// The rule for a kind of signal.
    #[must_use]
    pub fn of(&self, kind: SignalKind) -> ReactRule {
        self.own.get(&kind).copied().unwrap_or(ReactRule { mode: Mode::Enforce, act: shipped(kind) })
    }
}

/// Reaction of the shipped configuration.
///
/// SECURITY: a failed theft changes nothing for its victim. Otherwise an attacker could sign people out by replaying captured proofs.
const fn shipped(kind: SignalKind) -> Reaction {
    match kind {
        // These are refused where they happen, or handled there already.
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
        | SignalKind::SteppedUp => Reaction::Alert,
        SignalKind::AssertionReused
        | SignalKind::AttestationDowngrade
        | SignalKind::ImpossibleTravel
        | SignalKind::MfaFatigue
        | SignalKind::PasskeyCloned
        | SignalKind::RateBurst
        | SignalKind::SharedRisk
        | SignalKind::UnusualLogin
        | SignalKind::UnusualUse => Reaction::Limit,
        // A limited session may read, and reading is what a scraper does. Somebody with a stolen credential must be asked for another one.
        SignalKind::Scraping | SignalKind::SharedCredentialChange => Reaction::Challenge,
        // A trap is not reached by accident, and a session that ended elsewhere ends here.
        SignalKind::HoneyOperation | SignalKind::SharedRevocation => Reaction::Revoke,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_only_make_worse() {
        use SessionState::{Active, Challenged, Limited, Revoked};
        let rows = [
            (Reaction::Alert, [None, None, None, None]),
            (Reaction::Limit, [Some(Limited), None, None, None]),
            (Reaction::Challenge, [Some(Challenged), Some(Challenged), None, None]),
            (Reaction::Revoke, [Some(Revoked), Some(Revoked), Some(Revoked), None]),
        ];
        for (act, expected) in rows {
            assert_eq!([Active, Limited, Challenged, Revoked].map(|from| act.turns(from)), expected, "{act:?}");
        }
    }

    #[test]
    fn the_operators_rule_stands_before_the_shipped_one() {
        let observe = ReactRule { mode: Mode::Observe, act: Reaction::Revoke };
        let rules = ReactRules { own: [(SignalKind::Scraping, observe)].into(), ..ReactRules::default() };
        assert_eq!(rules.of(SignalKind::Scraping), observe);
        assert_eq!(rules.of(SignalKind::HoneyOperation), ReactRule { mode: Mode::Enforce, act: Reaction::Revoke });
        assert_eq!(rules.of(SignalKind::ProofReplayed).act, Reaction::Alert);
    }

    #[test]
    fn words_are_read_back() {
        for act in [Reaction::Alert, Reaction::Limit, Reaction::Challenge, Reaction::Revoke] {
            assert_eq!(Reaction::parse(act.as_str()), Some(act));
        }
        for mode in [Mode::Enforce, Mode::Observe] {
            assert_eq!(Mode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!((Reaction::parse("Limit"), Mode::parse("off")), (None, None));
    }
}
