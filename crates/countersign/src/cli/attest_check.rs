//! `countersign attest check`: judges files of cases, one's own or a vendor's, against what they expect.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use countersign_attest::{
    anchors::{Anchors, Purpose},
    apple,
    cases::{self, Agreement, CaseResult},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    cli::output::{Exit, Output, say, say_json},
    wire::trust,
};

/// What is judged, and by which anchors.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A JSON file: a list of cases of Android chains, or an object with `samples` of App Attest; or a directory with such files.
    /// The paths of chains are relative to their file.
    cases: PathBuf,
    /// The directory of the trust anchors: `DIR/google.pem` for a case that names `google`, `DIR/apple_app_attest_root.pem` and
    /// `DIR/apple_receipt_root.pem` for App Attest.
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
    let files = files(&args.cases)?;
    let mut directory = AnchorDirectory { path: &args.anchors, android: BTreeMap::new(), apple: None };
    let (mut count, mut failed) = (0_usize, Vec::new());
    for file in &files {
        let results = judge(file, &mut directory)?;
        count = count.saturating_add(results.len());
        let differing = results.into_iter().filter(|result| result.agreement == Agreement::Differs);
        failed.extend(differing.map(|CaseResult { id, expected, got, .. }| Failed { id: named(&files, file, id), expected, got }));
    }
    let report = Report { cases: count, passed: count.saturating_sub(failed.len()), failed };
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

/// The file itself, or the JSON files that stand in the directory, by name.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("reading `{}`", path.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "json") && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("`{}` holds no JSON file; name a file of cases, or the directory in which some stand", path.display());
    }
    files.sort();
    Ok(files)
}

/// The name of a case: two files may have the same one.
fn named(files: &[PathBuf], file: &Path, id: String) -> String {
    match file.file_stem() {
        Some(stem) if files.len() > 1 => format!("{}/{id}", stem.to_string_lossy()),
        Some(_) | None => id,
    }
}

/// Judges one file, of whichever kind it is.
fn judge(file: &Path, anchors: &mut AnchorDirectory<'_>) -> Result<Vec<CaseResult>> {
    let reading = || format!("reading `{}`", file.display());
    let text = fs::read_to_string(file).with_context(reading)?;
    match serde_json::from_str(&text).map_err(|why| anyhow!("the file does not hold cases: {why}")).with_context(reading)? {
        Value::Array(_) => android(file, &cases::parse(&text).with_context(reading)?, anchors),
        Value::Object(members) if members.contains_key("samples") => {
            let samples = apple::cases::parse(&text).with_context(reading)?;
            let (attestations, receipts) = anchors.apple()?;
            Ok(samples.iter().map(|sample| sample.run(attestations, receipts)).collect())
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(anyhow!("the file is neither a list of cases of Android chains nor an object with `samples` of App Attest"))
                .with_context(reading)
        }
    }
}

fn android(file: &Path, cases: &[cases::Case], anchors: &mut AnchorDirectory<'_>) -> Result<Vec<CaseResult>> {
    let beside = file.parent().unwrap_or(Path::new(""));
    let mut results = Vec::with_capacity(cases.len());
    for case in cases {
        let path = beside.join(case.chain_path());
        let chain =
            fs::read_to_string(&path).with_context(|| format!("reading `{}`, the chain of case `{}`", path.display(), case.id()))?;
        let named = case.anchor_names().iter().map(|name| anchors.android(name)).collect::<Result<Vec<_>>>()?;
        results.push(case.run(&chain, &named));
    }
    Ok(results)
}

/// The directory of the vendors' roots, of which each file is read once, when something needs it.
struct AnchorDirectory<'a> {
    path: &'a Path,
    android: BTreeMap<String, String>,
    /// For attestations and for receipts.
    apple: Option<(Anchors, Anchors)>,
}

impl AnchorDirectory<'_> {
    /// The text of a file that a case names.
    fn android(&mut self, name: &str) -> Result<String> {
        if let Some(text) = self.android.get(name) {
            return Ok(text.clone());
        }
        let path = self.path.join(format!("{name}.pem"));
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading `{}`; `--anchors` names the directory of the vendors' roots", path.display()))?;
        self.android.insert(name.to_owned(), text.clone());
        Ok(text)
    }

    fn apple(&mut self) -> Result<(&Anchors, &Anchors)> {
        let roots = match self.apple.take() {
            Some(roots) => roots,
            None => (
                self.apple_root("apple_app_attest_root.pem", Purpose::AppAttest)?,
                self.apple_root("apple_receipt_root.pem", Purpose::AppAttestReceipt)?,
            ),
        };
        let (attestations, receipts) = self.apple.insert(roots);
        Ok((attestations, receipts))
    }

    fn apple_root(&self, name: &str, purpose: Purpose) -> Result<Anchors> {
        let path = self.path.join(name);
        trust::anchors(&path, purpose)
            .map_err(|why| anyhow!("`{}`: {why}; `--anchors` names the directory of the vendors' roots", path.display()))
    }
}
