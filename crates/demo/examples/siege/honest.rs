//! People whose phones are in order, and what they notice.

use std::{
    collections::BTreeMap,
    fmt,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use countersign_demo::{
    World,
    phone::{Call, Handset, Phone, PhoneError, code_of},
};
use http::Method;
use tokio::task::JoinSet;

/// Phones elsewhere, each in a network of its own.
const ELSEWHERE: u8 = 32;

/// Phones in the network from which the strangers come.
const BESIDE: u8 = 8;

/// Time between two requests of one phone: somebody who looks at an app.
const PAUSE: Duration = Duration::from_millis(500);

/// Time between two sign-ins, and between two new phones.
const BETWEEN_NEW: Duration = Duration::from_secs(2);

/// The network (a /24) of a carrier in which honest phones and, in the first siege, all strangers are.
pub fn shared_network(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 11, 66, host)
}

/// What a kind of request met.
#[derive(Debug, Default)]
pub struct Seen {
    latencies: Vec<Duration>,
    refused: BTreeMap<String, u64>,
}

impl Seen {
    fn take(&mut self, took: Duration, fate: std::result::Result<(), String>) {
        self.latencies.push(took);
        if let Err(reason) = fate {
            *self.refused.entry(reason).or_default() += 1;
        }
        // INVARIANT: sorted, as percentiles want them; runs are short.
        self.latencies.sort_unstable();
    }

    fn join(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        self.latencies.sort_unstable();
    }

    /// Share of the requests that were refused or failed. Of none, all.
    pub fn refused_share(&self) -> f64 {
        if self.latencies.is_empty() {
            return 1.0;
        }
        self.refused.values().sum::<u64>() as f64 / self.latencies.len() as f64
    }

    /// How often for which reason.
    pub fn reasons(&self) -> String {
        let reasons: Vec<_> = self.refused.iter().map(|(reason, count)| format!("{count} x {reason}")).collect();
        reasons.join(", ")
    }

    /// The latency that 99 of 100 did not exceed, in milliseconds.
    pub fn p99(&self) -> f64 {
        self.percentile(0.99)
    }

    fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: u64 = self.refused.values().sum();
        write!(
            f,
            "{:>9} {refused:>9} {:>9.1} {:>9.1} {:>9.1}",
            self.latencies.len(),
            self.percentile(0.5),
            self.p99(),
            self.percentile(1.0)
        )
    }
}

/// What everybody met for a while.
#[derive(Debug, Default)]
pub struct Lived {
    /// Requests of phones in other networks.
    pub elsewhere: Seen,
    /// Requests of phones in the shared network.
    pub beside: Seen,
    /// Sign-ins of phones in the shared network.
    pub signing_in: Seen,
    /// Phones that are new, in other networks: enrolment, account, sign-in and first request together.
    pub enrolling: Seen,
}

/// Phones that are signed in.
pub struct Neighbourhood {
    elsewhere: Vec<Arc<Phone>>,
    beside: Vec<Arc<Phone>>,
    newcomers: AtomicU32,
}

impl Neighbourhood {
    /// Enrols them all and signs them in.
    pub async fn settle(world: &World) -> Result<Self> {
        let mut this = Self { elsewhere: Vec::new(), beside: Vec::new(), newcomers: AtomicU32::new(0) };
        for number in 0..ELSEWHERE {
            this.elsewhere
                .push(Arc::new(settle(world, &format!("elsewhere{number}@example.com"), Ipv4Addr::new(127, 10, number, 7)).await?));
        }
        for number in 0..BESIDE {
            this.beside.push(Arc::new(settle(world, &format!("beside{number}@example.com"), shared_network(240 + number)).await?));
        }
        Ok(this)
    }

    /// Lets them live for `time`.
    pub async fn live(&self, time: Duration, world: Arc<World>) -> Result<Lived> {
        let until = Instant::now() + time;
        let (mut elsewhere, mut beside) = (JoinSet::new(), JoinSet::new());
        for phone in &self.elsewhere {
            elsewhere.spawn(read(Arc::clone(phone), until));
        }
        for phone in &self.beside {
            beside.spawn(read(Arc::clone(phone), until));
        }
        let mut lived = Lived::default();
        let (signing_in, enrolling) = tokio::join!(self.sign_in_again(until), self.move_in(&world, until));
        lived.signing_in = signing_in;
        lived.enrolling = enrolling;
        while let Some(seen) = elsewhere.join_next().await {
            lived.elsewhere.join(seen?);
        }
        while let Some(seen) = beside.join_next().await {
            lived.beside.join(seen?);
        }
        Ok(lived)
    }

    async fn sign_in_again(&self, until: Instant) -> Seen {
        let mut seen = Seen::default();
        for phone in self.beside.iter().cycle() {
            tokio::time::sleep(BETWEEN_NEW).await;
            if Instant::now() >= until {
                break;
            }
            let began = Instant::now();
            let fate = phone.sign_in().await.map_err(|fault| reason(&fault));
            seen.take(began.elapsed(), fate);
        }
        seen
    }

    async fn move_in(&self, world: &World, until: Instant) -> Seen {
        let mut seen = Seen::default();
        loop {
            tokio::time::sleep(BETWEEN_NEW).await;
            if Instant::now() >= until {
                return seen;
            }
            let number = self.newcomers.fetch_add(1, Ordering::Relaxed);
            let network = u8::try_from(number % 200).unwrap_or_default();
            let began = Instant::now();
            let settled = settle(world, &format!("new{number}@example.com"), Ipv4Addr::new(127, 12, network, 9)).await;
            let fate = match settled {
                Ok(phone) => look(&phone).await,
                Err(fault) => Err(reason(&fault)),
            };
            seen.take(began.elapsed(), fate);
        }
    }
}

async fn settle(world: &World, name: &str, address: Ipv4Addr) -> Result<Phone> {
    let phone = world.phone()?;
    phone.move_to(address);
    phone.enrol(&world.ca, &Handset::genuine()).await?;
    phone.register(name, None).await?;
    phone.sign_in().await?;
    Ok(phone)
}

async fn read(phone: Arc<Phone>, until: Instant) -> Seen {
    let mut seen = Seen::default();
    // Not all at once.
    tokio::time::sleep(PAUSE.mul_f64(f64::from(rand_phase(&phone)) / 256.0)).await;
    while Instant::now() < until {
        let began = Instant::now();
        let fate = look(&phone).await;
        let took = began.elapsed();
        seen.take(took, fate);
        tokio::time::sleep(PAUSE.saturating_sub(took)).await;
    }
    seen
}

/// A number that differs from phone to phone.
fn rand_phase(phone: &Phone) -> u8 {
    phone.device_key().public().thumbprint().as_bytes().first().copied().unwrap_or_default()
}

async fn look(phone: &Phone) -> std::result::Result<(), String> {
    match phone.call(&Call::new(Method::GET, "/v1/me")).await {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(format!("{} {}", answer.status.as_u16(), code_of(&answer))),
        Err(fault) => Err(reason(&fault)),
    }
}

fn reason(fault: &anyhow::Error) -> String {
    fault.downcast_ref::<PhoneError>().map_or_else(|| format!("{fault:#}"), ToString::to_string)
}
