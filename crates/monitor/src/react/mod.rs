//! From an observation to a restriction: what a kind of signal leads to, one incident for however many of them, and a way back.

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
