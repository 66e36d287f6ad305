//! Content of a feed, read by the parsers that read the same data from files; and the choice of the version that counts.

use std::path::Path;

use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::StatusList,
    boot_keys::BootKeys,
};
use countersign_codec::sha256;
use countersign_compliance::{FeedKind, Summary};
use countersign_core::{Limits, UnixSeconds};

use crate::feed_cache::{FeedCache, Version};

/// Content of a version, parsed.
#[derive(Debug)]
pub enum Content {
    /// Trust anchors of one purpose.
    Anchors(Anchors),
    /// Boot keys of systems that come from others than the phones' makers.
    BootKeys(BootKeys),
    /// List of revoked certificates.
    StatusList(StatusList),
}

impl Content {
    /// Parses the bytes strictly; `at` is the instant at which they were fetched.
    ///
    /// # Errors
    /// A description of the fault, in words.
    pub fn parse(kind: FeedKind, bytes: &[u8], at: UnixSeconds) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
        let anchors = |purpose| Anchors::parse(Source { vendor: Vendor::Operator, purpose }, text).map(Self::Anchors).map_err(say);
        match kind {
            FeedKind::AndroidAnchors => anchors(Purpose::AndroidHardware),
            FeedKind::AppAttestAnchors => anchors(Purpose::AppAttest),
            FeedKind::BootKeys => BootKeys::parse(text).map(Self::BootKeys).map_err(say),
            FeedKind::ReceiptAnchors => anchors(Purpose::AppAttestReceipt),
            FeedKind::StatusList => StatusList::parse(text, at).map(Self::StatusList).map_err(say),
        }
    }

    /// Measures the version for the comparison with another one.
    #[must_use]
    pub(crate) fn summary(&self, bytes: &[u8], issued_at: Option<UnixSeconds>) -> Summary {
        let (entries, version) = match self {
            Self::Anchors(anchors) => (anchors.iter().count(), None),
            Self::BootKeys(keys) => (keys.of(None).count(), Some(keys.version())),
            Self::StatusList(list) => (list.len(), None),
        };
        Summary { digest: sha256(&[bytes]), entries, issued_at, version }
    }
}

fn say(why: impl std::fmt::Display) -> String {
    why.to_string()
}

/// Upper bound on the bytes of a feed.
#[must_use]
pub const fn bytes_max(kind: FeedKind) -> usize {
    match kind {
        FeedKind::AndroidAnchors | FeedKind::AppAttestAnchors | FeedKind::ReceiptAnchors => 256 * 1024,
        FeedKind::BootKeys => Limits::BOOT_KEYS_BYTES_MAX,
        FeedKind::StatusList => Limits::STATUS_LIST_BYTES_MAX,
    }
}

/// Version that counts, with its content.
#[derive(Debug)]
pub struct Held {
    /// File and times of the version.
    pub version: Version,
    /// Content of the version, parsed.
    pub content: Content,
    /// Measure of the version, for the comparison with others.
    pub summary: Summary,
}

/// Reads the newest version that is whole; with `None`, the data that is shipped or the operator's file counts.
#[must_use]
pub fn held(data: &Path, kind: FeedKind) -> Option<Held> {
    let cache = FeedCache::of(data, kind);
    for version in cache.state().versions {
        let read = cache.read(&version, bytes_max(kind)).and_then(|bytes| {
            // The bytes on the disk must be those that were judged when they were taken.
            if sha256(&[&bytes]) != version.digest {
                return Err("its content was changed on disk".to_owned());
            }
            let content = Content::parse(kind, &bytes, version.confirmed_at)?;
            let summary = content.summary(&bytes, version.issued_at);
            Ok((content, summary))
        });
        match read {
            Ok((content, summary)) => return Some(Held { version, content, summary }),
            Err(why) => tracing::warn!(
                feed = kind.as_str(),
                version = version.name,
                why,
                "a stored version is damaged; the previous version is used"
            ),
        }
    }
    None
}

/// Measures the data that is shipped; `None` when none is shipped for this kind.
#[must_use]
pub fn shipped(kind: FeedKind) -> Option<Summary> {
    let of = |anchors: Option<Anchors>| anchors.map(|anchors| Content::Anchors(anchors).summary(&[], None));
    match kind {
        FeedKind::AndroidAnchors => of(Anchors::google().ok()),
        FeedKind::AppAttestAnchors => of(Anchors::apple_app_attest().ok()),
        FeedKind::BootKeys => BootKeys::shipped().ok().map(|keys| Content::BootKeys(keys).summary(BootKeys::SHIPPED.as_bytes(), None)),
        FeedKind::ReceiptAnchors => of(Anchors::apple_receipt().ok()),
        FeedKind::StatusList => None,
    }
}
