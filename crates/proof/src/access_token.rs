//! Access tokens: `at+jwt` (RFC 9068), bound to a key by `cnf.jkt` (RFC 9449 section 6.1).

use countersign_core::{
    Acr, Amr, ClientId, IdError, KeyId, Limits, PairwiseId, ProofId, Reason, Secret, SessionId, Thumbprint, UnixSeconds,
};
use serde::Serialize;

use crate::{
    base64url,
    json::{NotTheObject, Object},
    jwk::{CryptoFailure, SigningKey},
    jws::{self, HeaderToSign, Jws, JwsRefusal, NamedBy, Type},
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
        match self {
            Self::AudienceWrong => Reason::TokenAudienceWrong,
            Self::Expired => Reason::TokenExpired,
            Self::IssuerWrong => Reason::TokenIssuerWrong,
            Self::NotYetValid => Reason::TokenNotYetValid,
            Self::ClaimsMalformed | Self::LifeTooLong => Reason::TokenMalformed,
            Self::Jws(jws) => match jws {
                JwsRefusal::AlgorithmMismatch | JwsRefusal::AlgorithmRefused => Reason::TokenAlgorithmRefused,
                JwsRefusal::KeyUnknown => Reason::TokenKeyUnknown,
                JwsRefusal::SignatureInvalid => Reason::TokenSignatureInvalid,
                JwsRefusal::TypeWrong => Reason::TokenTypeWrong,
                JwsRefusal::CriticalHeader
                | JwsRefusal::EncodingInvalid
                | JwsRefusal::HeaderMalformed
                | JwsRefusal::HeaderRefused
                | JwsRefusal::NotThreeParts
                | JwsRefusal::TooLarge => Reason::TokenMalformed,
            },
        }
    }
}

/// The media type of an access token (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";

/// The token on the wire.
#[derive(Serialize)]
struct WireClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    sid: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
    auth_time: u64,
    acr: &'static str,
    amr: Vec<&'static str>,
    cnf: WireConfirmation,
}

/// RFC 9449 section 6.1.
#[derive(Serialize)]
struct WireConfirmation {
    jkt: String,
}

/// Issues a token.
///
/// # Errors
/// When the library fails.
pub fn issue(key: &SigningKey, key_id: &KeyId, claims: &Claims) -> Result<Secret<String>, CryptoFailure> {
    let wire = WireClaims {
        iss: &claims.issuer,
        sub: claims.subject.as_str(),
        aud: &claims.audience,
        client_id: claims.client.as_str(),
        sid: claims.session.as_str(),
        jti: claims.id.as_str(),
        iat: claims.issued_at.0,
        exp: claims.expires_at.0,
        auth_time: claims.auth_time.0,
        acr: claims.acr.as_str(),
        amr: claims.amr.iter().map(|method| method.as_str()).collect(),
        cnf: WireConfirmation { jkt: claims.key.to_string() },
    };
    let payload = serde_json::to_vec(&wire).map_err(|_| CryptoFailure)?;
    jws::sign(key, HeaderToSign { typ: TYPE, key: NamedBy::Kid(key_id) }, &payload).map(Secret::new)
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
        let payload = self.keys.verify(Jws::read(token, Type::Is(TYPE))?)?;
        let object = Object::from_bytes(payload.as_bytes())?;
        if object.text("iss")? != self.issuer {
            return Err(TokenRefusal::IssuerWrong);
        }
        if sole_audience(&object)? != self.audience {
            return Err(TokenRefusal::AudienceWrong);
        }
        let claims = self.claims(&object)?;
        let not_before = object.optional("nbf")?.map_or(claims.issued_at, UnixSeconds);
        if claims.expires_at > claims.issued_at.plus(Limits::ACCESS_TOKEN_LIFE) {
            return Err(TokenRefusal::LifeTooLong);
        }
        let token = VerifiedToken { not_before: not_before.max(claims.issued_at), claims, hash: hash_text(token) };
        token.fresh(now)?;
        Ok(token)
    }

    fn claims(&self, object: &Object<'_>) -> Result<Claims, TokenRefusal> {
        let confirmation = Object::parse(object.raw("cnf").ok_or(NotTheObject)?)?;
        Ok(Claims {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            subject: PairwiseId::parse(&object.text("sub")?)?,
            client: ClientId::parse(&object.text("client_id")?)?,
            session: SessionId::parse(&object.text("sid")?)?,
            id: ProofId::parse(&object.text("jti")?)?,
            issued_at: UnixSeconds(object.required("iat")?),
            expires_at: UnixSeconds(object.required("exp")?),
            auth_time: UnixSeconds(object.required("auth_time")?),
            acr: Acr::parse(&object.text("acr")?).ok_or(NotTheObject)?,
            amr: object.required::<Vec<String>>("amr")?.iter().filter_map(|method| Amr::parse(method)).collect(),
            key: Thumbprint::parse(&confirmation.text("jkt")?)?,
        })
    }
}

/// The one audience: a text, or an array of one (RFC 7519 section 4.1.3). We issue no token for several.
fn sole_audience(object: &Object<'_>) -> Result<String, TokenRefusal> {
    if let Ok(Some(text)) = object.optional_text("aud") {
        return Ok(text.into_owned());
    }
    let [audience] = <[String; 1]>::try_from(object.required::<Vec<String>>("aud")?).map_err(|_| TokenRefusal::AudienceWrong)?;
    Ok(audience)
}

impl From<JwsRefusal> for TokenRefusal {
    fn from(why: JwsRefusal) -> Self {
        Self::Jws(why)
    }
}

impl From<NotTheObject> for TokenRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::ClaimsMalformed
    }
}

impl From<IdError> for TokenRefusal {
    fn from(_: IdError) -> Self {
        Self::ClaimsMalformed
    }
}

/// A token of ours. Only [`TokenVerifier::verify`] makes one; when it comes out of a cache, ask [`VerifiedToken::fresh`].
#[derive(Debug)]
#[must_use]
pub struct VerifiedToken {
    claims: Claims,
    not_before: UnixSeconds,
    hash: String,
}

impl VerifiedToken {
    /// Checks again what time can change.
    ///
    /// # Errors
    /// `Expired` or `NotYetValid`.
    pub fn fresh(&self, now: UnixSeconds) -> Result<(), TokenRefusal> {
        if now >= self.claims.expires_at {
            return Err(TokenRefusal::Expired);
        }
        // The nodes' clocks differ a little.
        if now.plus(Limits::PROOF_SKEW_MAX) < self.not_before {
            return Err(TokenRefusal::NotYetValid);
        }
        Ok(())
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
