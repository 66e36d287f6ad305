//! The device key names a request key: one certified hop between the key in the hardware and the key of a token.
//!
//! A hardware signature costs a phone up to a second, so the app signs its requests with a short-lived key in memory. The device
//! key says which, once for each token request, in a JWS of the type `csign-delegation+jwt` that carries the device key itself
//! (`jwk`) and the claims `jkt` (the request key's thumbprint), `htu` (the token endpoint), `grant` (SHA-256 of the code or
//! refresh token that is redeemed), `iat`, `jti` and, when the server gave one, `nonce`.

use countersign_core::{ProofId, Reason, Secret, Thumbprint, UnixSeconds};

use crate::{
    bound::BoundProof,
    jwk::{CryptoFailure, JwkRefusal, PublicKey, SigningKey},
    jws::JwsRefusal,
    sha256::sha256,
    target::Target,
    window::{NonceRule, TimeRefusal},
};

/// SHA-256 of the code or refresh token that a delegation is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantHash([u8; 32]);

impl GrantHash {
    /// Takes the hash as it is stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Hashes a code or refresh token.
    #[must_use]
    pub fn of(grant: &Secret<String>) -> Self {
        Self(sha256(&[grant.expose().as_bytes()]))
    }
}

/// Why a delegation is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelegationRefusal {
    /// The claims are not a JSON object with all members, each of its type and size.
    ClaimsMalformed,
    /// It was made for another code or refresh token.
    GrantMismatch,
    /// The header's `jwk` is refused.
    Key(JwkRefusal),
    /// The header has no `jwk`.
    KeyMissing,
    /// The text is no acceptable JWS.
    Jws(JwsRefusal),
    /// It names another request key than the one that proved the request.
    RequestKeyMismatch,
    /// It was made for another endpoint.
    TargetMismatch,
    /// Its nonce or its clock is refused.
    Time(TimeRefusal),
}

impl DelegationRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Time(time) => time.reason(),
            Self::ClaimsMalformed
            | Self::GrantMismatch
            | Self::Key(_)
            | Self::KeyMissing
            | Self::Jws(_)
            | Self::RequestKeyMismatch
            | Self::TargetMismatch => Reason::DelegationInvalid,
        }
    }
}

/// A delegation whose structure and signature are in order. Not yet bound to any request.
#[derive(Debug)]
#[must_use]
pub struct SignedDelegation {
    key: PublicKey,
}

impl SignedDelegation {
    /// The key that signed it, which it brought itself: whether it is a device's is for the caller to find out.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// What the delegation must fit.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The token endpoint.
    pub target: &'a Target,
    /// The code or refresh token of the request.
    pub grant: &'a GrantHash,
    /// The key that signed the request's DPoP proof.
    pub request_key: &'a Thumbprint,
    /// What nonce it must have.
    pub nonces: NonceRule<'a>,
}

/// A delegation that fits its request and moment; fresh only once its proof was spent.
#[derive(Debug)]
#[must_use]
pub struct BoundDelegation {
    proof: BoundProof,
    request_key: Thumbprint,
}

impl BoundDelegation {
    /// The device key that signed it.
    #[must_use]
    pub const fn device_key(&self) -> &Thumbprint {
        self.proof.key()
    }

    /// The request key that it names.
    #[must_use]
    pub const fn request_key(&self) -> &Thumbprint {
        &self.request_key
    }

    /// The proof, for the replay memory to spend.
    pub fn into_proof(self) -> BoundProof {
        self.proof
    }
}

/// Reads the text of a `Countersign-Delegation` header and verifies its signature.
///
/// # Errors
/// The first check that fails.
pub fn read(delegation: &str) -> Result<SignedDelegation, DelegationRefusal> {
    let _ = delegation;
    Err(DelegationRefusal::ClaimsMalformed)
}

/// Checks that `delegation` was made for this request, now.
///
/// # Errors
/// The first check that fails.
pub fn bind(delegation: SignedDelegation, expected: &Expected<'_>, now: UnixSeconds) -> Result<BoundDelegation, DelegationRefusal> {
    let _ = (delegation, expected, now);
    Err(DelegationRefusal::ClaimsMalformed)
}

/// What a client puts into a delegation.
#[derive(Clone, Copy, Debug)]
pub struct DelegationToMake<'a> {
    /// The request key.
    pub request_key: &'a Thumbprint,
    /// The token endpoint.
    pub target: &'a Target,
    /// The code or refresh token that is redeemed.
    pub grant: &'a GrantHash,
    /// The last nonce that the server gave.
    pub nonce: Option<&'a str>,
    /// Its `jti`: at least 96 unpredictable bits.
    pub id: &'a ProofId,
    /// Its `iat`, by the client's clock.
    pub issued_at: UnixSeconds,
}

/// Makes a delegation, signed by the device key.
///
/// # Errors
/// When the library fails.
pub fn make(key: &SigningKey, delegation: &DelegationToMake<'_>) -> Result<String, CryptoFailure> {
    let _ = (key, delegation);
    Err(CryptoFailure)
}
