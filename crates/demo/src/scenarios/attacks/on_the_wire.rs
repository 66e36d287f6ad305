//! Attacks below and beside HTTP: connections that are only held, bodies that trickle, and bytes with two readings.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use crate::{
    phone::{Call, Handset, Phone},
    scenarios::{
        report::{Kind, Row},
        world::{CONNECTIONS_FEW, Watching, World},
    },
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs all of them.
///
/// # Errors
/// When the honest preparation of an attack fails.
pub async fn run(world: &World) -> Result<Vec<Row>> {
    let mut rows = two_readings(world).await?;
    rows.push(body_without_a_proof(world).await?);
    rows.push(trickled_request(world).await?);
    rows.push(honest_upload(world).await?);
    rows.push(silent_connections().await?);
    Ok(rows)
}

/// One row, by what was expected and what came.
struct Told<'a> {
    name: &'a str,
    kind: Kind,
    sent: &'a str,
    expected: &'a str,
    began: Instant,
}

impl Told<'_> {
    fn row(self, got: &str, reason: String, ok: bool) -> Row {
        Row {
            name: self.name.to_owned(),
            kind: self.kind,
            sent: self.sent.to_owned(),
            expected: self.expected.to_owned(),
            got: got.to_owned(),
            reason,
            ms: self.began.elapsed().as_secs_f64() * 1000.0,
            ok,
        }
    }
}

/// Bytes that come back over one connection for these bytes, until it ends.
async fn exchange(phone: &Phone, bytes: &[u8]) -> Result<String> {
    let mut wire = phone.http().wire("http/1.1").await?;
    wire.write_all(bytes).await?;
    let mut all = Vec::new();
    let _ = timeout(PATIENCE, wire.read_to_end(&mut all)).await;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("no answer")
}

/// A second request hidden behind a framing that two readers read differently: at most one answer, and the connection ends.
async fn two_readings(world: &World) -> Result<Vec<Row>> {
    let phone = world.phone()?;
    let host = format!("Host: {}\r\n", phone.http().authority());
    let hidden = format!("GET /v1/rates HTTP/1.1\r\n{host}\r\n");
    let zeros = "0".repeat(60);
    let post = "POST /v1/echo HTTP/1.1\r\n";
    let chunked = format!("{post}{host}Transfer-Encoding: chunked\r\n\r\n");
    let rows = [
        ("a length behind sixty zeros", format!("{post}{host}Content-Length: {zeros}3\r\n\r\nabc")),
        ("a signed length", format!("{post}{host}Content-Length: +3\r\n\r\nabc")),
        ("a chunk extension", format!("{chunked}3;x=y\r\nabc\r\n0\r\n\r\n")),
        ("a blank behind a chunk's size", format!("{chunked}3 \r\nabc\r\n0\r\n\r\n")),
        ("a folded header line", format!("{post}{host}X: a\r\n b\r\n\r\n")),
        ("a bare line feed", format!("{post}{host}X: a\n\r\n")),
        ("a fragment in the target", format!("GET /v1/rates#/v1/me HTTP/1.1\r\n{host}\r\n")),
    ];
    let mut out = Vec::new();
    for (name, bytes) in rows {
        let told = Told {
            name,
            kind: Kind::Attack,
            sent: "HTTP/1.1, and a request behind it",
            expected: "refused, closed",
            began: Instant::now(),
        };
        let answer = exchange(&phone, format!("{bytes}{hidden}").as_bytes()).await?;
        let answers = answer.matches("HTTP/1.1 ").count();
        let ok = answers <= 1 && !answer.starts_with("HTTP/1.1 2");
        out.push(told.row(&format!("{} answer, {}", answers, status(&answer)), "the framing has one reading or none".to_owned(), ok));
    }
    Ok(out)
}

/// Whoever proves nothing is read nothing from: the refusal comes before the body does.
async fn body_without_a_proof(world: &World) -> Result<Row> {
    let phone = world.phone()?;
    let told = Told {
        name: "a body without a proof, never finished",
        kind: Kind::Attack,
        sent: "POST /token, 16 kB announced, none sent",
        expected: "refused before the body",
        began: Instant::now(),
    };
    let head = format!(
        "POST /countersign/v1/token HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 16000\r\n\r\n",
        phone.http().authority()
    );
    let mut wire = phone.http().wire("http/1.1").await?;
    wire.write_all(head.as_bytes()).await?;
    let mut part = vec![0; 4096];
    let read = timeout(Duration::from_secs(2), wire.read(&mut part)).await;
    let answer = match read {
        Ok(Ok(count)) => String::from_utf8_lossy(part.get(..count).unwrap_or_default()).into_owned(),
        Ok(Err(_)) | Err(_) => String::new(),
    };
    let ok = answer.starts_with("HTTP/1.1 4");
    Ok(told.row(status(&answer), "the proof is in the head".to_owned(), ok))
}

/// A request that trickles while its session is revoked: its end never reaches the bank.
async fn trickled_request(world: &World) -> Result<Row> {
    let victim = world.customer("trickle@example.com", &Handset::genuine()).await?;
    let access = victim.tokens().await.context("signed in")?.access;
    let call = victim.proved(&Call::new(Method::POST, "/v1/echo"), &access)?;
    let told = Told {
        name: "a body that trickles past a revocation",
        kind: Kind::Attack,
        sent: "POST /v1/echo in chunks; revoked meanwhile",
        expected: "401 session_revoked",
        began: Instant::now(),
    };
    let mut wire = victim.http().wire("http/1.1").await?;
    wire.write_all(head(&victim, &call).as_bytes()).await?;
    for _ in 0..10 {
        wire.write_all(b"1\r\nx\r\n").await?;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    world.revoke_session_of(access.expose()).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let _ = wire.write_all(b"0\r\n\r\n").await;
    let mut all = vec![0; 16 * 1024];
    let count = timeout(PATIENCE, wire.read(&mut all)).await.context("an answer in time")?.unwrap_or(0);
    let answer = String::from_utf8_lossy(all.get(..count).unwrap_or_default()).into_owned();
    let decision = answer.lines().find_map(|line| line.strip_prefix("countersign-decision: ")).unwrap_or_default().trim();
    let reason = world.logged_as(decision);
    let ok = status(&answer) == "401" && reason == "session_revoked";
    Ok(told.row(status(&answer), reason, ok))
}

/// The same trickle of somebody whose session stands is served.
async fn honest_upload(world: &World) -> Result<Row> {
    let customer = world.customer("trickling@example.com", &Handset::genuine()).await?;
    let access = customer.tokens().await.context("signed in")?.access;
    let call = customer.proved(&Call::new(Method::POST, "/v1/echo"), &access)?;
    let told = Told {
        name: "a slow upload over a poor network",
        kind: Kind::Honest,
        sent: "POST /v1/echo in chunks, for three seconds",
        expected: "200",
        began: Instant::now(),
    };
    let mut wire = customer.http().wire("http/1.1").await?;
    wire.write_all(head(&customer, &call).as_bytes()).await?;
    for _ in 0..12 {
        wire.write_all(b"1\r\nx\r\n").await?;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    wire.write_all(b"0\r\n\r\n").await?;
    let mut all = vec![0; 16 * 1024];
    let count = timeout(PATIENCE, wire.read(&mut all)).await.context("an answer in time")?.unwrap_or(0);
    let answer = String::from_utf8_lossy(all.get(..count).unwrap_or_default()).into_owned();
    let ok = status(&answer) == "200";
    Ok(told.row(status(&answer), String::new(), ok))
}

fn head(phone: &Phone, call: &Call) -> String {
    let lines: String = call.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = phone.http().authority();
    format!("{} {} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n{lines}\r\n", call.method, call.target)
}

/// As many silent connections of HTTP/2 as there are places, from one network, which answer pings: a phone elsewhere is served.
async fn silent_connections() -> Result<Row> {
    let world = World::start(Watching::ObservingFew).await?;
    let stranger = world.phone()?;
    stranger.http().move_to(IpAddr::V4(Ipv4Addr::new(127, 66, 0, 1)));
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_FEW {
        let Ok(wire) = stranger.http().wire("h2").await else { continue };
        let (sender, connection) = http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(wire)).await?;
        held.push((sender, tokio::spawn(connection)));
    }
    let told = Told {
        name: "silent connections for every place there is",
        kind: Kind::Attack,
        sent: "100 of HTTP/2 from one network, answering pings",
        expected: "a phone elsewhere is served",
        began: Instant::now(),
    };
    let served = world.customer("elsewhere@example.com", &Handset::genuine()).await;
    let row = match served {
        Ok(_) => told.row("served", "one network has a share of the places".to_owned(), true),
        Err(fault) => told.row("not served", format!("{fault:#}"), false),
    };
    drop(held);
    world.stop().await;
    Ok(row)
}
