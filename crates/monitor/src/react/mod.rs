//! Reactions: what each kind of signal leads to, one incident for any number of signals, and a way to undo it.

mod incidents;
mod reactor;
mod rule;

pub use reactor::{IncidentSink, Ledger, ReactStores, Reactor, ReactorParts, UndoRefusal};
pub use rule::{Mode, ReactRule, ReactRules, Reaction};
