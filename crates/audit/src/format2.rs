//! Entries of format 2: a struct for each kind of event in public, one commitment over the tree of personal fields, and one box.
//!
//! The leaf of the log is the hash of the whole line of JSON, with the box: a box that is changed or taken away is found without any
//! key. Destroying the person's key destroys the seed of the salts too, so that the commitment cannot be guessed back, while the
//! entry stays exactly as it was hashed.

use countersign_core::{DecisionId, Outcome, Reason, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    entry::Entry,
    event::{Event, Recorded},
    hash::Hash,
    identity::{PersonalField, PersonalName},
    person_key::PersonKey,
    seal_refusal::SealRefusal,
    spelling::{number, word, words},
    tree::{self, Fields, Place, SALT_BYTES, Salt},
};

/// What boxes are sealed for; the entry's commitment follows, so that a box opens in its own entry only.
const BOX: &[u8] = b"countersign-log box 2\0";

/// How every entry of this format begins, and none of format 1.
const BEGINNING: &str = "{\"v\":2,";

/// The unpredictable bytes that one sealing uses up.
#[derive(Clone)]
pub struct SealBytes {
    /// What the salts of the fields come from.
    pub seed: [u8; SALT_BYTES],
    /// The box's nonce. 96 random bits: far fewer than 2^32 entries are sealed under one person's key.
    pub nonce: [u8; 12],
}

impl SealBytes {
    /// As many bytes as are used up.
    pub const LENGTH: usize = SALT_BYTES + 12;

    /// Takes the bytes in.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LENGTH]) -> Self {
        Self { seed: *bytes.first_chunk().unwrap_or(&[0; SALT_BYTES]), nonce: *bytes.last_chunk().unwrap_or(&[0; 12]) }
    }
}

/// An entry that is written.
#[derive(Serialize)]
struct Writing<'a> {
    v: u8,
    #[serde(with = "number")]
    at: UnixMillis,
    decision: &'a str,
    event: &'a Recorded,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<WireSealed>,
}

/// An entry that is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading {
    v: u8,
    #[serde(with = "number")]
    at: UnixMillis,
    #[serde(with = "word")]
    decision: DecisionId,
    event: Recorded,
    #[serde(with = "word")]
    outcome: Outcome,
    #[serde(with = "words", default)]
    reasons: Vec<Reason>,
    #[serde(default)]
    sealed: Option<WireSealed>,
}

/// What is sealed: the names of the fields, what commits to them, the name of the key, nonce and ciphertext.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSealed {
    names: Vec<String>,
    commitment: String,
    key: String,
    #[serde(rename = "box")]
    data: String,
}

/// What the public part of an entry says.
pub struct Read {
    pub at: UnixMillis,
    pub decision: DecisionId,
    pub event: Event,
    pub sealed: Option<Sealed>,
}

/// What is sealed of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The names of the fields, in the order of the tree.
    pub names: Vec<PersonalName>,
    /// What commits to them.
    pub commitment: Hash,
    /// Name of the key.
    pub key: String,
    /// The box.
    pub data: String,
}

/// Whether an entry is of this format.
pub fn is(json: &str) -> bool {
    json.starts_with(BEGINNING)
}

/// Renders an entry; without a key (the person is erased) what identifies somebody is left out altogether.
pub fn seal(entry: &Entry, key: Option<&PersonKey>, bytes: &SealBytes) -> Result<String, SealRefusal> {
    // What format 1 wrote is read and never written again.
    if matches!(entry.event.of, Recorded::Earlier(_)) {
        return Err(SealRefusal::Malformed);
    }
    let sealed = key.map(|key| close(entry, key, bytes)).transpose()?.flatten();
    let writing = Writing {
        v: 2,
        at: entry.at,
        decision: entry.decision.as_str(),
        event: &entry.event.of,
        outcome: entry.event.outcome.as_str(),
        reasons: entry.event.reasons.iter().map(Reason::code).collect(),
        sealed,
    };
    serde_json::to_string(&writing).map_err(|_| SealRefusal::Malformed)
}

fn close(entry: &Entry, key: &PersonKey, bytes: &SealBytes) -> Result<Option<WireSealed>, SealRefusal> {
    let fields = entry.identity.fields();
    if fields.is_empty() {
        return Ok(None);
    }
    let commitment = Fields::new(&fields, &bytes.seed)?.commitment();
    let data = key.close(tree::pack(&fields, &bytes.seed)?, &purpose(&commitment), bytes.nonce)?;
    let names = fields.iter().map(|field| field.name.as_str().to_owned()).collect();
    Ok(Some(WireSealed { names, commitment: commitment.to_string(), key: key.handle().as_str().to_owned(), data }))
}

fn purpose(commitment: &Hash) -> Vec<u8> {
    [BOX, &commitment.0].concat()
}

/// Reads an entry.
pub fn read(json: &str) -> Result<Read, SealRefusal> {
    let reading: Reading = serde_json::from_str(json).map_err(|_| SealRefusal::Malformed)?;
    if reading.v != 2 {
        return Err(SealRefusal::Malformed);
    }
    let sealed = reading.sealed.map(|sealed| understand(sealed).ok_or(SealRefusal::Malformed)).transpose()?;
    let event = Event { outcome: reading.outcome, reasons: reading.reasons, of: reading.event };
    Ok(Read { at: reading.at, decision: reading.decision, event, sealed })
}

fn understand(wire: WireSealed) -> Option<Sealed> {
    Some(Sealed {
        names: wire.names.iter().map(|name| PersonalName::parse(name)).collect::<Option<_>>()?,
        commitment: Hash::parse(&wire.commitment)?,
        key: wire.key,
        data: wire.data,
    })
}

impl Sealed {
    /// Opens the box and checks that its fields are those that the entry commits to and names. Gives those that `wanted` names,
    /// each with what proves it.
    pub fn open(&self, key: &PersonKey, wanted: impl Fn(&PersonalName) -> bool) -> Result<Vec<(PersonalField, Salt, Place)>, SealRefusal> {
        let plain = key.unlock(&self.key, &self.data, &purpose(&self.commitment))?;
        let (seed, fields) = tree::unpack(&plain)?;
        let tree = Fields::new(&fields, &seed)?;
        if tree.commitment() != self.commitment || !fields.iter().map(|field| &field.name).eq(&self.names) {
            return Err(SealRefusal::CommitmentMismatch);
        }
        Ok(tree.shown(wanted).collect())
    }
}
