//! Annotations of a policy, which Cedar itself does not interpret: its name, and what a matching `forbid` does.

use std::fmt;

use cedar_policy::{Effect, Policy};
use countersign_core::{Acr, MaskPath, Matched, Obligation, Outcome, PolicyName, PolicyReason, RateLimit, Reason, Seconds};

/// Every annotation that is known.
const KNOWN: [&str; 8] = ["acr", "description", "id", "mask", "max_age", "outcome", "rate", "reason"];

/// Fault in an annotation. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnnotationProblem {
    /// The annotation belongs to a `forbid` with another outcome.
    Misplaced(String),
    /// The value of the annotation does not parse.
    ValueInvalid(String),
    /// There is no such annotation.
    Unknown(String),
}

impl fmt::Display for AnnotationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misplaced(name) => write!(f, "`@{name}` cannot be used here"),
            Self::ValueInvalid(name) => write!(f, "the value of `@{name}` is invalid"),
            Self::Unknown(name) => write!(f, "there is no annotation `@{name}`"),
        }
    }
}

impl AnnotationProblem {
    /// Advice how to correct the fault.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::Misplaced(name) => match name.as_str() {
                "mask" | "rate" => "use it together with `@outcome(\"limit\")` on a `forbid`".to_owned(),
                "acr" | "max_age" => "use it together with `@outcome(\"step_up\")` on a `forbid`".to_owned(),
                _ => "use it only on a `forbid`".to_owned(),
            },
            Self::ValueInvalid(name) => match name.as_str() {
                "acr" => "write basic, phishing_resistant or presence",
                "mask" => "write paths, such as `/iban,/accounts/*/balance`",
                "max_age" => "write a duration, such as `120s`, `2m` or `1h`",
                "outcome" => "write limit, step_up or deny",
                "rate" => "write a rate, such as `30/m` (per `s`, `m` or `h`)",
                "reason" => "write a code of lower-case letters, digits and `_`",
                _ => "write a name of letters, digits, `_`, `-` and `.`",
            }
            .to_owned(),
            Self::Unknown(_) => format!("there are {}", KNOWN.map(|name| format!("@{name}")).join(", ")),
        }
    }
}

/// Name of a policy: its `@id`, when it has one.
pub(crate) fn name(policy: &Policy) -> Result<Option<String>, AnnotationProblem> {
    let fits = |id: &str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    match policy.annotation("id") {
        None => Ok(None),
        Some(id) if fits(id) => Ok(Some(id.to_owned())),
        Some(_) => Err(AnnotationProblem::ValueInvalid("id".to_owned())),
    }
}

/// Effect of a `forbid` when it matches; `None` for a `permit`.
pub(crate) fn effect(policy: &Policy, name: &PolicyName) -> Result<Option<Matched>, AnnotationProblem> {
    // SECURITY: an unknown annotation is refused. A misspelt `@mask` would otherwise be ignored, and its field shown.
    if let Some((unknown, _)) = policy.annotations().find(|(key, _)| !KNOWN.contains(key)) {
        return Err(AnnotationProblem::Unknown(unknown.to_owned()));
    }
    if policy.effect() == Effect::Permit {
        let misplaced = ["acr", "mask", "max_age", "outcome", "rate", "reason"].into_iter().find(|key| policy.annotation(key).is_some());
        return misplaced.map_or(Ok(None), |key| Err(AnnotationProblem::Misplaced(key.to_owned())));
    }
    let outcome = match policy.annotation("outcome") {
        None | Some("deny") => Outcome::Deny,
        Some("step_up") => Outcome::StepUp,
        Some("limit") => Outcome::Limit,
        Some(_) => return Err(AnnotationProblem::ValueInvalid("outcome".to_owned())),
    };
    let only_with = |keys: &[&str], wanted: Outcome| {
        let misplaced = keys.iter().find(|key| policy.annotation(key).is_some() && outcome != wanted);
        misplaced.map_or(Ok(()), |key| Err(AnnotationProblem::Misplaced((*key).to_owned())))
    };
    only_with(&["mask", "rate"], Outcome::Limit)?;
    only_with(&["acr", "max_age"], Outcome::StepUp)?;
    Ok(Some(Matched {
        policy: name.clone(),
        outcome,
        reason: reason(policy, name)?,
        obligations: obligations(policy)?,
        acr: value(policy, "acr", Acr::parse)?,
        max_age: value(policy, "max_age", span)?,
    }))
}

/// Reason code: the `@reason`, otherwise the policy's name where that is a valid code.
fn reason(policy: &Policy, name: &PolicyName) -> Result<Reason, AnnotationProblem> {
    match value(policy, "reason", PolicyReason::parse)? {
        Some(code) => Ok(Reason::Policy(code)),
        None => Ok(PolicyReason::parse(name.as_str()).map_or(Reason::NoPermit, Reason::Policy)),
    }
}

fn obligations(policy: &Policy) -> Result<Vec<Obligation>, AnnotationProblem> {
    let paths = |text: &str| text.split(',').map(|path| MaskPath::parse(path.trim()).map(Obligation::Mask)).collect::<Option<Vec<_>>>();
    let mut obligations = value(policy, "mask", paths)?.unwrap_or_default();
    obligations.extend(value(policy, "rate", RateLimit::parse)?.map(Obligation::Rate));
    Ok(obligations)
}

fn value<T>(policy: &Policy, key: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, AnnotationProblem> {
    match policy.annotation(key) {
        None => Ok(None),
        Some(text) => read(text).map(Some).ok_or_else(|| AnnotationProblem::ValueInvalid(key.to_owned())),
    }
}

/// A span of time from a text such as `120s`, `2m` or `1h`; `None` for any other form and for zero.
fn span(text: &str) -> Option<Seconds> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|n| *n > 0)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(unit).map(Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_taken_strictly() {
        let text = String::from;
        let rows: &[(&str, &str, Option<AnnotationProblem>)] = &[
            ("a plain forbid", "forbid", None),
            ("a curable forbid", "@outcome(\"step_up\") @acr(\"presence\") @max_age(\"2m\") forbid", None),
            ("an unknown one", "@curable(\"yes\") forbid", Some(AnnotationProblem::Unknown(text("curable")))),
            ("an outcome of a permit", "@outcome(\"deny\") permit", Some(AnnotationProblem::Misplaced(text("outcome")))),
            ("a rate of a step-up", "@outcome(\"step_up\") @rate(\"1/s\") forbid", Some(AnnotationProblem::Misplaced(text("rate")))),
            ("an age of a deny", "@max_age(\"2m\") forbid", Some(AnnotationProblem::Misplaced(text("max_age")))),
            ("an age of nothing", "@outcome(\"step_up\") @max_age(\"0m\") forbid", Some(AnnotationProblem::ValueInvalid(text("max_age")))),
            ("an unknown strength", "@outcome(\"step_up\") @acr(\"mfa\") forbid", Some(AnnotationProblem::ValueInvalid(text("acr")))),
        ];
        for (name, head, expected) in rows {
            let policy: Policy = format!("{head} (principal, action, resource);").parse().expect("Cedar");
            assert_eq!(effect(&policy, &PolicyName::new("a")).err(), *expected, "{name}");
        }
        let policy: Policy = "@id(\"a b\") permit (principal, action, resource);".parse().expect("Cedar");
        assert_eq!(name(&policy), Err(AnnotationProblem::ValueInvalid(text("id"))));
    }
}
