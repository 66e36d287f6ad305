//! The two keys that the Play Console gives for reading an app's tokens without asking Google.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use const_oid::ObjectIdentifier;
use countersign_core::Secret;
use countersign_proof::jwk::PublicKey;
use der::Decode;
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// `id-ecPublicKey` (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` (RFC 5480 section 2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Bytes in a key for A256KW (RFC 7518 section 4.4).
const DECRYPTION_KEY_BYTES: usize = 32;

/// Why a key from the Play Console is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayKeyFault {
    /// The decryption key is not the base64 of 32 bytes.
    DecryptionKeyMalformed,
    /// The verification key is not the base64 of a `SubjectPublicKeyInfo` with a point of P-256.
    VerificationKeyMalformed,
}

impl fmt::Display for PlayKeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DecryptionKeyMalformed => "the decryption key is not the base64 of 32 bytes; copy it from the Play Console again",
            Self::VerificationKeyMalformed => {
                "the verification key is not the base64 of an EC P-256 public key (X.509); copy it from the Play Console again"
            }
        })
    }
}

impl std::error::Error for PlayKeyFault {}

/// What reads an app's tokens. Shows nothing of the decryption key, which is wiped when dropped.
#[derive(Clone, Debug)]
pub struct DecryptionKeys {
    /// On the heap, because an array leaves a copy behind wherever it is moved from.
    decryption: Secret<Vec<u8>>,
    verification: PublicKey,
}

impl DecryptionKeys {
    /// Reads both keys in the form in which the Play Console shows them: base64 with padding, of 32 bytes for AES and of an X.509
    /// `SubjectPublicKeyInfo`. Space around them is passed over.
    ///
    /// # Errors
    /// Which of the two is malformed.
    pub fn parse(decryption: &Secret<String>, verification: &str) -> Result<Self, PlayKeyFault> {
        let decryption = STANDARD.decode(decryption.expose().trim()).map_err(|_| PlayKeyFault::DecryptionKeyMalformed)?;
        let decryption = Secret::new(decryption);
        if decryption.expose().len() != DECRYPTION_KEY_BYTES {
            return Err(PlayKeyFault::DecryptionKeyMalformed);
        }
        let spki = STANDARD.decode(verification.trim()).map_err(|_| PlayKeyFault::VerificationKeyMalformed)?;
        let verification = point(&spki).ok_or(PlayKeyFault::VerificationKeyMalformed)?;
        Ok(Self { decryption, verification })
    }

    /// The key to which tokens are encrypted.
    pub(super) const fn decryption(&self) -> &Secret<Vec<u8>> {
        &self.decryption
    }

    /// The key with which Google signs.
    pub(super) const fn verification(&self) -> &PublicKey {
        &self.verification
    }
}

fn point(spki: &[u8]) -> Option<PublicKey> {
    let info = SubjectPublicKeyInfoRef::from_der(spki).ok()?;
    let (algorithm, curve) = info.algorithm.oids().ok()?;
    if algorithm != EC_PUBLIC_KEY || curve != Some(P256) {
        return None;
    }
    PublicKey::from_p256_sec1(info.subject_public_key.as_bytes()?).ok()
}
