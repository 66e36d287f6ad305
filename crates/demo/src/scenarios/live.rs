//! Connections that stay open: they carry on while their decision stands, and no longer.

use anyhow::{Context, Result, ensure};
use http::Method;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::{
    phone::{Call, Handset, Live, Phone, handshake},
    scenarios::{
        attack::{access, attack, held},
        report::{Kind, Row, honest},
        world::World,
    },
};

/// Milliseconds after which a cut would be no cut any more. What is promised is 100; a busy machine is given more.
const CUT_MS_MAX: f64 = 1000.0;

/// Messages at once, more than the bank's operation takes in a second.
const FLOOD: usize = 40;

/// What must work.
///
/// # Errors
/// When the customer cannot even sign in.
pub async fn honest_row(world: &World) -> Result<Row> {
    let phone = world.customer("lena.live@example.com", &Handset::genuine()).await?;
    Ok(honest("rates over a WebSocket, and a word back", "GET /v1/live, upgraded", talks(&phone)).await)
}

async fn talks(phone: &Phone) -> Result<String> {
    let mut live = Live::open(phone, "/v1/live").await?;
    let frame = live.next().await?;
    let rate = String::from_utf8_lossy(&frame.payload).into_owned();
    live.say("hello").await?;
    live.hear("hello").await?;
    Ok(rate)
}

/// What must be stopped.
///
/// # Errors
/// When the customer cannot even sign in.
pub async fn attack_rows(world: &World) -> Result<Vec<Row>> {
    let phone = async |name: &str| world.customer(name, &Handset::genuine()).await;
    let (one, two, three) =
        (phone("oskar.open@example.com").await?, phone("olga.open@example.com").await?, phone("otto.open@example.com").await?);
    let offered = attack(world, "a WebSocket where none is offered", "GET /v1/rates, upgraded", held(400, "stream_undeclared"), async {
        one.call(&handshake("/v1/rates")).await
    });
    Ok(vec![
        offered.await,
        cut("a flood over an open WebSocket", "40 messages at once", ("4429", "messages_too_many"), flood(world, &three)).await,
        cut("an open WebSocket of a session that is revoked", "nothing", ("4401", "session_revoked"), revoked(world, &one)).await,
        cut("events of a session that is revoked", "nothing", ("event revoked", "session_revoked"), events(world, &two)).await,
    ])
}

/// How a connection ended: what the client was told, the exact reason, and the milliseconds that it took.
struct Ended {
    told: String,
    reason: String,
    ms: f64,
}

async fn cut(name: &str, sent: &str, (told, reason): (&str, &str), scenario: impl Future<Output = Result<Ended>>) -> Row {
    let expected = format!("{told} {reason}");
    let (name, sent) = (name.to_owned(), sent.to_owned());
    match scenario.await {
        Ok(ended) => {
            let ok = ended.told.starts_with(told) && ended.reason == reason && ended.ms < CUT_MS_MAX;
            Row { name, kind: Kind::Attack, sent, expected, got: ended.told, reason: ended.reason, ms: ended.ms, ok }
        }
        Err(fault) => {
            Row { name, kind: Kind::Attack, sent, expected, got: "not cut".to_owned(), reason: format!("{fault:#}"), ms: 0.0, ok: false }
        }
    }
}

async fn revoked(world: &World, phone: &Phone) -> Result<Ended> {
    let mut live = Live::open(phone, "/v1/live").await?;
    live.say("still here").await?;
    live.hear("still here").await?;
    let token = access(phone).await?;
    let began = Instant::now();
    world.revoke_session_of(token.expose()).await?;
    ended(world, &mut live, began).await
}

async fn flood(world: &World, phone: &Phone) -> Result<Ended> {
    let mut live = Live::open(phone, "/v1/live").await?;
    let began = Instant::now();
    for _ in 0..FLOOD {
        // The connection may be cut before all of them are said.
        if live.say("now").await.is_err() {
            break;
        }
    }
    ended(world, &mut live, began).await
}

async fn ended(world: &World, live: &mut Live, began: Instant) -> Result<Ended> {
    let closed = live.closed().await?;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    let code = closed.code.map_or_else(|| "-".to_owned(), |code| code.to_string());
    Ok(Ended { told: format!("{code} {}", closed.word), reason: world.logged_as(&closed.decision), ms })
}

async fn events(world: &World, phone: &Phone) -> Result<Ended> {
    let answer = phone.open(&Call::new(Method::GET, "/v1/events")).await?;
    ensure!(answer.status().is_success(), "{}", answer.status());
    let mut body = answer.into_body();
    body.frame().await.context("no event came")??;
    let token = access(phone).await?;
    let began = Instant::now();
    world.revoke_session_of(token.expose()).await?;
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        text.extend_from_slice(frame?.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (_, last) = text.rsplit_once("event: countersign\ndata: ").context("the events ended without a word")?;
    let last: serde_json::Value = serde_json::from_str(last.trim())?;
    let said = |name: &str| last.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let decision = said("instance");
    Ok(Ended { told: format!("event {}", said("code")), reason: world.logged_as(decision.trim_start_matches("urn:csign:decision:")), ms })
}
