//! Leave to let one request pass.

use std::sync::Arc;

use countersign_core::{Decision, Facts, MaskPath, Obligation, Outcome, RateLimit};
use countersign_policy::StreamRules;
use countersign_proof::access_token::VerifiedToken;

use crate::refusal::Refusal;

/// Ground on which an exchange was admitted that may last, and by which it is judged again.
#[derive(Debug)]
pub(crate) struct Basis {
    /// The token; its proof was for the request, and is not asked again.
    pub(crate) token: Arc<VerifiedToken>,
    /// The request's path, by which the operation is found again.
    pub(crate) path: String,
    /// The operation's rules for its connection, where a stream is declared.
    pub(crate) rules: Option<StreamRules>,
}

/// Leave to let one request pass: it was decided, and the decision allows it. It is spent, not shown.
///
/// Nobody outside of this crate can make one,
///
/// ```compile_fail,E0451
/// # fn f(decision: countersign_core::Decision, facts: countersign_core::Facts) {
/// let permit = countersign_gateway::Permit { decision, facts, basis: None };
/// # }
/// ```
/// ```compile_fail,E0624
/// # fn f(decision: countersign_core::Decision, facts: countersign_core::Facts) {
/// let permit = countersign_gateway::Permit::from(decision, facts);
/// # }
/// ```
/// nor have two of one,
///
/// ```compile_fail,E0599
/// # fn f(permit: countersign_gateway::Permit) {
/// let second = permit.clone();
/// # }
/// ```
/// ```compile_fail,E0382
/// # fn f(permit: countersign_gateway::Permit) {
/// let spend = |permit: countersign_gateway::Permit| drop(permit);
/// spend(permit);
/// spend(permit);
/// # }
/// ```
/// and the same holds for the receipt of its record, without which nothing passes:
///
/// ```compile_fail,E0451
/// let receipt = countersign_store::Written { seq: 0 };
/// ```
/// ```compile_fail,E0624
/// let receipt = countersign_store::Written::new(0);
/// ```
/// ```compile_fail,E0599
/// # fn f(receipt: countersign_store::Written) {
/// let second = receipt.clone();
/// # }
/// ```
/// What was only counted is no receipt of that kind, and only a stranger's refusal is counted:
///
/// ```compile_fail,E0423
/// let counted = countersign_store::Counted(());
/// ```
/// ```compile_fail,E0624
/// # fn f(refusal: countersign_store::StrangerRefusal) {
/// let counted = countersign_store::Counted::of(refusal);
/// # }
/// ```
/// ```compile_fail,E0451
/// # fn f(site: countersign_core::Site, entry: countersign_audit::Entry) {
/// let refusal = countersign_store::StrangerRefusal { site, entry };
/// # }
/// ```
/// ```compile_fail,E0423
/// let over = countersign_store::NotLive(());
/// ```
/// The session and the posture that a decision stands on are made by the store's promises alone:
///
/// ```compile_fail,E0423
/// # fn f(session: countersign_core::Session) {
/// let live = countersign_store::LiveSession(session);
/// # }
/// ```
/// ```compile_fail,E0624
/// # fn f(session: countersign_core::Session, now: countersign_core::UnixSeconds) {
/// let live = countersign_store::LiveSession::of(Some(session), now);
/// # }
/// ```
/// ```compile_fail,E0423
/// # fn f(posture: countersign_core::Posture) {
/// let live = countersign_store::LivePosture(posture);
/// # }
/// ```
/// ```compile_fail,E0624
/// # fn f(device: countersign_store::Device) {
/// let live = countersign_store::LivePosture::of(Some(device));
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Permit {
    decision: Decision,
    facts: Facts,
    basis: Option<Basis>,
}

impl Permit {
    /// A decision that allows becomes a permit; every other one a refusal.
    pub(crate) fn from(decision: Decision, facts: Facts) -> Result<Self, Refusal> {
        match decision.outcome {
            Outcome::Allow | Outcome::Limit => Ok(Self { decision, facts, basis: None }),
            Outcome::StepUp | Outcome::Deny => Err(Refusal::of(decision, &facts)),
        }
    }

    /// Notes that what is let through may last, and stands as long as this does.
    pub(crate) fn held(self, basis: Basis) -> Self {
        Self { basis: Some(basis), ..self }
    }

    /// The decision.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What it was made of.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The rates that it obliges us to keep.
    pub(crate) fn rates(&self) -> impl Iterator<Item = RateLimit> {
        self.decision.obligations.iter().filter_map(|obligation| match obligation {
            Obligation::Rate(limit) => Some(*limit),
            Obligation::Mask(_) => None,
        })
    }

    /// The fields that it obliges us to hide.
    pub(crate) fn masks(&self) -> Vec<MaskPath> {
        let mask = |obligation: &Obligation| match obligation {
            Obligation::Mask(path) => Some(path.clone()),
            Obligation::Rate(_) => None,
        };
        self.decision.obligations.iter().filter_map(mask).collect()
    }

    /// Gives what it let through.
    pub(crate) fn spend(self) -> (Facts, Option<Basis>) {
        (self.facts, self.basis)
    }
}
