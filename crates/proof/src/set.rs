//! Security Event Tokens (RFC 8417) as OpenID Shared Signals carry them (SSF 1.0 section 4), with one event each.
//!
//! They are signed with RS256 and keys of at least 2048 bits, and with nothing else: the CAEP interoperability profile asks for that and
//! refuses ES256. RSA keys exist in this module only; no token and no proof of a phone is ever verified with one.

use std::borrow::Cow;

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair},
};
use countersign_codec::{
    base64url,
    json::{NotTheObject, Object},
};
use countersign_core::{KeyId, Limits, Secret, UnixSeconds};
use der::{Reader, SliceReader, asn1::UintRef};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    jwk::CryptoFailure,
    jws::{JwsRefusal, Parts, Type},
    numeric_date::NumericDate,
};

/// The only accepted algorithm.
const RS256: &str = "RS256";

/// Media type of a SET, its `typ` (RFC 8417 section 2.3).
pub const SET_TYPE: &str = "secevent+jwt";

/// Length of a modulus in bytes: 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Reason why a SET is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetRefusal {
    /// The SET is for another receiver.
    AudienceWrong,
    /// The SET does not hold exactly one event, an object under the URI of its type.
    EventsNotOne,
    /// The SET is from another issuer than the stream's.
    IssuerWrong,
    /// The text is not a JWS with RS256, of this type, by a key of the issuer.
    Jws(JwsRefusal),
    /// A claim is missing, stands there twice, or has another type.
    Malformed,
    /// The SET has a claim that SSF forbids: `exp` or `sub` (SSF 1.0 sections 4.1.4 and 4.1.5).
    MemberForbidden,
    /// The SET was issued in the future.
    TooEarly,
}

impl SetRefusal {
    /// Error code of RFC 8935 section 2.4 for the transmitter.
    #[must_use]
    pub const fn err(self) -> &'static str {
        match self {
            Self::AudienceWrong => "invalid_audience",
            Self::IssuerWrong => "invalid_issuer",
            Self::Jws(JwsRefusal::KeyUnknown | JwsRefusal::AlgorithmRefused | JwsRefusal::AlgorithmMismatch) => "invalid_key",
            Self::Jws(JwsRefusal::SignatureInvalid) => "authentication_failed",
            Self::EventsNotOne | Self::Jws(_) | Self::Malformed | Self::MemberForbidden | Self::TooEarly => "invalid_request",
        }
    }
}

impl From<NotTheObject> for SetRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::Malformed
    }
}

impl From<JwsRefusal> for SetRefusal {
    fn from(refusal: JwsRefusal) -> Self {
        Self::Jws(refusal)
    }
}

/// RSA public key of a transmitter.
#[derive(Clone)]
pub struct RsaPublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaPublicKey {
    /// Parses a JWK of an RSA key (RFC 7518 section 6.3.1) for RS256.
    ///
    /// # Errors
    /// [`NotTheObject`] when it is something else, holds a private member, or has fewer than 2048 bits.
    pub fn from_jwk(text: &str) -> Result<Self, NotTheObject> {
        let jwk = Object::parse(text, Limits::JSON_DEPTH_MAX)?;
        let refused = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.has(name));
        let wanted = |name: &str, value: &str| jwk.optional_text(name).map(|text| text.is_none_or(|text| text == value));
        if refused || jwk.text("kty")? != "RSA" || !wanted("alg", RS256)? || !wanted("use", "sig")? {
            return Err(NotTheObject);
        }
        let number = |name: &str| base64url::decode(&jwk.text(name)?).map_err(|_| NotTheObject);
        let (modulus, exponent) = (number("n")?, number("e")?);
        // No octet more than needed (RFC 7518 section 2), so that the length in octets gives the length in bits.
        let shortest = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
        let whole = MODULUS_BYTES.contains(&modulus.len()) && modulus.first().is_some_and(|first| *first >= 0x80);
        if whole && shortest(&exponent) && exponent.len() <= 4 { Ok(Self { modulus, exponent }) } else { Err(NotTheObject) }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = PublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

/// Keys of one transmitter, by name.
#[derive(Clone, Default)]
pub struct SetKeys(Vec<(String, RsaPublicKey)>);

impl SetKeys {
    /// Parses a JWK Set (RFC 7517 section 5). Keys of other kinds are ignored, since they sign other things.
    ///
    /// # Errors
    /// [`NotTheObject`] when the text is not a JWK Set, or holds no key that could sign a SET.
    pub fn from_jwks(text: &str) -> Result<Self, NotTheObject> {
        let set = Object::parse(text, Limits::JSON_DEPTH_MAX)?;
        let keys: Vec<&RawValue> = set.required("keys")?;
        let named = keys.iter().filter_map(|key| {
            let id = Object::parse(key.get(), Limits::JSON_DEPTH_MAX).ok()?.text("kid").ok()?.into_owned();
            Some((id, RsaPublicKey::from_jwk(key.get()).ok()?))
        });
        let keys: Vec<_> = named.collect();
        if keys.is_empty() { Err(NotTheObject) } else { Ok(Self(keys)) }
    }

    fn find(&self, id: Option<&str>) -> Result<&RsaPublicKey, JwsRefusal> {
        self.0.iter().find(|(name, _)| Some(name.as_str()) == id).map(|(_, key)| key).ok_or(JwsRefusal::KeyUnknown)
    }
}

/// Values that the SETs of a stream must have.
#[derive(Clone, Debug)]
pub struct ExpectedSet<'a> {
    /// Identifier of the issuer.
    pub issuer: &'a str,
    /// Identifier of the receiver.
    pub audience: &'a str,
}

/// A SET whose claims were checked. From [`read`] its signature is verified as well; from [`claims`] it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedSet {
    /// `jti`: two SETs with the same one report the same event.
    pub id: String,
    /// Time at which the SET was issued.
    pub issued_at: UnixSeconds,
    /// Transaction that the event belongs to (`txn`).
    pub transaction: Option<String>,
    /// Person or session that the event is about: `sub_id`, as JSON (RFC 9493).
    pub subject: String,
    /// URI of the event's type.
    pub event_type: String,
    /// The event, as JSON.
    pub event: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    #[serde(borrow)]
    Many(Vec<Cow<'a, str>>),
    One(#[serde(borrow)] Cow<'a, str>),
}

/// Parses and verifies a SET.
///
/// # Errors
/// The first rule that it breaks.
pub fn read(text: &str, keys: &SetKeys, expected: &ExpectedSet<'_>, now: UnixSeconds) -> Result<VerifiedSet, SetRefusal> {
    let parts = Parts::read(text, Type::Is(SET_TYPE))?;
    if parts.algorithm != RS256 {
        return Err(JwsRefusal::AlgorithmRefused.into());
    }
    // SECURITY: a key that the text brings along proves nothing about its sender.
    if parts.jwk.is_some() {
        return Err(JwsRefusal::HeaderRefused.into());
    }
    if !keys.find(parts.key_id.as_deref())?.verify(parts.signing_input.as_bytes(), &parts.signature) {
        return Err(JwsRefusal::SignatureInvalid.into());
    }
    claims(&parts.payload, expected, now)
}

/// Parses the claims alone, for somebody who inspects a SET without verifying it.
///
/// # Errors
/// The first rule that they break.
pub fn claims(payload: &[u8], expected: &ExpectedSet<'_>, now: UnixSeconds) -> Result<VerifiedSet, SetRefusal> {
    let claims = Object::from_bytes(payload, Limits::JSON_DEPTH_MAX)?;
    // SSF forbids both, so that no SET can be taken for an ID or access token.
    if claims.has("exp") || claims.has("sub") {
        return Err(SetRefusal::MemberForbidden);
    }
    if claims.text("iss")? != expected.issuer {
        return Err(SetRefusal::IssuerWrong);
    }
    let audiences = match claims.required::<Audience<'_>>("aud")? {
        Audience::Many(many) => many,
        Audience::One(one) => vec![one],
    };
    if audiences.len() > Limits::SET_AUDIENCES_MAX || !audiences.iter().any(|audience| audience == expected.audience) {
        return Err(SetRefusal::AudienceWrong);
    }
    let issued_at = claims.required::<NumericDate>("iat")?.down();
    if issued_at > now.plus(Limits::SET_CLOCK_AHEAD_MAX) {
        return Err(SetRefusal::TooEarly);
    }
    let events =
        Object::parse(claims.raw("events").ok_or(SetRefusal::Malformed)?, Limits::JSON_DEPTH_MAX).map_err(|_| SetRefusal::EventsNotOne)?;
    let mut events = events.into_members();
    let (Some((event_type, event)), None) = (events.next(), events.next()) else { return Err(SetRefusal::EventsNotOne) };
    Object::parse(event, Limits::JSON_DEPTH_MAX).map_err(|_| SetRefusal::EventsNotOne)?;
    let subject = claims.raw("sub_id").ok_or(SetRefusal::Malformed)?;
    Object::parse(subject, Limits::JSON_DEPTH_MAX)?;
    let id = claims.text("jti")?;
    if id.is_empty() {
        return Err(SetRefusal::Malformed);
    }
    Ok(VerifiedSet {
        id: id.into_owned(),
        issued_at,
        transaction: claims.optional_text("txn")?.map(Cow::into_owned),
        subject: subject.to_owned(),
        event_type: event_type.into_owned(),
        event: event.to_owned(),
    })
}

/// Content of a SET that is to be signed. The subject and the event are JSON objects.
#[derive(Clone, Debug)]
pub struct SetToSign<'a> {
    /// Identifier of the issuer.
    pub issuer: &'a str,
    /// Identifier of the receiver.
    pub audience: &'a str,
    /// Identifier of the SET, unique for this issuer.
    pub id: &'a str,
    /// Time at which the SET is issued.
    pub issued_at: UnixSeconds,
    /// Person or session that the event is about.
    pub subject: &'a serde_json::Value,
    /// URI of the event's type.
    pub event_type: &'a str,
    /// The event, as JSON.
    pub event: &'a serde_json::Value,
}

/// Modulus and exponent of a PKCS#1 public key (RFC 8017 appendix A.1.1).
fn parts_of(der: &[u8]) -> der::Result<RsaPublicKey> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|parts| {
        let (modulus, exponent): (UintRef<'_>, UintRef<'_>) = (parts.decode()?, parts.decode()?);
        Ok(RsaPublicKey { modulus: modulus.as_bytes().to_vec(), exponent: exponent.as_bytes().to_vec() })
    })
}

/// An RSA key that signs SETs.
pub struct SetSigningKey {
    id: KeyId,
    pair: RsaKeyPair,
    public: RsaPublicKey,
}

impl SetSigningKey {
    /// Makes a new key of 2048 bits with the library's random generator, in PKCS#8 form.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn generate() -> Result<Secret<Vec<u8>>, CryptoFailure> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| CryptoFailure)?;
        let pkcs8 = pair.as_der().map_err(|_| CryptoFailure)?;
        Ok(Secret::new(pkcs8.as_ref().to_vec()))
    }

    /// Parses a key in PKCS#8 form.
    ///
    /// # Errors
    /// [`CryptoFailure`] when it is not such a key.
    pub fn from_pkcs8(id: KeyId, pkcs8: &Secret<Vec<u8>>) -> Result<Self, CryptoFailure> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| CryptoFailure)?;
        let public = parts_of(pair.public_key().as_ref()).map_err(|_| CryptoFailure)?;
        Ok(Self { id, pair, public })
    }

    /// The JWK Set with which receivers verify.
    #[must_use]
    pub fn jwks(&self) -> String {
        let jwk = serde_json::json!({
            "kty": "RSA", "use": "sig", "alg": RS256, "kid": self.id.as_str(),
            "n": base64url::encode(&self.public.modulus), "e": base64url::encode(&self.public.exponent),
        });
        serde_json::json!({ "keys": [jwk] }).to_string()
    }

    /// Signs a SET for the receiver.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn sign(&self, set: &SetToSign<'_>) -> Result<String, CryptoFailure> {
        let header = serde_json::json!({ "typ": SET_TYPE, "alg": RS256, "kid": self.id.as_str() });
        let claims = serde_json::json!({
            "iss": set.issuer, "aud": set.audience, "jti": set.id, "iat": set.issued_at.0,
            "sub_id": set.subject, "events": { set.event_type: set.event },
        });
        let mut text = base64url::encode(header.to_string());
        text.push('.');
        base64url::encode_onto(claims.to_string(), &mut text);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).map_err(|_| CryptoFailure)?;
        text.push('.');
        base64url::encode_onto(signature, &mut text);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_615_305_200);
    const EXPECTED: ExpectedSet<'static> = ExpectedSet { issuer: "https://idp.example.com/", audience: "https://sp.example.com/caep" };

    fn key() -> (SetSigningKey, SetKeys) {
        static PKCS8: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let pkcs8 = PKCS8.get_or_init(|| SetSigningKey::generate().expect("a key").expose().clone());
        let id = KeyId::parse("rsa-1").expect("an id");
        let key = SetSigningKey::from_pkcs8(id, &Secret::new(pkcs8.clone())).expect("a key");
        let keys = SetKeys::from_jwks(&key.jwks()).expect("keys");
        (key, keys)
    }

    fn signed(key: &SetSigningKey) -> String {
        let set = SetToSign {
            issuer: EXPECTED.issuer,
            audience: EXPECTED.audience,
            id: "24c63fb56e5a2d77a6b512616ca9fa24",
            issued_at: NOW,
            subject: &serde_json::json!({ "format": "email", "email": "a@example.com" }),
            event_type: "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
            event: &serde_json::json!({ "event_timestamp": 1_615_304_991 }),
        };
        key.sign(&set).expect("signed")
    }

    #[test]
    fn what_is_signed_is_read() {
        let (key, keys) = key();
        let set = read(&signed(&key), &keys, &EXPECTED, NOW).expect("verified");
        assert_eq!(set.id, "24c63fb56e5a2d77a6b512616ca9fa24");
        assert_eq!(set.event, r#"{"event_timestamp":1615304991}"#);
        assert!(set.event_type.ends_with("/session-revoked") && set.subject.contains("a@example.com"));
    }

    #[test]
    fn keys_are_taken_strictly() {
        let (key, _) = key();
        let jwks = key.jwks();
        let bent = |from: &str, to: &str| jwks.replacen(from, to, 1);
        let n = jwks.split("\"n\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a modulus").to_owned();
        let small = base64url::encode([0xff_u8; 255]);
        for bad in [
            bent("RS256", "RS384"),
            bent("\"sig\"", "\"enc\""),
            bent("\"RSA\"", "\"EC\""),
            bent(&n, &small),
            bent("\"e\":", "\"d\":\"AQAB\",\"e\":"),
            bent("\"kid\"", "\"kit\""),
            "{}".to_owned(),
        ] {
            assert!(SetKeys::from_jwks(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_that_are_something_else_are_refused() {
        let (key, keys) = key();
        let text = signed(&key);
        let (_, rest) = text.split_once('.').expect("a header");
        let rows = [
            (r#"{"typ":"JWT","alg":"RS256","kid":"rsa-1"}"#, JwsRefusal::TypeWrong),
            (r#"{"typ":"secevent+jwt","alg":"none","kid":"rsa-1"}"#, JwsRefusal::AlgorithmRefused),
            (r#"{"typ":"secevent+jwt","alg":"HS256","kid":"rsa-1"}"#, JwsRefusal::AlgorithmRefused),
            (r#"{"typ":"secevent+jwt","alg":"ES256","kid":"rsa-1"}"#, JwsRefusal::AlgorithmRefused),
            (r#"{"typ":"secevent+jwt","alg":"RS256","kid":"rsa-2"}"#, JwsRefusal::KeyUnknown),
            (r#"{"typ":"secevent+jwt","alg":"RS256"}"#, JwsRefusal::KeyUnknown),
            (r#"{"typ":"secevent+jwt","alg":"RS256","kid":"rsa-1","crit":["a"]}"#, JwsRefusal::CriticalHeader),
            (r#"{"typ":"secevent+jwt","alg":"RS256","kid":"rsa-1","jwk":{}}"#, JwsRefusal::HeaderRefused),
            (r#"{"typ":"secevent+jwt","alg":"RS256","kid":"rsa-1","x":1}"#, JwsRefusal::SignatureInvalid),
        ];
        for (header, expected) in rows {
            let forged = format!("{}.{rest}", base64url::encode(header));
            assert_eq!(read(&forged, &keys, &EXPECTED, NOW), Err(SetRefusal::Jws(expected)), "{header}");
        }
    }

    #[test]
    fn claims_are_read_strictly() {
        let good = r#"{"iss":"https://idp.example.com/","aud":"https://sp.example.com/caep","jti":"1","iat":1615305199,"sub_id":{"format":"email"},"events":{"urn:a":{}}}"#;
        let rows = [
            ("\"aud\":\"https://sp.example.com/caep\"", "\"aud\":[\"x\",\"https://sp.example.com/caep\"]", None),
            ("\"iat\":1615305199", "\"iat\":1615305500", None),
            ("\"iat\":1615305199", "\"iat\":1615305501", Some(SetRefusal::TooEarly)),
            ("\"iat\":1615305199", "\"iat\":\"1\"", Some(SetRefusal::Malformed)),
            ("\"iat\":1615305199,", "", Some(SetRefusal::Malformed)),
            ("\"jti\":\"1\"", "\"jti\":\"\"", Some(SetRefusal::Malformed)),
            ("\"jti\":\"1\"", "\"jti\":1", Some(SetRefusal::Malformed)),
            ("\"jti\":\"1\"", "\"jti\":\"1\",\"jti\":\"1\"", Some(SetRefusal::Malformed)),
            ("idp.example", "evil.example", Some(SetRefusal::IssuerWrong)),
            ("sp.example.com/caep", "sp.example.com/", Some(SetRefusal::AudienceWrong)),
            ("\"jti\"", "\"exp\":1,\"jti\"", Some(SetRefusal::MemberForbidden)),
            ("\"jti\"", "\"sub\":\"a\",\"jti\"", Some(SetRefusal::MemberForbidden)),
            ("{\"urn:a\":{}}", "{}", Some(SetRefusal::EventsNotOne)),
            ("{\"urn:a\":{}}", "{\"urn:a\":{},\"urn:b\":{}}", Some(SetRefusal::EventsNotOne)),
            ("{\"urn:a\":{}}", "{\"urn:a\":null}", Some(SetRefusal::EventsNotOne)),
            ("{\"urn:a\":{}}", "[]", Some(SetRefusal::EventsNotOne)),
            ("\"sub_id\":{\"format\":\"email\"},", "", Some(SetRefusal::Malformed)),
            ("\"sub_id\":{\"format\":\"email\"}", "\"sub_id\":\"a\"", Some(SetRefusal::Malformed)),
        ];
        assert!(claims(good.as_bytes(), &EXPECTED, NOW).is_ok());
        for (from, to, expected) in rows {
            let bent = good.replacen(from, to, 1);
            assert_eq!(claims(bent.as_bytes(), &EXPECTED, NOW).err(), expected, "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_of_a_set_can_change(at in 0_usize..2_000, to in any::<u8>()) {
            let (key, keys) = key();
            let text = signed(&key);
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(bent) = String::from_utf8(bytes)
                && bent != text
            {
                prop_assert!(read(&bent, &keys, &EXPECTED, NOW).is_err());
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let (_, keys) = key();
            prop_assert!(read(&text, &keys, &EXPECTED, NOW).is_err());
            let _ = claims(text.as_bytes(), &EXPECTED, NOW);
            let _ = SetKeys::from_jwks(&text);
        }
    }
}
