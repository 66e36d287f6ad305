//! Strangers: whoever has no credential that this node issued. Each keeps two connections and knocks at one door after the other.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use countersign_core::Secret;
use countersign_demo::{
    World,
    phone::{Call, DemoCa, Handset, Http, Phone},
};
use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::honest::shared_network;

/// Strangers; each keeps two connections.
const STRANGERS: u16 = 100;

/// Requests a second of all of them.
pub const RATE: f64 = 2_000.0;

/// Networks of the second siege.
const NETWORKS: u32 = 10_000;

/// Turns after which a stranger of the second siege comes from the next network.
const TURNS_FROM_ONE_NETWORK: u64 = 10;

/// The app of the demo's bank.
const APP: &str = "com.example.bank";

/// What is sent to fill memory: a body of this many bytes.
const HEAVY_BODY: usize = 64 * 1024;

/// Where the strangers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A /24 in which honest phones are too.
    OneNetwork,
    /// Ten thousand of them, with nobody else inside.
    ManyNetworks,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneNetwork => "one network, with honest phones in it",
            Self::ManyNetworks => "ten thousand networks",
        })
    }
}

impl From {
    fn address(self, stranger: u16, turn: u64) -> Ipv4Addr {
        match self {
            Self::OneNetwork => shared_network(u8::try_from(stranger % 200).unwrap_or_default() + 1),
            Self::ManyNetworks => {
                let step = u32::try_from(turn / TURNS_FROM_ONE_NETWORK).unwrap_or_default();
                let network = (u32::from(stranger) + step * u32::from(STRANGERS)) % NETWORKS;
                Ipv4Addr::from(0x7f64_0001 + network * 256)
            }
        }
    }
}

/// What the strangers did.
#[derive(Debug)]
pub struct Load {
    sent: u64,
    answered: u64,
    took: Duration,
}

impl Load {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = STRANGERS * 2;
        write!(f, "{:.0} requests/s over {connections} connections; {} of {} were answered", self.rate(), self.answered, self.sent)
    }
}

/// Strangers at work.
pub struct Strangers {
    over: Arc<AtomicBool>,
    counts: Arc<Counts>,
    began: Instant,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Strangers {
    /// Lets them loose.
    pub fn come(world: &World, from: From) -> Result<Self> {
        let mut this = Self { over: Arc::default(), counts: Arc::default(), began: Instant::now(), tasks: JoinSet::new() };
        let ca = Arc::new(DemoCa::new()?);
        for number in 0..STRANGERS {
            let stranger = Stranger {
                number,
                from,
                phone: world.phone()?,
                http: Http::new(&world.around.origin, &world.around.root_pem)?,
                ca: Arc::clone(&ca),
                forged: forged_token(number),
            };
            this.tasks.spawn(stranger.knock(Arc::clone(&this.over), Arc::clone(&this.counts)));
        }
        Ok(this)
    }

    /// Sends them away.
    pub async fn leave(mut self) -> Result<Load> {
        self.over.store(true, Ordering::Relaxed);
        let took = self.began.elapsed();
        let load = Load { sent: self.counts.sent.load(Ordering::Relaxed), answered: self.counts.answered.load(Ordering::Relaxed), took };
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        Ok(load)
    }
}

struct Stranger {
    number: u16,
    from: From,
    phone: Phone,
    http: Http,
    /// A maker whom nobody trusts.
    ca: Arc<DemoCa>,
    forged: Secret<String>,
}

impl Stranger {
    async fn knock(self, over: Arc<AtomicBool>, counts: Arc<Counts>) {
        let each = Duration::from_secs_f64(f64::from(STRANGERS) / RATE);
        let began = Instant::now() + each.mul_f64(f64::from(self.number) / f64::from(STRANGERS));
        let mut address = None;
        for turn in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep_until((began + each.mul_f64(turn as f64)).into()).await;
            let now = self.from.address(self.number, turn);
            if address.replace(now) != Some(now) {
                self.http.move_to(IpAddr::V4(now));
                self.phone.move_to(now);
            }
            counts.sent.fetch_add(1, Ordering::Relaxed);
            // Strangers do not wait for ever, and a connection that was refused is one that they open again.
            let answer = tokio::time::timeout(Duration::from_secs(5), self.try_door(turn + u64::from(self.number))).await;
            if matches!(answer, Ok(Ok(()))) {
                counts.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// One try at one of the doors.
    async fn try_door(&self, turn: u64) -> Result<()> {
        let client = APP;
        let text = format!("{turn:043}");
        let made_up = Secret::new(text.clone());
        let raw = match turn % 16 {
            0 => Call::new(Method::GET, "/v1/me"),
            1 => Call::new(Method::GET, "/v1/me").header("authorization", "DPoP abc").header("dpop", "a.b.c"),
            2 => self.phone.proved(&Call::new(Method::GET, "/v1/me"), &self.forged)?,
            3 => Call::new(Method::POST, "/v1/transfers").json(&json!({ "amount": 1, "to": text })),
            4 => Call::new(Method::GET, &format!("/nothing/{turn}")),
            5 => Call::new(Method::POST, "/countersign/v1/challenge").json(&json!({ "client_id": client })),
            6 => Call::new(Method::POST, "/countersign/v1/challenge").json(&json!({ "client_id": client, "purpose": "attest" })),
            7 => Call::new(Method::POST, "/countersign/v1/token").form(&[("grant_type", "refresh_token"), ("refresh_token", &text)]),
            8 => Call::new(Method::POST, "/countersign/v1/devices").json(&json!({ "client_id": client, "chain": "A".repeat(HEAVY_BODY) })),
            9 => Call::new(Method::POST, "/countersign/v1/login/finish").json(&json!({ "ceremony": text, "credential": {} })),
            10 => Call::new(Method::GET, "/.well-known/jwks.json"),
            11 => Call::new(Method::POST, "/countersign/v1/revoke").form(&[("token", &text), ("client_id", client)]),
            12 => return self.phone.try_account("elsewhere1@example.com").await.map(|_| ()),
            13 => return self.phone.redeem(&made_up, &made_up).await.map(|_| ()),
            14 => return self.phone.ask_to_renew(&made_up).await.map(|_| ()),
            _ => return self.phone.present_chain(&self.ca, &Handset::genuine(), text.as_bytes()).await.map(|_| ()),
        };
        self.http.send(&raw).await.map(|_| ())
    }
}

/// An access token that looks like ours, signed by nobody.
fn forged_token(number: u16) -> Secret<String> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
    let claims = json!({ "iss": "https://localhost", "aud": "https://localhost", "sub": format!("p_{number}"), "exp": 4_000_000_000_u64 });
    Secret::new(format!("{}.{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()), B64.encode([number as u8; 64])))
}
