//! Operating systems and clients by name and version, so that an update is no new phone and a downgrade is noticed.

use crate::fingerprint::{Field, Fingerprint, Salt};

/// `text` without its digits and dots, and its first number as 100 times the major plus the minor version, at most 4095.
#[must_use]
pub fn split(text: &str) -> (String, u32) {
    let family = text.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect::<String>().trim().to_ascii_lowercase();
    let from = text.find(|c: char| c.is_ascii_digit());
    let number = from.and_then(|at| text.get(at..)).unwrap_or("");
    let number = number.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or("");
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0).min(99));
    let version = parts.next().unwrap_or(0) * 40 + parts.next().unwrap_or(0).min(39);
    (family, version)
}

/// The operating system `text` in 32 bits: 20 of its family, 12 of its version.
#[must_use]
pub fn system(text: &str, salt: Salt) -> u32 {
    let (family, version) = split(text);
    let Fingerprint(family) = salt.fingerprint(Field::System, family.as_bytes());
    ((family & 0x000f_ffff) << 12) | (version & 0xfff)
}

/// Operating system and client without their versions.
#[must_use]
pub fn platform(os: &str, client: &str, form: &str, salt: Salt) -> Fingerprint {
    salt.fingerprint(Field::Platform, format!("{}\n{}\n{form}", split(os).0, split(client).0).as_bytes())
}

/// What became of a device's operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemChange {
    /// An older version than before: rare in earnest, common in replays of old captures.
    Downgrade,
    /// Another system: a phone does not do that.
    Other,
    /// As it was, or newer.
    Same,
}

/// What became of a device that had `before` and now has `now`, as [`system`] made them.
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
