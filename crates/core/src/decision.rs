//! Decisions about requests: outcome, reasons, obligations, and what would have changed the answer.

use std::{fmt, sync::Arc};

use crate::{reason::Reason, remedy::Remedy, time::Seconds};

/// Outcome of a decision. Ordered by severity: the greatest of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The request is forwarded.
    Allow,
    /// The request is forwarded, with obligations.
    Limit,
    /// The request is refused; stronger authentication would cure it (RFC 9470).
    StepUp,
    /// The request is refused.
    Deny,
}

impl Outcome {
    /// Stable word of the outcome in API, log and metrics.
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

/// Authentication context class, the strength of an authentication. Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acr {
    /// An authentication that does not resist phishing.
    Basic,
    /// A passkey with user verification (OpenID EAP `phr`).
    PhishingResistant,
    /// A hardware key that can be used only with a fresh biometric.
    Presence,
}

impl Acr {
    /// Stable value of the class in tokens, challenges and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::PhishingResistant => "phishing_resistant",
            Self::Presence => "presence",
        }
    }

    /// The class with this value; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Basic, Self::PhishingResistant, Self::Presence].into_iter().find(|acr| acr.as_str() == text)
    }
}

/// Path of a JSON field that is hidden in a response, such as `/iban`: a JSON pointer (RFC 6901) in which `*` stands for every element or
/// member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskPath(Arc<str>);

impl MaskPath {
    /// Parses a path. `None` when it does not start with `/`, is longer than 256 bytes or has a wrong escape (`~`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // RFC 6901 section 3: only `~0` and `~1` are escapes.
        let escapes_well = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        (text.starts_with('/') && text.len() <= 256 && escapes_well).then(|| Self(Arc::from(text)))
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A limit of at most `count` requests in `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateLimit {
    /// Number of requests, at least one.
    pub count: u32,
    /// Span of time, at least one second.
    pub window: Seconds,
}

impl RateLimit {
    /// Parses a text such as `30/m`: a positive count, and `s`, `m` or `h`. `None` for any other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        // Zero would refuse everything, which is the business of a `forbid`.
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

/// Obligation to be met when a request is forwarded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obligation {
    /// Hide this field of the response. A response that cannot be parsed is withheld.
    Mask(MaskPath),
    /// Let the person through at most this often, on the device in their hand.
    Rate(RateLimit),
}

/// Name of a policy: its `@id`, or its file and position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Arc<str>);

impl PolicyName {
    /// Takes the name of a policy.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
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

/// Result of matching the `permit` policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// These permits matched, by name.
    By(Vec<PolicyName>),
    /// No permit matched, so the request is denied.
    ByNone,
}

/// Effect of one `forbid` that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Name of the policy.
    pub policy: PolicyName,
    /// Outcome of the policy (`@outcome`); [`Outcome::Deny`] without one.
    pub outcome: Outcome,
    /// Reason of the policy (`@reason`).
    pub reason: Reason,
    /// Obligations of the policy (`@mask` and `@rate`).
    pub obligations: Vec<Obligation>,
    /// Authentication class that a step-up must reach (`@acr`).
    pub acr: Option<Acr>,
    /// Greatest age of the authentication after a step-up (`@max_age`).
    pub max_age: Option<Seconds>,
}

/// Advice about a refusal: why nothing permitted the request, and what would. The latter was checked by deciding again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Name of the `permit` that came nearest.
    pub nearest: Option<PolicyName>,
    /// Conditions of that permit that did not hold, in the policy's own words.
    pub unmet: Vec<String>,
    /// Smallest set of remedies that changes the answer; empty when none does.
    pub remedies: Vec<Remedy>,
}

/// A decision: outcome, reasons, obligations, and the policies that determined them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// Outcome of the request.
    pub outcome: Outcome,
    /// Reasons, sorted and without repetition.
    pub reasons: Vec<Reason>,
    /// Obligations to be met when forwarding, sorted and without repetition. Empty unless the outcome is `Limit`.
    pub obligations: Vec<Obligation>,
    /// Policies that determined the decision, sorted and without repetition.
    pub policies: Vec<PolicyName>,
    /// Authentication class that a step-up must reach.
    pub acr: Option<Acr>,
    /// Greatest age of the authentication after a step-up.
    pub max_age: Option<Seconds>,
    /// Advice for a refusal; empty when the request is forwarded.
    pub advice: Advice,
}

impl Decision {
    /// A refusal for one reason, made without asking any policy.
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

    /// Combines the effects of all matching policies. Without a permit the outcome is `Deny`, whatever else matched.
    ///
    /// The most severe outcome wins, and reasons add up. Obligations add up, too, but a refusal has none, since it forwards nothing. Of
    /// several step-ups, the strongest `acr` and the shortest `max_age` count.
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
            // `None` means that no age is asked for, so it is milder than every age and must not win as the least.
            decision.max_age = match (decision.max_age, effect.max_age) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        match decision.outcome {
            // Nothing is asked of the person when the request is forwarded.
            Outcome::Allow | Outcome::Limit => (decision.acr, decision.max_age) = (None, None),
            Outcome::StepUp => decision.obligations.clear(),
            Outcome::Deny => {
                decision.obligations.clear();
                (decision.acr, decision.max_age) = (None, None);
            }
        }
        // Sorted, so that the same facts give the same record whatever the order of policies.
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
