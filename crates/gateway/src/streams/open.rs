//! An open connection, with all that its request proved and that can be asked again.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use countersign_core::{DecisionId, DeviceId, Facts, FieldValue, MaskPath, RiskView, UserId};
use countersign_policy::StreamRules;
use countersign_proof::access_token::VerifiedToken;
use countersign_store::Change;

use crate::{peer::Peer, permit::Basis};

/// An open connection.
pub(crate) struct Open {
    pub(crate) token: Arc<VerifiedToken>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) fields: BTreeMap<String, FieldValue>,
    /// How the request looked that opened it. What looks odd later changes the session, and so reaches the connection.
    pub(crate) view: RiskView,
    /// Peer that opened it; its exchange lasts as long as this.
    pub(crate) peer: Peer,
    /// Fields that are hidden in its answer.
    pub(crate) masks: Vec<MaskPath>,
    /// The decision that opened it.
    pub(crate) opened: DecisionId,
    /// As its operation is declared now.
    rules: ArcSwap<Option<StreamRules>>,
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
}

impl Open {
    /// From what was proved and decided.
    pub(crate) fn new(basis: Basis, facts: Facts, opened: DecisionId, masks: Vec<MaskPath>, peer: Peer) -> Self {
        Self {
            token: basis.token,
            method: facts.request.method,
            path: basis.path,
            fields: facts.request.fields,
            view: facts.risk.view,
            peer,
            masks,
            opened,
            rules: ArcSwap::from_pointee(basis.rules),
            user: facts.session.user,
            device: facts.session.device,
        }
    }

    /// Whether it may have another answer after this change.
    pub(crate) fn concerned(&self, change: &Change) -> bool {
        match change {
            Change::Device(id) => *id == self.device,
            Change::Everything | Change::Rules => true,
            Change::Session(id) => id == self.token.session(),
            Change::User(id) => *id == self.user,
        }
    }

    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        self.rules().map_or("exchange", |rules| rules.kind().as_str())
    }

    /// The rules of its stream as its operation is declared now; `None` where none is declared.
    pub(crate) fn rules(&self) -> Option<StreamRules> {
        **self.rules.load()
    }

    /// Notes that its operation is declared in another way from now on.
    pub(crate) fn follows(&self, rules: Option<StreamRules>) {
        if self.rules() != rules {
            self.rules.store(rules.into());
        }
    }
}
