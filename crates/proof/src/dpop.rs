//! Proofs of possession by DPoP (RFC 9449).
//!
//! This module does not detect replays: [`bind`] returns a [`BoundProof`] that the store's replay memory consumes.

use countersign_codec::json::{NotTheObject, Object};
use countersign_core::{Limits, ProofId, Reason, Thumbprint, UnixSeconds};
use serde::Serialize;

pub use crate::bound::{BoundProof, ReplayId};
use crate::{
    jwk::{CryptoFailure, JwkRefusal, PublicKey, SigningKey},
    jws::{self, HeaderToSign, Jws, JwsRefusal, NamedBy, Type},
    numeric_date::NumericDate,
    target::{OtherTarget, Target},
    window::{AcceptanceWindow, NonceRule, TimeRefusal},
};

/// Reason why a proof is refused, by the checks of RFC 9449 section 4.3. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRefusal {
    /// The claims are not a JSON object with all members of section 4.2, each of its type and size.
    ClaimsMalformed,
    /// The key in the header's `jwk` is refused.
    Key(JwkRefusal),
    /// The access token is bound to another key than the one that signed the proof.
    KeyMismatch,
    /// The header has no `jwk`.
    KeyMissing,
    /// The text is not an acceptable JWS.
    Jws(JwsRefusal),
    /// `htm` is not the request's method.
    MethodMismatch,
    /// `htu` is another URL, or not a URL.
    TargetMismatch,
    /// The nonce or the time is refused.
    Time(TimeRefusal),
    /// `ath` is missing or not the hash of the request's token.
    TokenHashMismatch,
}

impl ProofRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::ClaimsMalformed | Self::KeyMissing => Reason::ProofMalformed,
            Self::Key(key) => match key {
                JwkRefusal::PrivateKey => Reason::ProofPrivateKey,
                JwkRefusal::AlgorithmRefused => Reason::ProofAlgorithmRefused,
                JwkRefusal::Malformed | JwkRefusal::PointInvalid | JwkRefusal::UseRefused => Reason::ProofMalformed,
            },
            Self::KeyMismatch => Reason::ProofKeyMismatch,
            Self::Jws(jws) => match jws {
                JwsRefusal::AlgorithmMismatch | JwsRefusal::AlgorithmRefused => Reason::ProofAlgorithmRefused,
                JwsRefusal::SignatureInvalid => Reason::ProofSignatureInvalid,
                JwsRefusal::TooLarge => Reason::ProofTooLarge,
                JwsRefusal::TypeWrong => Reason::ProofTypeWrong,
                JwsRefusal::CriticalHeader
                | JwsRefusal::EncodingInvalid
                | JwsRefusal::HeaderMalformed
                | JwsRefusal::HeaderRefused
                | JwsRefusal::KeyUnknown
                | JwsRefusal::NotThreeParts => Reason::ProofMalformed,
            },
            Self::MethodMismatch => Reason::ProofWrongMethod,
            Self::TargetMismatch => Reason::ProofWrongTarget,
            Self::Time(time) => time.reason(),
            Self::TokenHashMismatch => Reason::ProofTokenMismatch,
        }
    }
}

impl From<JwsRefusal> for ProofRefusal {
    fn from(why: JwsRefusal) -> Self {
        Self::Jws(why)
    }
}

impl From<JwkRefusal> for ProofRefusal {
    fn from(why: JwkRefusal) -> Self {
        Self::Key(why)
    }
}

impl From<NotTheObject> for ProofRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::ClaimsMalformed
    }
}

/// Media type of a proof (RFC 9449 section 4.2).
const TYPE: &str = "dpop+jwt";

/// A proof whose structure and signature were checked, but not yet its request.
#[derive(Debug)]
#[must_use]
pub struct SignedProof {
    key: PublicKey,
    id: ReplayId,
    method: String,
    target: String,
    issued_at: UnixSeconds,
    nonce: Option<String>,
    token_hash: Option<String>,
}

impl SignedProof {
    /// The key that signed the proof, which the proof brought along itself.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Values that a proof must have.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Method of the request (`htm`), case-sensitive.
    pub method: &'a str,
    /// URL of the request (`htu`).
    pub target: &'a Target,
    /// Kind of place where the proof is used.
    pub bound_to: BoundTo<'a>,
    /// Rule for the nonce.
    pub nonces: NonceRule<'a>,
}

/// Kind of place where a proof is used (RFC 9449 sections 5 and 7).
#[derive(Clone, Copy, Debug)]
pub enum BoundTo<'a> {
    /// A resource. The key must be the token's `cnf.jkt`, and `ath` the token's hash.
    AccessToken {
        /// Thumbprint in the token's `cnf.jkt`.
        key: &'a Thumbprint,
        /// Hash of the token in the form of `ath`.
        hash: &'a str,
    },
    /// The token endpoint, or any other place without an access token. The proof introduces its key there.
    TokenRequest,
}

/// Parses the text of a `DPoP` header and verifies its signature (RFC 9449 section 4.3, checks 2 to 7).
///
/// # Errors
/// The first check that fails.
pub fn read(proof: &str) -> Result<SignedProof, ProofRefusal> {
    let jws = Jws::read(proof, Type::Is(TYPE))?;
    // The proof brings its own key (check 6). Whether that key may use the token is decided in `bind`.
    let key = PublicKey::from_jwk(jws.jwk().ok_or(ProofRefusal::KeyMissing)?)?;
    let payload = jws.verify(&key)?;
    let claims = Object::from_bytes(payload.as_bytes(), Limits::JSON_DEPTH_MAX)?;
    let id = claims.text("jti")?;
    if !(1..=Limits::ID_BYTES_MAX).contains(&id.len()) {
        return Err(ProofRefusal::ClaimsMalformed);
    }
    Ok(SignedProof {
        id: ReplayId::of(b"dpop", key.thumbprint(), &id),
        method: claims.text("htm")?.into_owned(),
        target: claims.text("htu")?.into_owned(),
        issued_at: claims.required::<NumericDate>("iat")?.down(),
        nonce: claims.optional_text("nonce")?.map(String::from),
        token_hash: claims.optional_text("ath")?.map(String::from),
        key,
    })
}

/// Checks that `proof` was made for this request, now (RFC 9449 section 4.3, checks 8 to 12).
///
/// # Errors
/// The first check that fails, in the order of the RFC.
pub fn bind(proof: SignedProof, expected: &Expected<'_>, now: UnixSeconds) -> Result<BoundProof, ProofRefusal> {
    if proof.method != expected.method {
        return Err(ProofRefusal::MethodMismatch);
    }
    expected.target.admit(&proof.target).map_err(|OtherTarget| ProofRefusal::TargetMismatch)?;
    let window = AcceptanceWindow::admit(proof.nonce.as_deref(), proof.key.thumbprint(), proof.issued_at, expected.nonces, now)
        .map_err(ProofRefusal::Time)?;
    if let BoundTo::AccessToken { key, hash } = expected.bound_to {
        // SECURITY: a missing `ath` is a mismatch, so a proof for the token endpoint cannot be used with a token.
        if proof.token_hash.as_deref() != Some(hash) {
            return Err(ProofRefusal::TokenHashMismatch);
        }
        // SECURITY: this check makes a stolen token useless without its key.
        if proof.key.thumbprint() != key {
            return Err(ProofRefusal::KeyMismatch);
        }
    }
    Ok(BoundProof::new(*proof.key.thumbprint(), proof.id, window))
}

/// Content of a proof that a client makes.
#[derive(Clone, Copy, Debug)]
pub struct ProofToMake<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// URL of the request.
    pub target: &'a Target,
    /// Hash of the access token ([`crate::access_token::hash_text`]), when the proof is used with one.
    pub token_hash: Option<&'a str>,
    /// The last nonce that the server gave.
    pub nonce: Option<&'a str>,
    /// `jti`: at least 96 unpredictable bits (RFC 9449 section 4.2).
    pub id: &'a ProofId,
    /// `iat`: the time by the client's clock.
    pub issued_at: UnixSeconds,
}

/// Claims of the proof as JSON (RFC 9449 section 4.2).
#[derive(Serialize)]
struct WireClaims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// Makes a proof, signed by `key`.
///
/// # Errors
/// [`CryptoFailure`] when the library fails.
pub fn make(key: &SigningKey, proof: &ProofToMake<'_>) -> Result<String, CryptoFailure> {
    let wire = WireClaims {
        jti: proof.id.as_str(),
        htm: proof.method,
        htu: proof.target.as_str(),
        iat: proof.issued_at.0,
        ath: proof.token_hash,
        nonce: proof.nonce,
    };
    let payload = serde_json::to_vec(&wire).map_err(|_| CryptoFailure)?;
    jws::sign(key, HeaderToSign { typ: TYPE, key: NamedBy::Embedded }, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access_token, jwk::Algorithm, nonce::NonceKeys};
    use countersign_codec::base64url;
    use countersign_core::{Seconds, Secret};

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    struct House {
        key: SigningKey,
        other: SigningKey,
        target: Target,
        nonces: NonceKeys,
        hash: String,
    }

    impl House {
        fn new() -> Self {
            Self {
                key: SigningKey::generate(Algorithm::Es256).expect("a key").0,
                other: SigningKey::generate(Algorithm::EdDsa).expect("a key").0,
                target: Target::parse("https://api.example.com/pay").expect("a target"),
                nonces: NonceKeys::new(&Secret::new([1; 32]), None),
                hash: access_token::hash_text("token"),
            }
        }

        fn expected(&self) -> Expected<'_> {
            Expected {
                method: "POST",
                target: &self.target,
                bound_to: BoundTo::AccessToken { key: self.key.public().thumbprint(), hash: &self.hash },
                nonces: NonceRule::Accepted(&self.nonces),
            }
        }

        /// The claims of a good proof, with `from` replaced by `to`.
        fn claims(&self, from: &str, to: &str) -> String {
            let good = format!(
                r#"{{"jti":"j-1","htm":"POST","htu":"https://api.example.com/pay","iat":1000000,"ath":"{}","nonce":"{}"}}"#,
                self.hash,
                self.nonces.issue(self.key.public().thumbprint(), NOW)
            );
            assert!(good.contains(from), "`{from}` is not in the claims");
            good.replacen(from, to, 1)
        }
    }

    fn signed(key: &SigningKey, claims: &str) -> String {
        jws::sign(key, HeaderToSign { typ: TYPE, key: NamedBy::Embedded }, claims.as_bytes()).expect("a proof")
    }

    fn judge(proof: &str, expected: &Expected<'_>) -> Result<BoundProof, ProofRefusal> {
        bind(read(proof)?, expected, NOW)
    }

    #[test]
    fn claims_fit_the_request() {
        let house = House::new();
        let nonce = house.nonces.issue(house.key.public().thumbprint(), NOW);
        let without_nonce = format!(",\"nonce\":\"{nonce}\"");
        let (longest, too_long) = ("j".repeat(128), "j".repeat(129));
        let malformed = Err(ProofRefusal::ClaimsMalformed);
        let rows: &[(&str, &str, &str, Result<(), ProofRefusal>)] = &[
            ("all fits", "", "", Ok(())),
            ("an unknown claim", "{", r#"{"trace":{},"#, Ok(())),
            ("a URL in another spelling", "https://api.example.com/pay", "HTTPS://API.example.com:443/x/../p%61y?a=b#c", Ok(())),
            ("a clock a day off, and a nonce", "1000000", "913600", Ok(())),
            ("another method", "POST", "GET", Err(ProofRefusal::MethodMismatch)),
            ("the method in lower case", "POST", "post", Err(ProofRefusal::MethodMismatch)),
            ("another path", "/pay", "/pays", Err(ProofRefusal::TargetMismatch)),
            ("a slash more", "/pay", "/pay/", Err(ProofRefusal::TargetMismatch)),
            ("another host", "api.example.com", "api.example.org", Err(ProofRefusal::TargetMismatch)),
            ("another scheme", "https:", "http:", Err(ProofRefusal::TargetMismatch)),
            ("another port", "example.com/", "example.com:8443/", Err(ProofRefusal::TargetMismatch)),
            ("a relative URL", "https://api.example.com", "", Err(ProofRefusal::TargetMismatch)),
            ("no URL", "https://api.example.com/pay", "", Err(ProofRefusal::TargetMismatch)),
            ("a made-up nonce", &nonce, "n", Err(ProofRefusal::Time(TimeRefusal::NonceUnknown))),
            ("another token", &house.hash, "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", Err(ProofRefusal::TokenHashMismatch)),
            ("no token", "\"ath\"", "\"at\"", Err(ProofRefusal::TokenHashMismatch)),
            ("no method", "\"htm\"", "\"ht\"", malformed),
            ("no URL member", "\"htu\"", "\"ht\"", malformed),
            ("no time", "\"iat\"", "\"ia\"", malformed),
            ("no name", "\"jti\"", "\"jt\"", malformed),
            ("an empty name", "j-1", "", malformed),
            ("the longest name", "j-1", &longest, Ok(())),
            ("one byte too long a name", "j-1", &too_long, malformed),
            ("a name of another type", "\"j-1\"", "1", malformed),
            ("a time as a text", "1000000", "\"1000000\"", malformed),
            ("a time before the epoch", "1000000", "-1", malformed),
            ("a time with a fraction", "1000000", "1000000.5", Ok(())),
            ("a hash of another type", "\"ath\":\"", "\"ath\":1,\"x\":\"", malformed),
            ("a nonce of another type", "\"nonce\":\"", "\"nonce\":1,\"x\":\"", malformed),
            ("two methods", "{", r#"{"htm":"GET","#, malformed),
            ("no object", "{", "[{", malformed),
            ("no nonce, and the clock fits", &without_nonce, "", Ok(())),
        ];
        for (name, from, to, expected) in rows {
            let proof = signed(&house.key, &house.claims(from, to));
            assert_eq!(judge(&proof, &house.expected()).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn a_proof_fits_its_place() {
        let house = House::new();
        let (ours, theirs) = (house.key.public().thumbprint(), house.other.public().thumbprint());
        let bound_to = |key| BoundTo::AccessToken { key, hash: &house.hash };
        let proof = signed(&house.key, &house.claims("", ""));
        let without_token = signed(&house.key, &house.claims("\"ath\"", "\"at\""));
        let nonce = format!(",\"nonce\":\"{}\"", house.nonces.issue(house.key.public().thumbprint(), NOW));
        let without_nonce = signed(&house.key, &house.claims(&nonce, ""));
        let late = NOW.plus(Seconds(1_000));
        let stale = ProofRefusal::Time(TimeRefusal::NonceStale);
        let wanted = ProofRefusal::Time(TimeRefusal::NonceWanted);
        let (taken, required) = (NonceRule::Accepted(&house.nonces), NonceRule::Required(&house.nonces));
        let rows: &[(&str, &str, BoundTo<'_>, NonceRule<'_>, UnixSeconds, Result<(), ProofRefusal>)] = &[
            ("with its token", &proof, bound_to(ours), taken, NOW, Ok(())),
            ("with a stolen token", &proof, bound_to(theirs), taken, NOW, Err(ProofRefusal::KeyMismatch)),
            ("without a token", &without_token, BoundTo::TokenRequest, taken, NOW, Ok(())),
            ("made for a token, used without", &proof, BoundTo::TokenRequest, taken, NOW, Ok(())),
            ("made without a token, used with", &without_token, bound_to(ours), taken, NOW, Err(ProofRefusal::TokenHashMismatch)),
            ("late", &proof, bound_to(ours), taken, late, Err(stale)),
            ("a nonce where one is required", &proof, bound_to(ours), required, NOW, Ok(())),
            ("no nonce where one is required", &without_nonce, bound_to(ours), required, NOW, Err(wanted)),
            ("no nonce, late", &without_nonce, bound_to(ours), taken, late, Err(ProofRefusal::Time(TimeRefusal::TooOld))),
            ("no nonce, early", &without_nonce, bound_to(ours), taken, UnixSeconds(0), Err(ProofRefusal::Time(TimeRefusal::TooEarly))),
        ];
        for (name, proof, bound_to, nonces, now, expected) in rows {
            let fits = Expected { bound_to: *bound_to, nonces: *nonces, ..house.expected() };
            assert_eq!(bind(read(proof).expect("a proof"), &fits, *now).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn a_proof_brings_its_public_key() {
        let house = House::new();
        let claims = house.claims("", "");
        let jwk = house.key.public().to_jwk();
        let private = jwk.replace("{\"crv\"", "{\"d\":\"AA\",\"crv\"");
        let foreign = SigningKey::generate(Algorithm::Es256).expect("a key").0.public().to_jwk();
        let header = |more: &str| format!(r#"{{"typ":"dpop+jwt","alg":"ES256"{more}}}"#);
        let rows: &[(&str, String, Result<(), ProofRefusal>)] = &[
            ("its own", header(&format!(",\"jwk\":{jwk}")), Ok(())),
            ("another's", header(&format!(",\"jwk\":{foreign}")), Err(ProofRefusal::Jws(JwsRefusal::SignatureInvalid))),
            ("its private one", header(&format!(",\"jwk\":{private}")), Err(ProofRefusal::Key(JwkRefusal::PrivateKey))),
            (
                "one of another kind",
                header(&format!(",\"jwk\":{}", house.other.public().to_jwk())),
                Err(ProofRefusal::Jws(JwsRefusal::AlgorithmMismatch)),
            ),
            ("a name only", header(",\"kid\":\"a\""), Err(ProofRefusal::KeyMissing)),
            ("no object", header(",\"jwk\":\"a\""), Err(ProofRefusal::Key(JwkRefusal::Malformed))),
            ("two", header(&format!(",\"jwk\":{jwk},\"jwk\":{jwk}")), Err(ProofRefusal::Jws(JwsRefusal::HeaderMalformed))),
            (
                "its own, as a token",
                header(&format!(",\"jwk\":{jwk}")).replace("dpop", "at"),
                Err(ProofRefusal::Jws(JwsRefusal::TypeWrong)),
            ),
        ];
        for (name, header, expected) in rows {
            let input = format!("{}.{}", base64url::encode(header), base64url::encode(&claims));
            let proof = format!("{input}.{}", base64url::encode(house.key.sign(input.as_bytes()).expect("a signature")));
            assert_eq!(judge(&proof, &house.expected()).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn what_a_client_makes_is_taken() {
        let house = House::new();
        let (id, nonce) = (ProofId::parse("j-1").expect("an id"), house.nonces.issue(house.key.public().thumbprint(), NOW));
        for (token_hash, nonce) in [(None, None), (Some(house.hash.as_str()), Some(nonce.as_str()))] {
            let to_make = ProofToMake { method: "POST", target: &house.target, token_hash, nonce, id: &id, issued_at: NOW };
            let proof = make(&house.key, &to_make).expect("a proof");
            let bound_to = match token_hash {
                Some(hash) => BoundTo::AccessToken { key: house.key.public().thumbprint(), hash },
                None => BoundTo::TokenRequest,
            };
            let bound = judge(&proof, &Expected { bound_to, ..house.expected() }).expect("our own proof");
            assert_eq!(bound.key(), house.key.public().thumbprint());
        }
    }

    /// The replay memory depends on the name and the key only, and on nothing that a thief could vary.
    #[test]
    fn a_proof_is_remembered_by_key_and_name() {
        let house = House::new();
        let id = |key: &SigningKey, from: &str, to: &str| {
            let any_key = Expected { bound_to: BoundTo::TokenRequest, ..house.expected() };
            *judge(&signed(key, &house.claims(from, to)), &any_key).expect("a proof").id()
        };
        let first = id(&house.key, "", "");
        assert_eq!(id(&house.key, "", ""), first, "ECDSA signs differently every time");
        assert_eq!(id(&house.key, "1000000", "1000001"), first, "another time");
        assert_eq!(id(&house.key, "j-1", "\\u006a-1"), first, "another spelling of the name");
        assert_ne!(id(&house.key, "j-1", "j-2"), first, "another name");
        // A nonce counts for the key that it was given to alone.
        let nonce = house.nonces.issue(house.key.public().thumbprint(), NOW);
        let without = format!(",\"nonce\":\"{nonce}\"");
        assert_ne!(id(&house.other, &without, ""), first, "another key");
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let rows = [
            (ProofRefusal::ClaimsMalformed, Reason::ProofMalformed),
            (ProofRefusal::KeyMissing, Reason::ProofMalformed),
            (ProofRefusal::KeyMismatch, Reason::ProofKeyMismatch),
            (ProofRefusal::MethodMismatch, Reason::ProofWrongMethod),
            (ProofRefusal::TargetMismatch, Reason::ProofWrongTarget),
            (ProofRefusal::TokenHashMismatch, Reason::ProofTokenMismatch),
            (ProofRefusal::Time(TimeRefusal::NonceStale), Reason::ProofNonceStale),
            (ProofRefusal::Key(JwkRefusal::PrivateKey), Reason::ProofPrivateKey),
            (ProofRefusal::Key(JwkRefusal::AlgorithmRefused), Reason::ProofAlgorithmRefused),
            (ProofRefusal::Key(JwkRefusal::PointInvalid), Reason::ProofMalformed),
            (ProofRefusal::Jws(JwsRefusal::AlgorithmRefused), Reason::ProofAlgorithmRefused),
            (ProofRefusal::Jws(JwsRefusal::AlgorithmMismatch), Reason::ProofAlgorithmRefused),
            (ProofRefusal::Jws(JwsRefusal::SignatureInvalid), Reason::ProofSignatureInvalid),
            (ProofRefusal::Jws(JwsRefusal::TooLarge), Reason::ProofTooLarge),
            (ProofRefusal::Jws(JwsRefusal::TypeWrong), Reason::ProofTypeWrong),
            (ProofRefusal::Jws(JwsRefusal::NotThreeParts), Reason::ProofMalformed),
        ];
        for (refusal, reason) in rows {
            assert_eq!(refusal.reason(), reason);
        }
    }
}
