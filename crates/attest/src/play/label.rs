//! The labels with which Google Play states its findings. Google adds new ones over time.

use std::fmt;

/// A kind of label, with the values that are known.
pub trait Labels: Copy + 'static {
    /// All values that this version knows.
    const ALL: &'static [Self];

    /// Text of the label, as Google writes it.
    fn as_str(self) -> &'static str;
}

/// A label as it was received. Labels that Google adds later are kept for the log, and no rule accepts them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label<T> {
    /// A label that this version knows.
    Known(T),
    /// The label `UNEVALUATED`: Google did not check, because a requirement for the check was missing.
    Unevaluated,
    /// A label that this version does not know, as it was written.
    Unknown(String),
}

impl<T: Labels> Label<T> {
    /// Parses a label. Every text is one, known or unknown.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match T::ALL.iter().find(|known| known.as_str() == text) {
            Some(known) => Self::Known(*known),
            // Several kinds of labels have this value, so it stands here and in no list.
            None if text == UNEVALUATED => Self::Unevaluated,
            None => Self::Unknown(text.to_owned()),
        }
    }

    /// Text of the label, as Google writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.as_str(),
            Self::Unevaluated => UNEVALUATED,
            Self::Unknown(text) => text,
        }
    }

    /// The label, when this version knows it.
    #[must_use]
    pub const fn known(&self) -> Option<T> {
        match self {
            Self::Known(known) => Some(*known),
            Self::Unevaluated | Self::Unknown(_) => None,
        }
    }
}

impl<T: Labels> fmt::Display for Label<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const UNEVALUATED: &str = "UNEVALUATED";

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $text:literal,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name {
                $(
                    #[doc = concat!("`", $text, "`:")]
                    $(#[$meaning])*
                    $variant,
                )*
            }

            impl Labels for $name {
                const ALL: &'static [Self] = &[$(Self::$variant,)*];

                fn as_str(self) -> &'static str {
                    match self { $(Self::$variant => $text,)* }
                }
            }
        )*
    };
}

labels! {
    /// Number of verdicts that this phone requested lately (`deviceActivityLevel`). The more, the less it looks like one person's phone.
    Activity {
        /// the phone made the fewest requests.
        Level1 = "LEVEL_1",
        /// more requests than level 1.
        Level2 = "LEVEL_2",
        /// more requests than level 2.
        Level3 = "LEVEL_3",
        /// the phone made the most requests.
        Level4 = "LEVEL_4",
    }

    /// Access that other apps on the phone have to this one (`appsDetected`).
    ///
    /// Apps are "known" when they came from Google Play or with the phone's system, and "unknown" otherwise.
    AppAccess {
        /// known apps are running that can capture the screen.
        KnownCapturing = "KNOWN_CAPTURING",
        /// known apps are running that can control this app.
        KnownControlling = "KNOWN_CONTROLLING",
        /// known apps are installed.
        KnownInstalled = "KNOWN_INSTALLED",
        /// known apps are running that can draw over this one.
        KnownOverlays = "KNOWN_OVERLAYS",
        /// unknown apps are running that can capture the screen.
        UnknownCapturing = "UNKNOWN_CAPTURING",
        /// unknown apps are running that can control this app.
        UnknownControlling = "UNKNOWN_CONTROLLING",
        /// unknown apps are installed.
        UnknownInstalled = "UNKNOWN_INSTALLED",
        /// unknown apps are running that can draw over this one.
        UnknownOverlays = "UNKNOWN_OVERLAYS",
    }

    /// Checks that the phone passes (`deviceRecognitionVerdict`). A phone without any label passes none.
    DeviceIntegrity {
        /// the system passes basic checks; Google may not have certified it.
        Basic = "MEETS_BASIC_INTEGRITY",
        /// Google certified the phone.
        Device = "MEETS_DEVICE_INTEGRITY",
        /// Google certified the phone, and its hardware proves the system; from Android 13 on, security patches of the last year are
        /// required.
        Strong = "MEETS_STRONG_INTEGRITY",
        /// the app runs in an emulator with Google Play, not on a phone.
        Virtual = "MEETS_VIRTUAL_INTEGRITY",
    }

    /// Statement whether the account has the app from Google Play (`appLicensingVerdict`).
    Licensing {
        /// Google Play installed or updated the app.
        Licensed = "LICENSED",
        /// the app came from elsewhere.
        Unlicensed = "UNLICENSED",
    }

    /// Findings of Play Protect on the phone (`playProtectVerdict`), from the best to the worst.
    ProtectRisk {
        /// Play Protect is on and found nothing.
        NoIssues = "NO_ISSUES",
        /// Play Protect is on and has not scanned yet.
        NoData = "NO_DATA",
        /// Play Protect is off.
        PossibleRisk = "POSSIBLE_RISK",
        /// Play Protect found potentially harmful apps.
        MediumRisk = "MEDIUM_RISK",
        /// Play Protect found dangerous apps.
        HighRisk = "HIGH_RISK",
    }

    /// Statement whether Google Play knows the app (`appRecognitionVerdict`).
    Recognition {
        /// package and signer are those that Google Play distributes.
        PlayRecognized = "PLAY_RECOGNIZED",
        /// package or signer differ from what Google Play distributes.
        UnrecognizedVersion = "UNRECOGNIZED_VERSION",
    }
}

/// Level that the phone must reach. Ordered from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceLevel {
    /// The label [`DeviceIntegrity::Basic`] or a better one.
    Basic,
    /// The label [`DeviceIntegrity::Device`] or a better one.
    Device,
    /// The label [`DeviceIntegrity::Strong`] and no other.
    Strong,
}

impl DeviceLevel {
    /// Label that stands for the level.
    #[must_use]
    pub const fn label(self) -> DeviceIntegrity {
        match self {
            Self::Basic => DeviceIntegrity::Basic,
            Self::Device => DeviceIntegrity::Device,
            Self::Strong => DeviceIntegrity::Strong,
        }
    }
}

impl DeviceIntegrity {
    /// Level that the label reaches. An emulator reaches none.
    #[must_use]
    pub const fn level(self) -> Option<DeviceLevel> {
        match self {
            Self::Basic => Some(DeviceLevel::Basic),
            Self::Device => Some(DeviceLevel::Device),
            Self::Strong => Some(DeviceLevel::Strong),
            // SECURITY: an emulator passes checks of its own, which say nothing about a phone.
            Self::Virtual => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_read<T: Labels + PartialEq + fmt::Debug>(count: usize) {
        assert_eq!(T::ALL.len(), count);
        for known in T::ALL {
            assert_eq!(Label::read(known.as_str()), Label::Known(*known));
            assert_eq!(Label::Known(*known).known(), Some(*known));
        }
        for (text, expected) in [
            ("UNEVALUATED", Label::Unevaluated),
            ("UNKNOWN", Label::Unknown(String::from("UNKNOWN"))),
            ("", Label::Unknown(String::new())),
            ("meets_strong_integrity", Label::Unknown(String::from("meets_strong_integrity"))),
        ] {
            let label = Label::<T>::read(text);
            assert_eq!((label.to_string().as_str(), label.known()), (text, None));
            assert_eq!(label, expected);
        }
    }

    #[test]
    fn labels_are_read_as_they_are_written() {
        all_read::<Activity>(4);
        all_read::<AppAccess>(8);
        all_read::<DeviceIntegrity>(4);
        all_read::<Licensing>(2);
        all_read::<ProtectRisk>(5);
        all_read::<Recognition>(2);
    }

    #[test]
    fn levels_and_labels_agree() {
        for level in [DeviceLevel::Basic, DeviceLevel::Device, DeviceLevel::Strong] {
            assert_eq!(level.label().level(), Some(level));
        }
        assert!(DeviceLevel::Basic < DeviceLevel::Device && DeviceLevel::Device < DeviceLevel::Strong);
        assert_eq!(DeviceIntegrity::Virtual.level(), None, "an emulator is no phone");
    }
}
