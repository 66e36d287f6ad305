//! What a feed says, by the parsers that read the same as files; and which version of it counts.

use std::path::Path;

use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::StatusList,
    boot_keys::BootKeys,
};
use countersign_codec::sha256;
use countersign_compliance::{FeedKind, Measure};
use countersign_core::{Limits, UnixSeconds};

use crate::shelf::{Shelf, Version};

/// What was fetched, understood.
#[derive(Debug)]
pub enum Content {
    /// Trust anchors.
    Anchors(Anchors),
    /// Keys of systems beside the makers'.
    BootKeys(BootKeys),
    /// A revocation list.
    StatusList(StatusList),
}

impl Content {
    /// Reads it strictly. `at` is when it was fetched.
    ///
    /// # Errors
    /// What is wrong with it, in words.
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

    /// What can be said of it beside another version.
    #[must_use]
    pub(crate) fn measure(&self, bytes: &[u8], issued_at: Option<UnixSeconds>) -> Measure {
        let (entries, version) = match self {
            Self::Anchors(anchors) => (anchors.iter().count(), None),
            Self::BootKeys(keys) => (keys.of(None).count(), Some(keys.version())),
            Self::StatusList(list) => (list.len(), None),
        };
        Measure { digest: sha256(&[bytes]), entries, issued_at, version }
    }
}

fn say(why: impl std::fmt::Display) -> String {
    why.to_string()
}

/// Bytes of a feed that are read.
#[must_use]
pub const fn bytes_max(kind: FeedKind) -> usize {
    match kind {
        FeedKind::AndroidAnchors | FeedKind::AppAttestAnchors | FeedKind::ReceiptAnchors => 256 * 1024,
        FeedKind::BootKeys => Limits::BOOT_KEYS_BYTES_MAX,
        FeedKind::StatusList => Limits::STATUS_LIST_BYTES_MAX,
    }
}

/// A version that counts.
#[derive(Debug)]
pub struct Held {
    /// What is known of its fetching.
    pub version: Version,
    /// What it says.
    pub content: Content,
    /// What can be said of it beside others.
    pub measure: Measure,
}

/// The newest version that is whole; `None` leaves it to what is shipped, or to the operator's file.
#[must_use]
pub fn held(data: &Path, kind: FeedKind) -> Option<Held> {
    let shelf = Shelf::of(data, kind);
    for version in shelf.state().versions {
        let read = shelf.read(&version, bytes_max(kind)).and_then(|bytes| {
            if sha256(&[&bytes]) != version.digest {
                return Err("its bytes are not those that were taken".to_owned());
            }
            let content = Content::parse(kind, &bytes, version.confirmed_at)?;
            let measure = content.measure(&bytes, version.issued_at);
            Ok((content, measure))
        });
        match read {
            Ok((content, measure)) => return Some(Held { version, content, measure }),
            Err(why) => tracing::warn!(feed = kind.as_str(), version = version.name, why, "is broken; the one before it is used"),
        }
    }
    None
}

/// What counts without anything fetched, as far as it comes with us.
#[must_use]
pub fn shipped(kind: FeedKind) -> Option<Measure> {
    let of = |anchors: Option<Anchors>| anchors.map(|anchors| Content::Anchors(anchors).measure(&[], None));
    match kind {
        FeedKind::AndroidAnchors => of(Anchors::google().ok()),
        FeedKind::AppAttestAnchors => of(Anchors::apple_app_attest().ok()),
        FeedKind::BootKeys => BootKeys::shipped().ok().map(|keys| Content::BootKeys(keys).measure(BootKeys::SHIPPED.as_bytes(), None)),
        FeedKind::ReceiptAnchors => of(Anchors::apple_receipt().ok()),
        FeedKind::StatusList => None,
    }
}
