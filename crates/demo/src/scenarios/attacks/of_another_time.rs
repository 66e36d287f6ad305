//! Files and messages of another time: an older database put back, a log that was cut, a signal of a partner sent a second time.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use countersign_core::{Clock, KeyId};
use countersign_proof::set::{SetSigningKey, SetToSign};
use http::Method;
use serde_json::json;

use crate::{
    phone::{Call, Handset, Phone},
    scenarios::{
        report::{Kind, Row},
        world::{Halted, Watching, World, operator},
    },
};

const DATABASE: &str = "countersign.db";
const SIGNALS: &str = "\n[[signals.receive]]\nissuer = \"https://partner.example.com\"\naudience = \"bank\"\njwks = \"partner.json\"\n\
                       token_file = \"partner.token\"\n";
const TOKEN: &str = "between-partner-and-bank-0123456789";

/// Runs all of them, in a world of their own.
///
/// # Errors
/// When the honest preparation fails.
pub async fn run() -> Result<Vec<Row>> {
    let world = World::start(Watching::AsShipped).await?;
    let ana = world.customer("ana.later@example.com", &Handset::genuine()).await?;
    world.customer("closed.account@example.com", &Handset::genuine()).await?;
    let mut halted = world.halt().await;
    let older = fs::read(halted.data().join(DATABASE)).context("the older database")?;

    let world = restarted(halted).await?;
    let closed = world.node.admin_service().close_user("closed.account@example.com", &operator()?).await;
    closed.map_err(|why| anyhow::anyhow!("closing an account: {why:?}"))?;
    halted = world.halt().await;
    let mut rows = Vec::new();

    let newer = fs::read(halted.data().join(DATABASE))?;
    fs::write(halted.data().join(DATABASE), &older)?;
    let told = does_not_start(&halted, "database-older").await;
    rows.push(row("an older database put back", "the database of before an account was closed", "not started", told));
    fs::write(halted.data().join(DATABASE), &newer)?;

    let segment = fs::read_dir(halted.data().join("log"))?.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some());
    let segment = segment.context("the log has a segment")?;
    let whole = fs::read(&segment)?;
    fs::write(&segment, whole.get(..whole.len() / 2).unwrap_or_default())?;
    let told = does_not_start(&halted, "log-shorter").await;
    rows.push(row("the end of the log cut off", "the last segment, halved", "not started", told));
    fs::write(&segment, &whole)?;

    let told = replayed(halted, &ana).await;
    rows.push(row("a partner's signal sent again", "the same SET, after a restart and a new sign-in", "counts once", told));
    Ok(rows)
}

fn row(name: &str, sent: &str, expected: &str, told: Result<String>) -> Row {
    let (got, reason, ok) = match told {
        Ok(seen) => (expected.to_owned(), seen, true),
        Err(fault) => ("not noticed".to_owned(), format!("{fault:#}"), false),
    };
    let (name, sent, expected) = (name.to_owned(), sent.to_owned(), expected.to_owned());
    Row { name, kind: Kind::Attack, sent, expected, got, reason, ms: 0.0, ok }
}

async fn restarted(halted: Halted) -> Result<World> {
    let node = halted.start().await?;
    Ok(halted.with(node))
}

/// Starts a node on the data as they are, and expects that it does not start and says the word.
async fn does_not_start(halted: &Halted, word: &str) -> Result<String> {
    match halted.start().await {
        Ok(node) => {
            node.shutdown(std::time::Duration::from_secs(2)).await;
            bail!("it started without a word")
        }
        Err(fault) => {
            let told = format!("{fault:#}");
            ensure!(told.contains(&format!("--accept {word}")), "{told}");
            Ok(format!("told as {word}"))
        }
    }
}

async fn replayed(halted: Halted, ana: &Phone) -> Result<String> {
    let home = halted.data().parent().context("a home")?.to_owned();
    let pkcs8 = SetSigningKey::generate().map_err(|why| anyhow::anyhow!("a partner's key: {why:?}"))?;
    let key = SetSigningKey::from_pkcs8(KeyId::parse("k").map_err(|why| anyhow::anyhow!("{why}"))?, &pkcs8);
    let key = key.map_err(|why| anyhow::anyhow!("a partner's key: {why:?}"))?;
    fs::write(home.join("partner.json"), key.jwks())?;
    fs::write(home.join("partner.token"), TOKEN)?;
    let config = fs::read_to_string(home.join("csign.toml"))?;
    fs::write(home.join("csign.toml"), format!("{config}{SIGNALS}"))?;
    let world = restarted(halted).await?;
    ensure!(is_served(ana).await?, "ana is signed in");
    let (subject, issued_at) = (json!({ "format": "email", "email": "ana.later@example.com" }), world.clock.now().seconds());
    let event_type = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    let event = json!({ "event_timestamp": issued_at.0 });
    let set = SetToSign {
        issuer: "https://partner.example.com",
        audience: "bank",
        id: "one",
        issued_at,
        subject: &subject,
        event_type,
        event: &event,
    };
    let set = key.sign(&set).map_err(|why| anyhow::anyhow!("signing: {why:?}"))?;
    push(ana, &set).await?;
    ensure!(!is_served(ana).await?, "the signal did not end the session");
    let world = world.restart().await?;
    world.clock.turn(60);
    ana.sign_in().await?;
    push(ana, &set).await?;
    ensure!(is_served(ana).await?, "the signal ended the later session");
    world.stop().await;
    Ok("the later session goes on".to_owned())
}

async fn push(phone: &Phone, set: &str) -> Result<()> {
    let mut call = Call::new(Method::POST, "/countersign/v1/signals/events").header("authorization", &format!("Bearer {TOKEN}"));
    call = call.header("content-type", "application/secevent+jwt");
    call.body = bytes::Bytes::copy_from_slice(set.as_bytes());
    let answer = phone.http().send(&call).await?;
    ensure!(answer.status.as_u16() == 202, "the signal was answered with {}", answer.status);
    Ok(())
}

async fn is_served(phone: &Phone) -> Result<bool> {
    Ok(phone.call(&Call::new(Method::GET, "/v1/me")).await?.status.is_success())
}
