//! Measures what the way of a request asks of the embedded store: a session, a device, a proof that was never seen, a rate.
//!
//!     cargo run --release --package countersign-store --example hot_path
//!
//! Each row is one kind of call, from one task and then from as many as there are cores. `uncached` reads a session from the
//! database, as after a restart.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use countersign_core::{
    Acr, Action, Amr, BootState, ClientId, DeviceId, EvidenceTier, Platform, Posture, ProofId, Provenance, RateLimit, Role, Seconds,
    Secret, SecurityLevel, Session, SessionId, SessionState, Thumbprint, UnixMillis, UnixSeconds, UserId,
};
use countersign_proof::{
    dpop::{self, BoundProof, BoundTo, Expected, ProofToMake},
    jwk::{Algorithm, SigningKey},
    nonce::NonceKeys,
    target::Target,
    window::NonceRule,
};
use countersign_store::{
    Created, Device, DeviceState, Devices, Passkey, RateCounters, Rated, ReplayMemory, Sessions, Spender, Subjects, User, UserState,
    memory::{MemoryCounters, MemoryReplay},
    sqlite::Sqlite,
};

const NOW: UnixSeconds = UnixSeconds(1_789_302_400);

/// Sessions, devices and proofs that each row goes through.
const COUNT: u32 = 10_000;

/// Calls of one task in one row.
const CALLS: u32 = 1_000_000;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let home = tempfile::tempdir()?;
    let store = Sqlite::open(home.path()).await?;
    let begun = Instant::now();
    for number in 0..COUNT {
        fill(&store, number).await?;
    }
    println!("{COUNT} people, devices and sessions written in {:?}", begun.elapsed());
    store.close().await;

    let store = Arc::new(Sqlite::open(home.path()).await?);
    let ids: Arc<Vec<_>> = Arc::new((0..COUNT).map(|number| (session_id(number), device_id(number))).collect());
    let begun = Instant::now();
    for (session, device) in ids.iter() {
        let _ = store.live(session, NOW).await.map_err(|why| anyhow!("{why:?}"))?;
        let _ = store.posture(device).await.map_err(|why| anyhow!("{why:?}"))?;
    }
    println!("{:>12} {:>8.0} ns", "uncached", each(begun.elapsed(), COUNT * 2));

    println!("{:>12} {:>11} {:>14}", "call", "one task", "each of many");
    let (sessions, known) = (Arc::clone(&store), Arc::clone(&ids));
    row("live", CALLS, move |number| {
        let (sessions, known) = (Arc::clone(&sessions), Arc::clone(&known));
        async move {
            let (session, _) = known.get(usize::try_from(number)? % known.len()).context("an id")?;
            sessions.live(session, NOW).await.map(drop).map_err(|why| anyhow!("{why:?}"))
        }
    })
    .await?;
    let (devices, known) = (Arc::clone(&store), Arc::clone(&ids));
    row("posture", CALLS, move |number| {
        let (devices, known) = (Arc::clone(&devices), Arc::clone(&known));
        async move {
            let (_, device) = known.get(usize::try_from(number)? % known.len()).context("an id")?;
            devices.posture(device).await.map(drop).map_err(|why| anyhow!("{why:?}"))
        }
    })
    .await?;
    let (counters, known, action) = (Arc::new(MemoryCounters::new()), ids, Action::parse("a")?);
    row("rate", CALLS, move |number| {
        let (counters, known, action) = (Arc::clone(&counters), Arc::clone(&known), action.clone());
        async move {
            let (_, device) = known.get(usize::try_from(number)? % known.len()).context("an id")?;
            let limit = RateLimit { count: u32::MAX, window: Seconds(60) };
            let of = Rated::Operation { user: UserId::from_random([1; 16]), device: device.clone(), action };
            counters.take(&of, limit, UnixMillis::from(NOW)).await.map_err(|why| anyhow!("{why:?}"))
        }
    })
    .await?;
    spend().await
}

/// Proofs are used up, so they are made before, and each is spent once.
async fn spend() -> Result<()> {
    let (key, _) = SigningKey::generate(Algorithm::EdDsa).map_err(|_| anyhow!("no key"))?;
    let target = Target::parse("https://api.example.com/pay").map_err(|_| anyhow!("no target"))?;
    let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
    let mut proofs = Vec::new();
    for number in 0..COUNT * 10 {
        proofs.push(proof(&key, &target, &nonces, number)?);
    }
    let (replay, count, device) = (MemoryReplay::new(), COUNT * 10, DeviceId::from_random([1; 16]));
    let begun = Instant::now();
    for proof in proofs {
        let _ = replay.spend(proof, Spender::Device(&device), NOW).await.map_err(|why| anyhow!("{why:?}"))?;
    }
    println!("{:>12} {:>8.0} ns", "spend", each(begun.elapsed(), count));
    Ok(())
}

fn proof(key: &SigningKey, target: &Target, nonces: &NonceKeys, number: u32) -> Result<BoundProof> {
    let id = ProofId::parse(&format!("j{number}"))?;
    let made = ProofToMake { method: "POST", target, token_hash: None, nonce: None, id: &id, issued_at: NOW };
    let text = dpop::make(key, &made).map_err(|_| anyhow!("no proof"))?;
    let expected = Expected { method: "POST", target, bound_to: BoundTo::TokenRequest, nonces: NonceRule::Accepted(nonces) };
    dpop::bind(dpop::read(&text).map_err(|why| anyhow!("{why:?}"))?, &expected, NOW).map_err(|why| anyhow!("{why:?}"))
}

/// One row of the table.
async fn row<F, W>(name: &str, calls: u32, call: F) -> Result<()>
where
    F: Fn(u32) -> W + Clone + Send + 'static,
    W: Future<Output = Result<()>> + Send + 'static,
{
    let alone = span(calls, call.clone()).await?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..thread::available_parallelism()?.get()).map(|_| tokio::spawn(span(calls, call.clone()))).collect();
    for task in tasks {
        task.await??;
    }
    println!("{name:>12} {:>8.0} ns {:>11.0} ns", each(alone, calls), each(begun.elapsed(), calls));
    Ok(())
}

async fn span<F, W>(calls: u32, call: F) -> Result<Duration>
where
    F: Fn(u32) -> W,
    W: Future<Output = Result<()>>,
{
    let begun = Instant::now();
    for number in 0..calls {
        // An odd step, so that neighbours in memory are not asked for one after the other.
        call(number.wrapping_mul(7919)).await?;
    }
    Ok(begun.elapsed())
}

fn each(span: Duration, calls: u32) -> f64 {
    span.as_secs_f64() * 1e9 / f64::from(calls)
}

fn bytes(number: u32) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

fn session_id(number: u32) -> SessionId {
    SessionId::from_random(bytes(number))
}

fn device_id(number: u32) -> DeviceId {
    DeviceId::from_random(bytes(number))
}

/// A person with a passkey, a device and a session.
async fn fill(store: &Sqlite, number: u32) -> Result<()> {
    let user = UserId::from_random(bytes(number));
    let account = User { id: user.clone(), name: user.as_str().to_owned(), roles: vec![], created_at: NOW, state: UserState::Active };
    let passkey = Passkey { credential: bytes(number).to_vec(), user: user.clone(), record: "{}".to_owned(), counter: 0, created_at: NOW };
    anyhow::ensure!(store.create(account, passkey).await? == Created::Done, "an account that exists already");
    let mut key = [0; 32];
    key.iter_mut().zip(bytes(number)).for_each(|(to, from)| *to = from);
    let posture = Posture {
        device: device_id(number),
        key: Thumbprint::from_bytes(key),
        platform: Platform::Android,
        tier: EvidenceTier::Hardware,
        by: Provenance::AndroidKeyAttestation,
        established_at: NOW,
        security_level: SecurityLevel::StrongBox,
        bootloader_locked: Some(true),
        boot_state: Some(BootState::Verified),
        boot_key: None,
        os_version: Some(160_000),
        patch_level: None,
        app: None,
        app_version: Some(1),
        certificates: Vec::new(),
        verdict: None,
        report: None,
        risk_metric: None,
    };
    let device = Device {
        posture,
        key_jwk: "{}".to_owned(),
        name: "Pixel".to_owned(),
        model: None,
        vouching: None,
        enrolled_at: NOW,
        state: DeviceState::Active,
    };
    let device = store.enrol(device).await?.posture.device;
    let session = Session {
        id: session_id(number),
        user,
        roles: vec![Role::parse("customer")?],
        device,
        client: ClientId::parse("com.example.bank")?,
        state: SessionState::Active,
        acr: Acr::PhishingResistant,
        amr: vec![Amr::HardwareKey, Amr::UserVerified],
        auth_time: NOW,
        bound_at: NOW,
        created_at: NOW,
        expires_at: NOW.plus(Seconds(86_400)),
    };
    Ok(store.open(session).await?)
}
