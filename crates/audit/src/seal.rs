//! Sealing: personal fields become salted commitments, their values open only to the person's key.
//!
//! The leaf holds `H(domain || name || salt || value)` for each field, and salts and values together in one box under the
//! person's key (AES-256-GCM). Destroying the key destroys the salts too, so the commitments cannot be guessed back, while
//! the entry stays exactly as it was hashed.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    entry::{Entry, PersonalField, PersonalName},
    hash::{Hash, digest},
    line::JSON_BYTES_MAX,
};

/// What commitments are hashed for, so that one can never be taken for another hash of ours.
const DOMAIN: &[u8] = b"countersign-log personal field 1\0";

/// Bytes of a salt: as many as cannot be guessed.
const SALT_BYTES: usize = 16;

/// The unpredictable bytes that one sealing uses up.
#[derive(Clone)]
pub struct SealBytes {
    /// A salt for each name that a field can have.
    pub salts: [[u8; SALT_BYTES]; PersonalName::ALL.len()],
    /// The box's nonce. 96 random bits: far fewer than 2^32 entries are sealed under one person's key.
    pub nonce: [u8; 12],
}

impl SealBytes {
    /// As many bytes as are used up.
    pub const LENGTH: usize = SALT_BYTES * PersonalName::ALL.len() + 12;

    /// Takes the bytes in.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LENGTH]) -> Self {
        let (salts, nonce) = bytes.split_at(Self::LENGTH - 12);
        let mut out = Self { salts: [[0; SALT_BYTES]; PersonalName::ALL.len()], nonce: [0; 12] };
        out.salts.as_flattened_mut().iter_mut().zip(salts).for_each(|(to, from)| *to = *from);
        out.nonce.iter_mut().zip(nonce).for_each(|(to, from)| *to = *from);
        out
    }
}

/// Names a person's key: 22 characters of base64url, half of SHA-256(domain || key). It says nothing of the key, whose 256
/// bits cannot be guessed, and nothing of the person to whoever has no list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyHandle(String);

impl KeyHandle {
    /// The handle of a key.
    #[must_use]
    pub fn of(key: &Secret<[u8; 32]>) -> Self {
        let Hash(hash) = digest(&[b"countersign-log key handle 1\0", key.expose()]);
        Self(URL_SAFE_NO_PAD.encode(hash.first_chunk::<16>().unwrap_or(&[0; 16])))
    }

    /// The handle as it stands in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key that seals one person's fields.
pub struct PersonKey {
    key: LessSafeKey,
    handle: KeyHandle,
}

impl PersonKey {
    /// Takes the key's bytes in. `None` when the library refuses them, which it never does for 32 bytes.
    #[must_use]
    pub fn new(bytes: &Secret<[u8; 32]>) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes.expose()).ok()?);
        Some(Self { key, handle: KeyHandle::of(bytes) })
    }

    /// Its name in the log.
    #[must_use]
    pub const fn handle(&self) -> &KeyHandle {
        &self.handle
    }
}

/// Why an entry was not sealed or does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealRefusal {
    /// The value is not the one committed to.
    CommitmentMismatch,
    /// The key is another person's.
    KeyMismatch,
    /// The entry is not one of this log.
    Malformed,
    /// Two fields have one name.
    NameRepeated,
    /// The box was changed after it was sealed.
    SealBroken,
    /// The entry is longer than a line of the log may be.
    TooLong,
}

impl fmt::Display for SealRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommitmentMismatch => "the value does not match the commitment in the entry",
            Self::KeyMismatch => "the entry was sealed with another person's key",
            Self::Malformed => "this is not an entry of the log",
            Self::NameRepeated => "two personal fields of the entry have the same name",
            Self::SealBroken => "the sealed fields were changed after they were sealed; run `countersign audit verify`",
            Self::TooLong => "the entry is longer than a line of the log can be",
        })
    }
}

impl std::error::Error for SealRefusal {}

/// A personal field together with what proves it: whoever is given this, and nothing else, can check this one field of an
/// entry and learns nothing of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// The field.
    pub field: PersonalField,
    /// What its commitment was salted with.
    pub salt: [u8; SALT_BYTES],
}

/// An entry as it is hashed and stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    sealed: Option<WireBox>,
}

/// The box: whose key opens it, and nonce and ciphertext in base64url.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBox {
    key: String,
    data: String,
}

/// What is in the box: salt and value per name.
type Opened = BTreeMap<String, (String, String)>;

/// Renders `entry` as the one line of JSON that is hashed and stored. Without a key (the person is erased) the personal
/// fields are left out altogether.
///
/// # Errors
/// When two fields have one name, or the line would be too long.
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
    let json = serde_json::to_string(&wire).map_err(|_| SealRefusal::Malformed)?;
    if json.len() <= JSON_BYTES_MAX { Ok(json) } else { Err(SealRefusal::TooLong) }
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

fn close(key: &PersonKey, opened: &Opened, nonce: [u8; 12]) -> Result<WireBox, SealRefusal> {
    let mut bytes = serde_json::to_vec(opened).map_err(|_| SealRefusal::Malformed)?;
    key.key
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(DOMAIN), &mut bytes)
        .map_err(|_| SealRefusal::TooLong)?;
    Ok(WireBox { key: key.handle.0.clone(), data: URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat()) })
}

/// Whose key opens a stored entry. `None` for one without personal fields.
///
/// # Errors
/// When the text is no entry.
pub fn handle(json: &str) -> Result<Option<KeyHandle>, SealRefusal> {
    Ok(read(json)?.sealed.map(|sealed| KeyHandle(sealed.key)))
}

/// Opens the personal fields of a stored entry and checks each against its commitment.
///
/// # Errors
/// When the key does not fit or the entry was changed.
pub fn open(json: &str, key: &PersonKey) -> Result<Vec<PersonalField>, SealRefusal> {
    Ok(disclose(json, key, &PersonalName::ALL)?.into_iter().map(|disclosure| disclosure.field).collect())
}

/// Opens those personal fields of a stored entry that are among `names`, each with what proves it to somebody without the
/// key.
///
/// # Errors
/// When the key does not fit or the entry was changed.
pub fn disclose(json: &str, key: &PersonKey, names: &[PersonalName]) -> Result<Vec<Disclosure>, SealRefusal> {
    let wire = read(json)?;
    let Some(sealed) = &wire.sealed else { return Ok(Vec::new()) };
    let opened = unlock(sealed, key)?;
    // A commitment without a value would be a field that the box hides.
    if opened.len() != wire.personal.len() {
        return Err(SealRefusal::CommitmentMismatch);
    }
    let mut found = Vec::new();
    for (name, (salt, value)) in opened {
        let name = PersonalName::parse(&name).ok_or(SealRefusal::Malformed)?;
        let salt = URL_SAFE_NO_PAD.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(SealRefusal::Malformed)?;
        let disclosure = Disclosure { field: PersonalField { name, value }, salt };
        hold(&wire, &disclosure)?;
        found.extend(names.contains(&name).then_some(disclosure));
    }
    Ok(found)
}

/// Checks that a stored entry commits to a disclosed field; the answer is that field.
///
/// # Errors
/// When it commits to another value, or to no field of that name.
pub fn check_disclosure(json: &str, disclosure: &Disclosure) -> Result<PersonalField, SealRefusal> {
    hold(&read(json)?, disclosure)?;
    Ok(disclosure.field.clone())
}

fn hold(wire: &Wire, disclosure: &Disclosure) -> Result<(), SealRefusal> {
    let name = disclosure.field.name.as_str();
    let committed = wire.personal.get(name).ok_or(SealRefusal::CommitmentMismatch)?;
    let same = commitment(name, &disclosure.salt, &disclosure.field.value).to_string() == *committed;
    if same { Ok(()) } else { Err(SealRefusal::CommitmentMismatch) }
}

fn unlock(sealed: &WireBox, key: &PersonKey) -> Result<Opened, SealRefusal> {
    if sealed.key != key.handle.0 {
        return Err(SealRefusal::KeyMismatch);
    }
    let bytes = URL_SAFE_NO_PAD.decode(&sealed.data).map_err(|_| SealRefusal::Malformed)?;
    let (nonce, bytes) = bytes.split_first_chunk::<12>().ok_or(SealRefusal::Malformed)?;
    let mut bytes = bytes.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = key.key.open_in_place(nonce, Aad::from(DOMAIN), &mut bytes).map_err(|_| SealRefusal::SealBroken)?;
    serde_json::from_slice(plain).map_err(|_| SealRefusal::Malformed)
}

fn read(json: &str) -> Result<Wire, SealRefusal> {
    if json.len() > JSON_BYTES_MAX {
        return Err(SealRefusal::TooLong);
    }
    serde_json::from_str(json).map_err(|_| SealRefusal::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{entry, person_key, seal_bytes};
    use proptest::prelude::*;

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

    fn sealed(entry: &Entry) -> String {
        seal(entry, Some(&person_key(1)), &seal_bytes(9)).expect("sealed")
    }

    #[test]
    fn what_does_not_fit_does_not_open() {
        let json = sealed(&entry(1));
        let value: serde_json::Value = serde_json::from_str(&json).expect("json");
        let other: serde_json::Value = serde_json::from_str(&sealed(&entry(2))).expect("json");
        let with = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut value = value.clone();
            change(&mut value);
            value.to_string()
        };
        let broken = with(&|v| {
            let data = v["box"]["data"].as_str().expect("a text").to_owned();
            v["box"]["data"] = (data.split_at(data.len() - 4).0.to_owned() + "AAAA").into();
        });
        let rows: &[(&str, String, u8, SealRefusal)] = &[
            ("another person's key", json.clone(), 2, SealRefusal::KeyMismatch),
            ("another entry's box", with(&|v| v["box"] = other["box"].clone()), 1, SealRefusal::CommitmentMismatch),
            ("another commitment", with(&|v| v["personal"]["user"] = v["personal"]["address"].clone()), 1, SealRefusal::CommitmentMismatch),
            ("a commitment more", with(&|v| v["personal"]["path"] = v["personal"]["address"].clone()), 1, SealRefusal::CommitmentMismatch),
            (
                "a commitment less",
                with(&|v| drop(v["personal"].as_object_mut().expect("an object").remove("user"))),
                1,
                SealRefusal::CommitmentMismatch,
            ),
            ("another end of the box", broken, 1, SealRefusal::SealBroken),
            ("a box without a nonce", with(&|v| v["box"]["data"] = "AAAA".into()), 1, SealRefusal::Malformed),
            ("an unknown member", with(&|v| v["more"] = 1.into()), 1, SealRefusal::Malformed),
            ("no JSON", "{".to_owned(), 1, SealRefusal::Malformed),
            ("no end", " ".repeat(JSON_BYTES_MAX + 1), 1, SealRefusal::TooLong),
        ];
        for (name, json, key, expected) in rows {
            assert_eq!(open(json, &person_key(*key)), Err(*expected), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_again_is_not_sealed() {
        let mut twice = entry(1);
        twice.personal.push(PersonalField { name: PersonalName::User, value: "u_9".to_owned() });
        let unmet = |length: usize| {
            let mut entry = entry(1);
            entry.event.unmet = vec!["x".repeat(length)];
            entry
        };
        // `unmet` and its brackets are what the empty text does not yet have.
        let room = JSON_BYTES_MAX - sealed(&unmet(0)).len();
        let rows: &[(&str, Entry, Option<SealRefusal>)] = &[
            ("two fields of one name", twice, Some(SealRefusal::NameRepeated)),
            ("as long as a line may be", unmet(room), None),
            ("one byte longer", unmet(room + 1), Some(SealRefusal::TooLong)),
        ];
        for (name, entry, expected) in rows {
            assert_eq!(seal(entry, Some(&person_key(1)), &seal_bytes(9)).err(), *expected, "{name}");
        }
        let (line, _) = crate::line::record_line(u64::MAX, &sealed(&unmet(room)));
        assert!(crate::line::Line::parse(line.trim_end()).is_ok(), "the longest entry fits into a line");
    }

    /// One field is shown and proved; the others stay as they are (EXPERIENCE PR-10).
    #[test]
    fn one_field_is_disclosed_and_others_not() {
        let json = sealed(&entry(1));
        let shown = disclose(&json, &person_key(1), &[PersonalName::User]).expect("opens");
        let [user] = shown.as_slice() else { panic!("one field") };
        assert_eq!(check_disclosure(&json, user).map(|field| field.value), Ok("u_1".to_owned()));
        let with = |change: fn(&mut Disclosure)| {
            let mut disclosure = user.clone();
            change(&mut disclosure);
            disclosure
        };
        let rows: &[(&str, Disclosure, SealRefusal)] = &[
            ("another value", with(|shown| shown.field.value = "u_2".to_owned()), SealRefusal::CommitmentMismatch),
            ("another salt", with(|shown| shown.salt = [0; SALT_BYTES]), SealRefusal::CommitmentMismatch),
            ("another field's name", with(|shown| shown.field.name = PersonalName::Address), SealRefusal::CommitmentMismatch),
            ("a field that is not there", with(|shown| shown.field.name = PersonalName::Path), SealRefusal::CommitmentMismatch),
        ];
        for (name, disclosure, expected) in rows {
            assert_eq!(check_disclosure(&json, disclosure).err(), Some(*expected), "{name}");
        }
        // The name is part of what is committed to: equal values do not look equal, even under the same salt.
        let commitments = [PersonalName::Device, PersonalName::User].map(|name| commitment(name.as_str(), &[9; SALT_BYTES], "x"));
        assert_ne!(commitments[0], commitments[1]);
        // Salts differ from field to field: one that is known opens no other.
        let all = disclose(&sealed_with(7), &person_key(1), &PersonalName::ALL).expect("opens");
        assert!(all.first().map(|one| one.salt) != all.last().map(|one| one.salt));
    }

    /// Sealed with salts that differ, as real ones do.
    fn sealed_with(seed: u8) -> String {
        let mut bytes = [seed; SealBytes::LENGTH];
        bytes.iter_mut().zip(0..).for_each(|(byte, n): (&mut u8, u8)| *byte ^= n);
        seal(&entry(1), Some(&person_key(1)), &SealBytes::new(&bytes)).expect("sealed")
    }

    #[test]
    fn a_box_names_its_key_and_not_its_person() {
        let json = sealed(&entry(1));
        assert_eq!(handle(&json), Ok(Some(KeyHandle::of(&Secret::new([1; 32])))));
        assert_ne!(KeyHandle::of(&Secret::new([1; 32])), KeyHandle::of(&Secret::new([2; 32])));
        assert_eq!(handle(&seal(&entry(1), None, &seal_bytes(9)).expect("sealed")), Ok(None));
        assert_eq!(handle("{").err(), Some(SealRefusal::Malformed));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = open(&text, &person_key(1));
            let _ = handle(&text);
        }

        #[test]
        fn no_box_panics(data in "[A-Za-z0-9_-]{0,200}", commitment in "\\PC{0,50}") {
            let json = serde_json::json!({
                "at": 1, "decision": "D", "event": "request", "outcome": "allow",
                "personal": { "user": commitment }, "box": { "key": person_key(1).handle().as_str(), "data": data },
            });
            prop_assert!(open(&json.to_string(), &person_key(1)).is_err());
        }

        #[test]
        fn whatever_is_sealed_opens(value in "\\PC*", seed: u8) {
            let mut written = entry(1);
            written.personal = vec![PersonalField { name: PersonalName::Path, value }];
            let json = seal(&written, Some(&person_key(seed)), &seal_bytes(seed)).expect("sealed");
            prop_assert!(!json.contains('\n'));
            prop_assert_eq!(open(&json, &person_key(seed)), Ok(written.personal));
        }
    }
}
