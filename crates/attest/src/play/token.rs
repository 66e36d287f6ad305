//! The token in which Google Play sends a verdict: a JWE of two fixed algorithms around a JWS of one (RFC 7516, RFC 7515).
//!
//! See <https://developer.android.com/google/play/integrity/classic#decrypt-verify-locally>.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    key_wrap::{AES_256, AesKek, KeyWrap},
};
use countersign_core::Secret;
use countersign_proof::{
    base64url,
    json::Object,
    jws::{Jws, JwsRefusal, Type},
};

use crate::play::keys::DecryptionKeys;
use crate::play::refusal::{PlayRefusal, TokenRefusal, VerdictRefusal};

/// Bytes in a token; Google's have about two thousand.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Header members that would have this reader do something other than decrypt what it sees (RFC 7516 section 4.1).
const REFUSED_MEMBERS: [&str; 4] = ["b64", "jku", "x5u", "zip"];

/// A wrapped 256-bit key: its bytes and one block for the check (RFC 3394 section 2.2.1).
const WRAPPED_KEY_BYTES: usize = 40;

/// The payload of a token that Google signed for this app. Only [`decrypt_and_verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PayloadJson(String);

impl PayloadJson {
    /// The text that was signed; unread.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decrypts a token and verifies who made it. Its payload is not read.
///
/// # Errors
/// The first rule that it breaks: `TokenMalformed`, `TokenUndecryptable`, `SignedTextMalformed`, `SignatureInvalid`, or
/// `VerdictMalformed` when what was signed is no text.
pub fn decrypt_and_verify(token: &str, keys: &DecryptionKeys) -> Result<PayloadJson, PlayRefusal> {
    let signed = decrypt(token, keys.decryption())?;
    let signed = str::from_utf8(&signed).map_err(|_| PlayRefusal::SignedTextMalformed(JwsRefusal::EncodingInvalid))?;
    // Google's header gives no `typ`. That the text came out of a token for this app says what it is.
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

/// Opens the outer text (RFC 7516 section 5.2).
fn decrypt(token: &str, key: &Secret<Vec<u8>>) -> Result<Vec<u8>, PlayRefusal> {
    let sealed = Sealed::read(token).map_err(PlayRefusal::TokenMalformed)?;
    // SECURITY: one answer for a key that does not unwrap and a text that does not open, so that nobody learns which it was.
    sealed.open(key).ok_or(PlayRefusal::TokenUndecryptable)
}

/// A JWE that was taken apart. Nothing in it is authenticated.
struct Sealed<'a> {
    /// The header as it is written, which is what the tag covers.
    header: &'a str,
    wrapped_key: [u8; WRAPPED_KEY_BYTES],
    vector: [u8; 12],
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

impl<'a> Sealed<'a> {
    fn read(token: &'a str) -> Result<Self, TokenRefusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefusal::TooLarge);
        }
        let mut parts = token.split('.');
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

/// Whether the header asks for exactly what this reader does.
fn admit(header: &[u8]) -> Result<(), TokenRefusal> {
    let header = Object::from_bytes(header).map_err(|_| TokenRefusal::HeaderMalformed)?;
    if header.has("crit") {
        return Err(TokenRefusal::CriticalHeader);
    }
    if REFUSED_MEMBERS.iter().any(|name| header.has(name)) {
        return Err(TokenRefusal::HeaderRefused);
    }
    let text = |name| header.text(name).map_err(|_| TokenRefusal::HeaderMalformed);
    // SECURITY: named, never chosen: with a choice, a sender would pick the weakest or the one that takes a public key for a secret.
    if text("alg")? == "A256KW" && text("enc")? == "A256GCM" { Ok(()) } else { Err(TokenRefusal::AlgorithmRefused) }
}

/// The key that encrypts the content (RFC 3394 section 2.2.2, RFC 7518 section 4.4).
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
