//! `countersign policy`: whether operations and policies are understood, and decide what their tests say.

use anyhow::Result;
use clap::Subcommand;
use countersign_policy::{run as run_cases, schema_text};
use serde::Serialize;

use countersign_node::{
    config::{self, Config, Fault, Faults},
    settings::{
        devices,
        fetched::Fetched,
        rules::{self, Declared, Rules},
    },
};

use crate::cli::{
    output::{Exit, Output, say, say_json},
    place::Place,
};

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Parse, validate and test the policies
    Check,
    /// Print the Cedar schema that policies are validated against
    Schema,
}

/// A test that was run.
#[derive(Serialize)]
struct Case {
    file: String,
    name: String,
    expected: String,
    got: String,
    ok: bool,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    policies: usize,
    cases: Vec<Case>,
    warnings: Vec<String>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    file: String,
    line: Option<usize>,
    what: String,
    remedy: String,
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        Self { file: fault.file.display().to_string(), line: fault.line, what: fault.what.clone(), remedy: fault.remedy.clone() }
    }
}

/// Does it.
pub fn run(command: &PolicyCommand, place: &Place, output: Output) -> Result<Exit> {
    match command {
        PolicyCommand::Check => Ok(check(place, output)),
        PolicyCommand::Schema => {
            let config = place.config()?;
            let operations = rules::operations(&config.file, &config.operations)?;
            match output {
                Output::Json => say_json(&serde_json::json!({ "schema": schema_text(&operations) })),
                Output::Text => say(schema_text(&operations).trim_end()),
            }
            Ok(Exit::Fine)
        }
    }
}

fn check(place: &Place, output: Output) -> Exit {
    let report = match config::load(&place.config).and_then(|config| examine(&config)) {
        Ok(report) => report,
        Err(faults) => {
            Report { policies: 0, cases: Vec::new(), warnings: Vec::new(), problems: faults.iter().map(Problem::from).collect() }
        }
    };
    let failed = report.cases.iter().filter(|case| !case.ok).count();
    match output {
        Output::Json => say_json(&report),
        Output::Text => {
            for Problem { file, line, what, remedy } in &report.problems {
                let line = line.map_or_else(String::new, |line| format!(":{line}"));
                say(format!("{file}{line}: {what}; {remedy}"));
            }
            for warning in &report.warnings {
                say(format!("warning: {warning}"));
            }
            for case in report.cases.iter().filter(|case| !case.ok) {
                say(format!("{}: {}\n  expected  {}\n  got       {}", case.file, case.name, case.expected, case.got));
            }
            if report.problems.is_empty() {
                let passed = report.cases.len().saturating_sub(failed);
                say(format!("{} policies are valid; {passed} of {} tests as expected", report.policies, report.cases.len()));
            }
        }
    }
    if failed == 0 && report.problems.is_empty() { Exit::Fine } else { Exit::No }
}

/// Loads the rules and runs every file of tests beside them.
fn examine(config: &Config) -> Result<Report, Faults> {
    let Rules { operations, policies, declared, .. } = rules::rules(&config.file, &config.operations, &config.policies)?;
    // Boot keys that cannot be used keep a node from starting as policies do.
    devices::apps(&config.file, &config.apps, &config.device, &Fetched { data: &config.data, feeds: &config.feeds })?;
    let mut report = Report { policies: policies.count(), cases: Vec::new(), warnings: policies.warnings().to_vec(), problems: Vec::new() };
    if declared == Declared::BuiltIn {
        report.warnings.push("no `[[operation]]` is declared, so policies know the actions `read` and `write` only".to_owned());
    }
    for (file, text) in rules::texts(&config.policies, "_test.json")? {
        match run_cases(&policies, &operations, &text) {
            Ok(results) => report.cases.extend(results.into_iter().map(|result| {
                let ok = result.expected == result.got;
                Case { file: file.clone(), name: result.name, expected: result.expected, got: result.got, ok }
            })),
            Err(problem) => report.problems.push(Problem {
                file: config.policies.join(&file).display().to_string(),
                line: None,
                what: problem.to_string(),
                remedy: "see `policies/app_test.json` as `countersign init` writes it".to_owned(),
            }),
        }
    }
    Ok(report)
}
