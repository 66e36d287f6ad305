//! A clock that is wrong, and right again, at every point of a node's life: whoever uses the node signs in, renews and asks within seconds
//! of the right time, without a restart, and during a move of an hour or two as well.
#![expect(clippy::expect_used, clippy::panic, reason = "what fails in a helper fails the test")]

use std::{sync::Arc, time::Duration};

use countersign_demo::{
    TurnableClock, Watching, World,
    phone::{Call, Handset, Phone, Surroundings},
};
use countersign_node::SystemClock;
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Longest time until everything works again.
const PATIENCE: Duration = Duration::from_secs(6);

/// When the clock is wrong. Alphabetical.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// When the node starts for the first time.
    FirstStart,
    /// While the node is down, so that it starts again by a wrong clock.
    Restart,
    /// After a month, when signing keys have taken turns.
    Rotated,
    /// While the node runs.
    Running,
}

/// Whether people are served while the clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum During {
    Served,
    /// By so much that certificates and lists do not count either.
    Unsaid,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_years_behind() {
    at_every_point(-3_650 * DAY, During::Unsaid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_behind() {
    at_every_point(-HOUR, During::Served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hours_ahead() {
    at_every_point(2 * HOUR, During::Served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_year_ahead() {
    at_every_point(400 * DAY, During::Unsaid).await;
}

async fn at_every_point(seconds: i64, during: During) {
    for point in [Point::FirstStart, Point::Running, Point::Rotated, Point::Restart] {
        wrong(seconds, during, point).await;
    }
}

async fn wrong(seconds: i64, during: During, point: Point) {
    let what = format!("{seconds} s, {point:?}");
    let clock = Arc::new(TurnableClock::default());
    let right = match point {
        Point::Rotated => 31 * DAY,
        Point::FirstStart | Point::Restart | Point::Running => 0,
    };
    if matches!(point, Point::FirstStart) {
        clock.set_ahead(seconds);
    }
    let mut world = World::start_by(Arc::clone(&clock), Watching::Observing).await.expect("a node");
    let mut known = None;
    if !matches!(point, Point::FirstStart) {
        clock.set_ahead(right);
        known = Some(settled(&world, None, "before", &what).await);
        clock.set_ahead(right + seconds);
        if matches!(point, Point::Restart) {
            world = world.restart().await.expect("it starts by a wrong clock");
        }
    }
    // Long enough for whatever a wrong clock does by itself.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    if during == During::Served {
        known = Some(settled(&world, known, "during", &what).await);
    } else if let Some(phone) = &known {
        let _ = phone.call(&Call::new(Method::GET, "/v1/me")).await;
        let _ = phone.sign_in().await;
    }
    clock.set_ahead(right);
    let phone = settled(&world, known, "after", &what).await;
    // And it is a node like any other from then on.
    let world = world.restart().await.unwrap_or_else(|fault| panic!("{what}: it does not start any more: {fault:#}"));
    settled(&world, Some(phone), "after a restart", &what).await;
    world.stop().await;
}

/// Waits until whoever is known is served, somebody new can sign in, and the node says that it is ready. The one who is known.
async fn settled(world: &World, known: Option<Phone>, when: &str, what: &str) -> Phone {
    world.fetch_status_list().await.expect("a list");
    let began = Instant::now();
    let mut why;
    let mut known = known;
    loop {
        match everything(world, known.as_ref()).await {
            Ok(newcomer) => return known.take().unwrap_or(newcomer),
            Err(fault) => why = fault,
        }
        assert!(began.elapsed() < PATIENCE, "{what}, {when}: {why}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn everything(world: &World, known: Option<&Phone>) -> Result<Phone, String> {
    let ready = ready(world).await;
    if ready.0 != 200 {
        return Err(format!("not ready: {}", ready.1));
    }
    if let Some(phone) = known {
        // Who was signed in goes on, or signs in again where the session's time is over by the clock.
        if phone.call(&Call::new(Method::GET, "/v1/me")).await.map_or(true, |answer| !answer.status.is_success()) {
            phone.sign_in().await.map_err(|fault| format!("signing in again: {fault:#}"))?;
        }
        used(phone).await?;
    }
    // People with a phone that knows the right time.
    let around = Surroundings { clock: Arc::new(SystemClock), ..world.around.clone() };
    for around in [around, world.around.clone()] {
        let newcomer = Phone::new(around, 0).map_err(|fault| fault.to_string())?;
        newcomer.enrol(&world.ca, &Handset::genuine()).await.map_err(|fault| format!("enrolling: {fault:#}"))?;
        newcomer.register(&name(), None).await.map_err(|fault| format!("registering: {fault:#}"))?;
        newcomer.sign_in().await.map_err(|fault| format!("signing in: {fault:#}"))?;
        used(&newcomer).await?;
        if known.is_none() {
            return Ok(newcomer);
        }
    }
    world.phone().map_err(|fault| fault.to_string())
}

async fn used(phone: &Phone) -> Result<(), String> {
    let answer = phone.call(&Call::new(Method::GET, "/v1/me")).await.map_err(|fault| format!("asking: {fault:#}"))?;
    if !answer.status.is_success() {
        return Err(format!("asking: {} {}", answer.status, answer.json()));
    }
    let seen = phone.tokens().await.ok_or("no tokens")?.generation;
    phone.renew(seen).await.map_err(|fault| format!("renewing: {fault:#}"))
}

fn name() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    format!("person-{}@example.com", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// What the side port answers.
async fn ready(world: &World) -> (u16, String) {
    let stream = TcpStream::connect(world.node.addresses().side).await.expect("a port");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get("/readyz").header("host", "side").body(Empty::<bytes::Bytes>::new()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}
