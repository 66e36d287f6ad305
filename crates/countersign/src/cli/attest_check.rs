//! `countersign attest check`: judges cases of chains, one's own or a vendor's, against what they expect.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    apple,
    cases::{self, Agreement, CaseResult},
};
use serde::Serialize;

use crate::cli::output::{Exit, Output, say, say_json};

/// What is judged, and by which anchors.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A JSON file with cases, or a directory of such files. A file holds a list of Android chains (with paths relative to the file) or App Attest samples.
    cases: PathBuf,
    /// The directory of the trust anchors named in the cases: `google` is `DIR/google.pem`.
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
    let mut anchors = Anchored { directory: &args.anchors, known: BTreeMap::new() };
    let (mut count, mut failed) = (0_usize, Vec::new());
    for file in &files {
        let results = judge(file, &mut anchors).with_context(|| format!("checking the cases in `{}`", file.display()))?;
        count = count.saturating_add(results.len());
        // One file's names are unique; several files may use the same ones.
        let of_file = file.file_stem().filter(|_| files.len() > 1).map(|stem| format!("{}: ", stem.to_string_lossy())).unwrap_or_default();
        for CaseResult { id, expected, got, agreement } in results {
            if agreement == Agreement::Differs {
                failed.push(Failed { id: format!("{of_file}{id}"), expected, got });
            }
        }
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

/// The file, or the JSON files of the directory in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("reading `{}`", path.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() { bail!("`{}` holds no JSON file with cases; give a file or another directory", path.display()) } else { Ok(found) }
}

/// Every case of a file, of whichever kind: an array holds chains of Android, an object samples of App Attest.
fn judge(file: &Path, anchors: &mut Anchored<'_>) -> Result<Vec<CaseResult>> {
    let text = fs::read_to_string(file)?;
    if text.trim_start().starts_with('{') {
        let samples = apple::cases::parse(&text)?;
        let attest = anchors.parsed("apple_app_attest_root", Purpose::AppAttest)?;
        let receipts = anchors.parsed("apple_receipt_root", Purpose::AppAttestReceipt)?;
        return Ok(samples.iter().map(|sample| sample.run(&attest, &receipts)).collect());
    }
    let beside = file.parent().unwrap_or(Path::new(""));
    let mut results = Vec::new();
    for case in cases::parse(&text)? {
        let path = beside.join(case.chain_path());
        let chain =
            fs::read_to_string(&path).with_context(|| format!("reading `{}`, the chain of case `{}`", path.display(), case.id()))?;
        let named = case.anchor_names().iter().map(|name| anchors.text(name)).collect::<Result<Vec<_>>>()?;
        results.push(case.run(&chain, &named));
    }
    Ok(results)
}

/// The files of anchors, each read once.
struct Anchored<'a> {
    directory: &'a Path,
    known: BTreeMap<String, String>,
}

impl Anchored<'_> {
    fn text(&mut self, name: &str) -> Result<String> {
        if let Some(text) = self.known.get(name) {
            return Ok(text.clone());
        }
        let path = self.directory.join(format!("{name}.pem"));
        let text = fs::read_to_string(&path).with_context(|| {
            format!("reading `{}`; give the directory of the vendors' root certificates with `--anchors`", path.display())
        })?;
        self.known.insert(name.to_owned(), text.clone());
        Ok(text)
    }

    fn parsed(&mut self, name: &str, purpose: Purpose) -> Result<Anchors> {
        Anchors::parse(Source { vendor: Vendor::Operator, purpose }, &self.text(name)?).with_context(|| format!("reading `{name}.pem`"))
    }
}
