//! What was fetched of the feeds that the config names: it takes the place of what is shipped.

use std::path::Path;

use countersign_compliance::FeedKind;
use countersign_feeds::content::{self, Content};

use crate::config::FeedSource;

/// The fetched versions below a data directory, of those feeds that are configured.
#[derive(Clone, Copy)]
pub struct Fetched<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// The feeds that the config names. A version of any other was fetched once and does not count any more.
    pub feeds: &'a [FeedSource],
}

impl Fetched<'_> {
    /// The newest whole version of a feed that is configured.
    #[must_use]
    pub fn of(&self, kind: FeedKind) -> Option<Content> {
        self.names(kind).then(|| content::held(self.data, kind)).flatten().map(|held| held.content)
    }

    /// Whether a feed is configured.
    #[must_use]
    pub fn names(&self, kind: FeedKind) -> bool {
        self.feeds.iter().any(|feed| feed.kind == kind)
    }
}
