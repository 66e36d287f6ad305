//! What a phone keeps and does: keys, tokens, proofs, and the patience to try again exactly when the server says so.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_attest::{
    apple::{AppleApp, Environment},
    binding::{Purpose, bound_challenge},
    report::REPORT_TYPE,
};
use countersign_core::{Clock, Entropy, Limits, ProofId, Seconds, Secret, Thumbprint, UnixSeconds};
use countersign_outbound::Answer;
use countersign_proof::{
    access_token,
    delegation::{self, DelegationToMake, GrantHash},
    dpop::{self, ProofToMake},
    jwk::{Algorithm, SigningKey},
    jws::{self, HeaderToSign, NamedBy},
    target::Target,
};
use http::{Method, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::phone::{
    apple::{DemoApple, EnclaveKey},
    chain::{Asked, DemoCa, Handset},
    http::{Call, Http},
    passkey::SoftAuthenticator,
};

/// The team that signs the app of software iPhones.
pub const TEAM: &str = "DEMOTEAM01";

/// Times a call is sent again because the server asked for a nonce or a refresh.
const RETRIES_MAX: u32 = 2;

/// The server's refusal of a step that the phone cannot cure by itself.
#[derive(Debug)]
pub struct PhoneError {
    /// What the phone was doing.
    pub doing: &'static str,
    /// What came back.
    pub answer: Answer,
}

impl PhoneError {
    /// The class that the server told: `code` of the problem, or OAuth's `error`.
    #[must_use]
    pub fn code(&self) -> String {
        code_of(&self.answer)
    }
}

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.doing, self.answer.status.as_u16(), self.code())
    }
}

impl std::error::Error for PhoneError {}

/// The code of a refusal, whichever of the two formats it has.
#[must_use]
pub fn code_of(answer: &Answer) -> String {
    let body = answer.json();
    ["code", "error"].iter().find_map(|key| body.get(*key).and_then(Value::as_str)).unwrap_or_default().to_owned()
}

/// Tokens of one session. The access token opens only to the request key beside it.
#[derive(Clone)]
pub struct Tokens {
    /// The access token.
    pub access: Secret<String>,
    /// The refresh token.
    pub refresh: Secret<String>,
    /// Counts renewals, so that of many callers with an expired token one renews.
    pub generation: u64,
}

/// Where a phone lives: the server it talks to, and its window on the world.
#[derive(Clone)]
pub struct Surroundings {
    /// The server's public origin.
    pub origin: url::Url,
    /// The root that the server's certificate must lead to.
    pub root_pem: String,
    /// The app's id.
    pub app: String,
    /// The right time.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// Nonce that the server gave for one key.
#[derive(Clone)]
struct Nonce {
    text: String,
    /// Moment at which it came, by the right clock: a phone counts the time that passes, whatever its clock shows.
    came_at: UnixSeconds,
}

/// Keys of a proof: the one that signs it, and the one for which its nonce was given.
struct Signing<'a> {
    key: &'a SigningKey,
    holder: &'a SigningKey,
}

/// One app on one phone.
pub struct Phone {
    around: Surroundings,
    http: Http,
    device_key: Arc<SigningKey>,
    request_key: Arc<SigningKey>,
    authenticator: tokio::sync::Mutex<SoftAuthenticator>,
    tokens: tokio::sync::Mutex<Option<Tokens>>,
    nonces: Mutex<HashMap<Thumbprint, Nonce>>,
    clock_error_seconds: i64,
    refreshes: AtomicU64,
}

impl Phone {
    /// Takes a new phone out of its box, with a clock that is wrong by so many seconds.
    ///
    /// # Errors
    /// When the server's address does not parse or no key can be made.
    pub fn new(around: Surroundings, clock_error_seconds: i64) -> Result<Self> {
        let device_key = Arc::new(fresh_key()?);
        Self::with_key(around, device_key, clock_error_seconds)
    }

    fn with_key(around: Surroundings, device_key: Arc<SigningKey>, clock_error_seconds: i64) -> Result<Self> {
        Ok(Self {
            http: Http::new(&around.origin, &around.root_pem)?,
            around,
            device_key,
            request_key: Arc::new(fresh_key()?),
            authenticator: tokio::sync::Mutex::default(),
            tokens: tokio::sync::Mutex::default(),
            nonces: Mutex::default(),
            clock_error_seconds,
            refreshes: AtomicU64::new(0),
        })
    }

    /// Another process of the same app: same device key, same refresh token, a request key and connections of its own.
    ///
    /// # Errors
    /// When no key can be made.
    pub async fn widget(&self) -> Result<Self> {
        let widget = Self::with_key(self.around.clone(), Arc::clone(&self.device_key), self.clock_error_seconds)?;
        widget.tokens.lock().await.clone_from(&*self.tokens.lock().await);
        Ok(widget)
    }

    /// The device key; a thief's tools need it to show what a phone without hardware would give away.
    #[must_use]
    pub fn device_key(&self) -> &SigningKey {
        &self.device_key
    }

    /// The request key.
    #[must_use]
    pub fn request_key(&self) -> &SigningKey {
        &self.request_key
    }

    /// The phone's connections.
    #[must_use]
    pub const fn http(&self) -> &Http {
        &self.http
    }

    /// The tokens it holds now.
    pub async fn tokens(&self) -> Option<Tokens> {
        self.tokens.lock().await.clone()
    }

    /// Puts other tokens into the phone's pocket, as a thief would.
    pub async fn pocket(&self, tokens: Tokens) {
        *self.tokens.lock().await = Some(tokens);
    }

    /// Receives the passkeys of the same person's other phone, as a synchronised keychain does.
    pub async fn take_passkeys_of(&self, other: &Self) {
        let kept = other.authenticator.lock().await.clone();
        *self.authenticator.lock().await = kept;
    }

    /// How often it has renewed its access token.
    #[must_use]
    pub fn refreshes(&self) -> u64 {
        self.refreshes.load(Ordering::Relaxed)
    }

    /// What the phone's clock shows.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds(self.around.clock.now().seconds().0.saturating_add_signed(self.clock_error_seconds))
    }

    /// Has the device key attested and enrolled. Answers what the server says of the device.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn enrol(&self, ca: &DemoCa, handset: &Handset) -> Result<Value> {
        accepted("enrolling the device", self.present_chain(ca, handset, &self.challenge().await?).await?)
    }

    /// Presents a chain that says what is true of `handset`.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn present_chain(&self, ca: &DemoCa, handset: &Handset, challenge: &[u8]) -> Result<Answer> {
        let now = self.around.clock.now().seconds();
        let chain = ca.attest(handset, &Asked { app: &self.around.app, key: &self.device_key, challenge, now })?;
        self.present(challenge, &chain).await
    }

    /// Asks for a challenge to enrol with.
    ///
    /// # Errors
    /// The server's refusal, or a fault of network or server.
    pub async fn challenge(&self) -> Result<Vec<u8>> {
        self.ask_for_challenge(&json!({ "client_id": self.around.app })).await
    }

    /// Asks for a challenge to attest again with.
    ///
    /// # Errors
    /// The server's refusal, or a fault of network or server.
    pub async fn challenge_to_attest(&self) -> Result<[u8; 32]> {
        let challenge = self
            .ask_for_challenge(
                &json!({ "client_id": self.around.app, "purpose": "attest", "jkt": self.device_key.public().thumbprint().to_string() }),
            )
            .await?;
        challenge.try_into().map_err(|_| anyhow!("a challenge has 32 bytes"))
    }

    async fn ask_for_challenge(&self, body: &Value) -> Result<Vec<u8>> {
        let call = Call::new(Method::POST, "/countersign/v1/challenge").json(body);
        let answer = self.http.send(&call).await?;
        self.heed(&answer, &self.device_key);
        let answer = accepted("asking for a challenge", answer)?;
        let text = answer.get("challenge").and_then(Value::as_str).context("the answer holds no challenge")?;
        URL_SAFE_NO_PAD.decode(text).context("the challenge is not base64url")
    }

    /// Presents a chain for the device key.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn present(&self, challenge: &[u8], chain: &[Vec<u8>]) -> Result<Answer> {
        let chain: Vec<_> = chain.iter().map(|der| STANDARD.encode(der)).collect();
        let body = json!({
            "client_id": self.around.app, "platform": "android", "chain": chain, "challenge": URL_SAFE_NO_PAD.encode(challenge),
        });
        self.door("/countersign/v1/devices", &body).await
    }

    /// Has the device key enrolled by a development token, as a debug build on an emulator does.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn enrol_by_dev_token(&self, token: &str) -> Result<Value> {
        accepted("enrolling the device", self.present_dev_token(token, "android", "debug").await?)
    }

    /// Presents a development token, as a build of that kind on that platform.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn present_dev_token(&self, token: &str, platform: &str, build: &str) -> Result<Answer> {
        let challenge = URL_SAFE_NO_PAD.encode(self.challenge().await?);
        let body = json!({
            "client_id": self.around.app, "platform": platform, "challenge": challenge, "dev_token": token, "build": build,
        });
        self.door("/countersign/v1/devices", &body).await
    }

    /// Has the device key vouched for by a key in the enclave, and enrolled, as an iPhone does.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn enrol_by_app_attest(&self, apple: &DemoApple, key: &EnclaveKey, environment: Environment) -> Result<Value> {
        accepted("enrolling the device", self.present_app_attest(apple, key, environment).await?)
    }

    /// Presents an App Attest object for a key that vouches for the device key.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn present_app_attest(&self, apple: &DemoApple, key: &EnclaveKey, environment: Environment) -> Result<Answer> {
        self.present_app_attest_for(apple, key, environment, self.device_key.public().thumbprint()).await
    }

    /// Presents, as a thief would, an App Attest object that was made for the device key of another phone.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn present_foreign_app_attest(&self, apple: &DemoApple, key: &EnclaveKey, other: &Self) -> Result<Answer> {
        self.present_app_attest_for(apple, key, Environment::Production, other.device_key.public().thumbprint()).await
    }

    async fn present_app_attest_for(
        &self,
        apple: &DemoApple,
        key: &EnclaveKey,
        environment: Environment,
        device_key: &Thumbprint,
    ) -> Result<Answer> {
        let challenge: [u8; 32] = self.challenge().await?.try_into().map_err(|_| anyhow!("a challenge has 32 bytes"))?;
        let hash = bound_challenge(Purpose::Enrol, &challenge, device_key);
        let (key_id, attestation) = apple.attest(key, &self.apple_app()?, environment, &hash)?;
        let body = json!({
            "client_id": self.around.app, "platform": "ios", "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "key_id": STANDARD.encode(key_id), "attestation": STANDARD.encode(attestation),
        });
        self.door("/countersign/v1/devices", &body).await
    }

    /// Proves the device again by an assertion of its enclave's key.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn assert(&self, key: &EnclaveKey) -> Result<Answer> {
        let challenge = self.challenge_to_attest().await?;
        let assertion = self.assertion(key, &challenge)?;
        self.renew_evidence(&challenge, "assertion", json!(assertion)).await
    }

    /// An assertion for a challenge, in base64.
    ///
    /// # Errors
    /// When the enclave cannot sign.
    pub fn assertion(&self, key: &EnclaveKey, challenge: &[u8; 32]) -> Result<String> {
        let hash = bound_challenge(Purpose::Reattest, challenge, self.device_key.public().thumbprint());
        Ok(STANDARD.encode(key.assert(&self.apple_app()?, &hash)?))
    }

    /// Proves the device again by a chain for a new key, made for the server's challenge and this phone's device key.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn attest_again(&self, ca: &DemoCa, handset: &Handset) -> Result<Answer> {
        self.attest_again_for(ca, handset, self.device_key.public().thumbprint()).await
    }

    /// Presents, as a thief would, fresh evidence that an honest app made for its own device key on another phone.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn attest_again_with_chain_of(&self, other: &Self, ca: &DemoCa) -> Result<Answer> {
        self.attest_again_for(ca, &Handset::genuine(), other.device_key.public().thumbprint()).await
    }

    async fn attest_again_for(&self, ca: &DemoCa, handset: &Handset, device_key: &Thumbprint) -> Result<Answer> {
        let challenge = self.challenge_to_attest().await?;
        let bound = bound_challenge(Purpose::Reattest, &challenge, device_key);
        let (new_key, now) = (fresh_key()?, self.around.clock.now().seconds());
        let chain = ca.attest(handset, &Asked { app: &self.around.app, key: &new_key, challenge: &bound, now })?;
        let chain: Vec<_> = chain.iter().map(|der| STANDARD.encode(der)).collect();
        self.renew_evidence(&challenge, "chain", json!(chain)).await
    }

    /// Presents one kind of evidence for a challenge.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn renew_evidence(&self, challenge: &[u8; 32], kind: &str, evidence: Value) -> Result<Answer> {
        let mut body = json!({ "client_id": self.around.app, "challenge": URL_SAFE_NO_PAD.encode(challenge) });
        if let Some(fields) = body.as_object_mut() {
            fields.insert(kind.to_owned(), evidence);
        }
        self.door("/countersign/v1/attest", &body).await
    }

    /// Calls the API, and proves the phone again when the server asks for that; the person notices nothing.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn call_proving(&self, call: &Call, ca: &DemoCa, handset: &Handset) -> Result<Answer> {
        let answer = self.call(call).await?;
        if code_of(&answer) != "reattest" {
            return Ok(answer);
        }
        accepted("attesting again", self.attest_again(ca, handset).await?)?;
        self.call(call).await
    }

    /// Says what the app found on its phone.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn report(&self, findings: &[&str]) -> Result<Answer> {
        let claims = json!({ "v": 1, "iat": self.now().0, "findings": findings });
        let header = HeaderToSign { typ: REPORT_TYPE, key: NamedBy::Nothing };
        let report = jws::sign(&self.device_key, header, claims.to_string().as_bytes()).map_err(|_| anyhow!("signing a report failed"))?;
        self.door("/countersign/v1/report", &json!({ "client_id": self.around.app, "report": report })).await
    }

    fn apple_app(&self) -> Result<AppleApp> {
        Ok(AppleApp::parse(&format!("{TEAM}.{}", self.around.app))?)
    }

    /// Makes an account with a passkey.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn register(&self, name: &str, invitation: Option<&str>) -> Result<()> {
        let mut body = json!({ "client_id": self.around.app, "name": name });
        if let (Some(code), Some(fields)) = (invitation, body.as_object_mut()) {
            fields.insert("invitation".to_owned(), json!(code));
        }
        let started = accepted("starting the registration", self.door("/countersign/v1/registration/start", &body).await?)?;
        let (ceremony, options) = ceremony(&started)?;
        let credential = self.authenticator.lock().await.register(&self.around.origin, options).await?;
        let body = json!({ "ceremony": ceremony, "credential": credential });
        accepted("finishing the registration", self.door("/countersign/v1/registration/finish", &body).await?).map(|_| ())
    }

    /// Signs in with the passkey and fetches tokens.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn sign_in(&self) -> Result<()> {
        let (code, verifier) = self.authorize().await?;
        let answer = self.redeem(&code, &verifier).await?;
        self.keep(accepted("redeeming the code", answer)?).await
    }

    /// Signs in up to the authorization code: the code and PKCE's verifier.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn authorize(&self) -> Result<(Secret<String>, Secret<String>)> {
        let verifier = Secret::new(self.random_text());
        let challenge = access_token::hash_text(verifier.expose());
        let body = json!({ "client_id": self.around.app, "code_challenge": challenge, "code_challenge_method": "S256" });
        let finished = self.passkey_ceremony(&body).await?;
        let code = finished.get("code").and_then(Value::as_str).context("the answer holds no code")?;
        Ok((Secret::new(code.to_owned()), verifier))
    }

    /// Goes on from another network: an address of this machine.
    pub fn move_to(&self, address: Ipv4Addr) {
        self.http.move_to(IpAddr::V4(address));
    }

    /// Has the server show its person a prompt, and answers nothing.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn prompt(&self) -> Result<Answer> {
        self.door("/countersign/v1/login/start", &json!({ "client_id": self.around.app, "purpose": "step_up" })).await
    }

    /// Tries to sign in to somebody's account with the passkey of this phone.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn try_account(&self, name: &str) -> Result<Answer> {
        let challenge = access_token::hash_text(&self.random_text());
        let body = json!({ "client_id": self.around.app, "code_challenge": challenge, "code_challenge_method": "S256", "name": name });
        let started = self.door("/countersign/v1/login/start", &body).await?;
        if !started.status.is_success() {
            return Ok(started);
        }
        let (ceremony, options) = ceremony(&started.json())?;
        let credential = self.authenticator.lock().await.log_in(&self.around.origin, options).await?;
        self.door("/countersign/v1/login/finish", &json!({ "ceremony": ceremony, "credential": credential })).await
    }

    /// Shows a finger again, for the session that is open, and returns the answer.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub(crate) async fn confirm(&self) -> Result<Answer> {
        let body = json!({ "client_id": self.around.app, "purpose": "step_up" });
        let started = self.door("/countersign/v1/login/start", &body).await?;
        if !started.status.is_success() {
            return Ok(started);
        }
        let (ceremony, options) = ceremony(&started.json())?;
        let credential = self.authenticator.lock().await.log_in(&self.around.origin, options).await?;
        self.door("/countersign/v1/login/finish", &json!({ "ceremony": ceremony, "credential": credential })).await
    }

    /// Shows a finger again, for the session that is open (RFC 9470).
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn step_up(&self) -> Result<()> {
        self.passkey_ceremony(&json!({ "client_id": self.around.app, "purpose": "step_up" })).await.map(|_| ())
    }

    async fn passkey_ceremony(&self, body: &Value) -> Result<Value> {
        let started = accepted("starting the sign-in", self.door("/countersign/v1/login/start", body).await?)?;
        let (ceremony, options) = ceremony(&started)?;
        let credential = self.authenticator.lock().await.log_in(&self.around.origin, options).await?;
        let body = json!({ "ceremony": ceremony, "credential": credential });
        accepted("finishing the sign-in", self.door("/countersign/v1/login/finish", &body).await?)
    }

    /// Redeems a code at the token endpoint.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn redeem(&self, code: &Secret<String>, verifier: &Secret<String>) -> Result<Answer> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.around.app),
            ("code", code.expose()),
            ("code_verifier", verifier.expose()),
        ];
        self.ask_for_tokens(&fields, code).await
    }

    /// Sends one refresh request and returns the answer unread; see [`Phone::renew`] for what an app does.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn ask_to_renew(&self, refresh: &Secret<String>) -> Result<Answer> {
        let fields = [("grant_type", "refresh_token"), ("client_id", self.around.app.as_str()), ("refresh_token", refresh.expose())];
        self.ask_for_tokens(&fields, refresh).await
    }

    /// Renews the access token, once for all callers that saw generation `seen`.
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn renew(&self, seen: u64) -> Result<()> {
        let mut held = self.tokens.lock().await;
        let Some(tokens) = held.as_ref() else { bail!("the phone is not signed in") };
        if tokens.generation != seen {
            return Ok(());
        }
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        let refresh = tokens.refresh.clone();
        let answer = accepted("renewing the access token", self.ask_to_renew(&refresh).await?)?;
        *held = Some(Tokens { access: text(&answer, "access_token")?, refresh, generation: seen.wrapping_add(1) });
        Ok(())
    }

    /// Ends the session at the server (RFC 7009).
    ///
    /// # Errors
    /// The server's refusal as a [`PhoneError`], or a fault of network or server.
    pub async fn sign_out(&self) -> Result<()> {
        let Some(tokens) = self.tokens.lock().await.take() else { return Ok(()) };
        let path = "/countersign/v1/revoke";
        self.freshen(&self.device_key).await?;
        let call = Call::new(Method::POST, path).form(&[("client_id", &self.around.app), ("token", tokens.refresh.expose())]);
        let proof = self.prove(&self.device_key, "POST", path, None)?;
        let answer = self.http.send(&call.header("dpop", &proof)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(PhoneError { doing: "signing out", answer }.into()) }
    }

    async fn keep(&self, answer: Value) -> Result<()> {
        let (access, refresh) = (text(&answer, "access_token")?, text(&answer, "refresh_token")?);
        *self.tokens.lock().await = Some(Tokens { access, refresh, generation: 0 });
        Ok(())
    }

    /// Calls the API as an app does: proved, renewed when expired, with the server's nonce where it asks for one.
    ///
    /// # Errors
    /// A fault of network or server; a refusal is an answer.
    pub async fn call(&self, call: &Call) -> Result<Answer> {
        let mut tries = 0;
        loop {
            let tokens = self.tokens().await.ok_or_else(|| anyhow!("the phone is not signed in"))?;
            let answer = self.http.send(&self.proved(call, &tokens.access)?).await?;
            self.heed(&answer, &self.request_key);
            let code = code_of(&answer);
            if tries >= RETRIES_MAX {
                return Ok(answer);
            }
            match code.as_str() {
                "token_expired" => self.renew(tokens.generation).await?,
                _ if wants_nonce(&answer) => {}
                _ => return Ok(answer),
            }
            tries += 1;
        }
    }

    /// Opens a connection that stays open; the caller reads it.
    ///
    /// # Errors
    /// When the phone is not signed in, or a fault of network or server. A refusal is an answer.
    pub async fn open(&self, call: &Call) -> Result<Response<Incoming>> {
        let tokens = self.tokens().await.ok_or_else(|| anyhow!("the phone is not signed in"))?;
        self.http.open(&self.proved(call, &tokens.access)?).await
    }

    /// `call` with the token and a proof for it, as it would go over the wire.
    ///
    /// # Errors
    /// When signing fails.
    pub fn proved(&self, call: &Call, access: &Secret<String>) -> Result<Call> {
        let path = call.target.split('?').next().unwrap_or_default();
        let proof = self.prove(&self.request_key, call.method.as_str(), path, Some(access))?;
        Ok(call.clone().header("authorization", &format!("DPoP {}", access.expose())).header("dpop", &proof))
    }

    /// A proof by `key` for a method and path of this server, for a token or for the token endpoint.
    ///
    /// # Errors
    /// When signing fails.
    pub fn prove(&self, key: &SigningKey, method: &str, path: &str, token: Option<&Secret<String>>) -> Result<String> {
        self.prove_with(Signing { key, holder: key }, method, path, token)
    }

    fn prove_with(&self, signing: Signing<'_>, method: &str, path: &str, token: Option<&Secret<String>>) -> Result<String> {
        let Signing { key, holder } = signing;
        let (target, id, nonce) = (self.target(path)?, self.proof_id()?, self.newest_nonce(holder, Limits::NONCE_LIFE));
        let hash = token.map(|token| access_token::hash_text(token.expose()));
        let to_make =
            ProofToMake { method, target: &target, token_hash: hash.as_deref(), nonce: nonce.as_deref(), id: &id, issued_at: self.now() };
        dpop::make(key, &to_make).map_err(|e| anyhow!("signing a proof: {e:?}"))
    }

    /// A path of this server as a proof names it. A path that no proof can name (an attacker's) is named as far as it can be.
    fn target(&self, path: &str) -> Result<Target> {
        let origin = self.around.origin.as_str().trim_end_matches('/');
        Target::parse(&format!("{origin}{path}")).or_else(|_| Target::parse(origin)).map_err(|e| anyhow!("naming the target: {e:?}"))
    }

    /// Newest nonce of a key that a server takes for `life`; `None` a little before that is over, so that it still counts on arrival.
    fn newest_nonce(&self, holder: &SigningKey, life: Seconds) -> Option<String> {
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let nonce = nonces.get(holder.public().thumbprint())?;
        (self.around.clock.now().seconds().plus(Limits::PROOF_SKEW_MAX).since(nonce.came_at) <= life).then(|| nonce.text.clone())
    }

    /// Remembers the newest nonce of a key; while it lasts, every proof of the key carries it, and the phone's clock does not matter.
    fn heed(&self, answer: &Answer, holder: &SigningKey) {
        if let Some(nonce) = answer.header("dpop-nonce") {
            let nonce = Nonce { text: nonce.to_owned(), came_at: self.around.clock.now().seconds() };
            self.nonces.lock().unwrap_or_else(PoisonError::into_inner).insert(*holder.public().thumbprint(), nonce);
        }
    }

    /// Sees to it that there is a nonce for `holder` that an issuer's door takes. The challenge door gives one without a signature, which
    /// costs a phone's hardware more than the round trip does.
    ///
    /// # Errors
    /// A fault of network or server.
    pub async fn freshen(&self, holder: &SigningKey) -> Result<()> {
        if self.newest_nonce(holder, Limits::ISSUER_NONCE_LIFE).is_some() {
            return Ok(());
        }
        let body = json!({ "client_id": self.around.app, "jkt": holder.public().thumbprint().to_string() });
        let answer = self.http.send(&Call::new(Method::POST, "/countersign/v1/challenge").json(&body)).await?;
        self.heed(&answer, holder);
        Ok(())
    }

    /// A JSON call to a door of the issuer, proved by the device key.
    async fn door(&self, path: &str, body: &Value) -> Result<Answer> {
        let call = Call::new(Method::POST, path).json(body);
        let mut tries = 0;
        loop {
            self.freshen(&self.device_key).await?;
            let proof = self.prove(&self.device_key, "POST", path, None)?;
            let answer = self.http.send(&call.clone().header("dpop", &proof)).await?;
            self.heed(&answer, &self.device_key);
            if tries >= RETRIES_MAX || !wants_nonce(&answer) {
                return Ok(answer);
            }
            tries += 1;
        }
    }

    async fn ask_for_tokens(&self, fields: &[(&str, &str)], grant: &Secret<String>) -> Result<Answer> {
        let mut tries = 0;
        loop {
            self.freshen(&self.device_key).await?;
            let answer = self.http.send(&self.token_request(fields, grant)?).await?;
            self.heed(&answer, &self.device_key);
            if tries >= RETRIES_MAX || !wants_nonce(&answer) {
                return Ok(answer);
            }
            tries += 1;
        }
    }

    /// A refresh request as it would go over the wire.
    ///
    /// # Errors
    /// When signing fails.
    pub fn refresh_request(&self, refresh: &Secret<String>) -> Result<Call> {
        let fields = [("grant_type", "refresh_token"), ("client_id", self.around.app.as_str()), ("refresh_token", refresh.expose())];
        self.token_request(&fields, refresh)
    }

    /// A token request: proved by the request key, which the device key names for this very grant.
    fn token_request(&self, fields: &[(&str, &str)], grant: &Secret<String>) -> Result<Call> {
        let path = "/countersign/v1/token";
        let (target, id, nonce) = (self.target(path)?, self.proof_id()?, self.newest_nonce(&self.device_key, Limits::NONCE_LIFE));
        let to_make = DelegationToMake {
            request_key: self.request_key.public().thumbprint(),
            target: &target,
            grant: &GrantHash::of(grant),
            nonce: nonce.as_deref(),
            id: &id,
            issued_at: self.now(),
        };
        let named = delegation::make(&self.device_key, &to_make).map_err(|e| anyhow!("naming the request key: {e:?}"))?;
        // The request key is new and has no nonce: both carry the one of the device key that names it.
        let proof = self.prove_with(Signing { key: &self.request_key, holder: &self.device_key }, "POST", path, None)?;
        Ok(Call::new(Method::POST, path).form(fields).header("dpop", &proof).header("countersign-delegation", &named))
    }

    fn proof_id(&self) -> Result<ProofId> {
        ProofId::parse(&self.random_text()).context("a random text is an identifier")
    }

    fn random_text(&self) -> String {
        let mut bytes = [0; 32];
        self.around.entropy.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn fresh_key() -> Result<SigningKey> {
    SigningKey::generate(Algorithm::Es256).map(|(key, _)| key).map_err(|e| anyhow!("making a key: {e:?}"))
}

/// Says that the same request with the answer's nonce may be taken (RFC 9449 section 9). Behind another proxy the body is that proxy's, and
/// the challenge is all that says so.
fn wants_nonce(answer: &Answer) -> bool {
    matches!(code_of(answer).as_str(), "use_dpop_nonce" | "clock_far")
        || answer.header("www-authenticate").is_some_and(|challenge| challenge.contains("error=\"use_dpop_nonce\""))
}

fn accepted(doing: &'static str, answer: Answer) -> Result<Value> {
    if answer.status.is_success() { Ok(answer.json()) } else { Err(PhoneError { doing, answer }.into()) }
}

fn ceremony(started: &Value) -> Result<(Value, Value)> {
    let ceremony = started.get("ceremony").cloned().context("the answer holds no ceremony")?;
    Ok((ceremony, started.get("options").cloned().context("the answer holds no options")?))
}

fn text(answer: &Value, name: &str) -> Result<Secret<String>> {
    let value = answer.get(name).and_then(Value::as_str).with_context(|| format!("the answer holds no `{name}`"))?;
    Ok(Secret::new(value.to_owned()))
}
