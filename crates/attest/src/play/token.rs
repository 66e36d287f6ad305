//! The token in which Google Play sends a verdict: a JWE with two fixed algorithms around a JWS with one (RFC 7516, RFC 7515).
//!
//! See <https://developer.android.com/google/play/integrity/classic#decrypt-verify-locally>.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    key_wrap::{AES_256, AesKek, KeyWrap},
};
use countersign_codec::{base64url, json::Object};
use countersign_core::{Limits, Secret};
use countersign_proof::jws::{Jws, JwsRefusal, Type};

use crate::play::keys::DecryptionKeys;
use crate::play::refusal::{PlayRefusal, TokenRefusal, VerdictRefusal};

/// Header members that would make this reader do more than decrypt what it sees (RFC 7516 section 4.1).
const REFUSED_MEMBERS: [&str; 4] = ["b64", "jku", "x5u", "zip"];

/// Length of a wrapped 256-bit key in bytes: the key and one block for the integrity check (RFC 3394 section 2.2.1).
const WRAPPED_KEY_BYTES: usize = 40;

/// Payload of a token that Google signed for this app. Only [`decrypt_and_verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PayloadJson(String);

impl PayloadJson {
    /// The text that was signed, not parsed yet.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decrypts a token and verifies who made it. The payload is not parsed.
///
/// # Errors
/// The first rule that is broken: `TokenMalformed`, `TokenUndecryptable`, `SignedTextMalformed`, `SignatureInvalid`, or `VerdictMalformed`
/// when the signed bytes are not text.
pub fn decrypt_and_verify(token: &str, keys: &DecryptionKeys) -> Result<PayloadJson, PlayRefusal> {
    let signed = decrypt(token, keys.decryption())?;
    let signed = str::from_utf8(&signed).map_err(|_| PlayRefusal::SignedTextMalformed(JwsRefusal::EncodingInvalid))?;
    // Google's header has no `typ`. The text came out of a token encrypted for this app, which says enough about its kind.
    let jws = Jws::read(signed, Type::Any).map_err(PlayRefusal::SignedTextMalformed)?;
    let payload = jws.verify(keys.verification()).map_err(|why| match why {
        JwsRefusal::SignatureInvalid => PlayRefusal::SignatureInvalid,
        JwsRefusal::AlgorithmMismatch
        | JwsRefusal::AlgorithmRefused
        | JwsRefusal::CriticalHeader
        | JwsRefusal::EncodingInvalid
        | JwsRefusal::HeaderMalformed
        | JwsRefusal::HeaderRefused
        | JwsRefusal::KeyUnknown
        | JwsRefusal::NotThreeParts
        | JwsRefusal::TooLarge
        | JwsRefusal::TypeWrong => PlayRefusal::SignedTextMalformed(why),
    })?;
    let text = str::from_utf8(payload.as_bytes()).map_err(|_| PlayRefusal::VerdictMalformed(VerdictRefusal::NotTheObject))?;
    Ok(PayloadJson(text.to_owned()))
}

/// Decrypts the outer text (RFC 7516 section 5.2).
fn decrypt(token: &str, key: &Secret<Vec<u8>>) -> Result<Vec<u8>, PlayRefusal> {
    let sealed = Sealed::read(token).map_err(PlayRefusal::TokenMalformed)?;
    // SECURITY: one answer for a key that does not unwrap and for a text that does not decrypt, so that nobody learns which it was.
    sealed.open(key).ok_or(PlayRefusal::TokenUndecryptable)
}

/// Parts of a JWE. Nothing in them is authenticated.
struct Sealed<'a> {
    /// The header in its encoded form, which the tag covers.
    header: &'a str,
    wrapped_key: [u8; WRAPPED_KEY_BYTES],
    vector: [u8; 12],
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

impl<'a> Sealed<'a> {
    fn read(token: &'a str) -> Result<Self, TokenRefusal> {
        if token.len() > Limits::VERDICT_BYTES_MAX {
            return Err(TokenRefusal::TooLarge);
        }
        let mut parts = token.split('.');
        // The sixth call shows that nothing follows the fifth part.
        let five = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(header), Some(wrapped_key), Some(vector), Some(ciphertext), Some(tag), None) = five else {
            return Err(TokenRefusal::NotFiveParts);
        };
        admit(&bytes(header)?)?;
        Ok(Self { header, wrapped_key: array(wrapped_key)?, vector: array(vector)?, ciphertext: bytes(ciphertext)?, tag: array(tag)? })
    }

    fn open(mut self, key: &Secret<Vec<u8>>) -> Option<Vec<u8>> {
        let content_key = unwrapped(key, &self.wrapped_key)?;
        let content_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key.expose()).ok()?);
        let vector = Nonce::assume_unique_for_key(self.vector);
        content_key.open_in_place_separate_tag(vector, Aad::from(self.header), &self.tag, &mut self.ciphertext).ok()?;
        Some(self.ciphertext)
    }
}

/// Checks that the header asks for exactly what this reader does.
fn admit(header: &[u8]) -> Result<(), TokenRefusal> {
    let header = Object::from_bytes(header, Limits::JSON_DEPTH_MAX).map_err(|_| TokenRefusal::HeaderMalformed)?;
    if header.has("crit") {
        return Err(TokenRefusal::CriticalHeader);
    }
    if REFUSED_MEMBERS.iter().any(|name| header.has(name)) {
        return Err(TokenRefusal::HeaderRefused);
    }
    let text = |name| header.text(name).map_err(|_| TokenRefusal::HeaderMalformed);
    // SECURITY: the algorithms are fixed and not chosen by the header. With a choice, a sender would pick the weakest one, or one that
    // takes a public key for a secret.
    if text("alg")? == "A256KW" && text("enc")? == "A256GCM" { Ok(()) } else { Err(TokenRefusal::AlgorithmRefused) }
}

/// Unwraps the key that encrypts the content (RFC 3394 section 2.2.2, RFC 7518 section 4.4).
fn unwrapped(key: &Secret<Vec<u8>>, wrapped: &[u8; WRAPPED_KEY_BYTES]) -> Option<Secret<Vec<u8>>> {
    let mut out = vec![0; 32];
    let fits = AesKek::new(&AES_256, key.expose()).and_then(|kek| kek.unwrap(wrapped, &mut out).map(|_| ()));
    let out = Secret::new(out);
    fits.ok().map(|()| out)
}

fn bytes(part: &str) -> Result<Vec<u8>, TokenRefusal> {
    base64url::decode(part).map_err(|_| TokenRefusal::EncodingInvalid)
}

fn array<const N: usize>(part: &str) -> Result<[u8; N], TokenRefusal> {
    bytes(part)?.try_into().map_err(|_| TokenRefusal::LengthWrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::aead::Tag;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use countersign_proof::{
        jwk::{Algorithm, SigningKey},
        jws::{HeaderToSign, NamedBy, sign},
    };
    use serde_json::Value;

    const HEADER: &str = r#"{"alg":"A256KW","enc":"A256GCM"}"#;
    const KEY: [u8; 32] = [7; 32];
    const CONTENT_KEY: [u8; 32] = [9; 32];

    /// The prefix of `SubjectPublicKeyInfo` before a point of P-256.
    const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

    fn keys(signer: &SigningKey) -> DecryptionKeys {
        let jwk: Value = serde_json::from_str(&signer.public().to_jwk()).expect("a JWK");
        let coordinate = |name: &str| base64url::decode(jwk[name].as_str().expect("a text")).expect("base64url");
        let spki = [hex::decode(SPKI).expect("hex"), vec![4], coordinate("x"), coordinate("y")].concat();
        DecryptionKeys::parse(&Secret::new(STANDARD.encode(KEY)), &STANDARD.encode(spki)).expect("keys")
    }

    fn signer() -> SigningKey {
        SigningKey::generate(Algorithm::Es256).expect("a key").0
    }

    /// The five parts of a token around `content`.
    fn sealed(header: &str, content: &[u8]) -> [String; 5] {
        let header = base64url::encode(header);
        let mut wrapped = [0; WRAPPED_KEY_BYTES];
        AesKek::new(&AES_256, &KEY).expect("a key").wrap(&CONTENT_KEY, &mut wrapped).expect("wrapped");
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).expect("a key"));
        let mut text = content.to_vec();
        let vector = Nonce::assume_unique_for_key([3; 12]);
        let tag: Tag = key.seal_in_place_separate_tag(vector, Aad::from(header.as_str()), &mut text).expect("sealed");
        [header, base64url::encode(wrapped), base64url::encode([3; 12]), base64url::encode(text), base64url::encode(tag)]
    }

    fn opened(token: &str, keys: &DecryptionKeys) -> Result<String, PlayRefusal> {
        decrypt_and_verify(token, keys).map(|payload| payload.as_str().to_owned())
    }

    fn malformed(why: TokenRefusal) -> Result<String, PlayRefusal> {
        Err(PlayRefusal::TokenMalformed(why))
    }

    #[test]
    fn a_header_asks_for_what_this_reader_does() {
        let signer = signer();
        let signed = sign(&signer, HeaderToSign { typ: "JWT", key: NamedBy::Nothing }, b"{}").expect("signed");
        let accepted = || Ok(String::from("{}"));
        let rows: &[(&str, &str, Result<String, PlayRefusal>)] = &[
            ("all fits", HEADER, accepted()),
            ("members that say nothing here", r#"{"alg":"A256KW","enc":"A256GCM","typ":"JWT","cty":"JWT","kid":"a"}"#, accepted()),
            ("another key wrap", r#"{"alg":"A128KW","enc":"A256GCM"}"#, malformed(TokenRefusal::AlgorithmRefused)),
            ("no key wrap", r#"{"alg":"dir","enc":"A256GCM"}"#, malformed(TokenRefusal::AlgorithmRefused)),
            ("a public key for a secret", r#"{"alg":"RSA1_5","enc":"A256GCM"}"#, malformed(TokenRefusal::AlgorithmRefused)),
            ("another cipher", r#"{"alg":"A256KW","enc":"A256CBC-HS512"}"#, malformed(TokenRefusal::AlgorithmRefused)),
            ("another case", r#"{"alg":"A256kw","enc":"A256GCM"}"#, malformed(TokenRefusal::AlgorithmRefused)),
            ("compression", r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#, malformed(TokenRefusal::HeaderRefused)),
            ("a key set to fetch", r#"{"alg":"A256KW","enc":"A256GCM","jku":"https://a"}"#, malformed(TokenRefusal::HeaderRefused)),
            ("an extension", r#"{"alg":"A256KW","enc":"A256GCM","crit":["exp"]}"#, malformed(TokenRefusal::CriticalHeader)),
            ("no algorithm", r#"{"enc":"A256GCM"}"#, malformed(TokenRefusal::HeaderMalformed)),
            ("no cipher", r#"{"alg":"A256KW"}"#, malformed(TokenRefusal::HeaderMalformed)),
            ("an algorithm of another type", r#"{"alg":["A256KW"],"enc":"A256GCM"}"#, malformed(TokenRefusal::HeaderMalformed)),
            ("two algorithms", r#"{"alg":"A256KW","alg":"A256KW","enc":"A256GCM"}"#, malformed(TokenRefusal::HeaderMalformed)),
            ("an array", r#"["A256KW","A256GCM"]"#, malformed(TokenRefusal::HeaderMalformed)),
        ];
        for (name, header, expected) in rows {
            assert_eq!(opened(&sealed(header, signed.as_bytes()).join("."), &keys(&signer)), *expected, "{name}");
        }
    }

    #[test]
    fn a_token_has_five_parts_of_their_lengths() {
        let signer = signer();
        let keys = keys(&signer);
        let signed = sign(&signer, HeaderToSign { typ: "JWT", key: NamedBy::Nothing }, b"{}").expect("signed");
        let good = sealed(HEADER, signed.as_bytes());
        let replaced = |at: usize, part: &str| {
            let mut parts = good.clone();
            part.clone_into(&mut parts[at]);
            parts.join(".")
        };
        let whole = good.join(".");
        let nested = sealed(HEADER, whole.as_bytes()).join(".");
        let rows: &[(&str, String, Result<String, PlayRefusal>)] = &[
            ("all fits", whole.clone(), Ok(String::from("{}"))),
            ("nothing", String::new(), malformed(TokenRefusal::NotFiveParts)),
            ("four parts", good[..4].join("."), malformed(TokenRefusal::NotFiveParts)),
            ("six parts", format!("{whole}."), malformed(TokenRefusal::NotFiveParts)),
            ("only points", String::from("...."), malformed(TokenRefusal::HeaderMalformed)),
            ("many points", ".".repeat(Limits::VERDICT_BYTES_MAX), malformed(TokenRefusal::NotFiveParts)),
            ("one byte too long", ".".repeat(Limits::VERDICT_BYTES_MAX + 1), malformed(TokenRefusal::TooLarge)),
            ("JSON serialisation", format!(r#"{{"protected":"{}"}}"#, good[0]), malformed(TokenRefusal::NotFiveParts)),
            ("a signed text only", signed.clone(), malformed(TokenRefusal::NotFiveParts)),
            ("no wrapped key", replaced(1, ""), malformed(TokenRefusal::LengthWrong)),
            ("a wrapped key of 24 bytes", replaced(1, &base64url::encode([0; 24])), malformed(TokenRefusal::LengthWrong)),
            ("a wrapped key of 48 bytes", replaced(1, &base64url::encode([0; 48])), malformed(TokenRefusal::LengthWrong)),
            ("another wrapped key", replaced(1, &base64url::encode([0; 40])), Err(PlayRefusal::TokenUndecryptable)),
            ("no vector", replaced(2, ""), malformed(TokenRefusal::LengthWrong)),
            ("a vector of 11 bytes", replaced(2, &base64url::encode([3; 11])), malformed(TokenRefusal::LengthWrong)),
            ("a vector of 16 bytes", replaced(2, &base64url::encode([3; 16])), malformed(TokenRefusal::LengthWrong)),
            ("another vector", replaced(2, &base64url::encode([4; 12])), Err(PlayRefusal::TokenUndecryptable)),
            ("no content", replaced(3, ""), Err(PlayRefusal::TokenUndecryptable)),
            ("padded content", replaced(3, &format!("{}=", good[3])), malformed(TokenRefusal::EncodingInvalid)),
            ("no tag", replaced(4, ""), malformed(TokenRefusal::LengthWrong)),
            ("a tag of 12 bytes", replaced(4, &base64url::encode([0; 12])), malformed(TokenRefusal::LengthWrong)),
            ("another tag", replaced(4, &base64url::encode([0; 16])), Err(PlayRefusal::TokenUndecryptable)),
            ("a space at the end", format!("{whole} "), malformed(TokenRefusal::EncodingInvalid)),
            ("a token in a token", nested, Err(PlayRefusal::SignedTextMalformed(JwsRefusal::NotThreeParts))),
        ];
        for (name, token, expected) in rows {
            assert_eq!(opened(token, &keys), *expected, "{name}");
        }
        assert_eq!(sealed(HEADER, b"")[3], "", "nothing encrypts to nothing");
        assert_eq!(opened(&sealed(HEADER, b"").join("."), &keys), Err(PlayRefusal::SignedTextMalformed(JwsRefusal::NotThreeParts)));
    }

    #[test]
    fn what_is_encrypted_is_signed_by_google() {
        let (google, thief) = (signer(), signer());
        let (ed, _) = SigningKey::generate(Algorithm::EdDsa).expect("a key");
        let header = HeaderToSign { typ: "JWT", key: NamedBy::Nothing };
        let by = |key: &SigningKey, payload: &[u8]| sign(key, header, payload).expect("signed").into_bytes();
        let none = format!("{}.{}.", base64url::encode(r#"{"alg":"none"}"#), base64url::encode("{}")).into_bytes();
        let embedded = sign(&thief, HeaderToSign { typ: "JWT", key: NamedBy::Embedded }, b"{}").expect("signed").into_bytes();
        let mut changed = by(&google, b"{}");
        *changed.last_mut().expect("a signature") ^= 0b0001_0000;
        let not_a_text = Err(PlayRefusal::VerdictMalformed(VerdictRefusal::NotTheObject));
        let rows: &[(&str, Vec<u8>, Result<String, PlayRefusal>)] = &[
            ("all fits", by(&google, b"{\"a\":1}"), Ok(String::from("{\"a\":1}"))),
            ("a thief's key", by(&thief, b"{}"), Err(PlayRefusal::SignatureInvalid)),
            ("a thief's key, sent along", embedded, Err(PlayRefusal::SignatureInvalid)),
            ("another algorithm", by(&ed, b"{}"), Err(PlayRefusal::SignedTextMalformed(JwsRefusal::AlgorithmMismatch))),
            ("no signature", none, Err(PlayRefusal::SignedTextMalformed(JwsRefusal::AlgorithmRefused))),
            ("only the payload", b"{}".to_vec(), Err(PlayRefusal::SignedTextMalformed(JwsRefusal::NotThreeParts))),
            ("no text", vec![0xff], Err(PlayRefusal::SignedTextMalformed(JwsRefusal::EncodingInvalid))),
            ("a signed payload that is no text", by(&google, &[0xff]), not_a_text),
        ];
        for (name, content, expected) in rows {
            assert_eq!(opened(&sealed(HEADER, content).join("."), &keys(&google)), *expected, "{name}");
        }
        let outcome = opened(&sealed(HEADER, &changed).join("."), &keys(&google));
        assert!(outcome.is_err(), "a changed signature: {outcome:?}");
    }

    #[test]
    fn keys_are_unwrapped_as_in_the_rfc() {
        // RFC 3394 section 4.6: 256 bits of key data with a 256-bit key.
        let key = Secret::new((0..32).collect::<Vec<u8>>());
        let wrapped = hex::decode("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21").expect("hex");
        let mut wrapped = <[u8; WRAPPED_KEY_BYTES]>::try_from(wrapped).expect("forty bytes");
        let content_key = hex::decode("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f").expect("hex");
        assert_eq!(unwrapped(&key, &wrapped).map(|key| key.expose().clone()), Some(content_key));
        for at in 0..wrapped.len() {
            wrapped[at] ^= 1;
            assert!(unwrapped(&key, &wrapped).is_none(), "byte {at} changed");
            wrapped[at] ^= 1;
        }
    }

    /// Wycheproof's JWE cases, beside the checkout: those for A256KW with A256GCM open, all others are refused.
    #[test]
    fn published_tokens_are_opened_or_refused() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/jose/wycheproof/json_web_encryption_test.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: shared/ is not beside the checkout");
            return;
        };
        let suite: Value = serde_json::from_str(&text).expect("the suite");
        let (mut taken, mut refused) = (0, 0);
        for group in suite["testGroups"].as_array().expect("groups") {
            let Some(key) = group["private"]["k"].as_str().and_then(|k| base64url::decode(k).ok()) else { continue };
            for case in group["tests"].as_array().expect("tests") {
                let Some(token) = case["jwe"].as_str() else { continue };
                let header = token.split('.').next().and_then(|header| base64url::decode(header).ok()).unwrap_or_default();
                let ours = header == HEADER.as_bytes() && case["result"] == "valid";
                let opened = decrypt(token, &Secret::new(key.clone()));
                assert_eq!(opened.is_ok(), ours, "{case}");
                if let Ok(content) = opened {
                    assert_eq!(Some(hex::encode(content).as_str()), case["pt"].as_str(), "{case}");
                    taken += 1;
                } else {
                    refused += 1;
                }
            }
        }
        assert!(taken >= 1 && refused > 20, "the suite is not whole: {taken} and {refused}");
    }
}
