//! `make reaction`: how long after a signal the next request is refused, under load, on one node with real sockets.
//!
//! Every round somebody calls a honey operation, which the monitor answers by ending the session; the clock runs from that call's
//! answer to the first refusal, and to the close of a WebSocket that the session holds open. Meanwhile other phones read as fast as they can.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "measuring reads the clock, and says what it measured")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use countersign_demo::{
    Watching, World,
    phone::{Call, Handset, Live, Phone},
};
use http::Method;

/// Sessions that are ended, one after the other.
const ROUNDS: usize = 300;

/// Phones that read meanwhile.
const READERS: usize = 4;

/// What is promised.
const PROMISED: Duration = Duration::from_millis(100);

/// Nothing is waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::start(Watching::AsShipped).await?;
    let mut attackers = Vec::new();
    for number in 0..ROUNDS {
        attackers.push(world.customer(&format!("thief{number}@example.com"), &Handset::genuine()).await?);
    }
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = Vec::new();
    for number in 0..READERS {
        let phone = world.customer(&format!("reader{number}@example.com"), &Handset::genuine()).await?;
        readers.push(tokio::spawn(read(phone, Arc::clone(&over), Arc::clone(&served))));
    }
    let began = Instant::now();
    let (mut requests, mut connections) = (Vec::new(), Vec::new());
    for phone in &attackers {
        let (request, connection) = ended(phone).await?;
        requests.push(request);
        connections.push(connection);
    }
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await??;
    }
    world.stop().await;
    let rate = served.load(Ordering::Relaxed) as f64 / took.as_secs_f64();
    println!("{ROUNDS} sessions, each with an open WebSocket; {rate:.0} other requests/s meanwhile\n");
    for (what, mut spans) in [("to the first refused request", requests), ("to the cut of the open WebSocket", connections)] {
        spans.sort_unstable();
        let at = |share: usize| spans.get((spans.len() * share / 100).min(spans.len().saturating_sub(1))).copied().unwrap_or_default();
        let ms = |span: Duration| span.as_secs_f64() * 1000.0;
        println!("{what:<34} p50 {:>5.1} ms   p99 {:>5.1} ms   longest {:>5.1} ms", ms(at(50)), ms(at(99)), ms(at(100)));
        ensure!(at(99) < PROMISED, "p99 {what} is not below 100 ms");
    }
    Ok(())
}

/// Calls what nobody calls, and asks until nothing is answered any more. How long that took, and how long an open connection lived on.
async fn ended(phone: &Phone) -> Result<(Duration, Duration)> {
    let mut live = Live::open(phone, "/v1/live").await?;
    phone.call(&Call::new(Method::GET, "/v1/internal/export")).await?;
    let noticed = Instant::now();
    let me = Call::new(Method::GET, "/v1/me");
    let refused = async {
        loop {
            let answer = phone.call(&me).await?;
            if !answer.status.is_success() {
                return anyhow::Ok(noticed.elapsed());
            }
            ensure!(noticed.elapsed() < PATIENCE, "the session was never ended");
        }
    };
    let cut = async {
        live.closed().await?;
        anyhow::Ok(noticed.elapsed())
    };
    tokio::try_join!(refused, cut)
}

async fn read(phone: Phone, over: Arc<AtomicBool>, served: Arc<AtomicU64>) -> Result<()> {
    let rates = Call::new(Method::GET, "/v1/rates");
    while !over.load(Ordering::Relaxed) {
        // A reader that reads faster than hands do is asked for more by and by; its load stays the same.
        phone.call(&rates).await?;
        served.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
