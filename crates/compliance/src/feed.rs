//! Data that is fetched while a node runs: the kinds of it, and the rule for when an offered version takes the place of the held one.
//!
//! Whoever can answer for a vendor's address could take phones out or let phones in: by an old list, an emptied list, a page
//! of a captive portal. So nothing is taken that is worse than what is held; an operator looks, and decides.

use core::fmt;

use countersign_core::UnixSeconds;

/// Kind of data that is fetched. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedKind {
    /// Root certificates of Android Key Attestation.
    AndroidAnchors,
    /// Root certificates of Apple's App Attest.
    AppAttestAnchors,
    /// Verified boot keys of Android systems that come from others than the phones' makers.
    BootKeys,
    /// Root certificates of the receipts of Apple's App Attest.
    ReceiptAnchors,
    /// Google's list of attestation certificates that are revoked or suspended.
    StatusList,
}

impl FeedKind {
    /// All kinds, in alphabetical order.
    pub const ALL: [Self; 5] = [Self::AndroidAnchors, Self::AppAttestAnchors, Self::BootKeys, Self::ReceiptAnchors, Self::StatusList];

    /// Name of the kind in the configuration, the metrics, the data directory and at the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AndroidAnchors => "android_anchors",
            Self::AppAttestAnchors => "app_attest_anchors",
            Self::BootKeys => "boot_keys",
            Self::ReceiptAnchors => "receipt_anchors",
            Self::StatusList => "status_list",
        }
    }

    /// Reads the name that [`Self::as_str`] writes; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Number of entries that an offered version must have at least when the held one has `held`. Roots come and go one by one, so that
    /// less than half is an accident; a status list grows, and loses only entries that have expired.
    const fn entries_min(self, held: usize) -> usize {
        match self {
            Self::AndroidAnchors | Self::AppAttestAnchors | Self::BootKeys | Self::ReceiptAnchors => held.div_ceil(2),
            Self::StatusList => held.saturating_sub(held / 4),
        }
    }
}

/// Facts about a version that can be told without knowing what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// SHA-256 of the version's bytes as fetched.
    pub digest: [u8; 32],
    /// Number of entries: roots, keys or revoked certificates.
    pub entries: usize,
    /// Instant of the last change, as the source states it; `None` when it states none.
    pub issued_at: Option<UnixSeconds>,
    /// Number that the version gives itself; `None` when it gives none.
    pub version: Option<u64>,
}

/// Reason why an offered version is not taken. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedRefusal {
    /// The offered version has no entries.
    Empty,
    /// The offered version was changed before the held one was.
    IssuedEarlier {
        /// Instant of the held version's last change.
        held: UnixSeconds,
        /// Instant of the offered version's last change.
        offered: UnixSeconds,
    },
    /// An operator took the offered version out of use.
    RolledBack,
    /// The offered version has lost too many of the held one's entries.
    Shrunk {
        /// Number of entries in the held version.
        held: usize,
        /// Number of entries in the offered version.
        offered: usize,
    },
    /// The offered version has a lower number than the held one.
    VersionLower {
        /// Number of the held version.
        held: u64,
        /// Number of the offered version.
        offered: u64,
    },
    /// The offered version has the same number as the held one (the value) and other content.
    VersionReused(u64),
}

impl FeedRefusal {
    /// Stable code of the refusal, for metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::IssuedEarlier { .. } => "issued_earlier",
            Self::RolledBack => "rolled_back",
            Self::Shrunk { .. } => "shrunk",
            Self::VersionLower { .. } => "version_lower",
            Self::VersionReused(_) => "version_reused",
        }
    }
}

impl fmt::Display for FeedRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::IssuedEarlier { held, offered } => write!(f, "it was modified at {offered}, before the current one ({held})"),
            Self::RolledBack => f.write_str("an operator rolled back this version"),
            Self::Shrunk { held, offered } => write!(f, "it has {offered} entries, the current one has {held}"),
            Self::VersionLower { held, offered } => write!(f, "its version {offered} is lower than the current version {held}"),
            Self::VersionReused(version) => write!(f, "it has the same version {version} as the current one, but different content"),
        }
    }
}

/// Outcome of a look at an offered version. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedOutcome {
    /// The offered version is the held one, which is therefore as fresh as this look.
    Keep,
    /// The offered version is worse; the held one stays, and ages.
    Refuse(FeedRefusal),
    /// The offered version takes the held one's place.
    Take,
}

/// Judges an offered version beside the held one (`None` when nothing is held) and beside the digests of the versions that an operator
/// rolled back.
#[must_use]
pub fn judge_offer(kind: FeedKind, held: Option<&Summary>, rolled_back: &[[u8; 32]], offered: &Summary) -> FeedOutcome {
    // Before all else: an empty list is an accident or an attack, also when nothing is held yet.
    if offered.entries == 0 {
        return FeedOutcome::Refuse(FeedRefusal::Empty);
    }
    // Before the comparison with the held version: a rolled back version must not come back by being offered again.
    if rolled_back.contains(&offered.digest) {
        return FeedOutcome::Refuse(FeedRefusal::RolledBack);
    }
    let Some(held) = held else { return FeedOutcome::Take };
    // The same bytes are never worse, whatever the bounds below say.
    if held.digest == offered.digest {
        return FeedOutcome::Keep;
    }
    if let (Some(held), Some(offered)) = (held.version, offered.version) {
        // SECURITY: an old version, true in its time, would make certificates good again that were revoked since.
        if offered < held {
            return FeedOutcome::Refuse(FeedRefusal::VersionLower { held, offered });
        }
        // One number for two contents: one of them is wrong, and nothing here can tell which.
        if offered == held {
            return FeedOutcome::Refuse(FeedRefusal::VersionReused(held));
        }
    }
    if let (Some(held), Some(offered)) = (held.issued_at, offered.issued_at)
        && offered < held
    {
        return FeedOutcome::Refuse(FeedRefusal::IssuedEarlier { held, offered });
    }
    if offered.entries < kind.entries_min(held.entries) {
        return FeedOutcome::Refuse(FeedRefusal::Shrunk { held: held.entries, offered: offered.entries });
    }
    FeedOutcome::Take
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Summary {
        Summary { digest: [1; 32], entries: 100, issued_at: Some(UnixSeconds(1_000)), version: Some(7) }
    }

    /// A good offer beside `held`.
    fn offer() -> Summary {
        Summary { digest: [2; 32], entries: 101, issued_at: Some(UnixSeconds(1_001)), version: Some(8) }
    }

    #[test]
    fn what_is_worse_is_not_taken() {
        use FeedKind::{AndroidAnchors, StatusList};
        use FeedOutcome::{Keep, Refuse, Take};
        type Row = (&'static str, FeedKind, fn(&mut Summary), FeedOutcome);
        let shrunk = |offered| Refuse(FeedRefusal::Shrunk { held: 100, offered });
        let (held_at, lower) = (UnixSeconds(1_000), FeedRefusal::VersionLower { held: 7, offered: 6 });
        let rows: &[Row] = &[
            ("a newer one", StatusList, |_| {}, Take),
            ("the held one again", StatusList, |o| *o = held(), Keep),
            ("an empty one", StatusList, |o| o.entries = 0, Refuse(FeedRefusal::Empty)),
            ("three quarters of a list", StatusList, |o| o.entries = 75, Take),
            ("less of a list", StatusList, |o| o.entries = 74, shrunk(74)),
            ("half of the roots", AndroidAnchors, |o| o.entries = 50, Take),
            ("less than half of the roots", AndroidAnchors, |o| o.entries = 49, shrunk(49)),
            ("a lower version", StatusList, |o| o.version = Some(6), Refuse(lower)),
            ("the version of the held one", StatusList, |o| o.version = Some(7), Refuse(FeedRefusal::VersionReused(7))),
            ("no version any more", StatusList, |o| o.version = None, Take),
            ("changed in the same second", StatusList, |o| o.issued_at = Some(UnixSeconds(1_000)), Take),
            (
                "changed a second earlier",
                StatusList,
                |o| o.issued_at = Some(UnixSeconds(999)),
                Refuse(FeedRefusal::IssuedEarlier { held: held_at, offered: UnixSeconds(999) }),
            ),
            ("no date any more", StatusList, |o| o.issued_at = None, Take),
            ("the one that was rolled back", StatusList, |o| o.digest = [9; 32], Refuse(FeedRefusal::RolledBack)),
        ];
        for (name, kind, change, expected) in rows {
            let mut offered = offer();
            change(&mut offered);
            assert_eq!(judge_offer(*kind, Some(&held()), &[[8; 32], [9; 32]], &offered), *expected, "{name}");
        }
    }

    #[test]
    fn without_a_held_one_anything_is_taken_that_says_something() {
        let rows: &[(&str, fn(&mut Summary), FeedOutcome)] = &[
            ("something", |_| {}, FeedOutcome::Take),
            ("nothing", |o| o.entries = 0, FeedOutcome::Refuse(FeedRefusal::Empty)),
            ("the one that was rolled back", |o| o.digest = [9; 32], FeedOutcome::Refuse(FeedRefusal::RolledBack)),
        ];
        for (name, change, expected) in rows {
            let mut offered = offer();
            change(&mut offered);
            assert_eq!(judge_offer(FeedKind::BootKeys, None, &[[8; 32], [9; 32]], &offered), *expected, "{name}");
        }
    }

    #[test]
    fn half_of_few_is_never_nothing() {
        for (kind, held, least) in [
            (FeedKind::AndroidAnchors, 1, 1),
            (FeedKind::AndroidAnchors, 2, 1),
            (FeedKind::ReceiptAnchors, 3, 2),
            (FeedKind::StatusList, 1, 1),
            (FeedKind::StatusList, 4, 3),
            (FeedKind::StatusList, 5, 4),
        ] {
            assert_eq!(kind.entries_min(held), least, "{kind:?} {held}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for kind in FeedKind::ALL {
            assert_eq!(FeedKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(FeedKind::parse("weather"), None);
    }
}
