//! The facts of a decision as the log keeps them, and back: what a policy could see, so that the decision can be made again.
//!
//! They are kept in two parts. [`OpenFacts`] identify nobody and are read without a key: numbers, truth values, words of ours. What
//! people wrote, and what tells one person or session from another, is [`SealedFacts`] or a name of its own. What can be
//! recomputed, an age or a degree of trust, is not kept.

use std::collections::BTreeMap;

use countersign_core::{
    Acr, Amr, ClientId, Facts, FieldValue, Outcome, RiskFacts, Role, Seconds, SessionState, UnixMillis, UnixSeconds, WhenLimited,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    posture_seen::{LackSeen, PostureSeen},
    spelling::{number, number_if, word, words},
};

/// The version of these facts that is written and read. A later one is another struct beside this, chosen by this number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version1;

impl Serialize for Version1 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version1 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u8::deserialize(from)? {
            1 => Ok(Self),
            _ => Err(D::Error::custom("facts of a version that is not known here")),
        }
    }
}

/// What a decision looked at and identifies nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenFacts {
    /// Always 1.
    pub v: Version1,
    /// The moment of the decision, where it is not the second of the entry: who sends a body decides how long that takes.
    #[serde(with = "number_if", skip_serializing_if = "Option::is_none", default)]
    pub now: Option<UnixSeconds>,
    /// How strongly the person was authenticated.
    #[serde(with = "word")]
    pub acr: Acr,
    /// By which methods.
    #[serde(with = "words", skip_serializing_if = "Vec::is_empty", default)]
    pub amr: Vec<Amr>,
    /// When the person was last authenticated.
    #[serde(with = "number")]
    pub auth_time: UnixSeconds,
    /// The app.
    #[serde(with = "word")]
    pub client: ClientId,
    /// What the session might do.
    #[serde(with = "word")]
    pub state: SessionState,
    /// The Cedar type of what was acted on.
    pub resource: String,
    /// Whose it was.
    #[serde(skip_serializing_if = "Owner::is_nobody", default)]
    pub owner: Owner,
    /// `GET`, `POST`, ...
    pub method: String,
    /// What the operation does for a limited session.
    #[serde(with = "word")]
    pub when_limited: WhenLimited,
    /// How old the evidence about the device might be, in seconds.
    #[serde(with = "number_if", skip_serializing_if = "Option::is_none", default)]
    pub evidence_age_max: Option<Seconds>,
    /// The body's fields that are numbers or truth values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub fields: BTreeMap<String, OpenValue>,
    /// What was known of the device.
    pub posture: PostureSeen,
    /// What it lacked of what is required.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lacks: Vec<LackSeen>,
    /// How the request looked, where it did not look as usual.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub risk: Option<RiskSeen>,
}

/// A body field that is no text. Texts may be names or notes of people and are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OpenValue {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Long(i64),
}

/// Whose the resource is, without a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The operation does not say.
    #[default]
    Nobody,
    /// Its owner's name stands under the seal.
    Sealed,
    /// The person who asks.
    Subject,
}

impl Owner {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }
}

/// How a request looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskSeen {
    /// From 0 to 100.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub score: u8,
    /// What the score is made of, heaviest first: a word, and tenths of a nat.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<(String, i32)>,
    /// What the operator's bar made of it.
    #[serde(with = "word")]
    pub asks: Outcome,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// What a decision looked at and is somebody's: sealed, each as a field of its own but for the times, which stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFacts {
    /// The groups of permissions that the person held.
    pub roles: Vec<Role>,
    /// Moments that tell one session from another.
    pub times: Times,
    /// The resource's owner, where it is not the person who asks.
    pub owner: Option<String>,
    /// The body's fields that are texts, by name.
    pub texts: BTreeMap<String, String>,
    /// What a score of zero is made of: it says where and when people are.
    pub usual: Vec<(String, i32)>,
}

/// Moments that tell one session from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// As [`countersign_core::Session::bound_at`].
    pub bound_at: UnixSeconds,
    /// As [`countersign_core::Session::created_at`].
    pub created_at: UnixSeconds,
    /// As [`countersign_core::Session::expires_at`].
    pub expires_at: UnixSeconds,
    /// When the app last spoke of its phone; zero when it never did.
    pub report_at: UnixSeconds,
}

/// All facts of a decision, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFacts {
    /// What identifies nobody.
    pub open: OpenFacts,
    /// What is sealed for the person.
    pub sealed: SealedFacts,
}

impl RecordedFacts {
    /// The facts of a decision whose entry is dated `at`.
    #[must_use]
    pub fn of(facts: &Facts, at: UnixMillis) -> Self {
        let mut recorded = Self::from(facts);
        recorded.open.now = recorded.open.now.filter(|now| *now != at.seconds());
        recorded
    }
}

impl From<&Facts> for RecordedFacts {
    fn from(facts: &Facts) -> Self {
        let (session, request) = (&facts.session, &facts.request);
        let subject = facts.subject.as_str();
        let (mut fields, mut texts) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in &request.fields {
            match value {
                FieldValue::Bool(value) => drop(fields.insert(name.clone(), OpenValue::Bool(*value))),
                FieldValue::Long(value) => drop(fields.insert(name.clone(), OpenValue::Long(*value))),
                FieldValue::Text(value) => drop(texts.insert(name.clone(), value.clone())),
            }
        }
        let (risk, usual) = risk_seen(&facts.risk);
        let (owner, others) = match &facts.resource.owner {
            None => (Owner::Nobody, None),
            Some(owner) if owner == subject => (Owner::Subject, None),
            Some(owner) => (Owner::Sealed, Some(owner.clone())),
        };
        Self {
            open: OpenFacts {
                v: Version1,
                now: Some(facts.now),
                acr: session.acr,
                amr: session.amr.clone(),
                auth_time: session.auth_time,
                client: session.client.clone(),
                state: session.state,
                resource: facts.resource.kind.clone(),
                owner,
                method: request.method.clone(),
                when_limited: request.rules.when_limited,
                evidence_age_max: request.rules.evidence_age_max,
                fields,
                posture: PostureSeen::from(&facts.posture),
                lacks: facts.unmet.iter().map(LackSeen::from).collect(),
                risk,
            },
            sealed: SealedFacts {
                roles: session.roles.clone(),
                times: Times {
                    bound_at: session.bound_at,
                    created_at: session.created_at,
                    expires_at: session.expires_at,
                    report_at: facts.posture.report.as_ref().map_or(UnixSeconds(0), |report| report.at),
                },
                owner: others,
                texts,
                usual,
            },
        }
    }
}

/// How it looked for everybody to read, and what only the person's key opens.
fn risk_seen(risk: &RiskFacts) -> (Option<RiskSeen>, Vec<(String, i32)>) {
    let parts: Vec<_> = risk.view.reasons.iter().map(|reason| (reason.name.clone().into_owned(), reason.weight_tenths)).collect();
    let (reasons, usual) = if risk.view.score > 0 { (parts, Vec::new()) } else { (Vec::new(), parts) };
    let unusual = risk.view.score > 0 || risk.asks != Outcome::Allow;
    (unusual.then_some(RiskSeen { score: risk.view.score, reasons, asks: risk.asks }), usual)
}
