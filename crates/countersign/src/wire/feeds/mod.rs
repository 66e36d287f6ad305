//! Trust anchors, revocation lists and boot keys, fetched on a schedule and kept when what is offered is worse.

pub mod content;
mod look;
mod pace;
pub mod shelf;

pub use look::{FeedRow, Feeds, Look, LookFault, RollBackRefusal, TakesFeeds};

#[cfg(test)]
mod tests;
