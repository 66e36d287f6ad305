//! What is written down: one entry per decision, and one per change to who may do what.

use std::collections::BTreeMap;

use countersign_core::{DecisionId, UnixMillis, UserId};

use crate::{event::Event, identity::Identity, shown};

/// One entry of the log, before it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub at: UnixMillis,
    /// The number under which people ask for it.
    pub decision: DecisionId,
    /// What happened, without anything that identifies somebody.
    pub event: Event,
    /// Whose key seals what identifies somebody; `None` when nobody is known.
    pub person: Option<UserId>,
    /// What identifies somebody.
    pub identity: Identity,
}

impl Entry {
    /// What the event looked at and identifies nobody, in words for eyes.
    #[must_use]
    pub fn words(&self) -> BTreeMap<String, String> {
        shown::words(&self.event, self.at)
    }
}
