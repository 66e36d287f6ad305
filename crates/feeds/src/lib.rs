//! Trust anchors, revocation lists and boot keys, fetched on a schedule and kept when what is offered is worse.
//!
//! What this crate does not do: it takes nothing into use. Whoever starts it hands in a [`TakesFeeds`], which reads the new version
//! from its shelf, writes that down, and uses it.

pub mod content;
mod look;
mod pace;
pub mod shelf;

pub use look::{FeedRow, FeedSettings, FeedSource, Feeds, Look, LookFault, RollBackRefusal, TakesFeeds};

#[cfg(test)]
mod tests;
