//! Sealing: personal fields become salted commitments, their values open only to the person's key.
//!
//! The leaf holds `H(domain || name || salt || value)` for each field, and salts and values together in one box under the
//! person's key (AES-256-GCM). Destroying the key destroys the salts too, so the commitments cannot be guessed back, while
//! the entry stays exactly as it was hashed.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    entry::{Entry, PersonalField, PersonalName},
    hash::{Hash, digest},
};

/// What commitments are hashed for, so that one can never be taken for another hash of ours.
const DOMAIN: &[u8] = b"countersign-log personal field 1\0";

/// The unpredictable bytes that one sealing uses up.
#[derive(Clone)]
pub struct SealBytes {
    /// A salt for each name that a field can have.
    pub salts: [[u8; 16]; PersonalName::ALL.len()],
    /// The box's nonce. 96 random bits: far fewer than 2^32 entries are sealed under one person's key.
    pub nonce: [u8; 12],
}

impl SealBytes {
    /// As many bytes as are used up.
    pub const LENGTH: usize = 16 * PersonalName::ALL.len() + 12;

    /// Takes the bytes in.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LENGTH]) -> Self {
        let (salts, nonce) = bytes.split_at(Self::LENGTH - 12);
        let mut out = Self { salts: [[0; 16]; PersonalName::ALL.len()], nonce: [0; 12] };
        out.salts.as_flattened_mut().iter_mut().zip(salts).for_each(|(to, from)| *to = *from);
        out.nonce.iter_mut().zip(nonce).for_each(|(to, from)| *to = *from);
        out
    }
}

/// The key that seals one person's fields.
pub struct PersonKey(LessSafeKey);

impl PersonKey {
    /// Takes the key's bytes in. `None` when the library refuses them, which it never does for 32 bytes.
    #[must_use]
    pub fn new(bytes: &Secret<[u8; 32]>) -> Option<Self> {
        Some(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes.expose()).ok()?)))
    }
}

/// Why an entry was not sealed or does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealRefusal {
    /// The box holds a value that is not the one committed to.
    CommitmentMismatch,
    /// The key is another person's, or the box was changed.
    KeyMismatch,
    /// The entry is not one of this log.
    Malformed,
    /// Two fields have one name.
    NameRepeated,
}

/// An entry as it is hashed and stored.
#[derive(Serialize, Deserialize)]
struct Wire {
    at: u64,
    decision: String,
    event: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    action: Option<String>,
    outcome: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    policies: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    facts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    nearest: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    unmet: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    remedies: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    personal: BTreeMap<String, String>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none", default)]
    sealed: Option<String>,
}

/// What is in the box: salt and value per name.
type Opened = BTreeMap<String, (String, String)>;

/// Renders `entry` as the one line of JSON that is hashed and stored. Without a key (the person is erased) the personal
/// fields are left out altogether.
///
/// # Errors
/// When two fields have one name.
pub fn seal(entry: &Entry, key: Option<&PersonKey>, bytes: &SealBytes) -> Result<String, SealRefusal> {
    let event = &entry.event;
    let mut wire = Wire {
        at: entry.at.0,
        decision: entry.decision.to_string(),
        event: event.kind.as_str().to_owned(),
        action: event.action.as_ref().map(ToString::to_string),
        outcome: event.outcome.as_str().to_owned(),
        reasons: event.reasons.iter().map(ToString::to_string).collect(),
        policies: event.policies.iter().map(ToString::to_string).collect(),
        facts: event.facts.clone(),
        nearest: event.nearest.as_ref().map(ToString::to_string),
        unmet: event.unmet.clone(),
        remedies: event.remedies.iter().map(|remedy| remedy.kind().to_owned()).collect(),
        personal: BTreeMap::new(),
        sealed: None,
    };
    if let Some(key) = key.filter(|_| !entry.personal.is_empty()) {
        let (commitments, opened) = commit(&entry.personal, bytes)?;
        wire.personal = commitments;
        wire.sealed = Some(close(key, &opened, bytes.nonce)?);
    }
    serde_json::to_string(&wire).map_err(|_| SealRefusal::Malformed)
}

fn commit(fields: &[PersonalField], bytes: &SealBytes) -> Result<(BTreeMap<String, String>, Opened), SealRefusal> {
    let (mut commitments, mut opened) = (BTreeMap::new(), Opened::new());
    for (field, salt) in fields.iter().zip(&bytes.salts) {
        let name = field.name.as_str();
        commitments.insert(name.to_owned(), commitment(name, salt, &field.value).to_string());
        opened.insert(name.to_owned(), (URL_SAFE_NO_PAD.encode(salt), field.value.clone()));
    }
    if opened.len() == fields.len() { Ok((commitments, opened)) } else { Err(SealRefusal::NameRepeated) }
}

fn commitment(name: &str, salt: &[u8], value: &str) -> Hash {
    // Name and salt have lengths that cannot be confused: the name ends in a zero byte, the salt has 16 bytes.
    digest(&[DOMAIN, name.as_bytes(), &[0], salt, value.as_bytes()])
}

fn close(key: &PersonKey, opened: &Opened, nonce: [u8; 12]) -> Result<String, SealRefusal> {
    let mut bytes = serde_json::to_vec(opened).map_err(|_| SealRefusal::Malformed)?;
    key.0
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(DOMAIN), &mut bytes)
        .map_err(|_| SealRefusal::KeyMismatch)?;
    Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat()))
}

/// Opens the personal fields of a stored entry and checks each against its commitment.
///
/// # Errors
/// When the key does not fit or the entry was changed.
pub fn open(json: &str, key: &PersonKey) -> Result<Vec<PersonalField>, SealRefusal> {
    let wire: Wire = serde_json::from_str(json).map_err(|_| SealRefusal::Malformed)?;
    let Some(sealed) = wire.sealed else { return Ok(Vec::new()) };
    let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealRefusal::Malformed)?;
    let (nonce, bytes) = bytes.split_first_chunk::<12>().ok_or(SealRefusal::Malformed)?;
    let mut bytes = bytes.to_vec();
    let plain =
        key.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(DOMAIN), &mut bytes).map_err(|_| SealRefusal::KeyMismatch)?;
    let opened: Opened = serde_json::from_slice(plain).map_err(|_| SealRefusal::Malformed)?;
    opened
        .into_iter()
        .map(|(name, (salt, value))| {
            let salt = URL_SAFE_NO_PAD.decode(salt).map_err(|_| SealRefusal::Malformed)?;
            let committed = wire.personal.get(&name).ok_or(SealRefusal::CommitmentMismatch)?;
            if commitment(&name, &salt, &value).to_string() != *committed {
                return Err(SealRefusal::CommitmentMismatch);
            }
            let name = PersonalName::parse(&name).ok_or(SealRefusal::Malformed)?;
            Ok(PersonalField { name, value })
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::entry::{Event, EventKind};
    use countersign_core::{DecisionId, Outcome, UnixMillis, UserId};
    use proptest::prelude::*;

    pub fn entry(number: u8) -> Entry {
        Entry {
            at: UnixMillis(1_700_000_000_000),
            decision: DecisionId::from_random([number; 8]),
            event: Event::new(EventKind::Request, Outcome::Allow),
            person: Some(UserId::from_random([number; 16])),
            personal: vec![
                PersonalField { name: PersonalName::User, value: format!("u_{number}") },
                PersonalField { name: PersonalName::Address, value: "203.0.113.0".to_owned() },
            ],
        }
    }

    pub fn person_key(byte: u8) -> PersonKey {
        PersonKey::new(&Secret::new([byte; 32])).expect("a key")
    }

    pub fn seal_bytes(byte: u8) -> SealBytes {
        SealBytes::new(&[byte; SealBytes::LENGTH])
    }

    #[test]
    fn a_sealed_entry_shows_nothing_and_opens_to_its_person() {
        let json = seal(&entry(1), Some(&person_key(1)), &seal_bytes(9)).expect("sealed");
        assert!(!json.contains("u_1") && !json.contains("203.0.113"), "{json}");
        let mut fields = entry(1).personal;
        fields.sort_by_key(|field| field.name);
        assert_eq!(open(&json, &person_key(1)), Ok(fields));
        // The leaf's commitment changes with the salt, so equal values do not look equal.
        assert_ne!(json, seal(&entry(1), Some(&person_key(1)), &seal_bytes(8)).expect("sealed"));
    }

    #[test]
    fn an_erased_person_leaves_nothing() {
        let json = seal(&entry(1), None, &seal_bytes(9)).expect("sealed");
        assert_eq!(open(&json, &person_key(1)), Ok(vec![]));
        assert!(!json.contains("personal") && !json.contains("box"));
    }

    #[test]
    fn what_does_not_fit_does_not_open() {
        let json = seal(&entry(1), Some(&person_key(1)), &seal_bytes(9)).expect("sealed");
        let other = seal(&entry(2), Some(&person_key(1)), &seal_bytes(9)).expect("sealed");
        let (value, swapped): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&json).expect("json"), serde_json::from_str(&other).expect("json"));
        let mut mixed = value.clone();
        mixed["box"] = swapped["box"].clone();
        let mut renamed = value;
        renamed["personal"]["user"] = renamed["personal"]["address"].clone();
        let rows: &[(&str, String, u8, SealRefusal)] = &[
            ("another person's key", json.clone(), 2, SealRefusal::KeyMismatch),
            ("another entry's box", mixed.to_string(), 1, SealRefusal::CommitmentMismatch),
            ("another commitment", renamed.to_string(), 1, SealRefusal::CommitmentMismatch),
            ("no JSON", "{".to_owned(), 1, SealRefusal::Malformed),
        ];
        for (name, json, key, expected) in rows {
            assert_eq!(open(json, &person_key(*key)), Err(*expected), "{name}");
        }
        let mut twice = entry(1);
        twice.personal.push(PersonalField { name: PersonalName::User, value: "u_9".to_owned() });
        assert_eq!(seal(&twice, Some(&person_key(1)), &seal_bytes(9)), Err(SealRefusal::NameRepeated));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = open(&text, &person_key(1));
        }
    }
}
