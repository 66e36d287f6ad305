//! Strangers who ask without end: they are refused, the log grows by its budget alone, and whoever is signed in is served and recorded.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use countersign_audit::Recorded;
use countersign_store::segments;
use http::Method;
use tokio::task::JoinSet;

use crate::{
    phone::{Call, Handset, Http},
    scenarios::{
        honest::accounts_path,
        report::{Kind, Row},
        world::{Watching, World},
    },
};

/// Requests of the flood, the connections over which they come, and the sites that these come from.
const REQUESTS: usize = 10_000;
const CONNECTIONS: u8 = 32;
const SITES: u8 = 4;

/// Bytes a minute that are 50 MB a day.
const BYTES_PER_MINUTE: u64 = 50_000_000 / 1440;

/// Outcome of a flood, and of the honest request in it.
struct Flood {
    refused: usize,
    grown: u64,
    minutes: u64,
    seen: String,
}

/// The flood, in a world of its own, whose log has the budget that is shipped; and the honest request in the midst of it.
pub async fn rows() -> Vec<Row> {
    let began = tokio::time::Instant::now();
    let outcome = async {
        let world = World::start(Watching::ObservingFlood).await?;
        let flood = flood(&world).await?;
        world.stop().await;
        anyhow::Ok(flood)
    }
    .await;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    let row = |name: &str, kind, sent: String, expected: &str, (got, reason, ok): (String, String, bool)| Row {
        name: name.to_owned(),
        kind,
        sent,
        expected: expected.to_owned(),
        got,
        reason,
        ms,
        ok,
    };
    let failed = |fault: &anyhow::Error| ("failed".to_owned(), format!("{fault:#}"), false);
    let (budget, honest) = match &outcome {
        Ok(flood) => {
            let within = flood.grown <= BYTES_PER_MINUTE.saturating_mul(flood.minutes) && flood.refused == REQUESTS;
            let got = if within { "counted" } else { "grows" };
            let told = format!("{} refused, the log grew by {} kB", flood.refused, flood.grown / 1000);
            ((got.to_owned(), told, within), ("allow".to_owned(), flood.seen.clone(), true))
        }
        Err(fault) => (failed(fault), failed(fault)),
    };
    let sent = format!("{REQUESTS} requests without a token, {CONNECTIONS} connections, {SITES} sites");
    vec![
        row("filling the log", Kind::Attack, sent, "counted", budget),
        row("a customer during the flood", Kind::Honest, "GET /v1/accounts/…, token, proof".to_owned(), "allow", honest),
    ]
}

async fn flood(world: &World) -> Result<Flood> {
    let customer = world.customer("flooded@example.com", &Handset::genuine()).await?;
    let (log, began) = (world.node.log_directory().to_owned(), tokio::time::Instant::now());
    let before = bytes(&log)?;
    let mut attackers = JoinSet::new();
    for number in 0..CONNECTIONS {
        let http = Arc::new(Http::new(&world.around.origin, &world.around.root_pem)?);
        http.move_to(IpAddr::V4(Ipv4Addr::new(127, 66, number % SITES, 1)));
        attackers.spawn(async move {
            let mut refused = 0_usize;
            for tried in 0..REQUESTS / usize::from(CONNECTIONS) + 1 {
                let call = Call::new(Method::GET, &format!("/v1/me?{tried}"));
                if http.send(&call).await?.status.as_u16() == 401 {
                    refused = refused.saturating_add(1);
                }
            }
            anyhow::Ok(refused)
        });
    }
    let call = Call::new(Method::GET, &accounts_path(&customer).await?);
    let token = customer.tokens().await.context("signed in")?.access;
    let answer = customer.http().send(&customer.proved(&call, &token)?).await?;
    ensure!(answer.status.is_success(), "the customer got {}", answer.status);
    let seen = world.logged(&answer);
    ensure!(seen != "not recorded", "the customer's request is not in the log");
    let mut refused = 0_usize;
    while let Some(done) = attackers.join_next().await {
        refused = refused.saturating_add(done??);
    }
    let minutes = began.elapsed().as_secs() / 60 + 1;
    let grown = bytes(&log)?.saturating_sub(before);
    let took = began.elapsed();
    world.node.count_refusals().await;
    let counted = counted(&log)?;
    ensure!(counted > 0, "no summary says what was counted");
    let seen = format!("recorded; {counted} strangers counted in {:.0} s", took.as_secs_f64());
    Ok(Flood { refused: refused.min(REQUESTS), grown, minutes, seen })
}

/// Bytes of all segments.
fn bytes(log: &Path) -> Result<u64> {
    let mut sum = 0_u64;
    for entry in fs::read_dir(log)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log-") {
            sum = sum.saturating_add(entry.metadata()?.len());
        }
    }
    Ok(sum)
}

/// Refusals that the signed summaries speak of.
fn counted(log: &Path) -> Result<u64> {
    let mut sum = 0_u64;
    for record in segments::tail(log, 0, 100_000)? {
        if let Ok(entry) = record.read()
            && let Recorded::RefusalsCounted(it) = entry.event.of
        {
            sum = it.counts.iter().fold(sum.saturating_add(it.others), |sum, each| sum.saturating_add(each.count));
        }
    }
    Ok(sum)
}
