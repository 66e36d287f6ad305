//! From an observation to a restriction: what a kind of signal leads to, one incident for however many of them, and a way back.

mod incidents;
mod reactor;
mod rule;

pub use reactor::{Ledger, ReactStores, Reactor, ReactorParts, Tell, UndoRefusal};
pub use rule::{Act, Mode, ReactRule, ReactRules};
