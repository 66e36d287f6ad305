//! A proof that one entry is in the log, checkable offline by anybody with the log's verifier key.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::{Checkpoint, CheckpointRefusal, CheckpointVerifier},
    hash::{Hash, leaf_hash},
    identity::{PersonalField, PersonalName},
    merkle::{ProofRefusal, inclusion_proof, verify_inclusion},
    record::{Disclosure, check_disclosure},
    seal_refusal::SealRefusal,
    tree::Place,
};

/// Bytes of a proof file.
const BYTES_MAX: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    seq: u64,
    entry: String,
    path: Vec<String>,
    checkpoint: String,
    /// Personal fields that are shown with their proof.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    disclosed: Vec<WireField>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireField {
    name: String,
    salt: String,
    value: String,
    /// Where it stands under the entry's commitment, if that commits to several fields.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    place: Option<WirePlace>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePlace {
    index: usize,
    count: usize,
    path: Vec<String>,
}

/// The format of a proof that shows no field, or fields of an entry of format 1.
const FORMAT_1: &str = "countersign-proof 1";

/// The format of a proof that shows fields with their places.
const FORMAT_2: &str = "countersign-proof 2";

/// Why a proof file proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFileRefusal {
    /// The checkpoint in it does not verify.
    Checkpoint(CheckpointRefusal),
    /// A field that it shows is not the one that the entry commits to.
    Disclosure(SealRefusal),
    /// The path in it does not lead from the entry to the checkpoint.
    Inclusion(ProofRefusal),
    /// It is not a proof file of this format.
    Malformed,
}

impl fmt::Display for ProofFileRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(why) => write!(f, "the proof does not hold: {why}"),
            Self::Disclosure(why) => write!(f, "the proof does not hold: a disclosed field: {why}"),
            Self::Inclusion(why) => write!(f, "the proof does not hold: {why}"),
            Self::Malformed => f.write_str("this is no proof file; give the whole file that `countersign audit prove` wrote"),
        }
    }
}

impl std::error::Error for ProofFileRefusal {}

/// An entry that is in the log. Only [`check`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CheckedEntry {
    /// Its number.
    pub seq: u64,
    /// The entry, as hashed.
    pub json: String,
    /// The checkpoint it was proved against.
    pub checkpoint: Checkpoint,
    /// Personal fields that are shown, each proved to be the entry's.
    pub disclosed: Vec<PersonalField>,
}

/// Writes the proof of entry `seq` under a checkpoint note, and shows these personal fields of it. `leaves` are the hashes
/// of all records under the checkpoint. `None` when there is no such record.
#[must_use]
pub fn prove(seq: u64, json: &str, leaves: &[Hash], note: &str, disclosed: &[Disclosure]) -> Option<String> {
    let path = inclusion_proof(leaves, usize::try_from(seq).ok()?)?;
    let format = if disclosed.iter().any(|disclosure| disclosure.place.is_some()) { FORMAT_2 } else { FORMAT_1 };
    let wire = Wire {
        format: format.to_owned(),
        seq,
        entry: json.to_owned(),
        path: path.iter().map(Hash::to_string).collect(),
        checkpoint: note.to_owned(),
        disclosed: disclosed.iter().map(write_field).collect(),
    };
    serde_json::to_string_pretty(&wire).ok()
}

/// Checks a proof file.
///
/// # Errors
/// When it does not prove that its entry is in the log.
pub fn check(text: &str, key: &CheckpointVerifier) -> Result<CheckedEntry, ProofFileRefusal> {
    if text.len() > BYTES_MAX {
        return Err(ProofFileRefusal::Malformed);
    }
    let wire: Wire = serde_json::from_str(text).map_err(|_| ProofFileRefusal::Malformed)?;
    let placed = wire.disclosed.iter().any(|field| field.place.is_some());
    match (wire.format.as_str(), placed) {
        (FORMAT_1, false) | (FORMAT_2, true | false) => {}
        (_, true | false) => return Err(ProofFileRefusal::Malformed),
    }
    let path = read_path(&wire.path)?;
    let checkpoint = key.open_note(&wire.checkpoint).map_err(ProofFileRefusal::Checkpoint)?;
    let leaf = leaf_hash(wire.entry.as_bytes());
    let _included = verify_inclusion(leaf, wire.seq, checkpoint.size, &path, checkpoint.root).map_err(ProofFileRefusal::Inclusion)?;
    let disclosed = wire.disclosed.iter().map(|field| read_field(field, &wire.entry)).collect::<Result<_, _>>()?;
    Ok(CheckedEntry { seq: wire.seq, json: wire.entry, checkpoint, disclosed })
}

fn read_path(texts: &[String]) -> Result<Vec<Hash>, ProofFileRefusal> {
    texts.iter().map(|hash| Hash::parse(hash).ok_or(ProofFileRefusal::Malformed)).collect()
}

fn write_field(disclosure: &Disclosure) -> WireField {
    let PersonalField { name, value } = &disclosure.field;
    let place =
        |place: &Place| WirePlace { index: place.index, count: place.count, path: place.path.iter().map(Hash::to_string).collect() };
    WireField {
        name: name.as_str().to_owned(),
        salt: URL_SAFE_NO_PAD.encode(disclosure.salt),
        value: value.clone(),
        place: disclosure.place.as_ref().map(place),
    }
}

fn read_field(wire: &WireField, json: &str) -> Result<PersonalField, ProofFileRefusal> {
    let name = PersonalName::parse(&wire.name).ok_or(ProofFileRefusal::Malformed)?;
    let salt = URL_SAFE_NO_PAD.decode(&wire.salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(ProofFileRefusal::Malformed)?;
    let place = |wire: &WirePlace| Ok(Place { index: wire.index, count: wire.count, path: read_path(&wire.path)? });
    let place = wire.place.as_ref().map(place).transpose()?;
    let disclosure = Disclosure { field: PersonalField { name, value: wire.value.clone() }, salt, place };
    check_disclosure(json, &disclosure).map_err(ProofFileRefusal::Disclosure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        merkle::root,
        record::disclose,
        samples::{entry, key, person_key, seal_bytes},
        seal::seal,
    };
    use countersign_core::UnixMillis;
    use proptest::prelude::*;

    #[test]
    fn a_proof_holds_for_its_entry_only() {
        let (signer, key) = key("log.example.com");
        let entries: Vec<_> = (0..7).map(|n| seal(&entry(n), Some(&person_key(1)), &seal_bytes(n)).expect("sealed")).collect();
        let leaves: Vec<_> = entries.iter().map(|json| leaf_hash(json.as_bytes())).collect();
        let checkpoint = Checkpoint { size: 7, root: root(&leaves), at: UnixMillis(5) };
        let shown = disclose(&entries[4], &person_key(1), &[PersonalName::User]).expect("opens");
        let note = key.signed_note(&checkpoint, &signer.sign(&checkpoint)).expect("a note");
        let text = prove(4, &entries[4], &leaves, &note, &shown).expect("a proof");
        let rows: &[(&str, String, Result<u64, ProofFileRefusal>)] = &[
            ("all fits", text.clone(), Ok(4)),
            ("another entry", text.replace("allow", "limit"), Err(ProofFileRefusal::Inclusion(ProofRefusal::RootMismatch))),
            ("another number", text.replace("\"seq\": 4", "\"seq\": 9"), Err(ProofFileRefusal::Inclusion(ProofRefusal::OutOfRange))),
            ("another size", text.replace("\\n7\\n", "\\n8\\n"), Err(ProofFileRefusal::Checkpoint(CheckpointRefusal::SignatureInvalid))),
            (
                "another value of the shown field",
                text.replace("u_4", "u_5"),
                Err(ProofFileRefusal::Disclosure(SealRefusal::CommitmentMismatch)),
            ),
            ("another name of the shown field", text.replace("\"user\"", "\"name\""), Err(ProofFileRefusal::Malformed)),
            ("a member more", text.replacen("{", "{\"more\": 1,", 1), Err(ProofFileRefusal::Malformed)),
            ("another format", text.replace("proof 2", "proof 3"), Err(ProofFileRefusal::Malformed)),
            ("places, which the first format does not have", text.replace("proof 2", "proof 1"), Err(ProofFileRefusal::Malformed)),
            (
                "another place of the shown field",
                text.replace("\"index\": 1", "\"index\": 0"),
                Err(ProofFileRefusal::Disclosure(SealRefusal::CommitmentMismatch)),
            ),
            ("too long", " ".repeat(BYTES_MAX + 1), Err(ProofFileRefusal::Malformed)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(check(text, &key).map(|entry| entry.seq), *expected, "{name}");
        }
        let checked = check(&text, &key).expect("holds");
        assert_eq!(checked.disclosed, [PersonalField { name: PersonalName::User, value: "u_4".to_owned() }]);
        assert!(!text.contains("203.0.113"), "what is not disclosed does not show");
        assert_eq!(prove(7, "", &leaves, &note, &[]), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let (_, key) = key("log.example.com");
            let _ = check(&text, &key);
        }
    }
}
