//! Proofs of possession: DPoP (RFC 9449).

use countersign_core::{Limits, ProofId, Reason, Thumbprint, UnixSeconds};
use serde::Serialize;

pub use crate::bound::{BoundProof, ReplayId};
use crate::{
    json::{NotTheObject, Object},
    jwk::{CryptoFailure, JwkRefusal, PublicKey, SigningKey},
    jws::{self, HeaderToSign, Jws, JwsRefusal, NamedBy, Type},
    target::{OtherTarget, Target},
    window::{AcceptanceWindow, NonceRule, TimeRefusal},
};

/// Why a proof is refused, in the words of RFC 9449 section 4.3. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofRefusal {
    /// The claims are not a JSON object with all that section 4.2 asks for, each of its type and size.
    ClaimsMalformed,
    /// The header's `jwk` is refused.
    Key(JwkRefusal),
    /// The access token is bound to another key than the one that signed.
    KeyMismatch,
    /// The header has no `jwk`.
    KeyMissing,
    /// The text is no acceptable JWS.
    Jws(JwsRefusal),
    /// `htm` is another method.
    MethodMismatch,
    /// `htu` is another URL, or none.
    TargetMismatch,
    /// Its nonce or its clock is refused.
    Time(TimeRefusal),
    /// `ath` is another token's hash, or missing.
    TokenHashMismatch,
}

impl ProofRefusal {
    /// The stable code.
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

/// The media type of a proof (RFC 9449 section 4.2).
const TYPE: &str = "dpop+jwt";

/// A proof whose structure and signature are in order. Not yet bound to any request.
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
    /// The key that signed it, which it brought itself.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// What the proof must fit.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The request's method (`htm`), case-sensitive.
    pub method: &'a str,
    /// The request's URL (`htu`).
    pub target: &'a Target,
    /// Where it is used.
    pub bound_to: BoundTo<'a>,
    /// What nonce it must have.
    pub nonces: NonceRule<'a>,
}

/// Where the proof is used (RFC 9449 sections 5 and 7).
#[derive(Clone, Copy, Debug)]
pub enum BoundTo<'a> {
    /// Resource: the key is the token's `cnf.jkt`, and `ath` is the token's hash.
    AccessToken {
        /// The token's `cnf.jkt`.
        key: &'a Thumbprint,
        /// The token's hash, as `ath` is written.
        hash: &'a str,
    },
    /// Token endpoint, and every other place without an access token: the proof introduces the key.
    TokenRequest,
}

/// Reads the text of a `DPoP` header and verifies its signature (RFC 9449 section 4.3, checks 2 to 7).
///
/// # Errors
/// The first check that fails.
pub fn read(proof: &str) -> Result<SignedProof, ProofRefusal> {
    let jws = Jws::read(proof, Type::Is(TYPE))?;
    let key = PublicKey::from_jwk(jws.jwk().ok_or(ProofRefusal::KeyMissing)?)?;
    let payload = jws.verify(&key)?;
    let claims = Object::from_bytes(payload.as_bytes())?;
    let id = claims.text("jti")?;
    if !(1..=Limits::ID_BYTES_MAX).contains(&id.len()) {
        return Err(ProofRefusal::ClaimsMalformed);
    }
    Ok(SignedProof {
        id: ReplayId::of(b"dpop", key.thumbprint(), &id),
        method: claims.text("htm")?.into_owned(),
        target: claims.text("htu")?.into_owned(),
        issued_at: UnixSeconds(claims.required("iat")?),
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
    let window = AcceptanceWindow::admit(proof.nonce.as_deref(), proof.issued_at, expected.nonces, now).map_err(ProofRefusal::Time)?;
    if let BoundTo::AccessToken { key, hash } = expected.bound_to {
        if proof.token_hash.as_deref() != Some(hash) {
            return Err(ProofRefusal::TokenHashMismatch);
        }
        if proof.key.thumbprint() != key {
            return Err(ProofRefusal::KeyMismatch);
        }
    }
    Ok(BoundProof::new(*proof.key.thumbprint(), proof.id, window))
}

/// What a client puts into a proof.
#[derive(Clone, Copy, Debug)]
pub struct ProofToMake<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's URL.
    pub target: &'a Target,
    /// The access token's hash ([`crate::access_token::hash_text`]), when it is used with one.
    pub token_hash: Option<&'a str>,
    /// The last nonce that the server gave.
    pub nonce: Option<&'a str>,
    /// Its `jti`: at least 96 unpredictable bits (RFC 9449 section 4.2).
    pub id: &'a ProofId,
    /// Its `iat`, by the client's clock.
    pub issued_at: UnixSeconds,
}

/// The claims on the wire (RFC 9449 section 4.2).
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

/// Makes a proof.
///
/// # Errors
/// When the library fails.
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
