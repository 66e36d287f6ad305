//! What the platform's vendor says of a device and an app: Google Play Integrity.
//!
//! Names follow <https://developer.android.com/google/play/integrity/verdicts>. A member that the vendor did not send is `None`
//! or empty, which no requirement accepts.

use std::collections::BTreeSet;

use crate::time::UnixSeconds;

macro_rules! words {
    ($(#[$top:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal;)* }) => {
        $(#[$top])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in listings, log, policy and storage.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the word back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

words! {
    /// How sound the device is. Ordered by strength.
    Integrity {
        /// None of the labels.
        None = "none";
        /// An emulator that Google knows (`MEETS_VIRTUAL_INTEGRITY`).
        Virtual = "virtual";
        /// Passes basic checks (`MEETS_BASIC_INTEGRITY`).
        Basic = "basic";
        /// A certified device (`MEETS_DEVICE_INTEGRITY`).
        Device = "device";
        /// Certified, with hardware-backed proof and recent patches (`MEETS_STRONG_INTEGRITY`).
        Strong = "strong";
    }
}

words! {
    /// What Play Protect found. Ordered by severity.
    PlayProtect {
        /// It is on and found nothing.
        NoIssues = "no_issues";
        /// It is on and has not looked yet.
        NoData = "no_data";
        /// It is off.
        PossibleRisk = "possible_risk";
        /// It found apps that may be harmful.
        MediumRisk = "medium_risk";
        /// It found apps that are dangerous.
        HighRisk = "high_risk";
        /// It was not evaluated.
        Unevaluated = "unevaluated";
    }
}

words! {
    /// What other apps could do to this one at that moment. Alphabetical; `Known` ones come from Play.
    AppAccess {
        /// An app from Play records the screen.
        KnownCapturing = "known_capturing";
        /// An app from Play controls the phone.
        KnownControlling = "known_controlling";
        /// Apps from Play are installed.
        KnownInstalled = "known_installed";
        /// An app from Play draws over others.
        KnownOverlays = "known_overlays";
        /// Something that this version of ours does not know.
        Other = "other";
        /// An app from elsewhere records the screen.
        UnknownCapturing = "unknown_capturing";
        /// An app from elsewhere controls the phone.
        UnknownControlling = "unknown_controlling";
        /// Apps from elsewhere are installed.
        UnknownInstalled = "unknown_installed";
        /// An app from elsewhere draws over others.
        UnknownOverlays = "unknown_overlays";
    }
}

words! {
    /// Whether Google knows the app. Ordered by strength.
    Recognition {
        /// It was not evaluated, or the value is unknown to us.
        Unevaluated = "unevaluated";
        /// Certificate or package differ from what Google distributes.
        Unrecognized = "unrecognized";
        /// As Google distributes it.
        Recognized = "recognized";
    }
}

words! {
    /// Whether the person got the app from Play. Ordered by strength.
    Licensing {
        /// It was not evaluated, or the value is unknown to us.
        Unevaluated = "unevaluated";
        /// They did not.
        Unlicensed = "unlicensed";
        /// They did.
        Licensed = "licensed";
    }
}

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorVerdict {
    /// When the vendor made it.
    pub at: UnixSeconds,
    /// How sound the device is.
    pub integrity: Integrity,
    /// Whether the app is known.
    pub recognition: Option<Recognition>,
    /// Whether the person got it from the store.
    pub licensing: Option<Licensing>,
    /// What Play Protect found.
    pub play_protect: Option<PlayProtect>,
    /// What other apps could do.
    pub app_access: BTreeSet<AppAccess>,
    /// How many tokens the app asked for lately: 1 (few) to 4 (very many).
    pub recent_activity: Option<u8>,
    /// Android's API level.
    pub sdk_version: Option<u32>,
    /// The three bits that outlive a factory reset (device recall).
    pub recall: Option<[bool; 3]>,
    /// Whether it is a made-up answer for tests.
    pub testing: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        assert!(Integrity::ALL.iter().all(|value| Integrity::parse(value.as_str()) == Some(*value)));
        assert!(PlayProtect::ALL.iter().all(|value| PlayProtect::parse(value.as_str()) == Some(*value)));
        assert!(AppAccess::ALL.iter().all(|value| AppAccess::parse(value.as_str()) == Some(*value)));
        assert!(Recognition::ALL.iter().all(|value| Recognition::parse(value.as_str()) == Some(*value)));
        assert!(Licensing::ALL.iter().all(|value| Licensing::parse(value.as_str()) == Some(*value)));
    }

    #[test]
    fn strength_is_ordered() {
        assert!(Integrity::Strong > Integrity::Device && Integrity::Device > Integrity::Basic && Integrity::Basic > Integrity::Virtual);
        assert!(PlayProtect::Unevaluated > PlayProtect::HighRisk && PlayProtect::MediumRisk > PlayProtect::NoData);
    }
}
