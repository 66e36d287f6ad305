//! Google's endpoint that decodes tokens of Play Integrity, for apps whose keys stay with Google.
//!
//! <https://developer.android.com/google/play/integrity/classic#decrypt-verify-google-servers>, with an access token that a
//! service account is given for a signed statement (RFC 7523 section 2.1).

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use aws_lc_rs::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use countersign_core::{AppId, Clock, Limits, Seconds, Secret, UnixSeconds};
use countersign_issuer::{DecodesPlay, VendorSilent};
use countersign_outbound::{CallError, Caller, Silence};
use http::{StatusCode, header};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

/// What the access token may be used for.
const SCOPE: &str = "https://www.googleapis.com/auth/playintegrity";

/// Life of a statement; Google allows at most an hour.
const STATEMENT_LIFE_SECONDS: u64 = 600;

/// Seconds before its end at which an access token is no longer used.
const TOKEN_MARGIN_SECONDS: u64 = 60;

/// Why a service account's file is not taken. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAccountFault {
    /// The private key is no RSA key in PKCS #8.
    KeyMalformed,
    /// It is not the JSON that Google hands out.
    Malformed(String),
    /// An address in it is none.
    UrlMalformed(String),
}

impl fmt::Display for ServiceAccountFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMalformed => f.write_str("its `private_key` is not an RSA key in PEM; download the key again"),
            Self::Malformed(why) => write!(f, "it is not the JSON key of a service account ({why}); download the key again"),
            Self::UrlMalformed(url) => write!(f, "`{url}` is not a URL"),
        }
    }
}

impl std::error::Error for ServiceAccountFault {}

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    token_uri: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
}

/// Asks Google, as a service account.
pub struct Google {
    caller: Caller,
    endpoint: Url,
    email: String,
    key: KeyPair,
    token_uri: Url,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<(Secret<String>, UnixSeconds)>>,
    silence: Silence,
}

impl Google {
    /// From the file of a service account's key. `endpoint` is `https://playintegrity.googleapis.com`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn new(
        caller: Caller,
        silence: Silence,
        endpoint: Url,
        account: &Secret<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServiceAccountFault> {
        let account: ServiceAccount =
            serde_json::from_str(account.expose()).map_err(|why| ServiceAccountFault::Malformed(why.to_string()))?;
        let key = Secret::new(account.private_key);
        let der = PrivatePkcs8KeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| ServiceAccountFault::KeyMalformed)?;
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| ServiceAccountFault::KeyMalformed)?;
        let token_uri = Url::parse(&account.token_uri).map_err(|_| ServiceAccountFault::UrlMalformed(account.token_uri))?;
        Ok(Self { caller, endpoint, email: account.client_email, key, token_uri, clock, token: Mutex::default(), silence })
    }

    async fn access_token(&self) -> Result<Secret<String>, VendorSilent> {
        let now = self.clock.now().seconds();
        let mut kept = self.token.lock().await;
        // One that would count longer than any is given for was got while the clock was ahead.
        let counts = |until: UnixSeconds| now < until && until <= now.plus(Limits::GOOGLE_TOKEN_LIFE_MAX);
        if let Some((token, _)) = kept.as_ref().filter(|(_, until)| counts(*until)) {
            return Ok(token.clone());
        }
        let body = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}", self.statement(now)?);
        let headers = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded")];
        let (status, answer) = self.post(&self.token_uri, &headers, body).await?;
        let refused =
            || VendorSilent::new(format!("Google refused an access token (status {status}); check the permissions of the service account"));
        let answer: TokenAnswer = serde_json::from_slice(&answer).ok().filter(|_| status.is_success()).ok_or_else(refused)?;
        let token = Secret::new(answer.access_token);
        let until = now.plus(Seconds(answer.expires_in.saturating_sub(TOKEN_MARGIN_SECONDS).min(Limits::GOOGLE_TOKEN_LIFE_MAX.0)));
        *kept = Some((token.clone(), until));
        Ok(token)
    }

    /// Posts, and notes when Google does not answer. What it refuses is an answer: nobody begins an outage by asking badly or too
    /// often. Only a verdict ends one: a token, or a refusal of what somebody made up, says nothing of those who wait for verdicts.
    async fn post(&self, url: &Url, headers: &[(header::HeaderName, &str)], body: String) -> Result<(StatusCode, Bytes), VendorSilent> {
        let answered = self.caller.post(url, headers, body).await;
        match &answered {
            Ok((status, _)) if !status.is_server_error() => {}
            Ok(_) | Err(CallError::Broken(_) | CallError::TooSlow) => self.silence.goes_on(self.clock.now().seconds()),
            Err(CallError::AddressRefused(_) | CallError::TooLarge | CallError::TrustMissing) => {}
        }
        answered.map_err(|fault| VendorSilent::new(fault.to_string()))
    }

    fn statement(&self, now: UnixSeconds) -> Result<String, VendorSilent> {
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_uri.as_str(),
            "iat": now.0, "exp": now.0.saturating_add(STATEMENT_LIFE_SECONDS),
        });
        let mut text =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| VendorSilent::new("signing for Google failed"))?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(text)
    }
}

#[async_trait]
impl DecodesPlay for Google {
    async fn decode(&self, package: &AppId, token: &str) -> Result<String, VendorSilent> {
        let url = self.endpoint.join(&format!("/v1/{package}:decodeIntegrityToken")).map_err(|e| VendorSilent::new(e.to_string()))?;
        let access = self.access_token().await?;
        let bearer = Secret::new(format!("Bearer {}", access.expose()));
        let headers = [(header::AUTHORIZATION, bearer.expose().as_str()), (header::CONTENT_TYPE, "application/json")];
        let body = json!({ "integrity_token": token }).to_string();
        let (status, answer) = self.post(&url, &headers, body).await?;
        // Google answers 400 to a token that it did not make: no verdict, and so none that could be judged.
        if status.is_client_error() && status.as_u16() == 400 {
            return Ok(String::new());
        }
        if !status.is_success() {
            return Err(VendorSilent::new(format!("Google answered with status {status} to a Play Integrity token")));
        }
        self.silence.broken();
        String::from_utf8(answer.to_vec()).map_err(|_| VendorSilent::new("Google's answer is not valid UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arc_swap::ArcSwap;
    use aws_lc_rs::{
        encoding::AsDer,
        rsa::KeySize,
        signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
    };
    use axum::{Json, Router, extract::State, routing::post};
    use base64::engine::general_purpose::STANDARD;
    use countersign_compliance::{AfterGrace, OutageRule, Revocations};
    use serde_json::Value;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// It stands still.
    struct Still;

    impl Clock for Still {
        fn now(&self) -> countersign_core::UnixMillis {
            countersign_core::UnixMillis(1_790_000_000_000)
        }
    }

    /// A server that speaks Google's two endpoints, strictly.
    struct Vendor {
        key: Vec<u8>,
        tokens: AtomicUsize,
        down: std::sync::atomic::AtomicBool,
    }

    async fn token(State(vendor): State<Arc<Vendor>>, body: String) -> Result<Json<Value>, StatusCode> {
        let (grant, assertion) = body.split_once("&assertion=").ok_or(StatusCode::BAD_REQUEST)?;
        let (signed, signature) = assertion.rsplit_once('.').ok_or(StatusCode::BAD_REQUEST)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| StatusCode::BAD_REQUEST)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &vendor.key);
        key.verify(signed.as_bytes(), &signature).map_err(|_| StatusCode::UNAUTHORIZED)?;
        let claims = signed.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok()).ok_or(StatusCode::BAD_REQUEST)?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| StatusCode::BAD_REQUEST)?;
        assert_eq!(grant, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
        assert_eq!((claims["iss"].as_str(), claims["scope"].as_str()), (Some("us@example.iam"), Some(SCOPE)));
        vendor.tokens.fetch_add(1, Ordering::SeqCst);
        Ok(Json(json!({ "access_token": "ya29.token", "expires_in": 3600, "token_type": "Bearer" })))
    }

    async fn decode(
        State(vendor): State<Arc<Vendor>>,
        headers: http::HeaderMap,
        Json(body): Json<Value>,
    ) -> Result<Json<Value>, StatusCode> {
        if vendor.down.load(Ordering::SeqCst) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(headers.get("authorization").and_then(|value| value.to_str().ok()), Some("Bearer ya29.token"));
        match body["integrity_token"].as_str() {
            Some("genuine") => Ok(Json(json!({ "tokenPayloadExternal": { "requestDetails": { "requestPackageName": "a" } } }))),
            _ => Err(StatusCode::BAD_REQUEST),
        }
    }

    fn silence() -> Silence {
        of(&Arc::default())
    }

    fn of(world: &Arc<ArcSwap<Revocations>>) -> Silence {
        Silence::new(Arc::clone(world), OutageRule { grace: Seconds(60), then: AfterGrace::Limit })
    }

    #[tokio::test]
    async fn a_service_account_asks_and_is_answered() {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().expect("a key");
        let vendor = Arc::new(Vendor { key: key.public_key().as_ref().to_vec(), tokens: AtomicUsize::new(0), down: false.into() });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/token", post(token)).route("/v1/{call}", post(decode)).with_state(Arc::clone(&vendor));
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });

        let world = Arc::new(ArcSwap::from_pointee(Revocations::default()));
        let silence = of(&world);
        let account = |pem: &str| {
            let account = json!({ "type": "service_account", "client_email": "us@example.iam", "private_key": pem, "token_uri": format!("{origin}/token") });
            let endpoint = Url::parse(&origin).expect("a URL");
            Google::new(Caller::new(None), silence.clone(), endpoint, &Secret::new(account.to_string()), Arc::new(Still))
        };
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8.as_ref()));
        let google = account(&pem).expect("a service account");
        let package = AppId::parse("com.example.shop").expect("an app");
        for _ in 0..3 {
            let body = google.decode(&package, "genuine").await.expect("an answer");
            assert!(body.contains("tokenPayloadExternal"), "{body}");
        }
        assert_eq!(vendor.tokens.load(Ordering::SeqCst), 1, "one access token for all");
        assert_eq!(google.decode(&package, "made up").await.as_deref(), Ok(""), "none of Google's");
        vendor.down.store(true, Ordering::SeqCst);
        let fault = google.decode(&package, "genuine").await.expect_err("no answer");
        assert!(fault.what.contains("503"), "{}", fault.what);
        assert!(world.load().outage.is_some(), "an outage has begun");
        vendor.down.store(false, Ordering::SeqCst);
        assert_eq!(google.decode(&package, "made up").await.as_deref(), Ok(""));
        assert!(world.load().outage.is_some(), "whoever makes a token up ends no outage");
        assert!(google.decode(&package, "genuine").await.is_ok());
        assert!(world.load().outage.is_none(), "a verdict does");
        server.abort();
        assert_eq!(account("x").err(), Some(ServiceAccountFault::KeyMalformed));
    }

    #[test]
    fn a_file_that_is_no_service_account_is_refused() {
        let new = |text: &str| {
            let endpoint = Url::parse("http://127.0.0.1").expect("a URL");
            Google::new(Caller::new(None), silence(), endpoint, &Secret::new(text.to_owned()), Arc::new(Still)).err()
        };
        assert!(matches!(new("{}"), Some(ServiceAccountFault::Malformed(_))));
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().expect("a key");
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8.as_ref()));
        let account = json!({ "client_email": "a", "private_key": pem, "token_uri": "nowhere" }).to_string();
        assert_eq!(new(&account), Some(ServiceAccountFault::UrlMalformed("nowhere".to_owned())));
    }
}
