//! Reactions: what each kind of signal leads to, one incident for any number of signals, and a way to undo it.

mod incidents;
mod reactor;
mod rule;

pub use reactor::{Ledger, ReactStores, Reactor, ReactorParts, Tell, UndoRefusal};
pub use rule::{Act, Mode, ReactRule, ReactRules};
