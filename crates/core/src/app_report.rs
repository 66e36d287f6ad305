//! Reports of an app about itself and about the phone that it runs on. A report can lower trust and never raise it (law 2 of the design).

use std::collections::BTreeSet;

use crate::time::UnixSeconds;

macro_rules! findings {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// A finding of an app about its phone. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AppFinding {
            $($(#[$doc])* $variant,)*
        }

        impl AppFinding {
            /// All findings, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable word of the finding in reports, configuration, log and policy.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The finding with this word; `None` for any other.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|finding| finding.as_str() == text)
            }
        }
    };
}

findings! {
    /// An accessibility service that is not the platform's reads other apps or acts in them.
    AccessibilityAbuse = "accessibility_abuse";
    /// A debugger is attached, or the app can be debugged.
    Debugger = "debugger";
    /// The phone is an emulator or a simulator.
    Emulator = "emulator";
    /// Foreign code runs inside the app: Frida, Xposed, a replaced library.
    Hooked = "hooked";
    /// The phone is rooted or jailbroken.
    Rooted = "rooted";
    /// The phone unlocks without a code, finger or face.
    ScreenLockMissing = "screen_lock_missing";
    /// Apps from outside of the platform's store are installed, as far as the platform tells.
    SideloadedApps = "sideloaded_apps";
    /// The app itself was changed, or was not installed by a store.
    Tampered = "tampered";
    /// Traffic leaves the phone through a VPN.
    Vpn = "vpn";
}

/// Content of an app's reports: the latest one combined with all before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppReport {
    /// Time of the latest report.
    pub at: UnixSeconds,
    /// All findings so far.
    pub findings: BTreeSet<AppFinding>,
    /// Version of the system that the app claims, in the form of [`crate::Posture::os_version`].
    pub os_version: Option<u64>,
    /// Version of the app that the app claims, in the form of [`crate::Posture::app_version`].
    pub app_version: Option<u64>,
    /// Package that installed the app, such as `com.android.vending`.
    pub installer: Option<String>,
}

impl AppReport {
    /// This report combined with a later one: findings add up, and of two versions the lower one counts.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        // Claims can only lower trust: the lower version counts, so a later report cannot take back an earlier one.
        let lower = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            // A report that says nothing takes nothing back.
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
