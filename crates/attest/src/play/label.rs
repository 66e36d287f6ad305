//! The labels with which Google Play says what it found. Google adds to them over time.

use std::fmt;

/// A kind of label: the ones that we know.
pub trait Labels: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// As Google writes it.
    fn as_str(self) -> &'static str;
}

/// A label as it came. Only a known one says something good; what Google adds later is kept, and trusted by no rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label<T> {
    /// One that we know.
    Known(T),
    /// Google did not look, because something else was already missing (`UNEVALUATED`).
    Unevaluated,
    /// One that we do not know, as it is written.
    Unknown(String),
}

impl<T: Labels> Label<T> {
    /// Reads a label; every text is one.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match T::ALL.iter().find(|known| known.as_str() == text) {
            Some(known) => Self::Known(*known),
            None if text == UNEVALUATED => Self::Unevaluated,
            None => Self::Unknown(text.to_owned()),
        }
    }

    /// As Google writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.as_str(),
            Self::Unevaluated => UNEVALUATED,
            Self::Unknown(text) => text,
        }
    }

    /// The label, when it is one that we know.
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
    /// How much this phone has asked for verdicts lately (`deviceActivityLevel`); the more, the less it looks like one person's.
    Activity {
        /// the least.
        Level1 = "LEVEL_1",
        /// more.
        Level2 = "LEVEL_2",
        /// much more.
        Level3 = "LEVEL_3",
        /// the most.
        Level4 = "LEVEL_4",
    }

    /// What other apps on the phone could do to this one (`appsDetected`).
    ///
    /// Apps are known when they came from Google Play or with the phone's system, and unknown otherwise.
    AppAccess {
        /// known apps run that can see the screen.
        KnownCapturing = "KNOWN_CAPTURING",
        /// known apps run that can act in this one.
        KnownControlling = "KNOWN_CONTROLLING",
        /// known apps are installed.
        KnownInstalled = "KNOWN_INSTALLED",
        /// known apps run that can draw over this one.
        KnownOverlays = "KNOWN_OVERLAYS",
        /// unknown apps run that can see the screen.
        UnknownCapturing = "UNKNOWN_CAPTURING",
        /// unknown apps run that can act in this one.
        UnknownControlling = "UNKNOWN_CONTROLLING",
        /// unknown apps are installed.
        UnknownInstalled = "UNKNOWN_INSTALLED",
        /// unknown apps run that can draw over this one.
        UnknownOverlays = "UNKNOWN_OVERLAYS",
    }

    /// What the phone fulfils (`deviceRecognitionVerdict`). A phone without any label fulfils nothing.
    DeviceIntegrity {
        /// the system passes basic checks; it may be one that Google does not certify.
        Basic = "MEETS_BASIC_INTEGRITY",
        /// a phone that Google certified.
        Device = "MEETS_DEVICE_INTEGRITY",
        /// a phone that Google certified, proved by its hardware; from Android 13 on with security patches of the last year.
        Strong = "MEETS_STRONG_INTEGRITY",
        /// an emulator with Google Play, which is no phone.
        Virtual = "MEETS_VIRTUAL_INTEGRITY",
    }

    /// Whether the account has the app from Google Play (`appLicensingVerdict`).
    Licensing {
        /// it was installed or updated by Google Play.
        Licensed = "LICENSED",
        /// it came from elsewhere.
        Unlicensed = "UNLICENSED",
    }

    /// What Play Protect found on the phone (`playProtectVerdict`), from the best to the worst.
    ProtectRisk {
        /// it is on and found nothing.
        NoIssues = "NO_ISSUES",
        /// it is on and has not looked yet.
        NoData = "NO_DATA",
        /// it is off.
        PossibleRisk = "POSSIBLE_RISK",
        /// it found potentially harmful apps.
        MediumRisk = "MEDIUM_RISK",
        /// it found dangerous apps.
        HighRisk = "HIGH_RISK",
    }

    /// Whether Google Play knows the app (`appRecognitionVerdict`).
    Recognition {
        /// app and signer are those that Google Play distributes.
        PlayRecognized = "PLAY_RECOGNIZED",
        /// signer or package are others.
        UnrecognizedVersion = "UNRECOGNIZED_VERSION",
    }
}

/// How much the phone has to fulfil. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceLevel {
    /// [`DeviceIntegrity::Basic`] or better.
    Basic,
    /// [`DeviceIntegrity::Device`] or better.
    Device,
    /// [`DeviceIntegrity::Strong`].
    Strong,
}

impl DeviceLevel {
    /// The label that stands for the level.
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
    /// The level that the label reaches; an emulator reaches none.
    #[must_use]
    pub const fn level(self) -> Option<DeviceLevel> {
        match self {
            Self::Basic => Some(DeviceLevel::Basic),
            Self::Device => Some(DeviceLevel::Device),
            Self::Strong => Some(DeviceLevel::Strong),
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
