//! Keys by name: the published key set, and the ring of signing keys behind it (RFC 7517 section 5).

use std::sync::Arc;

use countersign_codec::json::Object;
use countersign_core::{KeyId, Limits, Seconds, UnixSeconds};
use serde_json::value::RawValue;

use crate::{
    jwk::{JwkRefusal, PublicKey, SigningKey},
    jws::{Jws, JwsRefusal, VerifiedPayload},
};

/// Public keys by `kid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<(KeyId, PublicKey)>);

impl KeySet {
    /// Makes a set of our own keys. Of two keys with one name, the first counts.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (KeyId, PublicKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The key with this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&PublicKey> {
        self.0.iter().find(|(known, _)| known.as_str() == id).map(|(_, key)| key)
    }

    /// Verifies `jws` with the key that it names.
    ///
    /// # Errors
    /// `KeyUnknown`, or a refusal of [`Jws::verify`].
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
            // INVARIANT: `to_jwk` returns an object with members that ends with `}`, and key names contain nothing that JSON would escape.
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

    /// Parses a JWK Set document. Keys of other kinds are ignored (RFC 7517 section 5). A private or repeated key refuses the whole set.
    ///
    /// # Errors
    /// A refusal when the document, or a key of a known kind, is malformed.
    pub fn from_jwks(text: &str) -> Result<Self, JwkRefusal> {
        if text.len() > Limits::JWK_SET_BYTES_MAX {
            return Err(JwkRefusal::Malformed);
        }
        let keys: Vec<&RawValue> = Object::parse(text, Limits::JSON_DEPTH_MAX)?.required("keys")?;
        let mut set = Self::default();
        for key in keys {
            let key = key.get();
            let public = match PublicKey::from_jwk(key) {
                Ok(public) => public,
                // A key of another kind serves another purpose of the set.
                Err(JwkRefusal::AlgorithmRefused | JwkRefusal::UseRefused) => continue,
                Err(why @ (JwkRefusal::Malformed | JwkRefusal::PointInvalid | JwkRefusal::PrivateKey)) => return Err(why),
            };
            let id = KeyId::parse(&Object::parse(key, Limits::JSON_DEPTH_MAX)?.text("kid")?).map_err(|_| JwkRefusal::Malformed)?;
            // SECURITY: with two keys of one name, their order in the document would decide which of them is trusted.
            if set.find(id.as_str()).is_some() {
                return Err(JwkRefusal::Malformed);
            }
            set.0.push((id, public));
        }
        Ok(set)
    }
}

/// Rule for the rotation of signing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Time for which a key is published before it signs: at least as long as anybody caches the published set.
    pub announced_for: Seconds,
    /// Time for which a key signs.
    pub signs_for: Seconds,
    /// Longest validity of anything that is signed.
    pub longest_life: Seconds,
}

impl Rotation {
    /// Rotation of the keys for access tokens: each signs for 30 days and is announced for one day before.
    pub const ACCESS_TOKENS: Self =
        Self { announced_for: Seconds(86_400), signs_for: Seconds(30 * 86_400), longest_life: Limits::ACCESS_TOKEN_LIFE };

    /// Times of a key made at `created_at`, when older keys sign until `covered_until`.
    ///
    /// A key is announced before it signs, unless that would leave a gap in which no key signs; the very first key signs at once. The end
    /// of a key does not depend on other keys, so destroying an old one changes nothing.
    fn times(&self, created_at: UnixSeconds, covered_until: UnixSeconds) -> KeyTimes {
        let announced = created_at.plus(self.announced_for);
        let signs_until = announced.plus(self.signs_for);
        KeyTimes {
            published_from: created_at,
            signs_from: announced.min(covered_until.max(created_at)),
            signs_until,
            // What was signed in the last second must be verifiable until it expires, also by nodes whose clocks are a little behind.
            published_until: signs_until.plus(self.longest_life).plus(Limits::PROOF_SKEW_MAX),
        }
    }
}

/// Times of one signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyTimes {
    /// First second in which the key is in the published set.
    pub published_from: UnixSeconds,
    /// First second in which the key may sign.
    pub signs_from: UnixSeconds,
    /// First second in which the key no longer signs.
    pub signs_until: UnixSeconds,
    /// First second in which the key is no longer in the published set.
    pub published_until: UnixSeconds,
}

/// A signing key with its name and age.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Name of the key (`kid`).
    pub id: KeyId,
    /// The key itself, shared by all signers.
    pub key: Arc<SigningKey>,
    /// Time at which the key was made, which is when it is first published.
    pub created_at: UnixSeconds,
}

/// Signing keys with their times, oldest first.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<(RingKey, KeyTimes)>,
    rotation: Rotation,
}

impl KeyRing {
    /// Orders the keys by age and computes the times of each.
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

    /// The key that signs now: the newest one that may. `None` when a new key is due and was not made.
    #[must_use]
    pub fn current(&self, now: UnixSeconds) -> Option<&RingKey> {
        let may_sign = |times: &KeyTimes| times.signs_from <= now && now < times.signs_until;
        // The newest first, so that a new key takes over as soon as it may sign.
        self.keys.iter().rev().find(|(_, times)| may_sign(times)).map(|(key, _)| key)
    }

    /// The keys to publish, and to verify with, at `now`; oldest first.
    #[must_use]
    pub fn published(&self, now: UnixSeconds) -> KeySet {
        let is_published = |times: &KeyTimes| times.published_from <= now && now < times.published_until;
        KeySet::new(self.keys.iter().filter(|(_, times)| is_published(times)).map(|(ring, _)| (ring.id.clone(), ring.key.public().clone())))
    }

    /// First second in which a new key must be made, as seen at `now`: so that it is announced long enough before the last one stops, and
    /// second 0 (at once) when no key covers `now`. A key of the future, made while the clock was ahead, covers nothing yet.
    #[must_use]
    pub fn next_due(&self, now: UnixSeconds) -> UnixSeconds {
        let made = self.keys.iter().filter(|(key, _)| key.created_at <= now);
        let covered_until = made.map(|(_, times)| times.signs_until).max();
        covered_until.map_or(UnixSeconds(0), |until| until.minus(self.rotation.announced_for))
    }

    /// Keys that may be destroyed: they are no longer published, and at least [`Limits::OLD_KEYS_KEPT_MAX`] newer ones are not either. The
    /// count is there because the clock alone must destroy no key: one that is a year ahead makes every key look old.
    pub fn over(&self, now: UnixSeconds) -> impl Iterator<Item = &KeyId> {
        let old = self.keys.iter().rev().filter(move |(_, times)| times.published_until <= now);
        old.skip(Limits::OLD_KEYS_KEPT_MAX).map(|(key, _)| &key.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        jwk::Algorithm,
        jws::{self, HeaderToSign, NamedBy, Type},
    };

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).expect("a name")
    }

    fn key(algorithm: Algorithm) -> Arc<SigningKey> {
        Arc::new(SigningKey::generate(algorithm).expect("a key").0)
    }

    #[test]
    fn a_published_set_is_read_back() {
        let (a, b) = (key(Algorithm::Es256), key(Algorithm::EdDsa));
        let set = KeySet::new([(id("a"), a.public().clone()), (id("b"), b.public().clone())]);
        let text = set.to_jwks();
        assert_eq!(KeySet::from_jwks(&text), Ok(set));
        assert!(text.contains(r#""alg":"ES256","kid":"a","use":"sig"}"#), "{text}");
        assert_eq!(KeySet::from_jwks(&KeySet::default().to_jwks()), Ok(KeySet::default()));
    }

    #[test]
    fn a_set_is_read_strictly() {
        let jwk = key(Algorithm::Es256).public().to_jwk();
        let named = |more: &str| jwk.replace("{\"crv\"", &format!("{{{more}\"crv\""));
        let huge = format!(r#"{{"keys":[],"a":"{}"}}"#, "a".repeat(Limits::JWK_SET_BYTES_MAX));
        let rows: &[(&str, String, Result<usize, JwkRefusal>)] = &[
            ("one key", named("\"kid\":\"a\","), Ok(1)),
            ("a key of another kind", r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#.to_owned(), Ok(0)),
            ("a key for another use", named("\"use\":\"enc\","), Ok(0)),
            ("a key without a name", jwk.clone(), Err(JwkRefusal::Malformed)),
            ("a name that is none", named("\"kid\":\"a b\","), Err(JwkRefusal::Malformed)),
            ("two of one name", format!("{0},{0}", named("\"kid\":\"a\",")), Err(JwkRefusal::Malformed)),
            ("a private key", named("\"kid\":\"a\",\"d\":\"AA\","), Err(JwkRefusal::PrivateKey)),
            ("no key at all", "1".to_owned(), Err(JwkRefusal::Malformed)),
            ("no point", named("\"kid\":\"a\",").replace("\"y\":\"", "\"y\":\"A"), Err(JwkRefusal::PointInvalid)),
        ];
        for (name, keys, expected) in rows {
            let text = format!(r#"{{"keys":[{keys}]}}"#);
            assert_eq!(KeySet::from_jwks(&text).map(|set| set.0.len()), *expected, "{name}");
        }
        for (name, text) in [("no member", "{}"), ("no document", ""), ("too large", &huge)] {
            assert_eq!(KeySet::from_jwks(text), Err(JwkRefusal::Malformed), "{name}");
        }
    }

    #[test]
    fn only_a_named_key_verifies() {
        let (ours, foreign) = (key(Algorithm::Es256), key(Algorithm::Es256));
        let set = KeySet::new([(id("ours"), ours.public().clone())]);
        let rows: &[(&str, &SigningKey, NamedBy<'_>, Result<(), JwsRefusal>)] = &[
            ("by its name", &ours, NamedBy::Kid(&id("ours")), Ok(())),
            ("by another name", &ours, NamedBy::Kid(&id("theirs")), Err(JwsRefusal::KeyUnknown)),
            ("by no name", &ours, NamedBy::Nothing, Err(JwsRefusal::KeyUnknown)),
            ("by a key that it brings itself", &foreign, NamedBy::Embedded, Err(JwsRefusal::KeyUnknown)),
            ("by a foreign key under our name", &foreign, NamedBy::Kid(&id("ours")), Err(JwsRefusal::SignatureInvalid)),
        ];
        for (name, key, named_by, expected) in rows {
            let text = jws::sign(key, HeaderToSign { typ: "JWT", key: *named_by }, b"{}").expect("a text");
            let verified = Jws::read(&text, Type::Any).and_then(|jws| set.verify(jws));
            assert_eq!(verified.map(|_| ()), *expected, "{name}");
        }
    }

    const ROTATION: Rotation = Rotation { announced_for: Seconds(100), signs_for: Seconds(1_000), longest_life: Seconds(30) };

    fn ring(created: &[u64]) -> KeyRing {
        let key = key(Algorithm::EdDsa);
        let ring_key = |at: &u64| RingKey { id: id(&format!("k{at}")), key: key.clone(), created_at: UnixSeconds(*at) };
        KeyRing::new(created.iter().rev().map(ring_key).collect(), ROTATION)
    }

    #[test]
    fn keys_take_turns() {
        // Made at 10 000 and, when it was due, at 11 000. The first signs until 11 100 and is published until 11 135.
        let ring = ring(&[10_000, 11_000]);
        assert_eq!(ring.next_due(UnixSeconds(11_000)), UnixSeconds(12_000));
        let rows: &[(&str, u64, Option<&str>, &[&str])] = &[
            ("before all", 9_999, None, &[]),
            ("the first key signs at once", 10_000, Some("k10000"), &["k10000"]),
            ("before the next is made", 10_999, Some("k10000"), &["k10000"]),
            ("the next is announced", 11_000, Some("k10000"), &["k10000", "k11000"]),
            ("the first signs for the last time", 11_099, Some("k10000"), &["k10000", "k11000"]),
            ("the next signs", 11_100, Some("k11000"), &["k10000", "k11000"]),
            ("the first is published for the last time", 11_134, Some("k11000"), &["k10000", "k11000"]),
            ("the first is over", 11_135, Some("k11000"), &["k11000"]),
            ("the next signs for the last time", 12_099, Some("k11000"), &["k11000"]),
            ("nobody made another", 12_100, None, &["k11000"]),
            ("all are over", 12_135, None, &[]),
        ];
        for (name, now, current, published) in rows {
            let now = UnixSeconds(*now);
            assert_eq!(ring.current(now).map(|key| key.id.as_str()), *current, "{name}");
            let names: Vec<_> = ring.published(now).0.iter().map(|(id, _)| id.as_str().to_owned()).collect();
            assert_eq!(names, *published, "{name}");
        }
    }

    #[test]
    fn an_empty_ring_needs_a_key_at_once() {
        let ring = ring(&[]);
        assert_eq!(ring.next_due(UnixSeconds(1)), UnixSeconds(0));
        assert!(ring.current(UnixSeconds(1)).is_none());
    }

    /// What the clock says may be wrong by years: a key is destroyed only when enough newer ones were made and are over as well.
    #[test]
    fn the_clock_alone_destroys_no_key() {
        let many: Vec<u64> = (0..=u64::try_from(Limits::OLD_KEYS_KEPT_MAX).expect("few")).map(|n| 10_000 + n * 1_000).collect();
        let rows: &[(&str, &[u64], u64, &[&str])] = &[
            ("one key, and the end of time", &[10_000], u64::MAX, &[]),
            ("as many as are kept", many.split_last().expect("some").1, u64::MAX, &[]),
            ("one more than are kept", &many, u64::MAX, &["k10000"]),
            ("of which one is still published", &many, *many.last().expect("some"), &[]),
        ];
        for (name, made, now, expected) in rows {
            let ring = ring(made);
            assert_eq!(ring.over(UnixSeconds(*now)).map(KeyId::as_str).collect::<Vec<_>>(), *expected, "{name}");
        }
    }

    /// Wherever the clock goes, a key that is made whenever one is due covers that moment, and no later move takes it away.
    #[test]
    fn a_key_covers_every_moment_to_which_the_clock_can_move() {
        let mut made: Vec<u64> = Vec::new();
        for now in [500_000, 100_000, 500_000, 500_001, 0, 900_000, 500_002, 498_999, 500_003, u64::MAX - 5_000, 500_004] {
            let now = UnixSeconds(now);
            if ring(&made).next_due(now) <= now {
                made.push(now.0);
                made.sort_unstable();
            }
            let ring = ring(&made);
            let current = ring.current(now);
            assert!(current.is_some_and(|key| ring.published(now).find(key.id.as_str()).is_some()), "nobody signs at {now}: {made:?}");
        }
    }

    /// A key that came late signs at once: a gap would refuse everybody, a short announcement only those who cached the old set.
    #[test]
    fn a_late_key_leaves_no_gap() {
        let late = ring(&[10_000, 20_000]);
        assert_eq!(late.current(UnixSeconds(20_000)).map(|key| key.id.as_str()), Some("k20000"));
        let a_little_late = ring(&[10_000, 11_050]);
        assert_eq!(a_little_late.current(UnixSeconds(11_099)).map(|key| key.id.as_str()), Some("k10000"));
        assert_eq!(a_little_late.current(UnixSeconds(11_100)).map(|key| key.id.as_str()), Some("k11050"));
    }

    #[test]
    fn the_newest_key_that_may_sign_does() {
        // Made before it was due, by somebody who wants the first one gone: it takes over once it was announced.
        let early = ring(&[10_000, 10_500]);
        assert_eq!(early.current(UnixSeconds(10_599)).map(|key| key.id.as_str()), Some("k10000"));
        assert_eq!(early.current(UnixSeconds(10_600)).map(|key| key.id.as_str()), Some("k10500"));
    }

    /// Everything signed at any moment can be verified until it expires, and its key was announced, unless it is the first.
    #[test]
    fn published_keys_overlap() {
        let ring = ring(&[10_000, 11_000, 12_000, 13_000]);
        for signed_at in 10_000..14_000 {
            let key = ring.current(UnixSeconds(signed_at)).expect("a key");
            for after in 0..=ROTATION.longest_life.0 {
                let published = ring.published(UnixSeconds(signed_at + after));
                assert!(published.find(key.id.as_str()).is_some(), "signed at {signed_at}, {after} s later");
            }
            if key.created_at > UnixSeconds(10_000) {
                let announced = ring.published(UnixSeconds(signed_at).minus(ROTATION.announced_for));
                assert!(announced.find(key.id.as_str()).is_some(), "signed at {signed_at}");
            }
        }
    }

    #[test]
    fn destroying_an_old_key_moves_no_other() {
        let (both, one) = (ring(&[10_000, 11_000]), ring(&[11_000]));
        for now in (11_135..12_200).map(UnixSeconds) {
            assert_eq!(both.current(now).map(|key| &key.id), one.current(now).map(|key| &key.id), "{now}");
            assert_eq!(both.published(now).find("k11000").is_some(), one.published(now).find("k11000").is_some(), "{now}");
        }
        assert_eq!(both.next_due(UnixSeconds(12_200)), one.next_due(UnixSeconds(12_200)));
        assert_eq!(both.keys.len(), 2);
    }
}
