//! `countersign demo`: a bank behind Countersign, honest customers, and everything a thief would try.
//!
//! Nothing is simulated but the phone's hardware: real sockets, real TLS, real HTTP, the same node that `serve` starts.
//! What must work comes first, then what must be stopped; any row that is not as expected makes the exit status 1.

use std::time::Duration;

use anyhow::Result;
use countersign_core::Clock;
use countersign_node::SystemClock;

use crate::scenarios::{
    anomalies, attacks, devices, flood, honest, live, ordinary_week, replayed,
    report::Report,
    world::{Watching, World},
};

/// The form in which the demo tells what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON document, for programs.
    Json,
    /// A table, for people.
    Text,
}

/// What to do besides running the scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Leave the node and the bank running, with sample command lines, until interrupted.
    Keep,
    /// Stop.
    Stop,
}

/// Runs the demo, and prints through `say`, a line or several at a time. The number of rows that were not as expected.
///
/// # Errors
/// When the world cannot be started; a broken scenario is a row, not an error.
pub async fn run(form: Form, after: After, say: impl Fn(&str)) -> Result<usize> {
    let began = SystemClock.now();
    let world = World::start(Watching::Observing).await?;
    let home = world.home.path().display().to_string();
    if form == Form::Text {
        say(&format!("Countersign demo: all files are in {home} and are deleted at the end"));
        say(&format!("  gateway  {}  ->  the example bank\n", world.around.origin));
    }
    let mut scenarios = honest::run(&world).await?;
    scenarios.extend(devices::honest_rows(&world).await?);
    scenarios.push(live::honest_row(&world).await?);
    scenarios.extend(attacks::run(&world).await?);
    scenarios.extend(devices::attack_rows(&world).await?);
    scenarios.extend(live::attack_rows(&world).await?);
    let watched = World::start(Watching::AsShipped).await?;
    scenarios.extend(ordinary_week::rows(&watched).await?);
    scenarios.extend(anomalies::rows(&watched).await?);
    scenarios.push(replayed::row(&[&world, &watched]).await);
    scenarios.extend(flood::rows().await);
    watched.stop().await;
    let report = Report { scenarios };
    let took = Duration::from_millis(SystemClock.now().0.saturating_sub(began.0));
    match form {
        Form::Json => say(&report.json()?),
        Form::Text => say(&report.table(took)),
    }
    if after == After::Keep {
        say("Still running; stop it with Ctrl-C. In another terminal, try:");
        for command in ["phone get /v1/rates", "logs tail", "session list", "audit verify"] {
            say(&format!("  countersign {command} --config {home}/csign.toml"));
        }
        tokio::signal::ctrl_c().await?;
    }
    let broken = report.broken();
    world.stop().await;
    Ok(broken)
}
