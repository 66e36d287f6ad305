//! App identifiers in the form that App Attest uses.

use std::fmt;

use countersign_codec::sha256;
use countersign_core::AppId;

/// Reason why a text is not an App ID of Apple's. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppleAppRefusal {
    /// The part after the first full stop is not a bundle identifier: letters, digits, `-` and `.`, at most
    /// [`countersign_core::Limits::ID_BYTES_MAX`] of them.
    BundleMalformed,
    /// The part before the first full stop is not ten capital letters and digits.
    TeamMalformed,
}

impl fmt::Display for AppleAppRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BundleMalformed => {
                "an app is written `TEAMID1234.com.example.app`; its bundle identifier holds letters, digits, `-` and `.`"
            }
            Self::TeamMalformed => "an app is written `TEAMID1234.com.example.app`; its team identifier is ten capital letters and digits",
        })
    }
}

impl std::error::Error for AppleAppRefusal {}

/// An App ID: the identifier of the team (for old apps the App ID prefix that they were given instead) and that of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppleApp {
    team: String,
    bundle: AppId,
}

impl AppleApp {
    /// Length of a team identifier in bytes.
    pub(crate) const TEAM_BYTES: usize = 10;

    /// Parses an App ID, `TEAMID1234.com.example.app`.
    ///
    /// # Errors
    /// A refusal that names the part with the mistake.
    pub fn parse(text: &str) -> Result<Self, AppleAppRefusal> {
        let (team, bundle) = text.split_once('.').ok_or(AppleAppRefusal::TeamMalformed)?;
        if team.len() != Self::TEAM_BYTES || !team.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Err(AppleAppRefusal::TeamMalformed);
        }
        // Apple assigns no empty labels. `TEAM..app` would be a typing mistake that never matches, so it is refused early.
        let labelled = bundle.split('.').all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        if !labelled {
            return Err(AppleAppRefusal::BundleMalformed);
        }
        let bundle = AppId::parse(bundle).map_err(|_| AppleAppRefusal::BundleMalformed)?;
        Ok(Self { team: team.to_owned(), bundle })
    }

    /// Identifier of the team, ten characters.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// Identifier of the bundle.
    #[must_use]
    pub const fn bundle(&self) -> &AppId {
        &self.bundle
    }

    /// SHA-256 of the App ID: the `rpIdHash` in all authenticator data that the app's keys sign.
    #[must_use]
    pub fn rp_id_hash(&self) -> [u8; 32] {
        sha256(&[self.team.as_bytes(), b".", self.bundle.as_str().as_bytes()])
    }
}

impl fmt::Display for AppleApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.team, self.bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_ids_parse_strictly() {
        let longest = format!("ABCDE12345.{}", "a".repeat(128));
        let longer = format!("{longest}a");
        let rows: &[(&str, &str, Result<(), AppleAppRefusal>)] = &[
            ("an app", "ABCDE12345.com.example.bank-app", Ok(())),
            ("one label", "ABCDE12345.bank", Ok(())),
            ("the longest bundle", &longest, Ok(())),
            ("a longer one", &longer, Err(AppleAppRefusal::BundleMalformed)),
            ("nothing", "", Err(AppleAppRefusal::TeamMalformed)),
            ("no full stop", "ABCDE12345", Err(AppleAppRefusal::TeamMalformed)),
            ("nine characters", "ABCDE1234.com.example", Err(AppleAppRefusal::TeamMalformed)),
            ("eleven characters", "ABCDE123456.com.example", Err(AppleAppRefusal::TeamMalformed)),
            ("small letters", "abcde12345.com.example", Err(AppleAppRefusal::TeamMalformed)),
            ("no bundle", "ABCDE12345.", Err(AppleAppRefusal::BundleMalformed)),
            ("an empty label", "ABCDE12345.com..example", Err(AppleAppRefusal::BundleMalformed)),
            ("a label missing at the end", "ABCDE12345.com.", Err(AppleAppRefusal::BundleMalformed)),
            ("a wildcard", "ABCDE12345.com.example.*", Err(AppleAppRefusal::BundleMalformed)),
            ("an underscore", "ABCDE12345.com.exa_mple", Err(AppleAppRefusal::BundleMalformed)),
        ];
        for (name, text, expected) in rows {
            let parsed = AppleApp::parse(text);
            assert_eq!(parsed.as_ref().map(|_| ()).map_err(|why| *why), *expected, "{name}");
            if let Ok(app) = parsed {
                assert_eq!(app.to_string(), *text, "{name}");
            }
        }
    }

    #[test]
    fn the_hash_is_that_of_the_whole_app_id() {
        let app = AppleApp::parse("6MURL8TA57.de.vincent-haupert.apple-appattest-poc").expect("an app");
        assert_eq!((app.team(), app.bundle().as_str()), ("6MURL8TA57", "de.vincent-haupert.apple-appattest-poc"));
        assert_eq!(hex::encode(app.rp_id_hash()), "456512ea7e269476ab93e1b7971685592ff73f894ac0ec2fd54808a08bfb6c8f");
    }
}
