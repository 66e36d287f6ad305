//! What the upstream is told of who was let in: a JWT of ours that names the decision and the request, and lives a minute.
//!
//! It is bound to its request as a proof is (RFC 9449 section 4.2: `htm`, `htu`, `jti`), and to query and body besides, so that whoever
//! reads it on its way to an upstream can send nothing with it but what was admitted; docs/upstream.md says what an upstream compares.

use arc_swap::ArcSwap;
use countersign_core::{Acr, ClientId, DecisionId, DeviceId, KeyId, PairwiseId, UnixSeconds};
use countersign_proof::{
    jwk::{CryptoFailure, SigningKey},
    jws::{self, HeaderToSign, NamedBy},
};
use serde::Serialize;

/// Its `typ`.
pub const STATEMENT_TYPE: &str = "csign-statement+jwt";

/// How long an upstream may take it, in seconds: the way there and a little difference of clocks.
const LIFE_SECONDS: u64 = 60;

/// The key that signs statements, by the name under which upstreams find it at `/.well-known/jwks.json`.
#[derive(Debug)]
pub struct StatementKey {
    /// Its `kid`.
    pub id: KeyId,
    /// The key.
    pub key: SigningKey,
}

/// Signs statements.
#[derive(Debug)]
pub struct Statements {
    key: ArcSwap<StatementKey>,
    issuer: String,
    audience: String,
}

/// Who was let in.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'a> {
    /// Under the name that this upstream knows.
    pub subject: &'a PairwiseId,
    /// On which device.
    pub device: &'a DeviceId,
    /// Through which app.
    pub client: &'a ClientId,
    /// How strongly authenticated.
    pub acr: Acr,
    /// Since when.
    pub auth_time: UnixSeconds,
    /// By which decision.
    pub decision: &'a DecisionId,
    /// The method of the request.
    pub method: &'a str,
    /// The URL that the client asked for, without query: our public origin and the path.
    pub url: &'a str,
    /// SHA-256 of the query in base64url, where there is one.
    pub query: Option<&'a str>,
    /// Digest of the body as `Content-Digest` has it (RFC 9530 section 2), where it was read.
    pub content: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    device: &'a str,
    client_id: &'a str,
    acr: &'static str,
    auth_time: u64,
    decision: &'a str,
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_digest: Option<&'a str>,
    iat: u64,
    exp: u64,
}

impl Statements {
    /// Statements of `issuer` (our public origin) for `audience` (the upstream's origin).
    #[must_use]
    pub fn new(issuer: &str, audience: &str, key: StatementKey) -> Self {
        Self { key: ArcSwap::from_pointee(key), issuer: issuer.to_owned(), audience: audience.to_owned() }
    }

    /// Signs by another key from now on. Publish it before.
    pub fn replace(&self, key: StatementKey) {
        self.key.store(std::sync::Arc::new(key));
    }

    /// Signs one.
    ///
    /// # Errors
    /// When the library fails.
    pub fn sign(&self, admitted: &Admitted<'_>, now: UnixSeconds) -> Result<String, CryptoFailure> {
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: admitted.subject.as_str(),
            device: admitted.device.as_str(),
            client_id: admitted.client.as_str(),
            acr: admitted.acr.as_str(),
            auth_time: admitted.auth_time.0,
            decision: admitted.decision.as_str(),
            // Every decision has a number of its own, and one statement.
            jti: admitted.decision.as_str(),
            htm: admitted.method,
            htu: admitted.url,
            query_sha256: admitted.query,
            content_digest: admitted.content,
            iat: now.0,
            exp: now.0.saturating_add(LIFE_SECONDS),
        };
        let payload = serde_json::to_vec(&claims).map_err(|_| CryptoFailure)?;
        let key = self.key.load();
        jws::sign(&key.key, HeaderToSign { typ: STATEMENT_TYPE, key: NamedBy::Kid(&key.id) }, &payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_proof::{
        jwk::Algorithm,
        jws::{Jws, Type},
    };

    #[test]
    fn an_upstream_can_verify_what_it_is_told() {
        let new = |id: &str| {
            let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
            (key.public().clone(), StatementKey { id: KeyId::parse(id).expect("an id"), key })
        };
        let (first, first_key) = new("s1");
        let (second, second_key) = new("s2");
        let statements = Statements::new("https://api.example.com", "http://127.0.0.1:8080", first_key);
        let admitted = Admitted {
            subject: &PairwiseId::parse("p_1").expect("an id"),
            device: &DeviceId::parse("d_1").expect("an id"),
            client: &ClientId::parse("app").expect("an id"),
            acr: Acr::PhishingResistant,
            auth_time: UnixSeconds(900),
            decision: &DecisionId::parse("D-0000-0000-0000").expect("an id"),
            method: "POST",
            url: "https://api.example.com/v1/transfers",
            query: Some("q"),
            content: Some("sha-256=:AA==:"),
        };
        let mut next = Some(second_key);
        for (kid, key) in [("s1", first), ("s2", second)] {
            let text = statements.sign(&admitted, UnixSeconds(1000)).expect("a statement");
            let jws = Jws::read(&text, Type::Is(STATEMENT_TYPE)).expect("a JWS");
            assert_eq!(jws.key_id(), Some(kid));
            let payload = jws.verify(&key).expect("our signature");
            assert_eq!(
                std::str::from_utf8(payload.as_bytes()).expect("text"),
                r#"{"iss":"https://api.example.com","aud":"http://127.0.0.1:8080","sub":"p_1","device":"d_1","client_id":"app","acr":"phishing_resistant","auth_time":900,"decision":"D-0000-0000-0000","jti":"D-0000-0000-0000","htm":"POST","htu":"https://api.example.com/v1/transfers","query_sha256":"q","content_digest":"sha-256=:AA==:","iat":1000,"exp":1060}"#
            );
            next.take().into_iter().for_each(|key| statements.replace(key));
        }
    }
}
