//! Verdicts of the platform's vendor about a device and an app (Google Play Integrity).
//!
//! Names follow <https://developer.android.com/google/play/integrity/verdicts>. A member that the vendor did not send is `None` or empty,
//! which no requirement accepts.

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
            /// All values, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable word of the value in listings, log, policy and storage.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value with this word; `None` for any other.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

words! {
    /// Integrity of the device. Ordered by strength.
    Integrity {
        /// The device has none of the labels.
        None = "none";
        /// The device is an emulator that Google knows (`MEETS_VIRTUAL_INTEGRITY`).
        Virtual = "virtual";
        /// The device passes basic checks (`MEETS_BASIC_INTEGRITY`).
        Basic = "basic";
        /// Google certified the device (`MEETS_DEVICE_INTEGRITY`).
        Device = "device";
        /// Google certified the device, with hardware-backed proof and recent patches (`MEETS_STRONG_INTEGRITY`).
        Strong = "strong";
    }
}

words! {
    /// Finding of Play Protect. Ordered by severity.
    PlayProtect {
        /// Play Protect is on and found nothing.
        NoIssues = "no_issues";
        /// Play Protect is on and has not scanned yet.
        NoData = "no_data";
        /// Play Protect is off.
        PossibleRisk = "possible_risk";
        /// Play Protect found apps that may be harmful.
        MediumRisk = "medium_risk";
        /// Play Protect found apps that are dangerous.
        HighRisk = "high_risk";
        /// Play Protect was not evaluated.
        Unevaluated = "unevaluated";
    }
}

words! {
    /// Access of other apps to this one at the time of the verdict. Alphabetical; apps are `Known` when they come from Play.
    AppAccess {
        /// An app from Play captures the screen.
        KnownCapturing = "known_capturing";
        /// An app from Play controls the phone.
        KnownControlling = "known_controlling";
        /// Apps from Play are installed.
        KnownInstalled = "known_installed";
        /// An app from Play draws over others.
        KnownOverlays = "known_overlays";
        /// A label that this version does not know.
        Other = "other";
        /// An app from elsewhere captures the screen.
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
    /// Statement whether Google knows the app. Ordered by strength.
    Recognition {
        /// The app was not evaluated, or the label is unknown.
        Unevaluated = "unevaluated";
        /// Certificate or package differ from what Google distributes.
        Unrecognized = "unrecognized";
        /// The app is the one that Google distributes.
        Recognized = "recognized";
    }
}

words! {
    /// Statement whether the person got the app from Play. Ordered by strength.
    Licensing {
        /// The licence was not evaluated, or the label is unknown.
        Unevaluated = "unevaluated";
        /// The person did not get the app from Play.
        Unlicensed = "unlicensed";
        /// The person got the app from Play.
        Licensed = "licensed";
    }
}

/// One verdict of the platform's vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorVerdict {
    /// Time at which the vendor made the verdict.
    pub at: UnixSeconds,
    /// Integrity of the device.
    pub integrity: Integrity,
    /// Statement whether Google knows the app.
    pub recognition: Option<Recognition>,
    /// Statement whether the person got the app from the store.
    pub licensing: Option<Licensing>,
    /// Finding of Play Protect.
    pub play_protect: Option<PlayProtect>,
    /// Access of other apps to this one.
    pub app_access: BTreeSet<AppAccess>,
    /// Number of tokens that the app requested lately, as a level from 1 (few) to 4 (very many).
    pub recent_activity: Option<u8>,
    /// API level of the phone's Android.
    pub sdk_version: Option<u32>,
    /// The three bits that outlive a factory reset (device recall).
    pub recall: Option<[bool; 3]>,
    /// True for a test response, which somebody made up in the Play Console.
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
