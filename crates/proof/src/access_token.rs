//! Access tokens: JWTs of the type `at+jwt` (RFC 9068), bound to a key by `cnf.jkt` (RFC 9449 section 6.1).

use countersign_codec::{
    base64url,
    json::{NotTheObject, Object},
    sha256,
};
use countersign_core::{
    Acr, Amr, ClientId, IdError, KeyId, Limits, PairwiseId, ProofId, Reason, Secret, SessionId, Thumbprint, UnixSeconds,
};
use serde::Serialize;

use crate::{
    jwk::{CryptoFailure, SigningKey},
    jws::{self, HeaderToSign, Jws, JwsRefusal, NamedBy, Type},
    key_set::KeySet,
    numeric_date::NumericDate,
};

/// Claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`: identifier of the issuer.
    pub issuer: String,
    /// `aud`: identifier of the API that the token is for.
    pub audience: String,
    /// `sub`: the person, by the name under which this API knows them.
    pub subject: PairwiseId,
    /// `client_id`: the app through which the person acts.
    pub client: ClientId,
    /// `sid`: the session in which the token was issued.
    pub session: SessionId,
    /// `jti`: unique identifier of the token.
    pub id: ProofId,
    /// `iat`: the second in which the token was issued.
    pub issued_at: UnixSeconds,
    /// `exp`: the first second in which the token is no longer valid.
    pub expires_at: UnixSeconds,
    /// `auth_time`: the second in which the person was last authenticated.
    pub auth_time: UnixSeconds,
    /// `acr`: strength of that authentication.
    pub acr: Acr,
    /// `amr`: methods of that authentication. Unknown methods are left out when reading, since they earn nothing.
    pub amr: Vec<Amr>,
    /// `cnf.jkt`: thumbprint of the request key.
    pub key: Thumbprint,
}

/// Reason why a token is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// `aud` is not this API, or not this API alone.
    AudienceWrong,
    /// The claims are not a JSON object with all required members, each of its type.
    ClaimsMalformed,
    /// The time in `exp` has passed.
    Expired,
    /// `iss` is not the expected issuer.
    IssuerWrong,
    /// The text is not an acceptable JWS.
    Jws(JwsRefusal),
    /// The token is valid for longer than any token that is issued here.
    LifeTooLong,
    /// `iat` or `nbf` lies in the future.
    NotYetValid,
}

impl TokenRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
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

/// Media type of an access token (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";

/// Claims of the token as JSON.
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

/// Confirmation claim (RFC 9449 section 6.1).
#[derive(Serialize)]
struct WireConfirmation {
    jkt: String,
}

/// Issues a token, signed by `key`.
///
/// # Errors
/// [`CryptoFailure`] when the library fails.
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

/// SHA-256 of a token's text, the key under which a cache keeps a verified token.
#[must_use]
pub fn token_hash(token: &str) -> [u8; 32] {
    sha256(&[token.as_bytes()])
}

/// SHA-256 of a token's text in base64url, in the form of a proof's `ath` (RFC 9449 section 4.2).
#[must_use]
pub fn hash_text(token: &str) -> String {
    base64url::encode(token_hash(token))
}

/// Verifier of access tokens, with the values that a token must have.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    /// Identifier of the issuer.
    pub issuer: String,
    /// Identifier of the API.
    pub audience: String,
    /// Public keys of the issuer.
    pub keys: KeySet,
}

impl TokenVerifier {
    /// Verifies a token (RFC 9068 section 4).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<VerifiedToken, TokenRefusal> {
        // SECURITY: the required `typ` keeps other JWTs of this issuer from passing as access tokens (RFC 9068 section 4).
        let payload = self.keys.verify(Jws::read(token, Type::Is(TYPE))?)?;
        let object = Object::from_bytes(payload.as_bytes(), Limits::JSON_DEPTH_MAX)?;
        if object.text("iss")? != self.issuer {
            return Err(TokenRefusal::IssuerWrong);
        }
        if sole_audience(&object)? != self.audience {
            return Err(TokenRefusal::AudienceWrong);
        }
        let claims = self.claims(&object)?;
        // A token without `nbf` is valid from `iat` on. The maximum below keeps an early `nbf` from widening that.
        let not_before = object.optional::<NumericDate>("nbf")?.map_or(claims.issued_at, NumericDate::up);
        // Key rotation relies on this bound: a key stays published until everything that it signed has expired.
        if claims.expires_at > claims.issued_at.plus(Limits::ACCESS_TOKEN_LIFE) {
            return Err(TokenRefusal::LifeTooLong);
        }
        let token = VerifiedToken { not_before: not_before.max(claims.issued_at), claims, hash: hash_text(token) };
        token.fresh(now)?;
        Ok(token)
    }

    fn claims(&self, object: &Object<'_>) -> Result<Claims, TokenRefusal> {
        let confirmation = Object::parse(object.raw("cnf").ok_or(NotTheObject)?, Limits::JSON_DEPTH_MAX)?;
        Ok(Claims {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            subject: PairwiseId::parse(&object.text("sub")?)?,
            client: ClientId::parse(&object.text("client_id")?)?,
            session: SessionId::parse(&object.text("sid")?)?,
            id: ProofId::parse(&object.text("jti")?)?,
            issued_at: object.required::<NumericDate>("iat")?.up(),
            expires_at: object.required::<NumericDate>("exp")?.down(),
            auth_time: object.required::<NumericDate>("auth_time")?.down(),
            acr: Acr::parse(&object.text("acr")?).ok_or(NotTheObject)?,
            amr: object.required::<Vec<String>>("amr")?.iter().filter_map(|method| Amr::parse(method)).collect(),
            key: Thumbprint::parse(&confirmation.text("jkt")?)?,
        })
    }
}

/// The only audience: a text, or an array of one (RFC 7519 section 4.1.3). No token here is issued for several audiences.
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

/// A token whose signature and claims were verified. Only [`TokenVerifier::verify`] makes one. A token from a cache must be checked again
/// with [`VerifiedToken::fresh`], because time has passed.
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
        // The clocks of the nodes differ a little.
        if now.plus(Limits::PROOF_SKEW_MAX) < self.not_before {
            return Err(TokenRefusal::NotYetValid);
        }
        Ok(())
    }

    /// The person, by the name under which this API knows them.
    #[must_use]
    pub const fn subject(&self) -> &PairwiseId {
        &self.claims.subject
    }

    /// The app through which the person acts.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.claims.client
    }

    /// The session in which the token was issued.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.claims.session
    }

    /// Thumbprint of the key that must prove each use of the token (`cnf.jkt`).
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.claims.key
    }

    /// The first second in which the token is no longer valid.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.claims.expires_at
    }

    /// Hash of the token in the form of a proof's `ath`.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// All claims of the token.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::{Algorithm, PublicKey};
    use countersign_core::Seconds;

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    fn claims(key: &PublicKey) -> Claims {
        Claims {
            issuer: String::from("https://api.example.com"),
            audience: String::from("https://api.example.com"),
            subject: PairwiseId::parse("p_1").expect("an id"),
            client: ClientId::parse("bank").expect("an id"),
            session: SessionId::parse("s_1").expect("an id"),
            id: ProofId::parse("t_1").expect("an id"),
            issued_at: NOW,
            expires_at: NOW.plus(Limits::ACCESS_TOKEN_LIFE),
            auth_time: NOW,
            acr: Acr::PhishingResistant,
            amr: vec![Amr::HardwareKey, Amr::UserVerified],
            key: *key.thumbprint(),
        }
    }

    fn house() -> (SigningKey, KeyId, TokenVerifier) {
        let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
        let id = KeyId::parse("k1").expect("a name");
        let verifier = TokenVerifier {
            issuer: String::from("https://api.example.com"),
            audience: String::from("https://api.example.com"),
            keys: KeySet::new([(id.clone(), key.public().clone())]),
        };
        (key, id, verifier)
    }

    #[test]
    fn what_is_issued_is_verified() {
        let (key, id, verifier) = house();
        let claims = claims(key.public());
        let token = issue(&key, &id, &claims).expect("a token");
        let verified = verifier.verify(token.expose(), NOW).expect("our own token");
        assert_eq!(*verified.claims(), claims);
        assert_eq!(verified.hash(), hash_text(token.expose()));
        assert_eq!((verified.subject(), verified.client(), verified.session()), (&claims.subject, &claims.client, &claims.session));
        assert_eq!((verified.key(), verified.expires_at()), (&claims.key, claims.expires_at));
    }

    /// The claims of a good token, with `from` replaced by `to`.
    fn with(key: &SigningKey, id: &KeyId, from: &str, to: &str) -> String {
        let good = format!(
            r#"{{"iss":"https://api.example.com","sub":"p_1","aud":"https://api.example.com","client_id":"bank","sid":"s_1","jti":"t_1","iat":1000000,"exp":1000300,"auth_time":1000000,"acr":"phishing_resistant","amr":["hwk","user"],"cnf":{{"jkt":"{}"}}}}"#,
            key.public().thumbprint()
        );
        assert!(good.contains(from), "`{from}` is not in the claims");
        jws::sign(key, HeaderToSign { typ: TYPE, key: NamedBy::Kid(id) }, good.replacen(from, to, 1).as_bytes()).expect("a token")
    }

    #[test]
    fn claims_are_read_strictly() {
        let (key, id, verifier) = house();
        let malformed = Err(TokenRefusal::ClaimsMalformed);
        let aud = r#""aud":"https://api.example.com""#;
        let rows: &[(&str, &str, &str, Result<(), TokenRefusal>)] = &[
            ("all fits", "", "", Ok(())),
            ("an unknown claim", "{", r#"{"tenant":"a","#, Ok(())),
            ("an unknown method", "\"user\"", "\"iris\"", Ok(())),
            ("an audience as an array", aud, r#""aud":["https://api.example.com"]"#, Ok(())),
            ("two audiences", aud, r#""aud":["https://api.example.com","https://b"]"#, Err(TokenRefusal::AudienceWrong)),
            ("no audience in the array", aud, r#""aud":[]"#, Err(TokenRefusal::AudienceWrong)),
            ("another audience", aud, r#""aud":"https://api.example.com/""#, Err(TokenRefusal::AudienceWrong)),
            ("another audience as an array", aud, r#""aud":["https://b"]"#, Err(TokenRefusal::AudienceWrong)),
            ("no audience", "\"aud\"", "\"auds\"", malformed),
            ("an audience of another type", aud, "\"aud\":1", malformed),
            ("another issuer", "\"iss\":\"https", "\"iss\":\"http", Err(TokenRefusal::IssuerWrong)),
            ("no issuer", "\"iss\"", "\"is\"", malformed),
            ("two issuers", "{", r#"{"iss":"https://api.example.com","#, malformed),
            ("no subject", "\"sub\"", "\"su\"", malformed),
            ("an empty subject", "p_1", "", malformed),
            ("no client", "\"client_id\"", "\"client\"", malformed),
            ("no session", "\"sid\"", "\"si\"", malformed),
            ("no name", "\"jti\"", "\"jt\"", malformed),
            ("no time of issue", "\"iat\"", "\"ia\"", malformed),
            ("no end", "\"exp\"", "\"ex\"", malformed),
            ("an end as a text", "1000300", "\"1000300\"", malformed),
            ("an end with a fraction", "1000300", "1000299.5", Ok(())),
            ("an end before the epoch", "1000300", "-1", malformed),
            ("no time of authentication", "\"auth_time\"", "\"auth\"", malformed),
            ("an unknown strength", "phishing_resistant", "superb", malformed),
            ("methods of another type", "[\"hwk\",\"user\"]", "\"hwk\"", malformed),
            ("no key", "\"cnf\"", "\"cn\"", malformed),
            ("a key of another kind", "\"jkt\"", "\"x5t#S256\"", malformed),
            ("two keys", "{\"jkt\"", "{\"jkt\":\"a\",\"jkt\"", malformed),
            ("no object", "{", "[{", malformed),
            ("the last second", "1000300", "1000001", Ok(())),
            ("over", "1000300", "1000000", Err(TokenRefusal::Expired)),
            ("one second too long a life", "1000300", "1000301", Err(TokenRefusal::LifeTooLong)),
            ("the end of time", "1000300", "18446744073709551615", Err(TokenRefusal::LifeTooLong)),
            ("issued by a clock a little ahead", "\"iat\":1000000", "\"iat\":1000005", Ok(())),
            ("issued in the future", "\"iat\":1000000", "\"iat\":1000006", Err(TokenRefusal::NotYetValid)),
            ("not before a little later", "{", r#"{"nbf":1000005,"#, Ok(())),
            ("not before later", "{", r#"{"nbf":1000006,"#, Err(TokenRefusal::NotYetValid)),
            ("not before long ago, issued in the future", "\"iat\":1000000", "\"nbf\":1,\"iat\":1000006", Err(TokenRefusal::NotYetValid)),
            ("not before, of another type", "{", r#"{"nbf":"1","#, malformed),
        ];
        for (name, from, to, expected) in rows {
            let token = with(&key, &id, from, to);
            assert_eq!(verifier.verify(&token, NOW).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn only_our_keys_sign_tokens() {
        let (key, id, verifier) = house();
        let (foreign, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
        let claims = claims(key.public());
        let other_id = KeyId::parse("k2").expect("a name");
        let wrong_type = jws::sign(&key, HeaderToSign { typ: "JWT", key: NamedBy::Kid(&id) }, b"{}").expect("a text");
        let good = issue(&key, &id, &claims).expect("a token");
        let by_foreign_key = issue(&foreign, &id, &claims).expect("a token");
        let by_unknown_name = issue(&key, &other_id, &claims).expect("a token");
        let rows: &[(&str, &str, JwsRefusal)] = &[
            ("a foreign key", by_foreign_key.expose(), JwsRefusal::SignatureInvalid),
            ("an unknown name", by_unknown_name.expose(), JwsRefusal::KeyUnknown),
            ("another type", &wrong_type, JwsRefusal::TypeWrong),
            ("no token", "a", JwsRefusal::NotThreeParts),
            ("cut off", good.expose().trim_end_matches(|c| c != '.'), JwsRefusal::SignatureInvalid),
        ];
        for (name, token, expected) in rows {
            assert_eq!(verifier.verify(token, NOW).map(|_| ()), Err(TokenRefusal::Jws(*expected)), "{name}");
        }
    }

    #[test]
    fn a_token_from_a_cache_is_asked_for_its_time_again() {
        let (key, id, verifier) = house();
        let token = issue(&key, &id, &claims(key.public())).expect("a token");
        let token = verifier.verify(token.expose(), NOW).expect("our own token");
        let rows: &[(&str, UnixSeconds, Result<(), TokenRefusal>)] = &[
            ("a clock that lags", NOW.minus(Seconds(5)), Ok(())),
            ("a clock that went back", NOW.minus(Seconds(6)), Err(TokenRefusal::NotYetValid)),
            ("the last second", NOW.plus(Seconds(299)), Ok(())),
            ("one second later", NOW.plus(Seconds(300)), Err(TokenRefusal::Expired)),
        ];
        for (name, now, expected) in rows {
            assert_eq!(token.fresh(*now), *expected, "{name}");
        }
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let rows = [
            (TokenRefusal::AudienceWrong, Reason::TokenAudienceWrong),
            (TokenRefusal::ClaimsMalformed, Reason::TokenMalformed),
            (TokenRefusal::Expired, Reason::TokenExpired),
            (TokenRefusal::IssuerWrong, Reason::TokenIssuerWrong),
            (TokenRefusal::LifeTooLong, Reason::TokenMalformed),
            (TokenRefusal::NotYetValid, Reason::TokenNotYetValid),
            (TokenRefusal::Jws(JwsRefusal::AlgorithmMismatch), Reason::TokenAlgorithmRefused),
            (TokenRefusal::Jws(JwsRefusal::AlgorithmRefused), Reason::TokenAlgorithmRefused),
            (TokenRefusal::Jws(JwsRefusal::KeyUnknown), Reason::TokenKeyUnknown),
            (TokenRefusal::Jws(JwsRefusal::SignatureInvalid), Reason::TokenSignatureInvalid),
            (TokenRefusal::Jws(JwsRefusal::TypeWrong), Reason::TokenTypeWrong),
            (TokenRefusal::Jws(JwsRefusal::TooLarge), Reason::TokenMalformed),
        ];
        for (refusal, reason) in rows {
            assert_eq!(refusal.reason(), reason);
        }
    }
}
