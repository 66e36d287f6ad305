//! Signed checkpoints: the size and root of the tree at one moment, in the form of C2SP tlog-checkpoint and signed-note.

use std::fmt::{self, Write as _};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use countersign_core::{Secret, UnixMillis};

use crate::hash::{Hash, digest};

/// The type byte of Ed25519 in a note's key (C2SP signed-note, "Signature types").
const ED25519_TYPE: u8 = 1;

/// The size and root of the log at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// When it was signed.
    pub at: UnixMillis,
}

impl Checkpoint {
    /// The text that is signed (C2SP tlog-checkpoint: origin, size, root, and one extension line with the time).
    fn note(&self, origin: &str) -> String {
        format!("{origin}\n{}\n{}\n{}\n", self.size, STANDARD.encode(self.root.0), self.at.0)
    }
}

/// Bytes of a signed note that is read; ours have about 300, and a witness adds about 100.
const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Why a text is not a key of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The text does not have three parts, or a part is not what it should be.
    Malformed,
    /// The key does not belong to its hash.
    HashMismatch,
    /// It is not an Ed25519 key.
    Unsupported,
}

/// Why a checkpoint proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointRefusal {
    /// The text is not a signed note with a checkpoint in it.
    Malformed,
    /// No signature by this log's key.
    KeyUnknown,
    /// The checkpoint is another log's.
    OriginMismatch,
    /// The signature does not verify.
    SignatureInvalid,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is not a verifier key; give the whole text `NAME+HASH+KEY`, as printed by `audit key`",
            Self::HashMismatch => "the key does not belong to its name and hash; copy it again from its source",
            Self::Unsupported => "this is not an Ed25519 key; use the log's own key",
        })
    }
}

impl std::error::Error for KeyRefusal {}

impl fmt::Display for CheckpointRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is not a signed checkpoint; give the whole note with its signature lines",
            Self::KeyUnknown => "the checkpoint is signed by another key; use the verifier key that was valid at its time",
            Self::OriginMismatch => "the checkpoint belongs to another log; use that log's verifier key",
            Self::SignatureInvalid => "the checkpoint's signature is not valid; the checkpoint was changed after it was signed",
        })
    }
}

impl std::error::Error for CheckpointRefusal {}

/// Signs the checkpoints of one log.
pub struct CheckpointKey {
    origin: String,
    hash: u32,
    pair: Ed25519KeyPair,
}

impl CheckpointKey {
    /// Takes an Ed25519 key in PKCS#8 for the log called `origin` (a host name, for example).
    ///
    /// # Errors
    /// When the bytes are no such key, or the origin has spaces, line breaks or `+` (C2SP signed-note).
    pub fn from_pkcs8(origin: &str, pkcs8: &Secret<Vec<u8>>) -> Result<Self, KeyRefusal> {
        let fits = !origin.is_empty() && origin.len() <= 255 && origin.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| KeyRefusal::Unsupported)?;
        if !fits {
            return Err(KeyRefusal::Malformed);
        }
        let hash = key_hash(origin, &[&[ED25519_TYPE], pair.public_key().as_ref()].concat());
        Ok(Self { origin: origin.to_owned(), hash, pair })
    }

    /// The key with which anybody can verify, as text: `origin+hash+key` (C2SP signed-note, "Verifier keys").
    #[must_use]
    pub fn verifier_text(&self) -> String {
        let key = [&[ED25519_TYPE], self.pair.public_key().as_ref()].concat();
        format!("{}+{:08x}+{}", self.origin, self.hash, STANDARD.encode(key))
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Signs a checkpoint: base64url of the key's hash and the signature, which together a note calls a signature (C2SP
    /// signed-note), so that a commit line says which key made it.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let signature = self.pair.sign(checkpoint.note(&self.origin).as_bytes());
        URL_SAFE_NO_PAD.encode([&self.hash.to_be_bytes()[..], signature.as_ref()].concat())
    }
}

/// Verifies the checkpoints of one log.
pub struct CheckpointVerifier {
    origin: String,
    hash: u32,
    key: ParsedPublicKey,
}

impl CheckpointVerifier {
    /// Reads a verifier key: `origin+hash+key`.
    ///
    /// # Errors
    /// When the text is none, or its hash belongs to another key.
    pub fn parse(text: &str) -> Result<Self, KeyRefusal> {
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(origin), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(KeyRefusal::Malformed) };
        if hash.len() != 8 || origin.is_empty() {
            return Err(KeyRefusal::Malformed);
        }
        let hash = u32::from_str_radix(hash, 16).map_err(|_| KeyRefusal::Malformed)?;
        let bytes = STANDARD.decode(key).map_err(|_| KeyRefusal::Malformed)?;
        if key_hash(origin, &bytes) != hash {
            return Err(KeyRefusal::HashMismatch);
        }
        let Some((&ED25519_TYPE, public)) = bytes.split_first() else { return Err(KeyRefusal::Unsupported) };
        let key = ParsedPublicKey::new(&ED25519, public).map_err(|_| KeyRefusal::Unsupported)?;
        Ok(Self { origin: origin.to_owned(), hash, key })
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Checks the signature of a commit line, as [`CheckpointKey::sign`] writes it.
    ///
    /// # Errors
    /// When it is another key's, or does not verify.
    pub fn verify(&self, checkpoint: &Checkpoint, signature: &str) -> Result<(), CheckpointRefusal> {
        let signed = URL_SAFE_NO_PAD.decode(signature).map_err(|_| CheckpointRefusal::Malformed)?;
        self.verify_signed(checkpoint, &signed)
    }

    fn verify_signed(&self, checkpoint: &Checkpoint, signed: &[u8]) -> Result<(), CheckpointRefusal> {
        let (hash, signature) = signed.split_first_chunk::<4>().ok_or(CheckpointRefusal::Malformed)?;
        if *hash != self.hash.to_be_bytes() {
            return Err(CheckpointRefusal::KeyUnknown);
        }
        self.key.verify_sig(checkpoint.note(&self.origin).as_bytes(), signature).map_err(|_| CheckpointRefusal::SignatureInvalid)
    }

    /// A checkpoint as a C2SP signed note, to be kept elsewhere or given to a witness. `None` when the signature is not text
    /// of ours.
    #[must_use]
    pub fn signed_note(&self, checkpoint: &Checkpoint, signature: &str) -> Option<String> {
        let signed = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut note = checkpoint.note(&self.origin);
        writeln!(note, "\n\u{2014} {} {}", self.origin, STANDARD.encode(signed)).ok()?;
        Some(note)
    }

    /// Reads a signed note and verifies it. Further signatures, a witness's for example, are left alone.
    ///
    /// # Errors
    /// When it is none, is another log's, or is not signed by this key.
    pub fn open_note(&self, note: &str) -> Result<Checkpoint, CheckpointRefusal> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(CheckpointRefusal::Malformed);
        }
        let (text, signatures) = note.split_once("\n\n").ok_or(CheckpointRefusal::Malformed)?;
        let checkpoint = self.read(text)?;
        let ours = format!("\u{2014} {} ", self.origin);
        // A log whose key was changed may have signed with both: each line by this name is tried, the hash tells them apart.
        let mut refusal = CheckpointRefusal::KeyUnknown;
        for signed in signatures.lines().filter_map(|line| line.strip_prefix(&ours)) {
            let signed = STANDARD.decode(signed).map_err(|_| CheckpointRefusal::Malformed)?;
            match self.verify_signed(&checkpoint, &signed) {
                Ok(()) => return Ok(checkpoint),
                Err(CheckpointRefusal::KeyUnknown) => {}
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }

    /// Reads the four lines that are signed; any other spelling of them is refused, so that what is read is what was signed.
    fn read(&self, text: &str) -> Result<Checkpoint, CheckpointRefusal> {
        let mut lines = text.split('\n');
        if lines.next() != Some(self.origin.as_str()) {
            return Err(CheckpointRefusal::OriginMismatch);
        }
        let size = lines.next().and_then(|text| text.parse().ok()).ok_or(CheckpointRefusal::Malformed)?;
        let root = lines.next().and_then(|text| STANDARD.decode(text).ok()?.try_into().ok()).ok_or(CheckpointRefusal::Malformed)?;
        let at = lines.next().and_then(|text| text.parse().ok()).ok_or(CheckpointRefusal::Malformed)?;
        let checkpoint = Checkpoint { size, root: Hash(root), at: UnixMillis(at) };
        let same = checkpoint.note(&self.origin).strip_suffix('\n') == Some(text);
        if same { Ok(checkpoint) } else { Err(CheckpointRefusal::Malformed) }
    }
}

/// The first four bytes of SHA-256(origin || newline || key) (C2SP signed-note).
fn key_hash(origin: &str, key: &[u8]) -> u32 {
    let Hash([a, b, c, d, ..]) = digest(&[origin.as_bytes(), b"\n", key]);
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::key;
    use proptest::prelude::*;

    #[test]
    fn a_note_opens_to_its_own_key_and_log_only() {
        let (signer, verifier) = key("api.example.com");
        let checkpoint = Checkpoint { size: 7, root: Hash([9; 32]), at: UnixMillis(1000) };
        let note = verifier.signed_note(&checkpoint, &signer.sign(&checkpoint)).expect("a note");
        let (old_key, other_key) = key("api.example.com");
        let old = other_key.signed_note(&checkpoint, &old_key.sign(&checkpoint)).expect("a note");
        let old = old.split("\n\n").nth(1).expect("a signature").to_owned();
        let (_, other_log) = key("other.example.com");
        let rows: &[(&str, &CheckpointVerifier, String, Result<Checkpoint, CheckpointRefusal>)] = &[
            ("all fits", &verifier, note.clone(), Ok(checkpoint)),
            ("another key", &other_key, note.clone(), Err(CheckpointRefusal::KeyUnknown)),
            ("another log", &other_log, note.clone(), Err(CheckpointRefusal::OriginMismatch)),
            ("another size", &verifier, note.replace("\n7\n", "\n8\n"), Err(CheckpointRefusal::SignatureInvalid)),
            ("another time", &verifier, note.replace("\n1000\n", "\n1001\n"), Err(CheckpointRefusal::SignatureInvalid)),
            ("a size spelled otherwise", &verifier, note.replace("\n7\n", "\n+7\n"), Err(CheckpointRefusal::Malformed)),
            ("an old key's signature before ours", &verifier, note.replace("\n\n", &format!("\n\n{old}")), Ok(checkpoint)),
            ("a note without end", &verifier, note.clone() + &"x\n".repeat(NOTE_BYTES_MAX / 2), Err(CheckpointRefusal::Malformed)),
            ("a line more", &verifier, note.replace("\n1000\n", "\n1000\nx\n"), Err(CheckpointRefusal::Malformed)),
            ("no signature", &verifier, note.split('\u{2014}').next().unwrap_or_default().to_owned(), Err(CheckpointRefusal::KeyUnknown)),
            ("nothing", &verifier, String::new(), Err(CheckpointRefusal::Malformed)),
        ];
        for (name, verifier, note, expected) in rows {
            assert_eq!(verifier.open_note(note), *expected, "{name}");
        }
    }

    #[test]
    fn a_commit_line_says_whose_signature_it_is() {
        let (signer, verifier) = key("api.example.com");
        let (_, other) = key("api.example.com");
        let checkpoint = Checkpoint { size: 7, root: Hash([9; 32]), at: UnixMillis(1000) };
        let signature = signer.sign(&checkpoint);
        let later = Checkpoint { at: UnixMillis(1001), ..checkpoint };
        let rows: &[(&str, &CheckpointVerifier, Checkpoint, &str, Result<(), CheckpointRefusal>)] = &[
            ("all fits", &verifier, checkpoint, &signature, Ok(())),
            ("another key", &other, checkpoint, &signature, Err(CheckpointRefusal::KeyUnknown)),
            ("another time", &verifier, later, &signature, Err(CheckpointRefusal::SignatureInvalid)),
            ("no signature", &verifier, checkpoint, "AAA", Err(CheckpointRefusal::Malformed)),
            ("no base64url", &verifier, checkpoint, "?", Err(CheckpointRefusal::Malformed)),
        ];
        for (name, verifier, checkpoint, signature, expected) in rows {
            assert_eq!(verifier.verify(checkpoint, signature), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", tail in "\\PC*") {
            let (_, verifier) = key("a");
            let _ = CheckpointVerifier::parse(&text);
            let _ = verifier.open_note(&format!("a\n1\n{text}\n\n\u{2014} a {tail}"));
        }
    }

    #[test]
    fn verifier_keys_are_taken_strictly() {
        let (signer, _) = key("api.example.com");
        let text = signer.verifier_text();
        let rows: &[(&str, String, Option<KeyRefusal>)] = &[
            ("its own text", text.clone(), None),
            ("another name", text.replace("api.", "app."), Some(KeyRefusal::HashMismatch)),
            ("no key", "api.example.com+00000000".to_owned(), Some(KeyRefusal::Malformed)),
            ("not hexadecimal", "a+zzzzzzzz+AQ==".to_owned(), Some(KeyRefusal::Malformed)),
            ("another type", format!("a+{:08x}+{}", key_hash("a", &[2, 0]), STANDARD.encode([2, 0])), Some(KeyRefusal::Unsupported)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(CheckpointVerifier::parse(text).err(), *expected, "{name}");
        }
        let pkcs8 = Secret::new(vec![0; 8]);
        assert_eq!(CheckpointKey::from_pkcs8("a", &pkcs8).err(), Some(KeyRefusal::Unsupported));
    }
}
