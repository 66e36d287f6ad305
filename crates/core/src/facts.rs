//! Everything known about a request at the moment it is judged.

use std::collections::BTreeMap;

use crate::{
    id::{Action, PairwiseId},
    lack::{Lack, Stage},
    posture::Posture,
    risk::RiskFacts,
    session::{Session, SessionState},
    time::{Seconds, UnixSeconds},
};

/// A value that policy may look at; what path parameters and body fields become, once, according to the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(String),
}

/// What an operation does for a session that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLimited {
    /// What policies allow.
    Allow,
    /// Nothing.
    Refuse,
}

/// What an operation asks beside its policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationRules {
    /// What it does for a limited session.
    pub when_limited: WhenLimited,
    /// How old the evidence about the device may be.
    pub evidence_age_max: Option<Seconds>,
}

/// The request as policy sees it: `context.request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// The operation's action.
    pub action: Action,
    /// `GET`, `POST`, ...
    pub method: String,
    /// What the operation asks beside its policies.
    pub rules: OperationRules,
    /// Body fields that the operation declares, by name. A declared field that was optional and absent is absent here.
    pub fields: BTreeMap<String, FieldValue>,
}

/// What is acted on, as the operation declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceFacts {
    /// Its Cedar entity type: `Account`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its owner, as a [`PairwiseId`] is written, when the operation says where to find it.
    pub owner: Option<String>,
}

/// Everything that the decision function may look at, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who acts, under the name that apps and upstreams of this sector know: the token's `sub` and the policies' `principal`.
    pub subject: PairwiseId,
    /// Through what, how strongly authenticated.
    pub session: Session,
    /// On what device.
    pub posture: Posture,
    /// What the device lacks of what is required of it.
    pub lacks: Vec<Lack>,
    /// How it looks beside what is usual.
    pub risk: RiskFacts,
    /// What is asked.
    pub request: RequestFacts,
    /// Of what.
    pub resource: ResourceFacts,
    /// When. Ages in policies are counted from here.
    pub now: UnixSeconds,
}

impl Facts {
    /// Whether less is allowed than policies allow, because of the session's state or because of what its device lacks.
    #[must_use]
    pub fn limited(&self) -> bool {
        self.session.state == SessionState::Limited || self.lacks.iter().any(|lack| lack.stage == Stage::Limit)
    }
}
