//! A gateway with everything behind it but the network in front: real proofs, real policies, a real log, a real upstream.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use countersign_access::{Access, Tokens};
use countersign_audit::{CheckpointKey, Entry};
use countersign_compliance::Revocations;
use countersign_core::{
    Acr, Amr, AnswerSeen, AppId, BootState, ClientId, Clock, CoarsePlace, DeviceId, Entropy, EvidenceTier, KeyId, LoginSeen, Observer,
    PairwiseId, PatchLevel, Platform, Posture, ProofId, Provenance, RateLimit, Reason, RequestSeen, RiskView, Role, Secret, SecurityLevel,
    Session, SessionId, SessionState, Signal, SignalSink, UnixMillis, UnixSeconds, UserId,
};
use countersign_gateway::{
    Gateway, GatewayConfig, GatewayParts, HeldConfig, Origin, Peer, Protocol, StatementKey, Statements, Stores, Upstream, UpstreamConfig,
    answer_auth_request,
    body::{self, Body},
    serve,
};
use countersign_identity::TokenHash;
use countersign_proof::{
    access_token::{self, Claims, TokenVerifier},
    dpop::{self, ProofToMake},
    jwk::{Algorithm, SigningKey},
    key_set::KeySet,
    nonce::NonceKeys,
    target,
};
use countersign_risk::fingerprint::Salt;
use countersign_store::{
    Change, ChangeError, Changes, Counted, Created, Device, DeviceChange, DeviceState, Devices, Ended, FreshProof, Invitation, LiveError,
    LivePosture, LiveSession, OpenState, Passkey, PostureError, Presence, RateCounters, Rated, Receipt, Recorder, ReplayMemory,
    SessionFilter, Sessions, SpendError, Spender, StateChange, StrangerRefusal, SubjectKeys, Subjects, TakeError, Unavailable, Used, User,
    UserState, Whose, Written, backend, memory::MemoryReplay, segments::SegmentLog,
};
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::{replayed, rules, upstream::upstream};

pub const NOW: u64 = 1_789_302_400;
pub const PUBLIC: &str = "https://api.example.com";

/// What a test may bring into disorder, and what it looks at afterwards.
pub struct World {
    pub clock: AtomicU64,
    pub counter: AtomicU64,
    pub sessions: Mutex<HashMap<SessionId, Session>>,
    pub devices: Mutex<HashMap<DeviceId, Device>>,
    pub accounts: Mutex<HashMap<UserId, UserState>>,
    pub rates: Mutex<Result<(), TakeError>>,
    pub signals: Mutex<Vec<Signal>>,
    /// How requests look to the watcher.
    pub looks: Mutex<RiskView>,
    /// What the watcher was told, a line each.
    pub watched: Mutex<Vec<String>>,
    pub recorded: Mutex<Vec<Entry>>,
    /// The same, which no test takes away: all of them are decided again at its end.
    pub entries: Mutex<Vec<Entry>>,
    /// What the upstream was asked, by method and path.
    pub asked: Mutex<Vec<String>>,
    /// Which call to a store fails, counted from 1; 0 for none.
    pub fails_at: AtomicUsize,
    pub calls: AtomicUsize,
    /// Which call to a store panics, counted from 1; 0 for none.
    pub panics_at: AtomicUsize,
    /// Records a minute for refusals of callers without a live session.
    pub strangers_per_minute: AtomicU32,
    /// Whether nothing can be recorded.
    pub log_fails: AtomicBool,
}

impl World {
    /// A person, a phone, and nothing wrong with either.
    pub fn usual() -> Arc<Self> {
        Arc::new(Self {
            clock: AtomicU64::new(NOW),
            counter: AtomicU64::new(1),
            sessions: Mutex::new(HashMap::from([(session().id.clone(), session())])),
            devices: Mutex::new(HashMap::from([(device().posture.device.clone(), device())])),
            accounts: Mutex::new(HashMap::from([(session().user, UserState::Active)])),
            rates: Mutex::new(Ok(())),
            signals: Mutex::default(),
            looks: Mutex::default(),
            watched: Mutex::default(),
            recorded: Mutex::default(),
            entries: Mutex::default(),
            asked: Mutex::default(),
            fails_at: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            panics_at: AtomicUsize::new(0),
            // What is tried is mostly not how much is recorded, but what.
            strangers_per_minute: AtomicU32::new(1_000_000),
            log_fails: AtomicBool::new(false),
        })
    }

    /// Counts a call, and says whether it is the one that fails.
    fn call(&self) -> Result<(), Unavailable> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        assert_ne!(number, self.panics_at.load(Ordering::SeqCst), "as the test wants it");
        if number == self.fails_at.load(Ordering::SeqCst) { Err(Unavailable::new("as the test wants it")) } else { Ok(()) }
    }
}

impl Clock for World {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.load(Ordering::SeqCst) * 1000)
    }
}

impl Entropy for World {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.counter.fetch_add(1, Ordering::SeqCst);
        buffer.iter_mut().zip(number.to_be_bytes().iter().cycle()).for_each(|(to, from)| *to = *from);
    }
}

impl SignalSink for World {
    fn emit(&self, signal: Signal) {
        self.signals.lock().expect("a lock").push(signal);
    }
}

impl Observer for World {
    fn request(&self, seen: &RequestSeen<'_>) -> RiskView {
        let line = format!("{} {} {} {}", seen.method, seen.action, seen.address, seen.object.map_or("no object", |_| "an object"));
        self.watched.lock().expect("a lock").push(line);
        self.looks.lock().expect("a lock").clone()
    }

    fn answered(&self, seen: &AnswerSeen<'_>) {
        let line = format!("{} bytes, {}", seen.bytes_out, seen.refused.map_or("served", Reason::code));
        self.watched.lock().expect("a lock").push(line);
    }

    fn login(&self, _: &LoginSeen<'_>) -> RiskView {
        RiskView::default()
    }

    fn stepped_up(&self, _: &UserId, _: &SessionId, _: UnixMillis) {}

    fn located(&self, _: &DeviceId, _: CoarsePlace, _: UnixMillis) {}
}

struct Backed {
    world: Arc<World>,
    replay: Arc<dyn ReplayMemory>,
    log: Arc<dyn Recorder>,
}

#[async_trait]
impl ReplayMemory for Backed {
    async fn spend(&self, proof: dpop::BoundProof, by: Spender<'_>, now: UnixSeconds) -> Result<FreshProof, SpendError> {
        self.world.call().map_err(SpendError::Unavailable)?;
        self.replay.spend(proof, by, now).await
    }
}

#[async_trait]
impl Recorder for Backed {
    async fn record(&self, entry: Entry) -> Result<Written, Unavailable> {
        self.world.call()?;
        if self.world.log_fails.load(Ordering::SeqCst) {
            return Err(Unavailable::new("as the test wants it"));
        }
        self.world.entries.lock().expect("a lock").push(entry.clone());
        self.world.recorded.lock().expect("a lock").push(entry.clone());
        self.log.record(entry).await
    }

    async fn refuse(&self, refusal: StrangerRefusal) -> Result<Receipt, Unavailable> {
        self.world.call()?;
        let entry = refusal.entry().clone();
        let receipt = self.log.refuse(refusal).await?;
        if matches!(receipt, Receipt::Recorded(_)) {
            self.world.entries.lock().expect("a lock").push(entry.clone());
            self.world.recorded.lock().expect("a lock").push(entry);
        }
        Ok(receipt)
    }

    fn count(&self, refusal: StrangerRefusal) -> Counted {
        self.log.count(refusal)
    }
}

#[async_trait]
impl RateCounters for Backed {
    async fn take(&self, _: &Rated, _: RateLimit, _: UnixMillis) -> Result<(), TakeError> {
        self.world.call().map_err(TakeError::Unavailable)?;
        self.world.rates.lock().expect("a lock").clone()
    }
}

const UNASKED: &str = "the gateway has no business with this";

#[async_trait]
impl Sessions for Backed {
    async fn live(&self, id: &SessionId, now: UnixSeconds) -> Result<LiveSession, LiveError> {
        self.world.call().map_err(LiveError::Unavailable)?;
        backend::live_session(self.world.sessions.lock().expect("a lock").get(id).cloned(), now)
    }
    async fn open(&self, _: Session) -> Result<(), Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        Ok(self.world.sessions.lock().expect("a lock").get(id).cloned())
    }
    async fn list(&self, _: &SessionFilter, _: u32) -> Result<Vec<Session>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn walk(&self, _: Option<&Presence>, _: u32, _: UnixSeconds) -> Result<Vec<Presence>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn set_state(&self, _: &SessionId, _: OpenState) -> Result<StateChange, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn end(&self, _: &Whose, _: UnixSeconds) -> Result<Ended, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn prolong(&self, _: &SessionId, _: UnixSeconds) -> Result<(), Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn authenticated(&self, _: &SessionId, _: UnixSeconds) -> Result<(), Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
}

#[async_trait]
impl Devices for Backed {
    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError> {
        self.world.call().map_err(PostureError::Unavailable)?;
        backend::live_posture(self.world.devices.lock().expect("a lock").get(id).cloned())
    }
    async fn posture_by_key(&self, _: &countersign_core::Thumbprint) -> Result<LivePosture, PostureError> {
        Err(PostureError::Unavailable(Unavailable::new(UNASKED)))
    }
    async fn enrol(&self, _: Device) -> Result<Device, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find(&self, _: &DeviceId) -> Result<Option<Device>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find_by_key(&self, _: &countersign_core::Thumbprint) -> Result<Option<Device>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn list(&self, _: u32) -> Result<Vec<Device>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn walk(&self, _: Option<&DeviceId>, _: u32) -> Result<Vec<Device>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn change(&self, _: &DeviceId, _: DeviceChange) -> Result<Device, ChangeError> {
        Err(Unavailable::new(UNASKED).into())
    }
    async fn revoke(&self, _: &DeviceId) -> Result<Option<Device>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
}

#[async_trait]
impl Subjects for Backed {
    async fn state(&self, id: &UserId) -> Result<Option<UserState>, Unavailable> {
        self.world.call()?;
        Ok(self.world.accounts.lock().expect("a lock").get(id).copied())
    }
    async fn create(&self, _: User, _: Passkey) -> Result<Created, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find(&self, _: &UserId) -> Result<Option<User>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find_by_name(&self, _: &str) -> Result<Option<User>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn list(&self, _: u32) -> Result<Vec<User>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn update(&self, _: &UserId, _: UserState, _: &[Role]) -> Result<Option<User>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn add_passkey(&self, _: Passkey) -> Result<Created, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find_passkey(&self, _: &[u8]) -> Result<Option<Passkey>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn passkeys(&self, _: &UserId) -> Result<Vec<Passkey>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn use_passkey(&self, _: Passkey, _: u32) -> Result<Used, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn invite(&self, _: Invitation) -> Result<(), Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn find_invitation(&self, _: &TokenHash, _: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
    async fn take_invitation(&self, _: &TokenHash, _: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
}

struct OneKey;

#[async_trait]
impl SubjectKeys for OneKey {
    async fn key(&self, _: &UserId, _: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(Some(Secret::new([9; 32])))
    }
    async fn find(&self, _: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(Some(Secret::new([9; 32])))
    }
    async fn destroy(&self, _: &UserId) -> Result<(), Unavailable> {
        Err(Unavailable::new(UNASKED))
    }
}

pub struct Fixture {
    pub gateway: Arc<Gateway>,
    pub revocations: Arc<ArcSwap<Revocations>>,
    pub world: Arc<World>,
    pub changes: Changes,
    issuer_key: SigningKey,
    issuer_key_id: KeyId,
    pub request_key: SigningKey,
    _directory: tempfile::TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.entries.lock().expect("a lock").iter().for_each(replayed::decides_again);
        }
    }
}

fn key() -> (SigningKey, Secret<Vec<u8>>) {
    SigningKey::generate(Algorithm::Es256).expect("a key")
}

fn checkpoint_key() -> CheckpointKey {
    let (_, pkcs8) = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    CheckpointKey::from_pkcs8("api.example.com", &pkcs8).expect("a key")
}

/// What the upstream answers, by path.
async fn answers(world: Arc<World>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    world.asked.lock().expect("a lock").push(asked(&head, &body));
    let json =
        |text: &'static str| Response::builder().header("content-type", "application/json").body(body::full(text)).expect("an answer");
    match head.uri.path() {
        "/v1/accounts/broken" => json("{\"iban\": \"DE02\", "),
        "/v1/accounts/zipped" => {
            let builder = Response::builder().header("content-type", "application/json").header("content-encoding", "gzip");
            builder.body(body::full(&[0x1f, 0x8b][..])).expect("an answer")
        }
        "/v1/accounts/page" => Response::builder().header("content-type", "text/html").body(body::full("<p>DE02</p>")).expect("an answer"),
        "/v1/accounts/forger" => {
            let builder = Response::builder().header("countersign-decision", "D-FORGED").header("connection", "x-hop").header("x-hop", "1");
            builder.body(body::full("hello")).expect("an answer")
        }
        "/v1/accounts/silent" => std::future::pending().await,
        _ if head.headers.get("if-none-match").is_some_and(|known| known == "\"e\"") => {
            Response::builder().status(304).header("etag", "\"e\"").body(body::empty()).expect("an answer")
        }
        _ => {
            let builder = Response::builder().header("content-type", "application/json").header("etag", "\"e\"");
            builder.body(body::full(r#"{"id":"a1","iban":"DE02","balance":100}"#)).expect("an answer")
        }
    }
}

fn asked(head: &request::Parts, body: &Bytes) -> String {
    let mut lines: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "countersign-identity" => format!("{name}: {}", claims_of(value.to_str().expect("text"))),
            "host" => format!("{name}: (upstream)"),
            _ => format!("{name}: {}", value.to_str().expect("text")),
        })
        .collect();
    lines.sort();
    format!("{} {}\n{}\n\n{}", head.method, head.uri, lines.join("\n"), String::from_utf8_lossy(body))
}

/// The claims in what a test sees of a statement: header, dot, claims.
pub fn claims_of_text(shown: &str) -> &str {
    shown.split_once("}.").map_or("", |(_, claims)| claims)
}

fn claims_of(jws: &str) -> String {
    use base64::Engine as _;
    let part = |n: usize| {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jws.split('.').nth(n).expect("a part")).expect("base64url");
        String::from_utf8(bytes).expect("text")
    };
    let claims = part(1);
    // The port of the upstream differs from run to run.
    let port = claims.split("\"aud\":\"http://127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
    format!("{}.{}", part(0), claims.replace(&port, "PORT"))
}

impl Fixture {
    pub async fn new() -> Self {
        let world = World::usual();
        let told = Arc::clone(&world);
        let address = upstream(move |request| answers(Arc::clone(&told), request)).await;
        Self::with_upstream(world, address).await
    }

    /// A log that records so many refusals of strangers a minute.
    pub async fn with_strangers(per_minute: u32) -> Self {
        let world = World::usual();
        world.strangers_per_minute.store(per_minute, Ordering::SeqCst);
        let told = Arc::clone(&world);
        let address = upstream(move |request| answers(Arc::clone(&told), request)).await;
        Self::with_upstream(world, address).await
    }

    pub async fn with_upstream(world: Arc<World>, address: SocketAddr) -> Self {
        Self::with_patience(world, address, HeldConfig::USUAL).await
    }

    pub async fn with_patience(world: Arc<World>, address: SocketAddr, held: HeldConfig) -> Self {
        Self::with_protocol(world, address, held, Protocol::Http1).await
    }

    pub async fn with_protocol(world: Arc<World>, address: SocketAddr, held: HeldConfig, protocol: Protocol) -> Self {
        Self::with_head_max(world, address, held, (protocol, Duration::from_millis(300))).await
    }

    /// As [`Self::with_protocol`], with the longest time that the upstream has for the head of an answer.
    pub async fn with_head_max(
        world: Arc<World>,
        address: SocketAddr,
        held: HeldConfig,
        (protocol, head_max): (Protocol, Duration),
    ) -> Self {
        let (issuer_key, _) = key();
        let issuer_key_id = KeyId::parse("k1").expect("an id");
        let (request_key, _) = key();
        let (statement_key, _) = key();
        let directory = tempfile::tempdir().expect("a directory");
        let public = Origin::parse(PUBLIC).expect("an origin");
        let mut config = UpstreamConfig::new(Origin::parse(&format!("http://{address}")).expect("an origin"));
        config.head_max = head_max;
        config.protocol = protocol;
        let upstream = Upstream::new(config).expect("an upstream");
        let verifier = TokenVerifier {
            issuer: PUBLIC.to_owned(),
            audience: PUBLIC.to_owned(),
            keys: KeySet::new([(issuer_key_id.clone(), issuer_key.public().clone())]),
        };
        let log = SegmentLog::open(
            directory.path(),
            checkpoint_key(),
            Arc::new(OneKey),
            Arc::clone(&world) as Arc<dyn Clock>,
            Arc::clone(&world) as Arc<dyn Entropy>,
        )
        .expect("a log")
        .with_strangers(world.strangers_per_minute.load(Ordering::SeqCst));
        let backed = Arc::new(Backed { world: Arc::clone(&world), replay: Arc::new(MemoryReplay::new()), log: Arc::new(log) });
        let statement = StatementKey { id: KeyId::parse("s1").expect("an id"), key: statement_key };
        let revocations = Arc::new(ArcSwap::from_pointee(Revocations::default()));
        let changes = Changes::default();
        let gateway = Gateway::new(GatewayParts {
            config: GatewayConfig { held, ..GatewayConfig::new(public) },
            rules: rules::rules(),
            access: Arc::new(Access {
                tokens: Tokens::new(verifier),
                nonces: NonceKeys::new(&Secret::new([7; 32]), None),
                apps: Arc::default(),
                revocations: Arc::clone(&revocations),
                stores: countersign_access::Stores {
                    replay: Arc::clone(&backed) as _,
                    sessions: Arc::clone(&backed) as _,
                    devices: Arc::clone(&backed) as _,
                    subjects: Arc::clone(&backed) as _,
                },
            }),
            statements: Statements::new(PUBLIC, upstream.origin().as_str(), statement),
            upstream,
            stores: Stores { rates: Arc::clone(&backed) as _, recorder: backed, changes: changes.clone() },
            signals: Arc::clone(&world) as _,
            observer: Arc::clone(&world) as _,
            objects: Salt(1),
            clock: Arc::clone(&world) as _,
            entropy: Arc::clone(&world) as _,
        })
        .expect("a house");
        Self { gateway: Arc::new(gateway), revocations, world, changes, issuer_key, issuer_key_id, request_key, _directory: directory }
    }

    pub fn claims(&self) -> Claims {
        Claims {
            issuer: PUBLIC.to_owned(),
            audience: PUBLIC.to_owned(),
            subject: PairwiseId::parse("p_alice").expect("an id"),
            client: ClientId::parse("com.example.bank").expect("an id"),
            session: session().id,
            id: ProofId::parse("t1").expect("an id"),
            issued_at: UnixSeconds(NOW - 10),
            expires_at: UnixSeconds(NOW + 290),
            auth_time: UnixSeconds(NOW - 10),
            acr: Acr::PhishingResistant,
            amr: vec![Amr::HardwareKey, Amr::UserVerified],
            key: *self.request_key.public().thumbprint(),
        }
    }

    pub fn token(&self, claims: &Claims) -> String {
        access_token::issue(&self.issuer_key, &self.issuer_key_id, claims).expect("a token").expose().clone()
    }

    /// A request as the SDK makes it: token, proof and JSON.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
        self.request_with(method, path, body, Attack::default())
    }

    pub fn request_with(&self, method: &str, path: &str, body: &str, attack: Attack<'_>) -> Request<Full<Bytes>> {
        let mut claims = self.claims();
        (attack.claims)(&mut claims);
        let token = attack.token.map_or_else(|| self.token(&claims), str::to_owned);
        let id = ProofId::parse(&format!("j{}", self.world.counter.fetch_add(1, Ordering::SeqCst))).expect("an id");
        let bare = path.split('?').next().expect("a path");
        let aim = target::Origin::parse(PUBLIC).expect("an origin").target(attack.proof_path.unwrap_or(bare)).expect("a target");
        let hash = attack.proof_hash.map_or_else(|| access_token::hash_text(&token), str::to_owned);
        let proof = ProofToMake {
            method: attack.proof_method.unwrap_or(method),
            target: &aim,
            token_hash: Some(&hash),
            nonce: attack.nonce,
            id: &id,
            issued_at: UnixSeconds(attack.proof_time.unwrap_or(NOW)),
        };
        let proof = dpop::make(attack.key.unwrap_or(&self.request_key), &proof).expect("a proof");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "api.example.com")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
            .header("user-agent", "shop/1.0")
            .header("cookie", "a=b")
            .header("countersign-user", "p_forged")
            .header("x-forwarded-for", "6.6.6.6");
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request")
    }

    pub async fn serve(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        serve(&self.gateway, request, Peer::new("192.0.2.77:50000".parse().expect("an address"))).await
    }

    /// What nginx asks when `request` comes to it, as docs/auth_request.md configures it.
    pub async fn ask_as_nginx(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        let (mut head, _) = request.into_parts();
        let uri = head.uri.to_string();
        for (name, value) in [("x-original-method", head.method.as_str()), ("x-original-uri", &uri), ("x-real-ip", "192.0.2.77")] {
            head.headers.insert(name, value.parse().expect("a value"));
        }
        head.headers.insert("connection", "close".parse().expect("a value"));
        (head.method, head.uri) = (http::Method::GET, "/".parse().expect("a URI"));
        answer_auth_request(&self.gateway, Request::from_parts(head, ())).await
    }

    pub fn set_session(&self, change: impl FnOnce(&mut Session)) {
        let mut session = session();
        change(&mut session);
        let id = session.id.clone();
        self.world.sessions.lock().expect("a lock").insert(id.clone(), session);
        self.changes.announce(Change::Session(id));
    }

    pub fn set_device(&self, change: impl FnOnce(&mut Device)) {
        let mut device = device();
        change(&mut device);
        let id = device.posture.device.clone();
        self.world.devices.lock().expect("a lock").insert(id.clone(), device);
        self.changes.announce(Change::Device(id));
    }
}

/// What is wrong with a request. By default nothing is.
pub struct Attack<'a> {
    pub claims: &'a dyn Fn(&mut Claims),
    pub token: Option<&'a str>,
    pub key: Option<&'a SigningKey>,
    pub proof_method: Option<&'a str>,
    pub proof_path: Option<&'a str>,
    pub proof_hash: Option<&'a str>,
    pub proof_time: Option<u64>,
    pub nonce: Option<&'a str>,
}

impl Default for Attack<'_> {
    fn default() -> Self {
        Self {
            claims: &|_| {},
            token: None,
            key: None,
            proof_method: None,
            proof_path: None,
            proof_hash: None,
            proof_time: None,
            nonce: None,
        }
    }
}

pub fn session() -> Session {
    Session {
        id: SessionId::parse("s_1").expect("an id"),
        user: UserId::parse("u_alice").expect("an id"),
        roles: vec![Role::parse("customer").expect("a role")],
        device: DeviceId::parse("d_1").expect("an id"),
        client: ClientId::parse("com.example.bank").expect("an id"),
        state: SessionState::Active,
        acr: Acr::PhishingResistant,
        amr: vec![Amr::HardwareKey, Amr::UserVerified],
        auth_time: UnixSeconds(NOW - 10),
        bound_at: UnixSeconds(NOW - 1000),
        created_at: UnixSeconds(NOW - 1000),
        expires_at: UnixSeconds(NOW + 100_000),
    }
}

pub fn device() -> Device {
    Device {
        posture: Posture {
            device: DeviceId::parse("d_1").expect("an id"),
            key: countersign_core::Thumbprint::from_bytes([3; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: UnixSeconds(NOW - 5000),
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_608),
            app: AppId::parse("com.example.bank").ok(),
            app_version: Some(7),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        },
        key_jwk: "{}".to_owned(),
        name: "a phone".to_owned(),
        model: None,
        vouching: None,
        enrolled_at: UnixSeconds(NOW - 5000),
        state: DeviceState::Active,
    }
}
