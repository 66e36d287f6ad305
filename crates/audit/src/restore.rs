//! The way back: from an entry that was opened with the person's key to the facts of its decision.

use std::{borrow::Cow, fmt};

use countersign_core::{
    Facts, FieldValue, OperationRules, Outcome, RequestFacts, ResourceFacts, RiskFacts, RiskReason, RiskView, Session, UnixMillis,
};

use crate::{
    event::Event,
    identity::{DeviceName, Identity},
    recorded_facts::{OpenValue, Owner, RiskSeen},
};

/// Why the facts of a decision cannot be had from its entry. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactsRefusal {
    /// The entry is no decision about a request, was refused before one was made, or is of format 1.
    NotDecided,
    /// What is sealed was not opened, or does not hold all that belongs to a decision.
    Sealed,
}

impl fmt::Display for FactsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecided => "the entry holds no facts of a decision: nothing was decided, or an earlier version wrote it",
            Self::Sealed => "the facts of the decision are sealed; open the entry with the person's key",
        })
    }
}

impl std::error::Error for FactsRefusal {}

/// The facts of the decision that an entry records, dated `at` and opened with the person's key.
///
/// # Errors
/// When nothing was decided, or the entry does not hold all facts.
pub fn facts(event: &Event, identity: &Identity, at: UnixMillis) -> Result<Facts, FactsRefusal> {
    let judged = event.judged().ok_or(FactsRefusal::NotDecided)?;
    let (open, action) = judged.facts.as_ref().zip(judged.action.as_ref()).ok_or(FactsRefusal::NotDecided)?;
    let sealed = identity.facts.as_ref().ok_or(FactsRefusal::Sealed)?;
    let Some(DeviceName::Enrolled(device)) = &identity.device else { return Err(FactsRefusal::Sealed) };
    let (user, id) = identity.user.as_ref().zip(identity.session.as_ref()).ok_or(FactsRefusal::Sealed)?;
    let (subject, resource) = identity.subject.as_ref().zip(identity.resource.as_ref()).ok_or(FactsRefusal::Sealed)?;
    let owner = match open.owner {
        Owner::Nobody => None,
        Owner::Sealed => Some(sealed.owner.clone().ok_or(FactsRefusal::Sealed)?),
        Owner::Subject => Some(subject.to_string()),
    };
    let numbers = open.fields.iter().map(|(name, value)| {
        let value = match value {
            OpenValue::Bool(value) => FieldValue::Bool(*value),
            OpenValue::Long(value) => FieldValue::Long(*value),
        };
        (name.clone(), value)
    });
    let texts = sealed.texts.iter().map(|(name, value)| (name.clone(), FieldValue::Text(value.clone())));
    Ok(Facts {
        subject: subject.clone(),
        session: Session {
            id: id.clone(),
            user: user.clone(),
            roles: sealed.roles.clone(),
            device: device.clone(),
            client: open.client.clone(),
            state: open.state,
            acr: open.acr,
            amr: open.amr.clone(),
            auth_time: open.auth_time,
            bound_at: sealed.times.bound_at,
            created_at: sealed.times.created_at,
            expires_at: sealed.times.expires_at,
        },
        posture: open.posture.posture(device.clone(), sealed.times.report_at),
        unmet: open.lacks.iter().map(Into::into).collect(),
        risk: risk(open.risk.as_ref(), &sealed.usual),
        request: RequestFacts {
            action: action.clone(),
            method: open.method.clone(),
            rules: OperationRules { when_limited: open.when_limited, evidence_age_max: open.evidence_age_max },
            fields: numbers.chain(texts).collect(),
        },
        resource: ResourceFacts { kind: open.resource.clone(), id: resource.clone(), owner },
        now: open.now.unwrap_or_else(|| at.seconds()),
    })
}

fn risk(seen: Option<&RiskSeen>, usual: &[(String, i32)]) -> RiskFacts {
    let parts = seen.map_or(usual, |seen| if seen.score > 0 { &seen.reasons } else { usual });
    let reasons = parts.iter().map(|(name, weight_tenths)| RiskReason { name: Cow::Owned(name.clone()), weight_tenths: *weight_tenths });
    let view = RiskView { score: seen.map_or(0, |seen| seen.score), reasons: reasons.collect() };
    RiskFacts { view, asks: seen.map_or(Outcome::Allow, |seen| seen.asks) }
}
