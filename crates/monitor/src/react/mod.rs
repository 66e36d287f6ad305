//! Reactions: what each kind of signal leads to, one incident for any number of signals, and a way to undo it.

mod incidents;
mod letter;
mod letterbox;
mod reactor;
mod rule;
mod webhook;

pub use letter::{Letter, Phase, Writer};
pub use letterbox::{Again, Letterbox, Put, Waiting};
pub use reactor::{Ledger, ReactStores, Reactor, ReactorParts, Tell, Told, UndoRefusal};
pub use rule::{Act, Mode, ReactRule, ReactRules};
pub use webhook::{Message, WebhookKey, WebhookKeyRefusal};
