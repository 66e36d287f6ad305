//! The two keys from the Play Console with which an app's tokens are read without asking Google.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use const_oid::ObjectIdentifier;
use countersign_core::Secret;
use countersign_proof::jwk::PublicKey;
use der::Decode;
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// Object identifier `id-ecPublicKey` (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// Object identifier `secp256r1` (RFC 5480 section 2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Length of a key for A256KW in bytes (RFC 7518 section 4.4).
const DECRYPTION_KEY_BYTES: usize = 32;

/// Reason why a key from the Play Console is refused. Alphabetical.
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

/// Keys that decrypt and verify an app's tokens. `Debug` shows nothing of the decryption key, which is wiped when dropped.
#[derive(Clone, Debug)]
pub struct DecryptionKeys {
    /// Kept on the heap: an array would leave a copy in each place that it is moved from.
    decryption: Secret<Vec<u8>>,
    verification: PublicKey,
}

impl DecryptionKeys {
    /// Parses both keys in the form in which the Play Console shows them: base64 with padding, of the 32 bytes of an AES key and of an
    /// X.509 `SubjectPublicKeyInfo`. White space around them is ignored.
    ///
    /// # Errors
    /// A fault that names the malformed key.
    pub fn parse(decryption: &Secret<String>, verification: &str) -> Result<Self, PlayKeyFault> {
        let decryption = STANDARD.decode(decryption.expose().trim()).map_err(|_| PlayKeyFault::DecryptionKeyMalformed)?;
        // Wrapped before the length is checked, so that a key of the wrong length is wiped too.
        let decryption = Secret::new(decryption);
        if decryption.expose().len() != DECRYPTION_KEY_BYTES {
            return Err(PlayKeyFault::DecryptionKeyMalformed);
        }
        let spki = STANDARD.decode(verification.trim()).map_err(|_| PlayKeyFault::VerificationKeyMalformed)?;
        let verification = point(&spki).ok_or(PlayKeyFault::VerificationKeyMalformed)?;
        Ok(Self { decryption, verification })
    }

    /// Key to which tokens are encrypted.
    pub(super) const fn decryption(&self) -> &Secret<Vec<u8>> {
        &self.decryption
    }

    /// Key with which Google signs.
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
    // `as_bytes` refuses a bit string with unused bits.
    PublicKey::from_p256_sec1(info.subject_public_key.as_bytes()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-256 and P-384, made by OpenSSL for this test.
    const P256_SPKI: &str =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4Sh53Sl7THqJLJaXgEvjMRrkdjYe/D0/3WJEH2TD4uLkrbFc1zCFLwvm2ufju/tYRoQmbLQgQ/Hhj+oxWgnD9w==";
    const P384_SPKI: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE8700pPrKEpLun945xYVGsvg5C/+WQ2LxWdVJFindN0+4t4tjsjumO9UHGn4DGtUP1N1zIu1hkX+QPFKnWL0scoQlavoGFpNvLXDpe6ObF/UBtIT3D/D+LW1nvAdmc8GJ";
    const ED25519_SPKI: &str = "MCowBQYDK2VwAyEAgSr997Vn1QfrUg3WB9a6WNXf6asxSNEJloTqn+1eg9Y=";

    #[test]
    fn keys_are_read_as_the_play_console_shows_them() {
        let key = STANDARD.encode([0xab; 32]);
        let url_safe = key.replace('/', "_").replace('+', "-").replace('=', "");
        // The same point, said to be of another curve: the last byte of the curve's identifier is `6`, not `7`.
        let mut misnamed = STANDARD.decode(P256_SPKI).expect("base64");
        misnamed[22] ^= 1;
        let misnamed = STANDARD.encode(misnamed);
        let cut: String = P256_SPKI.chars().take(120).collect();
        let rows: &[(&str, &str, &str, Result<(), PlayKeyFault>)] = &[
            ("all fits", &key, P256_SPKI, Ok(())),
            ("space around", &format!(" {key}\n"), &format!("{P256_SPKI}\r\n"), Ok(())),
            ("no decryption key", "", P256_SPKI, Err(PlayKeyFault::DecryptionKeyMalformed)),
            ("a byte less", &STANDARD.encode([0xab; 31]), P256_SPKI, Err(PlayKeyFault::DecryptionKeyMalformed)),
            ("a byte more", &STANDARD.encode([0xab; 33]), P256_SPKI, Err(PlayKeyFault::DecryptionKeyMalformed)),
            ("a key for AES-128", &STANDARD.encode([0xab; 16]), P256_SPKI, Err(PlayKeyFault::DecryptionKeyMalformed)),
            ("no padding", &url_safe, P256_SPKI, Err(PlayKeyFault::DecryptionKeyMalformed)),
            ("no verification key", &key, "", Err(PlayKeyFault::VerificationKeyMalformed)),
            ("both the wrong way round", P256_SPKI, &key, Err(PlayKeyFault::DecryptionKeyMalformed)),
            ("cut off", &key, &cut, Err(PlayKeyFault::VerificationKeyMalformed)),
            ("a point of another curve, by its name", &key, &misnamed, Err(PlayKeyFault::VerificationKeyMalformed)),
            ("another curve", &key, P384_SPKI, Err(PlayKeyFault::VerificationKeyMalformed)),
            ("another kind of key", &key, ED25519_SPKI, Err(PlayKeyFault::VerificationKeyMalformed)),
        ];
        for (name, decryption, verification, expected) in rows {
            let keys = DecryptionKeys::parse(&Secret::new((*decryption).to_owned()), verification);
            assert_eq!(keys.map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn keys_do_not_print() {
        let keys = DecryptionKeys::parse(&Secret::new(STANDARD.encode([0xab; 32])), P256_SPKI).expect("keys");
        let shown = format!("{keys:?}");
        assert!(shown.contains("Secret(..)") && !shown.contains("171") && !shown.contains("ab, "), "{shown}");
        assert_eq!(keys.decryption().expose().as_slice(), [0xab; 32]);
    }
}
