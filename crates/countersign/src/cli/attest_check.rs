//! `countersign attest check`: judges cases of chains, one's own or a vendor's, against what they expect.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use countersign_attest::cases::{self, Agreement};
use serde::Serialize;

use crate::cli::output::{Exit, Output, say, say_json};

/// What is judged, and by which anchors.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A JSON file with a list of cases; the paths of chains in it are relative to it.
    cases: PathBuf,
    /// The directory of the trust anchors that cases name: `google` is `DIR/google.pem`.
    #[arg(long, value_name = "DIR")]
    anchors: PathBuf,
}

#[derive(Serialize)]
struct Report {
    cases: usize,
    passed: usize,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    id: String,
    expected: String,
    got: String,
}

/// Judges all cases; any difference is a no.
pub fn run(args: &CheckArgs, output: Output) -> Result<Exit> {
    let text = fs::read_to_string(&args.cases).with_context(|| format!("reading `{}`", args.cases.display()))?;
    let cases = cases::parse(&text).with_context(|| format!("reading `{}`", args.cases.display()))?;
    let beside = args.cases.parent().unwrap_or(Path::new(""));
    let mut anchors = BTreeMap::new();
    let mut failed = Vec::new();
    for case in &cases {
        let path = beside.join(case.chain_path());
        let chain =
            fs::read_to_string(&path).with_context(|| format!("reading `{}`, the chain of case `{}`", path.display(), case.id()))?;
        let named = case.anchor_names().iter().map(|name| anchor(&mut anchors, &args.anchors, name)).collect::<Result<Vec<_>>>()?;
        let result = case.run(&chain, &named);
        if result.agreement == Agreement::Differs {
            failed.push(Failed { id: result.id, expected: result.expected, got: result.got });
        }
    }
    let report = Report { cases: cases.len(), passed: cases.len().saturating_sub(failed.len()), failed };
    match output {
        Output::Json => say_json(&report),
        Output::Text => {
            for Failed { id, expected, got } in &report.failed {
                say(format!("{id}\n  expected  {expected}\n  got       {got}"));
            }
            say(format!("{} of {} cases as expected", report.passed, report.cases));
        }
    }
    Ok(if report.failed.is_empty() { Exit::Fine } else { Exit::No })
}

/// The text of a file of anchors, read once.
fn anchor(known: &mut BTreeMap<String, String>, directory: &Path, name: &str) -> Result<String> {
    if let Some(text) = known.get(name) {
        return Ok(text.clone());
    }
    let path = directory.join(format!("{name}.pem"));
    let text = fs::read_to_string(&path)
        .with_context(|| format!("reading `{}`; `--anchors` names the directory of the vendors' roots", path.display()))?;
    known.insert(name.to_owned(), text.clone());
    Ok(text)
}
