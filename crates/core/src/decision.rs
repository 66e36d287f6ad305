//! The answer to a request: outcome, reasons, obligations, and what would have changed it.

use std::{fmt, sync::Arc};

use crate::{reason::Reason, remedy::Remedy, time::Seconds};

/// What happens to the request. Ordered by severity: the greatest of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Forward it.
    Allow,
    /// Forward it, with obligations.
    Limit,
    /// Refuse it; stronger authentication would cure it (RFC 9470).
    StepUp,
    /// Refuse it.
    Deny,
}

impl Outcome {
    /// The word in API, log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Limit => "limit",
            Self::StepUp => "step_up",
            Self::Deny => "deny",
        }
    }
}

/// Authentication context class: how strongly the person was authenticated. Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acr {
    /// Not by anything that resists phishing.
    Basic,
    /// By a passkey with user verification (OpenID EAP `phr`).
    PhishingResistant,
    /// By a hardware key that opens only to a fresh biometric.
    Presence,
}

impl Acr {
    /// The value in tokens, challenges and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::PhishingResistant => "phishing_resistant",
            Self::Presence => "presence",
        }
    }

    /// Reads the value back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Basic, Self::PhishingResistant, Self::Presence].into_iter().find(|acr| acr.as_str() == text)
    }
}

/// Path of a field in a JSON response that is hidden: `/iban` (RFC 6901, where `*` stands for every element or member).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskPath(Arc<str>);

impl MaskPath {
    /// Reads a path. `None` when it does not start with `/`, is longer than 256 bytes or escapes (`~`) wrongly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let escapes_well = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        (text.starts_with('/') && text.len() <= 256 && escapes_well).then(|| Self(Arc::from(text)))
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most `count` requests in `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateLimit {
    /// Requests; at least one.
    pub count: u32,
    /// Span of time; at least one second.
    pub window: Seconds,
}

impl RateLimit {
    /// Reads `30/m`: a positive count, and `s`, `m` or `h`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let count = count.parse::<u32>().ok().filter(|n| *n > 0)?;
        let window = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        Some(Self { count, window: Seconds(window) })
    }
}

/// What must be done when allowing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obligation {
    /// Hide this field of the response; a response that cannot be parsed is withheld.
    Mask(MaskPath),
    /// Let the session through at most this often.
    Rate(RateLimit),
}

/// A policy as its file names it: its `@id`, or file and position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Arc<str>);

impl PolicyName {
    /// Takes the name in.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether some `permit` matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// These matched.
    By(Vec<PolicyName>),
    /// None did.
    ByNone,
}

/// The effect of one `forbid` that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its name.
    pub policy: PolicyName,
    /// Its `@outcome`; [`Outcome::Deny`] without one.
    pub outcome: Outcome,
    /// Its `@reason`.
    pub reason: Reason,
    /// Its `@mask` and `@rate`.
    pub obligations: Vec<Obligation>,
    /// Its `@acr`: what a step-up must reach.
    pub acr: Option<Acr>,
    /// Its `@max_age`: how fresh a step-up must be.
    pub max_age: Option<Seconds>,
}

/// Why nothing permitted the request, and what would (the counterfactual, checked by asking again).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// The `permit` that came nearest.
    pub nearest: Option<PolicyName>,
    /// Its conditions that did not hold, in the policy's own words.
    pub unmet: Vec<String>,
    /// The smallest set of remedies that turns the answer; empty when none does.
    pub remedies: Vec<Remedy>,
}

/// Outcome, reasons, obligations and the policies that determined it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// What happens.
    pub outcome: Outcome,
    /// Why: sorted, without repetition.
    pub reasons: Vec<Reason>,
    /// What must be done when forwarding: sorted, without repetition. Empty unless the outcome is `Limit`.
    pub obligations: Vec<Obligation>,
    /// The policies that determined it: sorted, without repetition.
    pub policies: Vec<PolicyName>,
    /// What a step-up must reach.
    pub acr: Option<Acr>,
    /// How fresh a step-up must be.
    pub max_age: Option<Seconds>,
    /// What would have changed a default deny.
    pub advice: Advice,
}

impl Decision {
    /// A refusal for one reason, before any policy was asked.
    pub fn deny(reason: Reason) -> Self {
        Self {
            outcome: Outcome::Deny,
            reasons: vec![reason],
            obligations: Vec::new(),
            policies: Vec::new(),
            acr: None,
            max_age: None,
            advice: Advice::default(),
        }
    }

    /// Folds the effects of all matching policies. Without a permit the answer is `Deny`, whatever else matched.
    ///
    /// The most severe outcome wins and reasons add up. Obligations add up where they can still be met: they are dropped
    /// from a refusal, which forwards nothing. Of several step-ups the strongest `acr` and the shortest `max_age` count.
    pub fn fold(permitted: Permitted, matched: impl IntoIterator<Item = Matched>) -> Self {
        let mut decision = match permitted {
            Permitted::By(policies) => Self { outcome: Outcome::Allow, reasons: Vec::new(), policies, ..Self::deny(Reason::NoPermit) },
            Permitted::ByNone => Self::deny(Reason::NoPermit),
        };
        for effect in matched {
            decision.outcome = decision.outcome.max(effect.outcome);
            decision.reasons.push(effect.reason);
            decision.policies.push(effect.policy);
            decision.obligations.extend(effect.obligations);
            decision.acr = decision.acr.max(effect.acr);
            decision.max_age = match (decision.max_age, effect.max_age) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        match decision.outcome {
            Outcome::Allow | Outcome::Limit => (decision.acr, decision.max_age) = (None, None),
            Outcome::StepUp => decision.obligations.clear(),
            Outcome::Deny => {
                decision.obligations.clear();
                (decision.acr, decision.max_age) = (None, None);
            }
        }
        decision.reasons.sort();
        decision.reasons.dedup();
        decision.obligations.sort();
        decision.obligations.dedup();
        decision.policies.sort();
        decision.policies.dedup();
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::PolicyReason;

    fn reason(code: &str) -> Reason {
        Reason::Policy(PolicyReason::parse(code).expect("a code"))
    }

    fn matched(name: &str, outcome: Outcome) -> Matched {
        let obligations = vec![Obligation::Mask(MaskPath::parse("/iban").expect("a path"))];
        Matched {
            policy: PolicyName::new(name),
            outcome,
            reason: reason(name),
            obligations,
            acr: Some(Acr::PhishingResistant),
            max_age: None,
        }
    }

    #[test]
    fn the_most_severe_outcome_wins() {
        let permit = || Permitted::By(vec![PolicyName::new("p")]);
        let (limit, step_up, deny) = (|| matched("l", Outcome::Limit), || matched("s", Outcome::StepUp), || matched("d", Outcome::Deny));
        let rows: &[(&str, Permitted, Vec<Matched>, Outcome, usize, &[&str])] = &[
            ("a permit alone", permit(), vec![], Outcome::Allow, 0, &[]),
            ("nothing", Permitted::ByNone, vec![], Outcome::Deny, 0, &["no_permit"]),
            ("a limit", permit(), vec![limit()], Outcome::Limit, 1, &["l"]),
            ("two limits add up", permit(), vec![limit(), matched("m", Outcome::Limit)], Outcome::Limit, 1, &["l", "m"]),
            ("a step-up", permit(), vec![step_up()], Outcome::StepUp, 0, &["s"]),
            ("limit and step-up", permit(), vec![step_up(), limit()], Outcome::StepUp, 0, &["l", "s"]),
            ("limit, step-up and deny", permit(), vec![limit(), deny(), step_up()], Outcome::Deny, 0, &["d", "l", "s"]),
            ("a curable forbid without a permit", Permitted::ByNone, vec![step_up()], Outcome::Deny, 0, &["no_permit", "s"]),
            ("a limit without a permit", Permitted::ByNone, vec![limit()], Outcome::Deny, 0, &["l", "no_permit"]),
        ];
        for (name, permitted, effects, outcome, obligations, reasons) in rows {
            let decision = Decision::fold(permitted.clone(), effects.clone());
            assert_eq!(decision.outcome, *outcome, "{name}");
            assert_eq!(decision.obligations.len(), *obligations, "{name}");
            let mut codes: Vec<_> = decision.reasons.iter().map(Reason::code).collect();
            codes.sort_unstable();
            assert_eq!(codes, *reasons, "{name}");
            assert_eq!(decision.acr.is_some(), *outcome == Outcome::StepUp, "{name}");
        }
    }

    #[test]
    fn the_strongest_and_freshest_step_up_counts() {
        let a = Matched { acr: Some(Acr::Presence), max_age: Some(Seconds(600)), ..matched("a", Outcome::StepUp) };
        let b = Matched { acr: Some(Acr::Basic), max_age: Some(Seconds(120)), ..matched("b", Outcome::StepUp) };
        let decision = Decision::fold(Permitted::By(vec![]), [a, b]);
        assert_eq!((decision.acr, decision.max_age), (Some(Acr::Presence), Some(Seconds(120))));
    }

    #[test]
    fn annotations_parse_strictly() {
        assert_eq!(RateLimit::parse("30/m"), Some(RateLimit { count: 30, window: Seconds(60) }));
        for bad in ["", "30", "0/m", "-1/m", "30/d", "30/m ", "99999999999/m"] {
            assert_eq!(RateLimit::parse(bad), None, "{bad}");
        }
        assert!(MaskPath::parse("/a~1b/*").is_some());
        for bad in ["", "iban", "/a~2", "/a~"] {
            assert_eq!(MaskPath::parse(bad), None, "{bad}");
        }
    }
}
