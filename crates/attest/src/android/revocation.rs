//! Google's attestation status list: certificates of phones that must not be believed any more.
//!
//! See <https://developer.android.com/privacy-and-security/security-key-attestation#certificate_status>. This module does not fetch the
//! list; a server does. Here the list is a value with an age.

use std::{collections::BTreeMap, fmt};

use countersign_codec::sha256;
use countersign_compliance::Revocations;
use countersign_core::{Limits, Seconds, SerialDigest, UnixSeconds};
use serde::Deserialize;

use crate::android::chain::Chain;
use crate::android::refusal::AttestRefusal;
use crate::x509::Certificate;

/// Status of a certificate on the list. Every status refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A status that this version does not know. The certificate stands on the list, so it is refused.
    Other,
    /// The certificate is revoked for good.
    Revoked,
    /// The certificate is revoked for the time being.
    Suspended,
}

/// Reason why a text is not a status list. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusListRefusal {
    /// The text is not JSON in Google's format; with the parser's message.
    Malformed(String),
    /// A key is not a hexadecimal serial number, so its entry would never be found.
    SerialMalformed(String),
    /// The list has more bytes or entries than are read.
    TooLarge,
}

impl fmt::Display for StatusListRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the status list is not JSON in Google's format ({why}); fetch it again"),
            Self::SerialMalformed(serial) => write!(f, "`{serial}` in the status list is no hexadecimal serial number; fetch it again"),
            Self::TooLarge => f.write_str("the status list is larger than the limit; fetch it again"),
        }
    }
}

impl std::error::Error for StatusListRefusal {}

/// A status list with the time at which it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    entries: BTreeMap<String, Status>,
    fetched_at: UnixSeconds,
}

/// The JSON of Google's list. The format is extensible, so unknown members are skipped.
#[derive(Deserialize)]
struct WireList {
    entries: BTreeMap<String, WireEntry>,
}

#[derive(Deserialize)]
struct WireEntry {
    status: String,
}

impl StatusList {
    /// Parses the JSON of Google's list.
    ///
    /// # Errors
    /// A refusal when the text has another format or is too large. The caller should then keep the list it has: that list will be refused
    /// by its age when it gets too old.
    pub fn parse(json: &str, fetched_at: UnixSeconds) -> Result<Self, StatusListRefusal> {
        // Checked before parsing, which allocates.
        if json.len() > Limits::STATUS_LIST_BYTES_MAX {
            return Err(StatusListRefusal::TooLarge);
        }
        let wire: WireList = serde_json::from_str(json).map_err(|why| StatusListRefusal::Malformed(why.to_string()))?;
        if wire.entries.len() > Limits::STATUS_LIST_ENTRIES_MAX {
            return Err(StatusListRefusal::TooLarge);
        }
        let mut entries = BTreeMap::new();
        for (serial, entry) in wire.entries {
            let status = match entry.status.as_str() {
                "REVOKED" => Status::Revoked,
                "SUSPENDED" => Status::Suspended,
                // A status that is new to this version still stands on the list, so it refuses.
                _ => Status::Other,
            };
            entries.insert(normal(&serial).ok_or(StatusListRefusal::SerialMalformed(serial))?, status);
        }
        Ok(Self { entries, fetched_at })
    }

    /// Time at which the list was fetched.
    #[must_use]
    pub const fn fetched_at(&self) -> UnixSeconds {
        self.fetched_at
    }

    /// Number of entries in the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when the list has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The same entries in the form in which devices enrolled earlier are checked.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        let revoked = self.entries.keys().map(|serial| serial_digest(serial)).collect();
        Revocations { revoked, fetched_at: Some(self.fetched_at), outage: None }
    }

    /// Status of a serial number in lower-case hexadecimal without leading zeros, when the list names it.
    #[must_use]
    pub fn status(&self, serial: &str) -> Option<Status> {
        self.entries.get(serial).copied()
    }
}

/// Short digest under which an enrolled device remembers a certificate, so that a later revocation is noticed.
pub(super) fn serial_digest(serial: &str) -> SerialDigest {
    let mut half = [0; 16];
    half.iter_mut().zip(sha256(&[serial.as_bytes()])).for_each(|(to, from)| *to = from);
    SerialDigest(half)
}

fn normal(serial: &str) -> Option<String> {
    if serial.is_empty() || !serial.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let lower = serial.to_ascii_lowercase();
    // SECURITY: one spelling for each number. A leading zero in the list would otherwise hide an entry.
    match lower.trim_start_matches('0') {
        "" => Some(String::from("0")),
        trimmed => Some(trimmed.to_owned()),
    }
}

/// Requirement on the status list. There is no "use the list if there is one": that would fail open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusRule {
    /// No list is required: for anchors whose owner publishes none, such as a demo's.
    NotAsked,
    /// A list is required, and no certificate may stand on it.
    Required {
        /// The list; `None` until the first one is loaded, and everything is refused until then.
        list: Option<StatusList>,
        /// Greatest accepted age of the list.
        age_max: Seconds,
    },
}

impl StatusRule {
    /// The list to look into now; `None` when no list is required.
    pub(super) fn list(&self, now: UnixSeconds) -> Result<Option<&StatusList>, AttestRefusal> {
        match self {
            Self::NotAsked => Ok(None),
            Self::Required { list: None, .. } => Err(AttestRefusal::StatusListMissing),
            Self::Required { list: Some(list), age_max } if now.age_of(list.fetched_at, Limits::LIST_AHEAD_MAX) > *age_max => {
                Err(AttestRefusal::StatusListStale { fetched_at: list.fetched_at })
            }
            Self::Required { list: Some(list), .. } => Ok(Some(list)),
        }
    }
}

/// Checks that the certificate does not stand on the list.
pub(super) fn not_revoked(index: usize, certificate: &Certificate, list: &StatusList) -> Result<(), AttestRefusal> {
    match list.status(certificate.serial()) {
        Some(Status::Other | Status::Revoked | Status::Suspended) => {
            Err(AttestRefusal::CertificateRevoked { index, serial: certificate.serial().to_owned() })
        }
        None => Ok(()),
    }
}

/// Checks that no certificate of the chain stands on the list that the rule requires.
pub(super) fn none_revoked(chain: &Chain, rule: &StatusRule, now: UnixSeconds) -> Result<(), AttestRefusal> {
    let Some(list) = rule.list(now)? else { return Ok(()) };
    chain.iter().try_for_each(|(index, certificate)| not_revoked(index, certificate, list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_strictly() {
        let serial = |serial: &str| format!(r#"{{"entries":{{"{serial}":{{"status":"REVOKED"}}}}}}"#);
        let bad_serial = |serial: &str| Err(StatusListRefusal::SerialMalformed(serial.to_owned()));
        let rows: &[(&str, String, Result<usize, StatusListRefusal>)] = &[
            ("nobody", r#"{"entries":{}}"#.to_owned(), Ok(0)),
            ("somebody", serial("8f"), Ok(1)),
            (
                "with what we do not read",
                r#"{"version":2,"entries":{"8f":{"status":"REVOKED","expires":"2030-01-01","more":[1]}}}"#.to_owned(),
                Ok(1),
            ),
            ("no serial number", serial(""), bad_serial("")),
            ("a serial number of other digits", serial("xyz"), bad_serial("xyz")),
            ("a negative serial number", serial("-8f"), bad_serial("-8f")),
            ("too large", " ".repeat(Limits::STATUS_LIST_BYTES_MAX + 1), Err(StatusListRefusal::TooLarge)),
        ];
        for (name, json, expected) in rows {
            assert_eq!(StatusList::parse(json, UnixSeconds(0)).map(|list| list.len()), *expected, "{name}");
        }
        for json in
            ["", "[]", "{}", r#"{"entries":[]}"#, r#"{"entries":{"8f":"REVOKED"}}"#, r#"{"entries":{"8f":{}}}"#, r#"{"entries":{}}x"#]
        {
            assert!(matches!(StatusList::parse(json, UnixSeconds(0)), Err(StatusListRefusal::Malformed(_))), "{json}");
        }
    }

    #[test]
    fn an_entry_is_found_however_it_is_written() {
        let list =
            StatusList::parse(r#"{"entries":{"00AbC":{"status":"SUSPENDED"},"0":{"status":"NEW"}}}"#, UnixSeconds(7)).expect("a list");
        assert_eq!(list.status("abc"), Some(Status::Suspended));
        assert_eq!(list.status("0"), Some(Status::Other));
        assert_eq!(list.status("ab"), None);
        assert_eq!(list.fetched_at(), UnixSeconds(7));
        assert!(!list.is_empty());
    }
}
