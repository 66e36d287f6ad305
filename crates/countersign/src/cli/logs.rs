//! `countersign logs tail`: decisions as they were made, from the log itself; with a running node or without.

use std::{path::Path, time::Duration};

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_audit::{Actor, Record};
use countersign_store::segments;
use serde_json::json;

use crate::cli::{
    output::{Exit, Output, say, say_json},
    place::Place,
    when,
};

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum LogsCommand {
    /// Show the newest decisions
    Tail(TailArgs),
}

/// Which of them.
#[derive(Args, Debug)]
pub struct TailArgs {
    /// Keep running and show new decisions.
    #[arg(long, short)]
    follow: bool,
    /// Show only these outcomes: `deny,step_up`.
    #[arg(long, value_delimiter = ',', value_name = "OUTCOMES", value_parser = ["allow", "limit", "step_up", "deny"])]
    decision: Vec<String>,
    /// Show only this action or group of actions: `accounts` includes `accounts.read`.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Number of decisions to show.
    #[arg(long, short = 'n', default_value_t = 50)]
    count: usize,
}

/// How often a followed log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Records read at a time.
const RECORDS_MAX: usize = 10_000;

/// Does it.
pub async fn run(command: &LogsCommand, place: &Place, output: Output) -> Result<Exit> {
    let LogsCommand::Tail(args) = command;
    let log = place.log()?;
    let all = read(&log, 0).await?;
    let fitting: Vec<_> = all.iter().filter_map(|record| fits(record, args)).collect();
    for (seq, entry) in fitting.iter().skip(fitting.len().saturating_sub(args.count)) {
        print(*seq, entry, output);
    }
    if args.follow {
        follow(&log, all.last().map_or(0, |record| record.seq.saturating_add(1)), args, output).await?;
    }
    Ok(Exit::Fine)
}

/// Prints what comes, from number `next` on, until it is interrupted.
async fn follow(log: &Path, mut next: u64, args: &TailArgs, output: Output) -> Result<()> {
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let more = read(log, next).await?;
        for (seq, entry) in more.iter().filter_map(|record| fits(record, args)) {
            print(seq, &entry, output);
        }
        next = more.last().map_or(next, |record| record.seq.saturating_add(1));
    }
}

async fn read(log: &Path, from: u64) -> Result<Vec<segments::Record>> {
    let log = log.to_owned();
    Ok(tokio::task::spawn_blocking(move || segments::tail(&log, from, RECORDS_MAX)).await??)
}

/// What is no entry is not shown; `countersign audit verify` says what was done to it.
fn fits(record: &segments::Record, args: &TailArgs) -> Option<(u64, Record)> {
    let entry = record.read().ok()?;
    let outcome_fits = args.decision.is_empty() || args.decision.iter().any(|outcome| outcome == entry.event.outcome.as_str());
    let action = entry.event.action().map_or("", |action| action.as_str());
    let action_fits = args
        .action
        .as_deref()
        .is_none_or(|wanted| action.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    (outcome_fits && action_fits).then_some((record.seq, entry))
}

fn print(seq: u64, entry: &Record, output: Output) {
    match output {
        Output::Json => say_json(&json!({ "seq": seq, "entry": entry.document() })),
        Output::Text => say(line(entry)),
    }
}

/// One decision on one line: words carry the meaning, so nothing is lost without colour.
fn line(entry: &Record) -> String {
    let event = &entry.event;
    let what = event.action().map_or(event.kind().as_str(), |action| action.as_str());
    let reasons: Vec<_> = event.reasons.iter().map(|reason| reason.code()).collect();
    let policies: Vec<_> = event.policies().iter().map(|policy| policy.as_str()).collect();
    let mut why = if reasons.is_empty() { policies } else { reasons }.join(" ");
    if let Some(name) = event.actor().and_then(Actor::operator) {
        why += &format!("by {name}");
    }
    let outcome = event.outcome.as_str().to_uppercase().replace('_', "-");
    format!("{} {outcome:<8} {what:<24} {why:<32} {}", when::clock(entry.at), entry.decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_shown() {
        let record = segments::Record {
            seq: 7,
            json: r#"{"at":1000,"decision":"D-1","event":"request","action":"accounts.read","outcome":"deny","reasons":["no_permit"]}"#
                .to_owned(),
        };
        let args = |decision: &[&str], action: Option<&str>| TailArgs {
            follow: false,
            decision: decision.iter().map(|word| (*word).to_owned()).collect(),
            action: action.map(String::from),
            count: 1,
        };
        let rows: &[(&str, TailArgs, bool)] = &[
            ("everything", args(&[], None), true),
            ("this outcome", args(&["step_up", "deny"], None), true),
            ("another outcome", args(&["allow"], None), false),
            ("this action", args(&[], Some("accounts.read")), true),
            ("its group", args(&[], Some("accounts")), true),
            ("a word that only begins alike", args(&[], Some("account")), false),
        ];
        for (name, args, expected) in rows {
            assert_eq!(fits(&record, args).is_some(), *expected, "{name}");
        }
        let (_, entry) = fits(&record, &args(&[], None)).expect("fits");
        assert_eq!(line(&entry).split_whitespace().collect::<Vec<_>>(), ["00:00:01.000", "DENY", "accounts.read", "no_permit", "D-1"]);
    }
}
