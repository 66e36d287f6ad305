//! Proofs of possession: DPoP (RFC 9449).

use countersign_core::{ProofId, Reason, Thumbprint, UnixSeconds};

pub use crate::bound::{BoundProof, ReplayId};
use crate::{
    jwk::{CryptoFailure, JwkRefusal, PublicKey, SigningKey},
    jws::JwsRefusal,
    target::Target,
    window::{NonceRule, TimeRefusal},
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
        Reason::ProofMalformed
    }
}

/// A proof whose structure and signature are in order. Not yet bound to any request.
#[derive(Debug)]
#[must_use]
pub struct SignedProof {
    key: PublicKey,
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
    let _ = proof;
    Err(ProofRefusal::ClaimsMalformed)
}

/// Checks that `proof` was made for this request, now (RFC 9449 section 4.3, checks 8 to 12).
///
/// # Errors
/// The first check that fails, in the order of the RFC.
pub fn bind(proof: SignedProof, expected: &Expected<'_>, now: UnixSeconds) -> Result<BoundProof, ProofRefusal> {
    let _ = (proof, expected, now);
    Err(ProofRefusal::ClaimsMalformed)
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

/// Makes a proof.
///
/// # Errors
/// When the library fails.
pub fn make(key: &SigningKey, proof: &ProofToMake<'_>) -> Result<String, CryptoFailure> {
    let _ = (key, proof);
    Err(CryptoFailure)
}
