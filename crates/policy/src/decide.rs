//! The one decision function. Every enforcement point calls it, so the same facts get the same answer everywhere.

use cedar_policy::{Authorizer, Decision as Verdict, PolicySet};
use countersign_core::{
    Acr, Advice, ContractViolation, Decision, Facts, Limits, Matched, Outcome, Permitted, PolicyName, Reason, SessionState, Stage,
    WhenLimited,
};

use crate::{
    advice,
    load::{Policies, Slice},
};

impl Policies {
    /// Decides a request: facts go in; outcome, reasons, obligations and advice come out. The function is pure, so the same facts get the
    /// same answer at every enforcement point.
    ///
    /// A policy that cannot be evaluated makes the decision a `deny` with the reason `policy_error`, although Cedar would skip that policy.
    pub fn decide(&self, facts: &Facts) -> Decision {
        let Some(slice) = self.slices.get(&facts.request.action) else { return Decision::deny(Reason::UnknownOperation) };
        let decision = self.judge(slice, facts);
        match decision.outcome {
            Outcome::Allow | Outcome::Limit => decision,
            // Advice would evaluate the same broken policy again.
            Outcome::StepUp | Outcome::Deny if decision.reasons.contains(&Reason::PolicyError) => decision,
            Outcome::StepUp | Outcome::Deny => {
                let advice = self.advise(slice, facts, &decision);
                Decision { advice, ..decision }
            }
        }
    }

    /// The decision without advice.
    fn judge(&self, slice: &Slice, facts: &Facts) -> Decision {
        self.weigh(slice, facts).unwrap_or_else(|_| Decision::deny(Reason::PolicyError))
    }

    fn weigh(&self, slice: &Slice, facts: &Facts) -> Result<Decision, ContractViolation> {
        let (request, entities) = self.types.ask(facts, &slice.actions)?;
        let matching = |policies: &PolicySet| {
            let response = Authorizer::new().is_authorized(&request, policies, &entities);
            // SECURITY: Cedar skips a policy whose evaluation fails, so a failing forbid would silently not forbid (cedar #2428).
            if response.diagnostics().errors().next().is_some() {
                return Err(ContractViolation("a validated policy evaluates"));
            }
            Ok((response.decision(), response.diagnostics().reason().cloned().collect::<Vec<_>>()))
        };
        let (verdict, permits) = matching(&slice.permits)?;
        let permitted = match verdict {
            Verdict::Allow => Permitted::By(permits.iter().map(|id| PolicyName::new(id.as_ref())).collect()),
            Verdict::Deny => Permitted::ByNone,
        };
        let (_, forbids) = matching(&slice.forbids)?;
        let matched = forbids.iter().map(|id| self.effects.get(id).cloned().ok_or(ContractViolation("every forbid has an effect")));
        let matched = matched.collect::<Result<Vec<_>, _>>()?;
        Ok(Decision::fold(permitted, matched.into_iter().chain(built_in(facts))))
    }

    fn advise(&self, slice: &Slice, facts: &Facts, decision: &Decision) -> Advice {
        let (nearest, unmet) = if decision.reasons.contains(&Reason::NoPermit) {
            self.types.ask(facts, &slice.actions).ok().and_then(|(request, entities)| slice.advice.nearest(&request, &entities)).unzip()
        } else {
            (None, None)
        };
        // The same decision function, so that advice never promises what the decision would not keep.
        let turns = |changed: &Facts| matches!(self.judge(slice, changed).outcome, Outcome::Allow | Outcome::Limit);
        Advice { nearest, unmet: unmet.unwrap_or_default(), remedies: advice::remedies(facts, turns) }
    }
}

/// Rules that stand in the configuration, in the form of policies: the requirements on devices, and those of the operation.
fn built_in(facts: &Facts) -> impl Iterator<Item = Matched> {
    let rules = facts.request.rules;
    let unmet = facts.unmet.iter().filter_map(|unmet| match unmet.stage {
        Stage::Observe => None,
        Stage::Limit => Some((Outcome::Limit, unmet.reason.clone(), "device")),
        Stage::Enforce => Some((Outcome::Deny, unmet.reason.clone(), "device")),
    });
    let by_device = facts.unmet.iter().any(|unmet| unmet.stage == Stage::Limit);
    let refuses = rules.when_limited == WhenLimited::Refuse;
    // A step-up does not cure an unmet requirement of the device, so this denies.
    let limited = (refuses && by_device).then_some((Outcome::Deny, Reason::SessionLimited, "operation"));
    // A session that the monitor limited can be cleared by its person with a step-up.
    let suspect = refuses && facts.session.state == SessionState::Limited;
    let suspect = suspect.then_some((Outcome::StepUp, Reason::SessionSuspect, "operation"));
    // A person who has just confirmed is not asked again for the same score, which the step-up does not lower at once.
    let fresh = facts.now.age_of(facts.session.auth_time, Limits::CLOCK_AHEAD_MAX) <= Limits::FRESH_AUTHENTICATION_AGE_MAX;
    let confirmed = facts.session.acr >= Acr::PhishingResistant && fresh;
    let risk = match facts.risk.asks {
        Outcome::Allow | Outcome::Limit => None,
        Outcome::StepUp if confirmed => None,
        Outcome::StepUp => Some((Outcome::StepUp, Reason::RiskRaised, "risk")),
        Outcome::Deny => Some((Outcome::Deny, Reason::RiskHigh, "risk")),
    };
    let stale = rules.evidence_age_max.is_some_and(|age_max| facts.posture.evidence_age(facts.now) > age_max);
    let stale = stale.then_some((Outcome::Deny, Reason::EvidenceStale, "operation"));
    unmet.chain(limited).chain(suspect).chain(risk).chain(stale).map(|(outcome, reason, rule)| {
        let asks = outcome == Outcome::StepUp;
        Matched {
            policy: PolicyName::new(&format!("{rule}.{reason}")),
            outcome,
            reason,
            obligations: Vec::new(),
            acr: asks.then_some(Acr::PhishingResistant),
            max_age: asks.then_some(Limits::FRESH_AUTHENTICATION_AGE_MAX),
        }
    })
}
