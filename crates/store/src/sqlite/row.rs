//! Rows back into types, strictly: a row that does not parse is our fault, and refuses.

use countersign_core::{Acr, Amr, BootState, EvidenceTier, Platform, Provenance, Role, SecurityLevel, Thumbprint, UnixSeconds};
use countersign_identity::{OpenedBy, PasskeyPlace};
use sqlx::{Row, sqlite::SqliteRow};

use crate::unavailable::Unavailable;

/// Reader of one row of a table.
pub struct Reader<'a> {
    row: &'a SqliteRow,
    table: &'static str,
}

impl<'a> Reader<'a> {
    pub const fn new(row: &'a SqliteRow, table: &'static str) -> Self {
        Self { row, table }
    }

    /// Failure for a row that does not parse.
    pub fn broken(&self) -> Unavailable {
        Unavailable::new(format!("a row of table `{}` does not parse", self.table))
    }

    pub fn text(&self, column: &str) -> Result<String, Unavailable> {
        self.row.try_get(column).map_err(|_| self.broken())
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>, Unavailable> {
        self.row.try_get(column).map_err(|_| self.broken())
    }

    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, Unavailable> {
        self.row.try_get(column).map_err(|_| self.broken())
    }

    pub(crate) fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.row.try_get(column).map_err(|_| self.broken())
    }

    pub fn hash(&self, column: &str) -> Result<[u8; 32], Unavailable> {
        self.bytes(column)?.try_into().map_err(|_| self.broken())
    }

    pub fn key(&self, column: &str) -> Result<Thumbprint, Unavailable> {
        self.hash(column).map(Thumbprint::from_bytes)
    }

    pub fn number(&self, column: &str) -> Result<u64, Unavailable> {
        let number: i64 = self.row.try_get(column).map_err(|_| self.broken())?;
        u64::try_from(number).map_err(|_| self.broken())
    }

    pub(crate) fn maybe_number(&self, column: &str) -> Result<Option<u64>, Unavailable> {
        let number: Option<i64> = self.row.try_get(column).map_err(|_| self.broken())?;
        number.map(|number| u64::try_from(number).map_err(|_| self.broken())).transpose()
    }

    /// Reads a column of 0 or 1 as a boolean.
    pub fn flag(&self, column: &str) -> Result<bool, Unavailable> {
        self.numbered(column, |number| match number {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    /// Reads a number and converts it by `parse`.
    pub(crate) fn numbered<T>(&self, column: &str, parse: impl Fn(u64) -> Option<T>) -> Result<T, Unavailable> {
        parse(self.number(column)?).ok_or_else(|| self.broken())
    }

    pub fn time(&self, column: &str) -> Result<UnixSeconds, Unavailable> {
        self.number(column).map(UnixSeconds)
    }

    /// Reads a text and converts it by `parse`.
    pub fn parsed<T, E>(&self, column: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, Unavailable> {
        parse(&self.text(column)?).map_err(|_| self.broken())
    }

    /// Reads a column that holds one of a few words.
    pub fn word<T>(&self, column: &str, words: &[(T, &str)]) -> Result<T, Unavailable>
    where
        T: Copy,
    {
        let text = self.text(column)?;
        words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value).ok_or_else(|| self.broken())
    }

    /// Reads a column of words that are joined by spaces.
    pub fn words<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Unavailable> {
        self.text(column)?.split(' ').filter(|word| !word.is_empty()).map(|word| parse(word).ok_or_else(|| self.broken())).collect()
    }
}

/// Words of the column `platform`.
pub(crate) const PLATFORMS: [(Platform, &str); 2] = [(Platform::Android, "android"), (Platform::Ios, "ios")];

/// Words of the column `tier`.
pub(crate) const TIERS: [(EvidenceTier, &str); 4] = [
    (EvidenceTier::None, "none"),
    (EvidenceTier::SelfReported, "self_reported"),
    (EvidenceTier::Platform, "platform"),
    (EvidenceTier::Hardware, "hardware"),
];

/// Words of the column `vouched_by`, which names the source of the evidence.
pub(crate) const SOURCES: [(Provenance, &str); 4] = [
    (Provenance::AndroidKeyAttestation, Provenance::AndroidKeyAttestation.as_str()),
    (Provenance::AppAttest, Provenance::AppAttest.as_str()),
    (Provenance::DevelopmentToken, Provenance::DevelopmentToken.as_str()),
    (Provenance::PlayIntegrity, Provenance::PlayIntegrity.as_str()),
];

/// Words of the column `security_level`.
pub const LEVELS: [(SecurityLevel, &str); 3] = [
    (SecurityLevel::Software, "software"),
    (SecurityLevel::TrustedEnvironment, "trusted_environment"),
    (SecurityLevel::StrongBox, "strong_box"),
];

/// Words of the column `boot_state`.
pub(crate) const BOOT_STATES: [(BootState, &str); 4] = [
    (BootState::Failed, "failed"),
    (BootState::SelfSigned, "self_signed"),
    (BootState::Unverified, "unverified"),
    (BootState::Verified, "verified"),
];

/// Returns the word of a value; an empty text, which no reader accepts, for a value that the table lacks.
pub(crate) fn word_of<T: PartialEq>(value: &T, words: &[(T, &'static str)]) -> &'static str {
    words.iter().find(|(known, _)| known == value).map_or("", |(_, word)| word)
}

/// Writes roles as one text, joined by spaces.
pub(crate) fn roles_text(roles: &[Role]) -> String {
    roles.iter().map(Role::as_str).collect::<Vec<_>>().join(" ")
}

/// Writes methods of authentication as one text, joined by spaces.
pub(crate) fn amr_text(amr: &[Amr]) -> String {
    amr.iter().map(|amr| amr.as_str()).collect::<Vec<_>>().join(" ")
}

/// Reads the level of authentication from its word.
pub fn acr(text: &str) -> Result<Acr, ()> {
    Acr::parse(text).ok_or(())
}

/// Reads the passkey by which a person signed in, from the columns `credential` and `copyable`, which go together.
pub(crate) fn opened_by(row: &Reader<'_>) -> Result<Option<OpenedBy>, Unavailable> {
    match (row.maybe_bytes("credential")?, row.maybe_number("copyable")?) {
        (None, None) => Ok(None),
        (Some(credential), Some(copyable)) => {
            let place = if copyable == 0 { PasskeyPlace::OnePlace } else { PasskeyPlace::Copyable };
            Ok(Some(OpenedBy { credential: credential.try_into().map_err(|_| row.broken())?, place }))
        }
        (None, Some(_)) | (Some(_), None) => Err(row.broken()),
    }
}

/// Converts a number into SQLite's signed form. A number that does not fit becomes the largest, which every comparison treats alike.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
