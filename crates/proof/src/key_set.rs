//! Keys by name: the published set, and the ring of signing keys that it is drawn from (RFC 7517 section 5).

use std::sync::Arc;

use countersign_core::{KeyId, Limits, Seconds, UnixSeconds};
use serde_json::value::RawValue;

use crate::{
    json::Object,
    jwk::{JwkRefusal, PublicKey, SigningKey},
    jws::{Jws, JwsRefusal, VerifiedPayload},
};

/// Bytes in a JWK Set document; its number of keys is bounded by it.
const SET_BYTES_MAX: usize = 64 * 1024;

/// Public keys by `kid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<(KeyId, PublicKey)>);

impl KeySet {
    /// Makes a set of keys of ours; of two of one name the first counts.
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
        let mut out = String::from(r#"{"keys":["#);
        for (i, (id, key)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            let mut jwk = key.to_jwk();
            // INVARIANT: a JWK of ours ends with `}` and has members; names of keys hold nothing that JSON escapes.
            jwk.pop();
            out.push_str(&jwk);
            for (name, value) in [("alg", key.algorithm().as_str()), ("kid", id.as_str()), ("use", "sig")] {
                out.push_str(",\"");
                out.push_str(name);
                out.push_str("\":\"");
                out.push_str(value);
                out.push('"');
            }
            out.push('}');
        }
        out.push_str("]}");
        out
    }

    /// Reads a JWK Set document. Keys of other kinds are passed over (RFC 7517 section 5); private and duplicate ones refuse all.
    ///
    /// # Errors
    /// When the document or a key of our kinds is malformed.
    pub fn from_jwks(text: &str) -> Result<Self, JwkRefusal> {
        if text.len() > SET_BYTES_MAX {
            return Err(JwkRefusal::Malformed);
        }
        let keys: Vec<&RawValue> = Object::parse(text)?.required("keys")?;
        let mut set = Self::default();
        for key in keys {
            let key = key.get();
            let public = match PublicKey::from_jwk(key) {
                Ok(public) => public,
                Err(JwkRefusal::AlgorithmRefused | JwkRefusal::UseRefused) => continue,
                Err(why @ (JwkRefusal::Malformed | JwkRefusal::PointInvalid | JwkRefusal::PrivateKey)) => return Err(why),
            };
            let id = KeyId::parse(&Object::parse(key)?.text("kid")?).map_err(|_| JwkRefusal::Malformed)?;
            // SECURITY: two keys of one name would let the order of the document decide which of them is trusted.
            if set.find(id.as_str()).is_some() {
                return Err(JwkRefusal::Malformed);
            }
            set.0.push((id, public));
        }
        Ok(set)
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

    /// The life of a key made at `created_at`, when older keys sign until `covered_until`.
    ///
    /// It is announced first, unless that left a gap in which no key signs: the first key of all signs at once. The end of its
    /// turn does not depend on other keys, so that destroying an old one changes nothing.
    fn times(&self, created_at: UnixSeconds, covered_until: UnixSeconds) -> KeyTimes {
        let announced = created_at.plus(self.announced_for);
        let signs_until = announced.plus(self.signs_for);
        KeyTimes {
            published_from: created_at,
            signs_from: announced.min(covered_until.max(created_at)),
            signs_until,
            // Signed in the last second, the last thing signed is verified until its end, by nodes whose clocks lag a little.
            published_until: signs_until.plus(self.longest_life).plus(Limits::PROOF_SKEW_MAX),
        }
    }
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
    pub fn new(mut keys: Vec<RingKey>, rotation: Rotation) -> Self {
        keys.sort_by(|a, b| (a.created_at, a.id.as_str()).cmp(&(b.created_at, b.id.as_str())));
        let mut covered_until = UnixSeconds(0);
        let keys = keys
            .into_iter()
            .map(|key| {
                let times = rotation.times(key.created_at, covered_until);
                covered_until = covered_until.max(times.signs_until);
                (key, times)
            })
            .collect();
        Self { keys, rotation }
    }

    /// The key that signs now: the newest that may. `None` when a new one is due and was not made.
    #[must_use]
    pub fn current(&self, now: UnixSeconds) -> Option<&RingKey> {
        let may_sign = |times: &KeyTimes| times.signs_from <= now && now < times.signs_until;
        self.keys.iter().rev().find(|(_, times)| may_sign(times)).map(|(key, _)| key)
    }

    /// The keys to publish, and to verify by, now; oldest first.
    #[must_use]
    pub fn published(&self, now: UnixSeconds) -> KeySet {
        let is_published = |times: &KeyTimes| times.published_from <= now && now < times.published_until;
        KeySet::new(self.keys.iter().filter(|(_, times)| is_published(times)).map(|(ring, _)| (ring.id.clone(), ring.key.public().clone())))
    }

    /// The first second in which a new key must be made, so that it is announced long enough before the last one stops. At once
    /// for an empty ring.
    #[must_use]
    pub fn next_due(&self) -> UnixSeconds {
        let covered_until = self.keys.iter().map(|(_, times)| times.signs_until).max();
        covered_until.map_or(UnixSeconds(0), |until| until.minus(self.rotation.announced_for))
    }

    /// Keys whose time is over and that may be destroyed.
    pub fn over(&self, now: UnixSeconds) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().filter(move |(_, times)| times.published_until <= now).map(|(key, _)| &key.id)
    }

    /// Each key's name and times, oldest first.
    pub fn times(&self) -> impl Iterator<Item = (&KeyId, &KeyTimes)> {
        self.keys.iter().map(|(key, times)| (&key.id, times))
    }
}
