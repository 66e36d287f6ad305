//! The facts about a request at the moment of its decision.

use std::collections::BTreeMap;

use crate::{
    id::{Action, PairwiseId},
    posture::Posture,
    risk::RiskFacts,
    session::{Session, SessionState},
    time::{Seconds, UnixSeconds},
    unmet::{Stage, Unmet},
};

/// A value that policies may look at. Path parameters and body fields are converted into it once, as the operation declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A truth value, `true` or `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Long(i64),
    /// A text, in UTF-8.
    Text(String),
}

/// Behaviour of an operation for a limited session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLimited {
    /// The policies decide, as for any session.
    Allow,
    /// The operation is refused.
    Refuse,
}

/// Requirements of an operation beside the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationRules {
    /// Behaviour for a limited session.
    pub when_limited: WhenLimited,
    /// Greatest accepted age of the evidence about the device; `None` for no limit.
    pub evidence_age_max: Option<Seconds>,
}

/// The request as policies see it: `context.request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// Action of the operation.
    pub action: Action,
    /// HTTP method, such as `GET` or `POST`.
    pub method: String,
    /// Requirements of the operation beside the policies.
    pub rules: OperationRules,
    /// Body fields that the operation declares, by name. An optional field that was absent in the body is absent here.
    pub fields: BTreeMap<String, FieldValue>,
}

/// The resource of the request, as the operation declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceFacts {
    /// Cedar entity type of the resource, such as `Account`.
    pub kind: String,
    /// Id of the resource.
    pub id: String,
    /// Owner of the resource, in the form of a [`PairwiseId`], when the operation says where to find it.
    pub owner: Option<String>,
}

/// All facts that the decision function may look at, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The person, by the name that apps and upstreams of this sector know: the token's `sub` and the policies' `principal`.
    pub subject: PairwiseId,
    /// The session, with the strength of its authentication.
    pub session: Session,
    /// The device, as its evidence shows it.
    pub posture: Posture,
    /// Requirements that the device does not meet.
    pub unmet: Vec<Unmet>,
    /// Risk: a comparison of the request with what is usual.
    pub risk: RiskFacts,
    /// The request, as policies see it.
    pub request: RequestFacts,
    /// The resource that the request is about.
    pub resource: ResourceFacts,
    /// Time of the decision, from which ages in policies are counted.
    pub now: UnixSeconds,
}

impl Facts {
    /// True when less is allowed than policies allow, because of the session's state or because of an unmet requirement on its device.
    #[must_use]
    pub fn limited(&self) -> bool {
        self.session.state == SessionState::Limited || self.unmet.iter().any(|unmet| unmet.stage == Stage::Limit)
    }
}
