//! A proof that one entry is in the log, checkable offline by anybody with the log's verifier key.

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::{Checkpoint, CheckpointRefusal, CheckpointVerifier},
    hash::{Hash, leaf_hash},
    merkle::{ProofRefusal, inclusion_proof, verify_inclusion},
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
}

/// The format that is written and read.
const FORMAT: &str = "countersign-proof 1";

/// Why a proof file proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFileRefusal {
    /// The checkpoint in it does not verify.
    Checkpoint(CheckpointRefusal),
    /// The path in it does not lead from the entry to the checkpoint.
    Inclusion(ProofRefusal),
    /// It is not a proof file of this format.
    Malformed,
}

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
}

/// Writes the proof of entry `seq` under a checkpoint note. `leaves` are the hashes of all records under it. `None` when
/// there is no such record.
#[must_use]
pub fn prove(seq: u64, json: &str, leaves: &[Hash], note: &str) -> Option<String> {
    let path = inclusion_proof(leaves, usize::try_from(seq).ok()?)?;
    let wire = Wire {
        format: FORMAT.to_owned(),
        seq,
        entry: json.to_owned(),
        path: path.iter().map(Hash::to_string).collect(),
        checkpoint: note.to_owned(),
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
    if wire.format != FORMAT {
        return Err(ProofFileRefusal::Malformed);
    }
    let path: Option<Vec<_>> = wire.path.iter().map(|hash| Hash::parse(hash)).collect();
    let path = path.ok_or(ProofFileRefusal::Malformed)?;
    let checkpoint = key.open_note(&wire.checkpoint).map_err(ProofFileRefusal::Checkpoint)?;
    let leaf = leaf_hash(wire.entry.as_bytes());
    let _included = verify_inclusion(leaf, wire.seq, checkpoint.size, &path, checkpoint.root).map_err(ProofFileRefusal::Inclusion)?;
    Ok(CheckedEntry { seq: wire.seq, json: wire.entry, checkpoint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checkpoint::tests::key, merkle::root};
    use countersign_core::UnixMillis;
    use proptest::prelude::*;

    #[test]
    fn a_proof_holds_for_its_entry_only() {
        let (signer, key) = key("log.example.com");
        let entries: Vec<_> = (0..7).map(|n| format!("{{\"n\":{n}}}")).collect();
        let leaves: Vec<_> = entries.iter().map(|json| leaf_hash(json.as_bytes())).collect();
        let checkpoint = Checkpoint { size: 7, root: root(&leaves), at: UnixMillis(5) };
        let note = key.signed_note(&checkpoint, &signer.sign(&checkpoint)).expect("a note");
        let text = prove(4, &entries[4], &leaves, &note).expect("a proof");
        let rows: &[(&str, String, Result<u64, ProofFileRefusal>)] = &[
            ("all fits", text.clone(), Ok(4)),
            ("another entry", text.replace("\\\"n\\\":4", "\\\"n\\\":5"), Err(ProofFileRefusal::Inclusion(ProofRefusal::RootMismatch))),
            ("another number", text.replace("\"seq\": 4", "\"seq\": 9"), Err(ProofFileRefusal::Inclusion(ProofRefusal::OutOfRange))),
            ("another size", text.replace("\\n7\\n", "\\n8\\n"), Err(ProofFileRefusal::Checkpoint(CheckpointRefusal::SignatureInvalid))),
            ("another format", text.replace("proof 1", "proof 2"), Err(ProofFileRefusal::Malformed)),
            ("too long", " ".repeat(BYTES_MAX + 1), Err(ProofFileRefusal::Malformed)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(check(text, &key).map(|entry| entry.seq), *expected, "{name}");
        }
        assert_eq!(prove(7, "", &leaves, &note), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let (_, key) = key("log.example.com");
            let _ = check(&text, &key);
        }
    }
}
