//! One issuer with everything around it: a clock that stands still, numbers that come in order, a maker of phones.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use axum::{Router, body::Body};
use countersign_access::{Access, Tokens};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{self, AppRule, ApplicationsRule, KeyRule, OriginRule, PurposeRule, StatusRule, Trust},
    play,
};
use countersign_compliance::{Apps, DailyLimit, Quota, Requirement, Requirements, Rollout, Rule};
use countersign_core::{
    AppFinding, AppId, BootState, ClientId, Clock, Entropy, KeyId, NoObserver, RiskBar, Seconds, Secret, SecurityLevel, Stage, UnixMillis,
    UnixSeconds,
};
use countersign_identity::{BindingRules, PairwiseKey, PasskeyOrigin, RelyingParty, Sector, SessionLife};
use countersign_issuer::{
    Allowances, App, Challenger, DecodesPlay, DeviceTrust, Issuer, IssuerConfig, IssuerKeys, NamedKeys, PlayApp, PlayReader, Prompts,
    RefreshKey, SignUp, Stores, VendorQuota, VendorSilent, World as Windows, router,
};
use countersign_proof::{
    access_token::TokenVerifier,
    jwk::{Algorithm, SigningKey},
    key_set::{KeyRing, RingKey, Rotation},
    nonce::NonceKeys,
    target::Origin,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{phone::Maker, stores::Memory, witness};

pub const ORIGIN: &str = "https://api.example.org";
pub const APP: &str = "org.example.shop";
pub const SIGNER: [u8; 32] = [0xaa; 32];
/// Sun, 01 Nov 2026 00:00:00 GMT.
pub const START: u64 = 1_793_491_200;

pub struct StillClock(AtomicU64);

impl Clock for StillClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// Unpredictable to nobody: counts.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        buffer.fill(0);
        buffer.iter_mut().zip(n.to_be_bytes().into_iter().rev()).for_each(|(to, from)| *to = from);
    }
}

pub struct World {
    pub memory: Arc<Memory>,
    pub clock: Arc<StillClock>,
    pub maker: Maker,
    pub issuer: Arc<Issuer>,
    router: Router,
}

impl World {
    pub fn new(sign_up: SignUp) -> Self {
        let maker = Maker::new();
        let memory = Arc::new(Memory::new(witness::replay(), witness::recorder()));
        let clock = Arc::new(StillClock(AtomicU64::new(START * 1000)));
        let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
        let anchors = Anchors::parse(source, &maker.root_pem()).expect("an anchor");
        let signing = Arc::new(ArcSwap::from_pointee(ring("access")));
        let (apps, revocations) = (Arc::new(ArcSwap::from_pointee(apps())), Arc::default());
        let issuer = Arc::new(Issuer {
            stores: Stores {
                bindings: memory.clone(),
                challenges: memory.clone(),
                dev_tokens: memory.clone(),
                devices: memory.clone(),
                grants: memory.clone(),
                recorder: memory.clone(),
                replay: memory.clone(),
                sessions: memory.clone(),
                subjects: memory.clone(),
            },
            world: Windows {
                clock: clock.clone(),
                entropy: Arc::new(Counting(AtomicU64::new(1))),
                signals: memory.clone(),
                observer: Arc::new(NoObserver),
            },
            keys: IssuerKeys {
                access: Arc::clone(&signing),
                statements: Arc::new(ArcSwap::from_pointee(ring("statement"))),
                refresh: RefreshKey::new(&Secret::new([2; 32])),
                pairwise: PairwiseKey::new(&Secret::new([3; 32])),
            },
            config: IssuerConfig {
                public_origin: Origin::parse(ORIGIN).expect("an origin"),
                apps: [app(APP), app("org.example.bank")].into_iter().collect::<BTreeMap<_, _>>(),
                passkeys: RelyingParty::new("example.org", &[PasskeyOrigin::parse(ORIGIN).expect("an origin")]).expect("a relying party"),
                sign_up,
                bindings: BindingRules { devices_max: 3, cool_down: Seconds(86_400) },
                session_life: SessionLife { whole: Seconds(86_400), idle: Seconds(86_400) },
                risk: RiskBar::SHIPPED,
                access_token_life: Seconds(300),
            },
            apps: Arc::clone(&apps),
            access: Arc::new(Access {
                tokens: Tokens::new(TokenVerifier {
                    issuer: ORIGIN.to_owned(),
                    audience: ORIGIN.to_owned(),
                    keys: signing.load().published(UnixSeconds(START)),
                }),
                nonces: NonceKeys::new(&Secret::new([1; 32]), None),
                apps,
                revocations: Arc::clone(&revocations),
                stores: countersign_access::Stores {
                    replay: memory.clone(),
                    sessions: memory.clone(),
                    devices: memory.clone(),
                    subjects: memory.clone(),
                },
            }),
            trust: Arc::new(ArcSwap::from_pointee(DeviceTrust {
                android: Trust { anchors, status: StatusRule::NotAsked },
                apple: Anchors::none(),
                receipts: Anchors::none(),
            })),
            revocations,
            challenger: Challenger::new(&Secret::new([4; 32])),
            named_keys: NamedKeys::default(),
            prompts: Prompts::default(),
            allowances: Allowances::new(clock.clone()),
        });
        Self { router: router(Arc::clone(&issuer)), issuer, memory, clock, maker }
    }

    pub fn now(&self) -> UnixSeconds {
        self.clock.now().seconds()
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).expect("text") }
    }

    /// The reason that was recorded last.
    pub fn recorded(&self) -> String {
        let shelf = self.memory.shelf();
        let entry = shelf.entries.last().expect("an entry");
        let reasons: Vec<_> = entry.event.reasons.iter().map(ToString::to_string).collect();
        format!("{} {} {}", entry.event.kind().as_str(), entry.event.outcome.as_str(), reasons.join(" ")).trim().to_owned()
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// Status and code, whichever of the two voices speaks.
    pub fn verdict(&self) -> String {
        let body = self.json();
        let code = ["error", "code"].iter().find_map(|name| body[*name].as_str()).filter(|_| !self.status.is_success());
        format!("{} {}", self.status.as_u16(), code.unwrap_or_default()).trim().to_owned()
    }

    /// The whole message as a person reads it, with what differs every time replaced.
    pub fn message(&self, unstable: &[&str]) -> String {
        let mut out = format!("HTTP/1.1 {}\n", self.status);
        for (name, value) in &self.headers {
            let value = value.to_str().expect("text");
            // The rest of a nonce is for a key that is made anew each time.
            let value = if name == "dpop-nonce" { format!("{}[...]", value.get(..10).unwrap_or(value)) } else { value.to_owned() };
            out += &format!("{name}: {value}\n");
        }
        let mut body = self.json();
        for name in unstable {
            if let Some(value) = body.pointer_mut(name) {
                *value = Value::String("[...]".to_owned());
            }
        }
        if body.is_null() { out + "\n" + &self.body } else { out + "\n" + &serde_json::to_string_pretty(&body).expect("JSON") }
    }
}

/// A vendor that must not be asked.
struct Unasked;

#[async_trait::async_trait]
impl DecodesPlay for Unasked {
    async fn decode(&self, _: &AppId, _: &str) -> Result<String, VendorSilent> {
        Err(VendorSilent::new("asked beyond the quota"))
    }
}

fn app(name: &str) -> (ClientId, App) {
    let android = android::App { package: AppId::parse(name).expect("an app"), signers: vec![SIGNER] };
    // What the key has to be is refused at once; what the phone has to be is judged from its posture.
    let keys = android::Requirements { app: AppRule::OneOf(vec![android]), ..android::Requirements::observe() };
    let keys = android::Requirements {
        security_level_min: SecurityLevel::TrustedEnvironment,
        applications: ApplicationsRule::OnlyItsOwn,
        key: KeyRule::P256,
        origin: OriginRule::Generated,
        purpose: PurposeRule::SignOnly,
        ..keys
    };
    let app =
        App { sector: Sector(name.to_owned()), android: keys, ios: None, play: None, app_attest_quota: VendorQuota::app_attest(None) };
    // The other app's vendors have been asked enough for today.
    let none_left = || Some(Quota::new(DailyLimit::Even(0)));
    let app = if name == APP {
        app
    } else {
        let (package, reader) = (AppId::parse(name).expect("an app"), PlayReader::Google(Arc::new(Unasked)));
        let play = PlayApp { package, reader, requirements: play::Requirements::observe(), quota: VendorQuota::play(none_left()) };
        App { play: Some(play), app_attest_quota: VendorQuota::app_attest(none_left()), ..app }
    };
    (ClientId::parse(name).expect("a client"), app)
}

/// The same app in the registry.
fn registered(name: &str) -> (ClientId, countersign_compliance::App) {
    let rule = |rule| Requirement { rule, rollout: Rollout::all(Stage::Enforce) };
    let mut requirements = Requirements(vec![
        rule(Rule::SecurityLevel(SecurityLevel::TrustedEnvironment)),
        rule(Rule::Boot { states: vec![BootState::Verified], keys: [].into() }),
        rule(Rule::BootloaderLocked),
        Requirement { rule: Rule::Without(AppFinding::Rooted), rollout: Rollout::all(Stage::Limit) },
    ]);
    if name != APP {
        requirements.0.push(rule(Rule::NoDevelopment));
    }
    let package = AppId::parse(name).expect("an app");
    (ClientId::parse(name).expect("a client"), countersign_compliance::App { package, bundle: None, requirements })
}

/// The registry of both apps.
pub fn apps() -> Apps {
    [registered(APP), registered("org.example.bank")].into_iter().collect()
}

pub fn ring(name: &str) -> KeyRing {
    KeyRing::new(vec![ring_key(name, START - 20 * 86_400), ring_key(&format!("{name}-next"), START - 3600)], Rotation::ACCESS_TOKENS)
}

fn ring_key(name: &str, created_at: u64) -> RingKey {
    let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    RingKey { id: KeyId::parse(name).expect("an id"), key: Arc::new(key), created_at: UnixSeconds(created_at) }
}
