//! What an operator does about a theft, and what a dishonest operator tries.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use http::Method;

use crate::{
    phone::{Call, Handset, Phone},
    scenarios::{
        attack::{People, attack, held},
        honest::accounts_path,
        report::{Kind, Row},
        world::World,
    },
};

/// Runs all of them.
///
/// # Errors
/// When the honest preparation of an attack fails.
pub async fn run(world: &World, people: &People) -> Result<Vec<Row>> {
    let stolen = world.customer("stolen.phone@example.com", &Handset::genuine()).await?;
    Ok(vec![
        revoked_session(world, &people.ana).await,
        attack(world, "a phone reported stolen", "device revoked, GET /v1/me", held(401, "session_revoked"), async {
            let tokens = stolen.tokens().await.context("signed in")?;
            world.revoke_device_of(tokens.access.expose()).await?;
            stolen.http().send(&stolen.proved(&Call::new(Method::GET, "/v1/me"), &tokens.access)?).await
        })
        .await,
        edited_record(world).await,
    ])
}

/// How long a session that is being used every moment goes on after it was revoked.
async fn revoked_session(world: &World, phone: &Phone) -> Row {
    let mut waited = Duration::ZERO;
    let mut row =
        attack(world, "a revoked session", "GET, without pause, while an operator revokes", held(401, "session_revoked"), async {
            let call = Call::new(Method::GET, &accounts_path(phone).await?);
            let tokens = phone.tokens().await.context("signed in")?;
            phone.http().send(&phone.proved(&call, &tokens.access)?).await?;
            world.revoke_session_of(tokens.access.expose()).await?;
            let revoked_at = tokio::time::Instant::now();
            loop {
                let answer = phone.http().send(&phone.proved(&call, &tokens.access)?).await?;
                waited = revoked_at.elapsed();
                if !answer.status.is_success() || waited > Duration::from_secs(5) {
                    return Ok(answer);
                }
            }
        })
        .await;
    if row.ok {
        row.reason = format!("{} after {:.1} ms", row.reason, waited.as_secs_f64() * 1000.0);
    }
    row
}

/// Somebody with access to the disk changes one record, in a copy of the log.
async fn edited_record(world: &World) -> Row {
    let began = tokio::time::Instant::now();
    let outcome = edit(world).await;
    let (got, reason, ok) = match outcome {
        Ok(found) => ("found".to_owned(), found, true),
        Err(fault) => ("not found".to_owned(), format!("{fault:#}"), false),
    };
    Row {
        name: "a record edited on disk".to_owned(),
        kind: Kind::Attack,
        sent: "`deny` made `allow` in one record".to_owned(),
        expected: "found".to_owned(),
        got,
        reason,
        ms: began.elapsed().as_secs_f64() * 1000.0,
        ok,
    }
}

async fn edit(world: &World) -> Result<String> {
    let copy = tempfile::tempdir()?;
    let (mut edited, log) = (None, world.node.log_directory());
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "txt") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let changed = match text.split_once(r#""outcome":"deny""#) {
            Some((before, after)) if edited.is_none() => {
                edited = Some(record_number(before)?);
                format!(r#"{before}"outcome":"allow"{after}"#)
            }
            Some(_) | None => text,
        };
        fs::write(copy.path().join(path.file_name().context("a file name")?), changed)?;
    }
    let edited = edited.context("the log holds no refusal")?;
    let genuine = world.verify_log(log)?;
    ensure!(genuine.faults.is_empty(), "the untouched log does not verify: {:?}", genuine.faults);
    let report = world.verify_log(Path::new(copy.path()))?;
    let fault = report.faults.first().context("the edited log verifies")?;
    ensure!(fault.first == edited && fault.last == edited, "record {edited} was edited, the report says: {fault}");
    Ok(fault.to_string())
}

/// The number in the record line that `before` ends in.
fn record_number(before: &str) -> Result<u64> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.split(' ').nth(1).context("a record line")?.parse().context("a record number")
}
