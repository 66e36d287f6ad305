//! Advice about a refusal: the nearest permit with its unmet conditions, and the smallest remedy that a person could try.
//!
//! Only refusals pay for it. The conditions of every `permit` are split into conjuncts when policies are loaded, and a remedy is tried by
//! deciding again with changed facts. Remedies come from a fixed list, so they never reveal what a detector saw.

use cedar_policy::{Authorizer, Entities, Policy, PolicyId, PolicySet, Request};
use countersign_core::{
    Acr, BootState, ContractViolation, EvidenceTier, Facts, Limits, PatchLevel, PolicyName, PublicReason, Remedy, SecurityLevel,
    SessionState, UnixSeconds,
};
use serde_json::{Value, json};

/// The permits of one action, split into conjuncts.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    /// Every conjunct as a policy of its own.
    conjuncts: PolicySet,
    parts: Vec<(PolicyName, Vec<(PolicyId, String)>)>,
}

impl Permits {
    pub(crate) fn of<'a>(permits: impl Iterator<Item = (&'a PolicyName, &'a Policy)>) -> Result<Self, ContractViolation> {
        let broken = ContractViolation("a policy that parsed has a JSON form");
        let mut all = Self::default();
        for (name, policy) in permits.take(Limits::ADVICE_PERMITS_MAX) {
            let mut form = policy.to_json().map_err(|_| broken)?;
            let conditions = form.get_mut("conditions").map(Value::take).unwrap_or_default();
            let mut parts = Vec::new();
            // The first part is the scope alone; it fails when the permit is about other principals or resources.
            for condition in std::iter::once(None).chain(conjuncts(&conditions).into_iter().map(Some)).take(Limits::ADVICE_CONJUNCTS_MAX) {
                let id = PolicyId::new(format!("{name}/{}", parts.len()));
                if let Some(fields) = form.as_object_mut() {
                    fields.insert("conditions".to_owned(), condition.iter().cloned().collect());
                }
                let part = Policy::from_json(Some(id.clone()), form.clone()).map_err(|_| broken)?;
                parts.push((id, words(&part.to_string(), condition.is_some())));
                all.conjuncts.add(part).map_err(|_| broken)?;
            }
            all.parts.push((name.clone(), parts));
        }
        Ok(all)
    }

    /// The permit with the fewest unmet conditions, and these conditions in its own words.
    pub(crate) fn nearest(&self, request: &Request, entities: &Entities) -> Option<(PolicyName, Vec<String>)> {
        let response = Authorizer::new().is_authorized(request, &self.conjuncts, entities);
        // Each part is a permit of its own, so Cedar names as reasons the parts that hold.
        let held: Vec<_> = response.diagnostics().reason().collect();
        let unmet = |parts: &[(PolicyId, String)]| {
            parts.iter().filter(|(id, _)| !held.contains(&id)).map(|(_, words)| words.clone()).collect::<Vec<_>>()
        };
        self.parts.iter().map(|(name, parts)| (name.clone(), unmet(parts))).min_by_key(|(_, unmet)| unmet.len())
    }
}

/// The conditions in a policy's JSON form, with each `when` split at every `&&`.
fn conjuncts(conditions: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for condition in conditions.as_array().into_iter().flatten() {
        let body = condition.get("body").cloned().unwrap_or_default();
        if condition.get("kind").and_then(Value::as_str) == Some("when") {
            // A list instead of recursion, so that a deeply nested condition cannot overflow the stack.
            let mut waiting = vec![body];
            while let Some(body) = waiting.pop() {
                match body.get("&&") {
                    Some(both) => waiting.extend(["right", "left"].iter().filter_map(|side| both.get(*side)).cloned()),
                    None => found.push(json!({ "kind": "when", "body": body })),
                }
            }
        } else {
            found.push(condition.clone());
        }
    }
    found
}

/// The condition inside a policy's text, or its scope when there is none.
fn words(policy: &str, conditional: bool) -> String {
    let flat = policy.split_whitespace().collect::<Vec<_>>().join(" ");
    let between = |open: char, close: char| {
        let (_, rest) = flat.split_once(open)?;
        rest.rsplit_once(close).map(|(inside, _)| inside.trim().to_owned())
    };
    let found = if conditional { between('{', '}') } else { between('(', ')') };
    match found {
        Some(words) if flat.contains(") unless {") => format!("not ({words})"),
        Some(words) => words,
        None => flat,
    }
}

/// Remedies that a person or the app can try, with the change that each makes to the facts. Alphabetical.
const CURES: [(Remedy, fn(&mut Facts)); 5] = [
    (Remedy::AttestDevice, attested),
    (Remedy::ConfirmItsYou, confirmed),
    (Remedy::SignInAgain, signed_in),
    (Remedy::UpdateApp, app_updated),
    (Remedy::UpdateSystem, system_updated),
];

/// The smallest set of remedies after which `turns` reports another answer: a single one, otherwise two together, otherwise none.
pub(crate) fn remedies(facts: &Facts, turns: impl Fn(&Facts) -> bool) -> Vec<Remedy> {
    let after = |cures: &[fn(&mut Facts)]| {
        let mut changed = facts.clone();
        cures.iter().for_each(|cure| cure(&mut changed));
        changed
    };
    if let Some((remedy, _)) = CURES.iter().find(|(_, cure)| turns(&after(&[*cure]))) {
        return vec![*remedy];
    }
    // At most ten pairs of the five remedies, each of which costs one decision.
    for (n, (first, one)) in CURES.iter().enumerate() {
        if let Some((second, _)) = CURES.iter().skip(n.saturating_add(1)).find(|(_, other)| turns(&after(&[*one, *other]))) {
            return vec![*first, *second];
        }
    }
    Vec::new()
}

/// Confirms the sign-in. A frozen session stays frozen: only a limited one can be cleared by its person.
fn confirmed(facts: &mut Facts) {
    if facts.session.state == SessionState::Limited {
        facts.session.state = SessionState::Active;
    }
    facts.session.auth_time = facts.now;
    facts.session.acr = facts.session.acr.max(Acr::PhishingResistant);
}

fn signed_in(facts: &mut Facts) {
    confirmed(facts);
    facts.session.created_at = facts.now;
}

fn system_updated(facts: &mut Facts) {
    facts.posture.patch_level = this_month(facts.now).or(facts.posture.patch_level);
    facts.unmet.retain(|unmet| unmet.reason.public() != PublicReason::SystemOutdated);
}

fn app_updated(facts: &mut Facts) {
    // The greatest version that Cedar can hold, newer than any that a policy can require.
    facts.posture.app_version = u64::try_from(i64::MAX).ok();
    facts.unmet.retain(|unmet| unmet.reason.public() != PublicReason::AppOutdated);
}

/// Changes the facts as fresh evidence could at best. Evidence may show what was unknown, but it cannot move a key from software into
/// hardware, and it does not undo what earlier evidence showed.
fn attested(facts: &mut Facts) {
    facts.posture.established_at = facts.now;
    facts.unmet.retain(|unmet| unmet.reason.public() != PublicReason::Reattest);
    if facts.posture.tier < EvidenceTier::Hardware {
        facts.posture.tier = EvidenceTier::Hardware;
        facts.posture.security_level = SecurityLevel::TrustedEnvironment;
        facts.posture.bootloader_locked = facts.posture.bootloader_locked.or(Some(true));
        facts.posture.boot_state = facts.posture.boot_state.or(Some(BootState::Verified));
    }
}

/// The newest patch level whose month has begun.
fn this_month(now: UnixSeconds) -> Option<PatchLevel> {
    // By the average year, so around New Year the result may be one too great; the year before is tried as well.
    let year = now.0 / 31_556_952 + 1970;
    (1..=12_u64)
        .flat_map(|month| [(year, month), (year.saturating_sub(1), month)])
        .filter_map(|(year, month)| PatchLevel::from_number(year * 100 + month))
        .filter(|patch| patch.age(now).0 > 0)
        .max()
}
