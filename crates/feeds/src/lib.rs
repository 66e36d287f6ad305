//! Trust anchors, revocation lists and boot keys, fetched on a schedule and kept when what is offered is worse.
//!
//! What this crate does not do: it takes nothing into use. The node hands it a [`TakesFeeds`], which reads a new version from its shelf,
//! records that, and uses it.

pub mod content;
pub mod feed_cache;
mod look;
mod pace;

pub use look::{FeedRow, FeedSettings, FeedSource, Feeds, Look, LookFault, RollBackRefusal, TakesFeeds};

#[cfg(test)]
mod tests;
