//! What an app says of itself and of the phone it runs on. It may cost trust and never earn it (law 2).

use std::collections::BTreeSet;

use crate::time::UnixSeconds;

macro_rules! findings {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// Something that an app found on its phone. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AppFinding {
            $($(#[$doc])* $variant,)*
        }

        impl AppFinding {
            /// Every finding.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in reports, configuration, log and policy.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the word back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|finding| finding.as_str() == text)
            }
        }
    };
}

findings! {
    /// An accessibility service that is none of the platform's reads or acts in other apps.
    AccessibilityAbuse = "accessibility_abuse";
    /// A debugger is attached, or the app can be debugged.
    Debugger = "debugger";
    /// The phone is an emulator or a simulator.
    Emulator = "emulator";
    /// Code of somebody else runs inside the app: Frida, Xposed, a substituted library.
    Hooked = "hooked";
    /// The phone is rooted or jailbroken.
    Rooted = "rooted";
    /// The phone opens without a code, finger or face.
    ScreenLockMissing = "screen_lock_missing";
    /// Apps from outside of the platform's store are installed, where the platform tells.
    SideloadedApps = "sideloaded_apps";
    /// The app itself was changed, or installed by something else than a store.
    Tampered = "tampered";
    /// Traffic leaves through a VPN.
    Vpn = "vpn";
}

/// What an app said, together with what it had said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppReport {
    /// When it last spoke.
    pub at: UnixSeconds,
    /// All that it found.
    pub findings: BTreeSet<AppFinding>,
    /// The system's version as it claims, as [`crate::Posture::os_version`].
    pub os_version: Option<u64>,
    /// Its own version as it claims, as [`crate::Posture::app_version`].
    pub app_version: Option<u64>,
    /// Who installed it: `com.android.vending`.
    pub installer: Option<String>,
}

impl AppReport {
    /// This report and a later one: findings add up, and of two versions the lower counts.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        let lower = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.findings.extend(later.findings);
        Self {
            at: self.at.max(later.at),
            findings: self.findings,
            os_version: lower(self.os_version, later.os_version),
            app_version: lower(self.app_version, later.app_version),
            installer: later.installer.or(self.installer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for finding in AppFinding::ALL {
            assert_eq!(AppFinding::parse(finding.as_str()), Some(*finding));
        }
        assert_eq!(AppFinding::parse("Rooted"), None);
    }

    #[test]
    fn two_reports_are_the_worse_of_both() {
        let report = |at, finding, os| AppReport {
            at: UnixSeconds(at),
            findings: BTreeSet::from([finding]),
            os_version: os,
            app_version: Some(os.unwrap_or(7)),
            installer: None,
        };
        let both = report(1, AppFinding::Rooted, Some(10)).and(report(2, AppFinding::Vpn, Some(9)));
        assert_eq!(both.findings.len(), 2);
        assert_eq!((both.at, both.os_version, both.app_version), (UnixSeconds(2), Some(9), Some(9)));
        assert_eq!(report(1, AppFinding::Rooted, None).and(report(2, AppFinding::Rooted, Some(3))).os_version, Some(3));
    }
}
