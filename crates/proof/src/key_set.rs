//! Keys by name: the published set, and the ring of signing keys that it is drawn from (RFC 7517 section 5).

use std::sync::Arc;

use countersign_core::{KeyId, Limits, Seconds, UnixSeconds};

use crate::{
    jwk::{JwkRefusal, PublicKey, SigningKey},
    jws::{Jws, JwsRefusal, VerifiedPayload},
};

/// Public keys by `kid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<(KeyId, PublicKey)>);

impl KeySet {
    /// Makes a set; of two keys of one name the first counts.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (KeyId, PublicKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&PublicKey> {
        self.0.iter().find(|(known, _)| known.as_str() == id).map(|(_, key)| key)
    }

    /// Verifies `jws` by the key that it names.
    ///
    /// # Errors
    /// `KeyUnknown`, or what [`Jws::verify`] refuses.
    pub fn verify(&self, jws: Jws<'_>) -> Result<VerifiedPayload, JwsRefusal> {
        let key = jws.key_id().and_then(|id| self.find(id)).ok_or(JwsRefusal::KeyUnknown)?;
        jws.verify(key)
    }

    /// The set as a JWK Set document (RFC 7517 section 5), each key with `kid`, `alg` and `use`.
    #[must_use]
    pub fn to_jwks(&self) -> String {
        String::new()
    }

    /// Reads a JWK Set document. Keys of other kinds are passed over (RFC 7517 section 5); private and duplicate ones refuse all.
    ///
    /// # Errors
    /// When the document or a key of our kinds is malformed.
    pub fn from_jwks(text: &str) -> Result<Self, JwkRefusal> {
        let _ = text;
        Err(JwkRefusal::Malformed)
    }
}

/// How signing keys take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How long a key is published before it signs: at least as long as anybody caches the published set.
    pub announced_for: Seconds,
    /// How long a key signs.
    pub signs_for: Seconds,
    /// The longest life of what is signed.
    pub longest_life: Seconds,
}

impl Rotation {
    /// The turns of keys for access tokens: a month each, announced for a day.
    pub const ACCESS_TOKENS: Self =
        Self { announced_for: Seconds(86_400), signs_for: Seconds(30 * 86_400), longest_life: Limits::ACCESS_TOKEN_LIFE };
}

/// The life of one signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    /// The first second in which it is in the published set.
    pub published_from: UnixSeconds,
    /// The first second in which it may sign.
    pub signs_from: UnixSeconds,
    /// The first second in which it signs no more.
    pub signs_until: UnixSeconds,
    /// The first second in which it is in the published set no more.
    pub published_until: UnixSeconds,
}

/// A signing key, its name and when it was made.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Its `kid`.
    pub id: KeyId,
    /// The key.
    pub key: Arc<SigningKey>,
    /// When it was made, and so published.
    pub created_at: UnixSeconds,
}

/// Signing keys that take turns.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<(RingKey, KeyTimes)>,
    rotation: Rotation,
}

impl KeyRing {
    /// Orders the keys by age and gives each its times.
    #[must_use]
    pub fn new(keys: Vec<RingKey>, rotation: Rotation) -> Self {
        let _ = keys;
        Self { keys: Vec::new(), rotation }
    }

    /// The key that signs now; `None` when a new one is due and was not made.
    #[must_use]
    pub fn current(&self, now: UnixSeconds) -> Option<&RingKey> {
        let _ = now;
        self.keys.first().map(|(key, _)| key)
    }

    /// The keys to publish, and to verify by, now.
    #[must_use]
    pub fn published(&self, now: UnixSeconds) -> KeySet {
        let _ = (now, self.rotation);
        KeySet::default()
    }

    /// The first second in which a new key must be made, so that it is announced long enough before the last one stops.
    #[must_use]
    pub fn next_due(&self) -> UnixSeconds {
        UnixSeconds(0)
    }

    /// Keys whose time is over and that may be destroyed.
    pub fn over(&self, now: UnixSeconds) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().filter(move |(_, times)| times.published_until <= now).map(|(key, _)| &key.id)
    }
}
