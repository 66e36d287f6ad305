//! Google's attestation status list: which certificates of phones are no longer believed.
//!
//! See <https://developer.android.com/privacy-and-security/security-key-attestation#certificate_status>. Fetching it is the
//! server's task; here it is a value with an age.

use std::{collections::BTreeMap, fmt};

use countersign_codec::sha256;
use countersign_compliance::Revocations;
use countersign_core::{Seconds, SerialDigest, UnixSeconds};
use serde::Deserialize;

use crate::android::chain::Chain;
use crate::android::refusal::AttestRefusal;
use crate::x509::Certificate;

/// What the list says of a certificate. All refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something that we do not know. It stands on the list, so it refuses.
    Other,
    /// For good.
    Revoked,
    /// For now.
    Suspended,
}

/// Why a text is not a status list. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusListRefusal {
    /// Not the JSON of Google's format; with what the parser found.
    Malformed(String),
    /// A key that is no hexadecimal serial number: the entry would never be found.
    SerialMalformed(String),
    /// More bytes or entries than are read.
    TooLarge,
}

impl fmt::Display for StatusListRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the status list is not JSON in Google's format ({why}); fetch it again"),
            Self::SerialMalformed(serial) => write!(f, "`{serial}` in the status list is no hexadecimal serial number; fetch it again"),
            Self::TooLarge => f.write_str("the status list is larger than is read; fetch it again"),
        }
    }
}

impl std::error::Error for StatusListRefusal {}

/// A status list and when it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    entries: BTreeMap<String, Status>,
    fetched_at: UnixSeconds,
}

/// Google's format is extensible: what is not read here is passed over.
#[derive(Deserialize)]
struct WireList {
    entries: BTreeMap<String, WireEntry>,
}

#[derive(Deserialize)]
struct WireEntry {
    status: String,
}

impl StatusList {
    /// Bytes of a list; the whole of Google's is well below one tenth of it.
    pub const BYTES_MAX: usize = 32 * 1024 * 1024;
    /// Entries of a list.
    pub const ENTRIES_MAX: usize = 500_000;

    /// Reads Google's JSON.
    ///
    /// # Errors
    /// When it is something else or too large. Keep the list that you have then; its age is judged, not its absence forgiven.
    pub fn parse(json: &str, fetched_at: UnixSeconds) -> Result<Self, StatusListRefusal> {
        if json.len() > Self::BYTES_MAX {
            return Err(StatusListRefusal::TooLarge);
        }
        let wire: WireList = serde_json::from_str(json).map_err(|why| StatusListRefusal::Malformed(why.to_string()))?;
        if wire.entries.len() > Self::ENTRIES_MAX {
            return Err(StatusListRefusal::TooLarge);
        }
        let mut entries = BTreeMap::new();
        for (serial, entry) in wire.entries {
            let status = match entry.status.as_str() {
                "REVOKED" => Status::Revoked,
                "SUSPENDED" => Status::Suspended,
                _ => Status::Other,
            };
            entries.insert(normal(&serial).ok_or(StatusListRefusal::SerialMalformed(serial))?, status);
        }
        Ok(Self { entries, fetched_at })
    }

    /// When it was fetched.
    #[must_use]
    pub const fn fetched_at(&self) -> UnixSeconds {
        self.fetched_at
    }

    /// Entries in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it names nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The same, for devices that were enrolled before.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        let revoked = self.entries.keys().map(|serial| serial_digest(serial)).collect();
        Revocations { revoked, fetched_at: Some(self.fetched_at), outage: None }
    }

    /// What it says of a serial number in lower-case hexadecimal without leading zeros.
    #[must_use]
    pub fn status(&self, serial: &str) -> Option<Status> {
        self.entries.get(serial).copied()
    }
}

/// By what a certificate is remembered, so that the day it is revoked is noticed.
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
    match lower.trim_start_matches('0') {
        "" => Some(String::from("0")),
        trimmed => Some(trimmed.to_owned()),
    }
}

/// What is asked of the status list. There is no rule by which a list is used when it happens to be there: that would be no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusRule {
    /// Nothing: for anchors whose owner publishes no list, such as a demo's.
    NotAsked,
    /// No certificate may stand on it.
    Required {
        /// The list; none has been loaded yet when `None`, and then everything is refused.
        list: Option<StatusList>,
        /// How old it may be.
        age_max: Seconds,
    },
}

impl StatusRule {
    /// The list to look into now; `None` when none is asked for.
    pub(super) fn list(&self, now: UnixSeconds) -> Result<Option<&StatusList>, AttestRefusal> {
        match self {
            Self::NotAsked => Ok(None),
            Self::Required { list: None, .. } => Err(AttestRefusal::StatusListMissing),
            Self::Required { list: Some(list), age_max } if now.since(list.fetched_at) > *age_max => {
                Err(AttestRefusal::StatusListStale { fetched_at: list.fetched_at })
            }
            Self::Required { list: Some(list), .. } => Ok(Some(list)),
        }
    }
}

/// The certificate does not stand on the list.
pub(super) fn not_revoked(index: usize, certificate: &Certificate, list: &StatusList) -> Result<(), AttestRefusal> {
    match list.status(certificate.serial()) {
        Some(Status::Other | Status::Revoked | Status::Suspended) => {
            Err(AttestRefusal::CertificateRevoked { index, serial: certificate.serial().to_owned() })
        }
        None => Ok(()),
    }
}

/// No certificate of the chain stands on the list that the rule asks for.
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
            ("too large", " ".repeat(StatusList::BYTES_MAX + 1), Err(StatusListRefusal::TooLarge)),
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
