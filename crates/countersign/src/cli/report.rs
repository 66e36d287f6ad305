//! `countersign device report`: who would be refused and why, at a running node.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use countersign_core::UnixSeconds;

use countersign_node::{
    admin::wire::{BreakdownView, DoorsView, OutcomesView, ReportAsk, ReportView, WhatIf},
    config,
};

use crate::cli::{
    ask,
    output::{Exit, Output, say, say_json, table},
    place::Place,
    when,
};

/// What to report.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Use the device rules of this configuration file instead of the current ones; nothing is changed.
    #[arg(long, value_name = "FILE")]
    what_if: Option<PathBuf>,
    /// Count only devices that use this app.
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Number of rows per table; all other groups are summed up in one row.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=50))]
    top: u8,
}

/// Asks for it and draws it.
pub async fn run(args: &ReportArgs, place: &Place, output: Output) -> Result<Exit> {
    let what_if = args.what_if.as_ref().map(read).transpose()?;
    let question = ReportAsk { app: args.app.clone(), top: args.top.into(), what_if };
    let report: ReportView = ask::post(&place.socket()?, "/v1/devices/report", &question).await?;
    match output {
        Output::Json => say_json(&report),
        Output::Text => say(draw(&report)),
    }
    Ok(Exit::Fine)
}

/// What is wrong with the file is said here, by its name as it was given.
fn read(file: &PathBuf) -> Result<WhatIf> {
    config::load(file).map_err(|faults| anyhow!(faults))?;
    let text = fs::read_to_string(file).with_context(|| format!("reading `{}`", file.display()))?;
    let whole = std::path::absolute(file).with_context(|| format!("finding `{}`", file.display()))?;
    let whole = whole.to_str().ok_or_else(|| anyhow!("the path `{}` is not valid UTF-8; give the file another name", whole.display()))?;
    Ok(WhatIf { file: whole.to_owned(), text })
}

fn draw(report: &ReportView) -> String {
    let of = report.app.as_ref().map(|app| format!(" of `{app}`")).unwrap_or_default();
    let by = report.what_if.as_ref().map_or_else(|| "the current configuration".to_owned(), |file| format!("`{file}`"));
    let mut parts = vec![format!("{} devices{of}, judged by {by}, {}", report.forecast.devices, when::instant(UnixSeconds(report.at)))];
    parts.push(totals(report));
    if report.what_if.is_some() {
        parts.push(format!("worse than today: {} devices; better than today: {} devices", report.worse, report.better));
    }
    if report.revoked > 0 {
        parts.push(format!("not counted above: {} revoked devices", report.revoked));
    }
    for (title, breakdown) in [
        ("REASON", &report.by_reason),
        ("PLATFORM", &report.by_platform),
        ("MODEL", &report.by_model),
        ("OS VERSION", &report.by_os_version),
        ("APP VERSION", &report.by_app_version),
    ] {
        if !breakdown.groups.is_empty() {
            parts.push(grouped(title, breakdown));
        }
    }
    parts.push(at_the_doors(&report.doors));
    parts.join("\n\n")
}

fn totals(report: &ReportView) -> String {
    let mut drawn = table(&["", "DEVICES", "PASS", "OBSERVED", "LIMITED", "REFUSED"]);
    let mut row = |name: &str, of: &OutcomesView| {
        drawn.add_row([&[name.to_owned()], &numbers(of)[..]].concat());
    };
    row("today", &report.today);
    if report.what_if.is_some() {
        row("with that file", &report.forecast);
    }
    row("if every rule had `mode = \"enforce\"`", &report.enforced);
    if report.nobodys.devices > 0 {
        row("devices without a signed-in person", &report.nobodys);
        row("the same, if every rule had `mode = \"enforce\"`", &report.nobodys_enforced);
    }
    drawn.to_string()
}

fn grouped(title: &str, breakdown: &BreakdownView) -> String {
    let mut drawn = table(&[title, "DEVICES", "PASS", "OBSERVED", "LIMITED", "REFUSED"]);
    for group in &breakdown.groups {
        let name = group.name.as_deref().unwrap_or("unknown");
        let name = group.platform.as_ref().map_or_else(|| name.to_owned(), |platform| format!("{platform} {name}"));
        drawn.add_row([&[name], &numbers(&group.outcomes)[..]].concat());
    }
    if breakdown.others.devices > 0 {
        drawn.add_row([&["others".to_owned()], &numbers(&breakdown.others)[..]].concat());
    }
    drawn.to_string()
}

fn numbers(of: &OutcomesView) -> [String; 5] {
    [of.devices, of.passed, of.observed, of.limited, of.refused].map(|count| count.to_string())
}

fn at_the_doors(doors: &DoorsView) -> String {
    let since = when::instant(UnixSeconds(doors.since));
    let told = format!("attestation evidence since {since}: accepted {} times, refused {} times", doors.accepted, doors.refused);
    if doors.groups.is_empty() {
        return told;
    }
    let mut drawn = table(&["EVIDENCE", "REFUSED FOR", "TIMES"]);
    for group in &doors.groups {
        let what = if group.event == "device_enrolled" { "enrolment" } else { "renewal" };
        drawn.add_row([what.to_owned(), group.reason.clone(), group.count.to_string()]);
    }
    if doors.others > 0 {
        drawn.add_row(["others".to_owned(), String::new(), doors.others.to_string()]);
    }
    format!("{told}\n{drawn}")
}
