//! The one reader and writer of signed texts: JWS in compact serialisation (RFC 7515 sections 3.1, 4, 5 and 7.1).

use countersign_codec::{
    base64url::{self, NotCanonical},
    json::{NotTheObject, Object},
};
use countersign_core::{KeyId, Limits};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::jwk::{Algorithm, CryptoFailure, PublicKey, SigningKey};

/// Reason why a JWS is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsRefusal {
    /// The header's `alg` belongs to another kind of key than the one that must have signed.
    AlgorithmMismatch,
    /// The header's `alg` is not accepted; `none` is one of these.
    AlgorithmRefused,
    /// The header has an extension that must be understood (`crit`); this reader understands none.
    CriticalHeader,
    /// A part is not canonical unpadded base64url.
    EncodingInvalid,
    /// The header is not a JSON object with unique members of the right types.
    HeaderMalformed,
    /// The header has a member that would change how the text is read, or that would make a reader fetch a key (`b64`, `zip`, `jku`,
    /// `x5u`).
    HeaderRefused,
    /// No key of the set has the header's `kid`, or the header has none.
    KeyUnknown,
    /// The text does not have three parts separated by `.`.
    NotThreeParts,
    /// The signature does not verify.
    SignatureInvalid,
    /// The text has more bytes than [`Limits::JWS_BYTES_MAX`].
    TooLarge,
    /// The header's `typ` is not the required one.
    TypeWrong,
}

/// Requirement on the header's `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type<'a> {
    /// Any `typ`, or none: only for foreign texts whose kind is known by other means.
    Any,
    /// Exactly this `typ`, compared without case and without a leading `application/` (RFC 7515 section 4.1.9).
    Is(&'a str),
}

impl Type<'_> {
    fn admit(self, typ: Option<&str>) -> Result<(), JwsRefusal> {
        let Self::Is(wanted) = self else { return Ok(()) };
        let typ = typ.ok_or(JwsRefusal::TypeWrong)?;
        // A `typ` with another `/` in it is a whole media type. Only one leading `application/` is removed.
        let bare = match typ.split_once('/') {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application") => rest,
            Some(_) | None => typ,
        };
        if bare.eq_ignore_ascii_case(wanted) { Ok(()) } else { Err(JwsRefusal::TypeWrong) }
    }
}

/// Header members that would make this reader do more than verify what it sees (RFC 7797, RFC 7516 section 4.1.3, RFC 7515 sections 4.1.2
/// and 4.1.5).
const REFUSED_MEMBERS: [&str; 4] = ["b64", "jku", "x5u", "zip"];

/// Parts of a JWS. Nothing in them is verified.
#[derive(Debug)]
pub struct Jws<'a> {
    signing_input: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
    jwk: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Payload of a JWS whose signature was verified. Only [`Jws::verify`] makes one.
#[derive(Debug)]
#[must_use]
pub struct VerifiedPayload(Vec<u8>);

impl VerifiedPayload {
    /// The bytes that were signed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Parts of a compact JWS whose header was parsed strictly. The caller judges the algorithm that it names.
pub(crate) struct Parts<'a> {
    pub(crate) signing_input: &'a str,
    pub(crate) algorithm: String,
    pub(crate) key_id: Option<String>,
    pub(crate) jwk: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(crate) fn read(text: &'a str, wanted: Type<'_>) -> Result<Self, JwsRefusal> {
        // Checked first, so that decoding a stranger's text has a bounded cost.
        if text.len() > Limits::JWS_BYTES_MAX {
            return Err(JwsRefusal::TooLarge);
        }
        // SECURITY: the signing input is kept as it was received. To encode it again could change what is verified.
        let (signing_input, signature) = text.rsplit_once('.').ok_or(JwsRefusal::NotThreeParts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsRefusal::NotThreeParts)?;
        if payload.contains('.') {
            return Err(JwsRefusal::NotThreeParts);
        }
        let header = base64url::decode(header)?;
        let header = Object::from_bytes(&header, Limits::JSON_DEPTH_MAX)?;
        // No extension is understood here, so any `crit` refuses (RFC 7515 section 4.1.11).
        if header.has("crit") {
            return Err(JwsRefusal::CriticalHeader);
        }
        if REFUSED_MEMBERS.iter().any(|name| header.has(name)) {
            return Err(JwsRefusal::HeaderRefused);
        }
        wanted.admit(header.optional_text("typ")?.as_deref())?;
        Ok(Self {
            signing_input,
            algorithm: header.text("alg")?.into_owned(),
            key_id: header.optional_text("kid")?.map(String::from),
            jwk: header.raw("jwk").map(String::from),
            payload: base64url::decode(payload)?,
            signature: base64url::decode(signature)?,
        })
    }
}

impl<'a> Jws<'a> {
    /// Splits `text` into its parts and parses the header.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(text: &'a str, wanted: Type<'_>) -> Result<Self, JwsRefusal> {
        let parts = Parts::read(text, wanted)?;
        Ok(Self {
            signing_input: parts.signing_input,
            algorithm: Algorithm::parse(&parts.algorithm).ok_or(JwsRefusal::AlgorithmRefused)?,
            key_id: parts.key_id,
            jwk: parts.jwk,
            payload: parts.payload,
            signature: parts.signature,
        })
    }

    /// Algorithm in the header (`alg`).
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Key name in the header (`kid`). Not verified: anybody may have written it.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Key in the header (`jwk`) as JSON text, not parsed yet.
    #[must_use]
    pub fn jwk(&self) -> Option<&str> {
        self.jwk.as_deref()
    }

    /// Verifies the signature with `key`, which must be of the kind that the header's `alg` names.
    ///
    /// # Errors
    /// `AlgorithmMismatch` or `SignatureInvalid`.
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedPayload, JwsRefusal> {
        // SECURITY: the key decides the algorithm. If the header did, a sender could choose how a key is used.
        if key.algorithm() != self.algorithm {
            return Err(JwsRefusal::AlgorithmMismatch);
        }
        key.verify(self.signing_input.as_bytes(), &self.signature).map_err(|_| JwsRefusal::SignatureInvalid)?;
        Ok(VerifiedPayload(self.payload))
    }
}

/// Way in which a JWS names its key.
#[derive(Clone, Copy, Debug)]
pub enum NamedBy<'a> {
    /// The public key itself is in the header (`jwk`).
    Embedded,
    /// The name of the key in a key set is in the header (`kid`).
    Kid(&'a KeyId),
    /// The header does not name a key.
    Nothing,
}

/// Header of a JWS that is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct HeaderToSign<'a> {
    /// Media type (`typ`), without `application/`.
    pub typ: &'a str,
    /// Way in which the key is named.
    pub key: NamedBy<'a>,
}

#[derive(Serialize)]
struct WireHeader<'a> {
    typ: &'a str,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a RawValue>,
}

/// Signs `payload` and returns the compact serialisation.
///
/// # Errors
/// [`CryptoFailure`] when the library fails.
pub fn sign(key: &SigningKey, header: HeaderToSign<'_>, payload: &[u8]) -> Result<String, CryptoFailure> {
    let (kid, jwk) = match header.key {
        NamedBy::Embedded => (None, Some(RawValue::from_string(key.public().to_jwk()).map_err(|_| CryptoFailure)?)),
        NamedBy::Kid(id) => (Some(id.as_str()), None),
        NamedBy::Nothing => (None, None),
    };
    let wire = WireHeader { typ: header.typ, alg: key.public().algorithm().as_str(), kid, jwk: jwk.as_deref() };
    let mut out = base64url::encode(serde_json::to_vec(&wire).map_err(|_| CryptoFailure)?);
    out.push('.');
    base64url::encode_onto(payload, &mut out);
    let signature = key.sign(out.as_bytes())?;
    out.push('.');
    base64url::encode_onto(signature, &mut out);
    Ok(out)
}

impl From<NotTheObject> for JwsRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::HeaderMalformed
    }
}

impl From<NotCanonical> for JwsRefusal {
    fn from(NotCanonical: NotCanonical) -> Self {
        Self::EncodingInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Es256).expect("a key").0
    }

    /// A text with this header, truly signed.
    fn with_header(key: &SigningKey, header: &str) -> String {
        let input = format!("{}.{}", base64url::encode(header), base64url::encode("payload"));
        let signature = key.sign(input.as_bytes()).expect("a signature");
        format!("{input}.{}", base64url::encode(signature))
    }

    #[test]
    fn a_header_is_read_strictly() {
        let key = key();
        let rows: &[(&str, &str, Result<(), JwsRefusal>)] = &[
            ("all fits", r#"{"alg":"ES256","typ":"at+jwt"}"#, Ok(())),
            ("another case", r#"{"alg":"ES256","typ":"AT+JWT"}"#, Ok(())),
            ("the whole media type", r#"{"alg":"ES256","typ":"application/at+jwt"}"#, Ok(())),
            ("the whole media type in another case", r#"{"alg":"ES256","typ":"Application/AT+jwt"}"#, Ok(())),
            ("members that say nothing here", r#"{"alg":"ES256","typ":"at+jwt","cty":"a","x5t":"b"}"#, Ok(())),
            ("another media type", r#"{"alg":"ES256","typ":"text/at+jwt"}"#, Err(JwsRefusal::TypeWrong)),
            ("the prefix twice", r#"{"alg":"ES256","typ":"application/application/at+jwt"}"#, Err(JwsRefusal::TypeWrong)),
            ("another type", r#"{"alg":"ES256","typ":"JWT"}"#, Err(JwsRefusal::TypeWrong)),
            ("no type", r#"{"alg":"ES256"}"#, Err(JwsRefusal::TypeWrong)),
            ("a type of another type", r#"{"alg":"ES256","typ":1}"#, Err(JwsRefusal::HeaderMalformed)),
            ("no algorithm", r#"{"typ":"at+jwt"}"#, Err(JwsRefusal::HeaderMalformed)),
            ("two algorithms", r#"{"alg":"ES256","alg":"none","typ":"at+jwt"}"#, Err(JwsRefusal::HeaderMalformed)),
            ("none", r#"{"alg":"none","typ":"at+jwt"}"#, Err(JwsRefusal::AlgorithmRefused)),
            ("none in capitals", r#"{"alg":"NONE","typ":"at+jwt"}"#, Err(JwsRefusal::AlgorithmRefused)),
            ("a symmetric one", r#"{"alg":"HS256","typ":"at+jwt"}"#, Err(JwsRefusal::AlgorithmRefused)),
            ("one of another kind of key", r#"{"alg":"EdDSA","typ":"at+jwt"}"#, Err(JwsRefusal::AlgorithmMismatch)),
            ("an extension", r#"{"alg":"ES256","typ":"at+jwt","crit":["exp"],"exp":1}"#, Err(JwsRefusal::CriticalHeader)),
            ("no extension, but the member", r#"{"alg":"ES256","typ":"at+jwt","crit":[]}"#, Err(JwsRefusal::CriticalHeader)),
            ("an unencoded payload", r#"{"alg":"ES256","typ":"at+jwt","b64":false}"#, Err(JwsRefusal::HeaderRefused)),
            ("compression", r#"{"alg":"ES256","typ":"at+jwt","zip":"DEF"}"#, Err(JwsRefusal::HeaderRefused)),
            ("a key set to fetch", r#"{"alg":"ES256","typ":"at+jwt","jku":"https://a"}"#, Err(JwsRefusal::HeaderRefused)),
            ("a certificate to fetch", r#"{"alg":"ES256","typ":"at+jwt","x5u":"https://a"}"#, Err(JwsRefusal::HeaderRefused)),
            ("an array", "[]", Err(JwsRefusal::HeaderMalformed)),
            ("a name that is no text", r#"{"alg":"ES256","typ":"at+jwt","kid":1}"#, Err(JwsRefusal::HeaderMalformed)),
        ];
        for (name, header, expected) in rows {
            let text = with_header(&key, header);
            let verified = Jws::read(&text, Type::Is("at+jwt")).and_then(|jws| jws.verify(key.public()));
            assert_eq!(verified.map(|payload| payload.as_bytes() == b"payload"), expected.map(|()| true), "{name}");
        }
        let untyped = with_header(&key, r#"{"alg":"ES256"}"#);
        assert!(Jws::read(&untyped, Type::Any).and_then(|jws| jws.verify(key.public())).is_ok(), "where no type is asked for");
    }

    #[test]
    fn a_text_has_three_canonical_parts() {
        let (key, other) = (key(), key());
        let good = sign(&key, HeaderToSign { typ: "JWT", key: NamedBy::Nothing }, b"{}").expect("a text");
        let parts: Vec<_> = good.split('.').collect();
        let [header, payload, signature] = parts[..] else { panic!("three parts") };
        let half: String = signature.chars().take(40).collect();
        let longest = "a".repeat(Limits::JWS_BYTES_MAX);
        let too_long = "a".repeat(Limits::JWS_BYTES_MAX + 1);
        let rows: &[(&str, String, Result<(), JwsRefusal>)] = &[
            ("all fits", good.clone(), Ok(())),
            ("nothing", String::new(), Err(JwsRefusal::NotThreeParts)),
            ("one part", header.to_owned(), Err(JwsRefusal::NotThreeParts)),
            ("two parts", format!("{header}.{payload}"), Err(JwsRefusal::NotThreeParts)),
            ("four parts", format!("{good}."), Err(JwsRefusal::NotThreeParts)),
            ("five parts", format!("{good}.."), Err(JwsRefusal::NotThreeParts)),
            ("the longest, of one part", longest, Err(JwsRefusal::NotThreeParts)),
            ("one byte too long", too_long, Err(JwsRefusal::TooLarge)),
            ("a space at the end", format!("{good} "), Err(JwsRefusal::EncodingInvalid)),
            ("a line break at the beginning", format!("\n{good}"), Err(JwsRefusal::EncodingInvalid)),
            ("padding", format!("{header}.{payload}=.{signature}"), Err(JwsRefusal::EncodingInvalid)),
            ("left-over bits", format!("{header}.e31.{signature}"), Err(JwsRefusal::EncodingInvalid)),
            ("JSON serialisation", format!(r#"{{"payload":"{payload}"}}"#), Err(JwsRefusal::NotThreeParts)),
            ("no header", format!(".{payload}.{signature}"), Err(JwsRefusal::HeaderMalformed)),
            ("no signature", format!("{header}.{payload}."), Err(JwsRefusal::SignatureInvalid)),
            ("half a signature", format!("{header}.{payload}.{half}"), Err(JwsRefusal::SignatureInvalid)),
            ("another payload", format!("{header}.e30K.{signature}"), Err(JwsRefusal::SignatureInvalid)),
        ];
        for (name, text, expected) in rows {
            let verified = Jws::read(text, Type::Is("JWT")).and_then(|jws| jws.verify(key.public()));
            assert_eq!(verified.map(|_| ()), *expected, "{name}");
        }
        let foreign = Jws::read(&good, Type::Any).and_then(|jws| jws.verify(other.public()));
        assert_eq!(foreign.map(|_| ()), Err(JwsRefusal::SignatureInvalid), "another key");
    }

    #[test]
    fn a_text_names_its_key_as_asked() {
        let key = key();
        let id = KeyId::parse("k-1").expect("a name");
        let jwk = key.public().to_jwk();
        let rows: &[(&str, NamedBy<'_>, Option<&str>, Option<&str>)] = &[
            ("by name", NamedBy::Kid(&id), Some("k-1"), None),
            ("by itself", NamedBy::Embedded, None, Some(&jwk)),
            ("not at all", NamedBy::Nothing, None, None),
        ];
        for (name, named_by, kid, jwk) in rows {
            let text = sign(&key, HeaderToSign { typ: "JWT", key: *named_by }, b"{}").expect("a text");
            let jws = Jws::read(&text, Type::Is("JWT")).expect("our own text");
            assert_eq!((jws.key_id(), jws.jwk(), jws.algorithm()), (*kid, *jwk, Algorithm::Es256), "{name}");
        }
    }
}
