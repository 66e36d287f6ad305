//! Operating systems and clients split into name and version, so that an update is not a new phone and a downgrade is noticed.

use crate::fingerprint::{Field, Fingerprint, Salt};

/// Splits `text` into a name (without digits and dots, lower case) and a version: 40 times the major number (at most 99) plus the minor
/// number (at most 39), so at most 3999.
#[must_use]
pub fn split(text: &str) -> (String, u32) {
    let family = text.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect::<String>().trim().to_ascii_lowercase();
    let from = text.find(|c: char| c.is_ascii_digit());
    let number = from.and_then(|at| text.get(at..)).unwrap_or("");
    let number = number.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or("");
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0).min(99));
    // 40 steps for each major version fit both numbers into 12 bits.
    let version = parts.next().unwrap_or(0) * 40 + parts.next().unwrap_or(0).min(39);
    (family, version)
}

/// The operating system `text` in 32 bits: a fingerprint of the name in the upper 20, the version in the lower 12.
#[must_use]
pub fn system(text: &str, salt: Salt) -> u32 {
    let (family, version) = split(text);
    let Fingerprint(family) = salt.fingerprint(Field::System, family.as_bytes());
    ((family & 0x000f_ffff) << 12) | (version & 0xfff)
}

/// Fingerprint of operating system, client and form without their versions.
#[must_use]
pub fn platform(os: &str, client: &str, form: &str, salt: Salt) -> Fingerprint {
    salt.fingerprint(Field::Platform, format!("{}\n{}\n{form}", split(os).0, split(client).0).as_bytes())
}

/// Change of a device's operating system since it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemChange {
    /// An older version than before: rare with real phones, common when somebody replays an old capture.
    Downgrade,
    /// Another operating system: a phone does not change that.
    Other,
    /// The same version as before, or a newer one.
    Same,
}

/// The change from `before` to `now`, both made by [`system`].
#[must_use]
pub const fn change(before: u32, now: u32) -> SystemChange {
    if before >> 12 != now >> 12 {
        SystemChange::Other
    } else if now & 0xfff < before & 0xfff {
        SystemChange::Downgrade
    } else {
        SystemChange::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_come_apart() {
        let rows = [
            ("Android 12", "android", 480),
            ("iOS 15.2.1", "ios", 602),
            ("Mac OS X 12", "mac os x", 480),
            ("Linux", "linux", 0),
            ("App/4.1 okhttp", "app/ okhttp", 161),
            ("", "", 0),
            ("99999999999999.7", "", 7),
        ];
        for (text, family, version) in rows {
            assert_eq!(split(text), (family.to_owned(), version), "{text}");
        }
    }

    #[test]
    fn an_update_is_the_same_system() {
        let of = |text| system(text, Salt(1));
        let rows = [
            ("the same", "iOS 15", "iOS 15", SystemChange::Same),
            ("an update", "iOS 15", "iOS 15.1", SystemChange::Same),
            ("an older one", "iOS 15.1", "iOS 15", SystemChange::Downgrade),
            ("another one", "iOS 15", "Android 15", SystemChange::Other),
        ];
        for (name, before, now, expected) in rows {
            assert_eq!(change(of(before), of(now)), expected, "{name}");
        }
    }
}
