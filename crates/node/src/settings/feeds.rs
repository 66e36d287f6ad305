//! What is fetched, and how often.

use std::path::Path;

use countersign_feeds::{FeedSettings, FeedSource};

use crate::config;

/// The settings of what is fetched. `status_list` is the operator's own, which counts until one is fetched.
#[must_use]
pub fn feeds(sources: &[config::FeedSource], data: &Path, status_list: Option<&Path>) -> FeedSettings {
    let source =
        |feed: &config::FeedSource| FeedSource { kind: feed.kind, url: feed.url.clone(), every: feed.every, warn_after: feed.warn_after };
    FeedSettings { sources: sources.iter().map(source).collect(), data: data.to_owned(), status_list: status_list.map(Path::to_owned) }
}
