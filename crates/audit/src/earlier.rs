//! What an entry of format 1 says: its facts are words that were written for eyes, and stay words.

use std::collections::BTreeMap;

use countersign_core::{Action, PolicyName, Remedy};

use crate::choices::EventKind;

/// An event as format 1 wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// What happened.
    pub kind: EventKind,
    /// The operation's action, where one was found.
    pub action: Option<Action>,
    /// The policies that determined the answer.
    pub policies: Vec<PolicyName>,
    /// What the answer looked at and identifies nobody: `device.trust`, `auth.acr`, ...
    pub words: BTreeMap<String, String>,
    /// The `permit` that came nearest, on a default deny.
    pub nearest: Option<PolicyName>,
    /// Its conditions that did not hold.
    pub unmet: Vec<String>,
    /// What would have turned the answer.
    pub remedies: Vec<Remedy>,
}
