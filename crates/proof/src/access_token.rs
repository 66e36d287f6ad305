//! Access tokens: `at+jwt` (RFC 9068), bound to a key by `cnf.jkt` (RFC 9449 section 6.1).

use countersign_core::{Acr, Amr, ClientId, KeyId, PairwiseId, ProofId, Reason, Secret, SessionId, Thumbprint, UnixSeconds};

use crate::{
    base64url,
    jwk::{CryptoFailure, SigningKey},
    jws::JwsRefusal,
    key_set::KeySet,
    sha256::sha256,
};

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`: who issued it.
    pub issuer: String,
    /// `aud`: the API that it is for.
    pub audience: String,
    /// `sub`: who acts, as the API knows them.
    pub subject: PairwiseId,
    /// `client_id`: through which app.
    pub client: ClientId,
    /// `sid`: in which session.
    pub session: SessionId,
    /// `jti`: its own name.
    pub id: ProofId,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `exp`: the first second in which it counts no more.
    pub expires_at: UnixSeconds,
    /// `auth_time`: when the person was last authenticated.
    pub auth_time: UnixSeconds,
    /// `acr`: how strongly.
    pub acr: Acr,
    /// `amr`: by which methods. Unknown ones are left out when reading: they earn nothing.
    pub amr: Vec<Amr>,
    /// `cnf.jkt`: the request key.
    pub key: Thumbprint,
}

/// Why a token is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// `aud` is not us, or not us alone.
    AudienceWrong,
    /// The claims are not a JSON object with all that we issue, each of its type.
    ClaimsMalformed,
    /// `exp` is over.
    Expired,
    /// `iss` is not us.
    IssuerWrong,
    /// The text is no acceptable JWS.
    Jws(JwsRefusal),
    /// It would live longer than we ever issue.
    LifeTooLong,
    /// `iat` or `nbf` lies ahead.
    NotYetValid,
}

impl TokenRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        Reason::TokenMalformed
    }
}

/// Issues a token.
///
/// # Errors
/// When the library fails.
pub fn issue(key: &SigningKey, key_id: &KeyId, claims: &Claims) -> Result<Secret<String>, CryptoFailure> {
    let _ = (key, key_id, claims);
    Err(CryptoFailure)
}

/// SHA-256 of a token's text: what a cache of verified tokens is keyed by.
#[must_use]
pub fn token_hash(token: &str) -> [u8; 32] {
    sha256(&[token.as_bytes()])
}

/// The same as a proof's `ath` is written (RFC 9449 section 4.2).
#[must_use]
pub fn hash_text(token: &str) -> String {
    base64url::encode(token_hash(token))
}

/// What a token must fit.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    /// Our issuer identifier.
    pub issuer: String,
    /// Our API's identifier.
    pub audience: String,
    /// The keys that we issue by.
    pub keys: KeySet,
}

impl TokenVerifier {
    /// Verifies a token (RFC 9068 section 4).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<VerifiedToken, TokenRefusal> {
        let _ = (token, now);
        Err(TokenRefusal::ClaimsMalformed)
    }
}

/// A token of ours. Only [`TokenVerifier::verify`] makes one; when it comes out of a cache, ask [`VerifiedToken::fresh`].
#[derive(Debug)]
#[must_use]
pub struct VerifiedToken {
    claims: Claims,
    hash: String,
}

impl VerifiedToken {
    /// Checks again what time can change.
    ///
    /// # Errors
    /// `Expired` or `NotYetValid`.
    pub fn fresh(&self, now: UnixSeconds) -> Result<(), TokenRefusal> {
        let _ = now;
        Err(TokenRefusal::Expired)
    }

    /// Who acts.
    #[must_use]
    pub const fn subject(&self) -> &PairwiseId {
        &self.claims.subject
    }

    /// Through which app.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.claims.client
    }

    /// In which session.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.claims.session
    }

    /// The key that proves its use (`cnf.jkt`).
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.claims.key
    }

    /// The first second in which it counts no more.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.claims.expires_at
    }

    /// Its hash as a proof's `ath` is written.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// All that it says.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}
