//! The key under which one person's fields are sealed, and its name in the log.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::Secret;

use crate::{
    hash::{Hash, digest},
    seal_refusal::SealRefusal,
};

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

    /// Takes the handle that stands in an entry.
    pub(crate) const fn read(text: String) -> Self {
        Self(text)
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

    /// Seals `plain` for this purpose: nonce and ciphertext in base64url. A nonce is used once; 96 random bits are, because far
    /// fewer than 2^32 entries are sealed under one person's key.
    pub(crate) fn close(&self, plain: Vec<u8>, purpose: &[u8], nonce: [u8; 12]) -> Result<String, SealRefusal> {
        let mut bytes = plain;
        let tag = self.key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut bytes);
        let tag = tag.map_err(|_| SealRefusal::TooLong)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes, tag.as_ref()].concat()))
    }

    /// Opens what [`PersonKey::close`] made for the same purpose under the key of this name.
    pub(crate) fn unlock(&self, handle: &str, data: &str, purpose: &[u8]) -> Result<Vec<u8>, SealRefusal> {
        if handle != self.handle.0 {
            return Err(SealRefusal::KeyMismatch);
        }
        let bytes = URL_SAFE_NO_PAD.decode(data).map_err(|_| SealRefusal::Malformed)?;
        let (nonce, bytes) = bytes.split_first_chunk::<12>().ok_or(SealRefusal::Malformed)?;
        let mut bytes = bytes.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(nonce, Aad::from(purpose), &mut bytes).map_err(|_| SealRefusal::SealBroken)?;
        Ok(plain.to_vec())
    }
}
