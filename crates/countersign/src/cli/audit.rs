//! `countersign audit`: verify the log, prove an entry, check a proof. All of it works offline, on a copy of the directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use countersign_audit::{Checkpoint, CheckpointVerifier, Record, check, prove};
use countersign_core::{DecisionId, UnixMillis};
use countersign_store::{segments, sqlite};
use serde_json::{Value, json};

use countersign_node::layout;

use crate::cli::{
    output::{Exit, Output, say, say_json},
    place::Place,
    when,
};

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check a proof of one entry
    Check(CheckArgs),
    /// Print the newest signed checkpoint; store it on another machine, so that later changes of the log are detected
    Checkpoint,
    /// Print the public key for verifying the log
    Key,
    /// Print a proof that an entry is in the log
    Prove(ProveArgs),
    /// Verify the whole log
    Verify(VerifyArgs),
}

/// The proof and the key.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The proof, as printed by `audit prove`.
    proof: PathBuf,
    /// The log's public key, as printed by `audit key`.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// The entry.
#[derive(Args, Debug)]
pub struct ProveArgs {
    /// The entry's number, or its decision number (`D-...`).
    entry: String,
}

/// By what to verify.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// A trusted copy of the log's public key; by default the copy in the data directory is used.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A checkpoint that was stored on another machine; with it, a rewrite or deletion of the whole log is detected.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// Does it.
pub fn run(command: &AuditCommand, place: &Place, output: Output) -> Result<Exit> {
    match command {
        AuditCommand::Check(args) => check_proof(args, output),
        AuditCommand::Checkpoint => checkpoint(place, output),
        AuditCommand::Key => key(place, output),
        AuditCommand::Prove(args) => prove_entry(args, place),
        AuditCommand::Verify(args) => verify(args, place, output),
    }
}

fn read_key(path: &Path) -> Result<CheckpointVerifier> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the log's key `{}`", path.display()))?;
    CheckpointVerifier::parse(&text)
        .map_err(|why| anyhow!("`{}` is not a log's public key ({why}); print it with `countersign audit key`", path.display()))
}

fn own_key(place: &Place) -> Result<CheckpointVerifier> {
    read_key(&place.data()?.join(layout::LOG_KEY))
        .context("the log's public key cannot be read; the first start of the node creates it; give the data directory with `--data`, or run this as the user that the node runs as")
}

fn verify(args: &VerifyArgs, place: &Place, output: Output) -> Result<Exit> {
    let key = match &args.key {
        Some(path) => read_key(path)?,
        None => own_key(place)?,
    };
    let log = place.log()?;
    let (known, by_database) = match &args.checkpoint {
        Some(path) => (Some(known_checkpoint(path, &key)?), None),
        None => {
            let known = known_to_database(place)?;
            (known, known)
        }
    };
    let report = segments::verify(&log, &key, known)?;
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    match output {
        Output::Json => say_json(&json!({
            "committed": report.committed, "unacknowledged": report.unacknowledged,
            "checkpoint": report.checkpoint.map(|c| document(&c)), "faults": faults,
        })),
        Output::Text => {
            for fault in &faults {
                say(format!("FAULT  {fault}"));
            }
            let at = report.checkpoint.map_or_else(String::new, |c| format!(", last signed {}", when::instant(c.at.seconds())));
            say(format!("{} records covered by signed checkpoints{at}; {} faults", report.committed, faults.len()));
            if let Some(known) = by_database {
                say(format!("compared with the database beside the log, which knows of {} records", known.size));
            }
            if args.checkpoint.is_none() {
                say(
                    "note: without `--checkpoint FILE` (a checkpoint stored on another machine) it is not detected if the newest records or the whole log were deleted or replaced",
                );
            }
        }
    }
    Ok(if faults.is_empty() { Exit::Fine } else { Exit::No })
}

/// Knowledge that the database beside the log has of it; `None` where there is none, as beside a copy of the log.
fn known_to_database(place: &Place) -> Result<Option<Checkpoint>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let known = runtime.block_on(sqlite::peek(&place.data()?));
    let known = known.map_err(|why| anyhow!("the database beside the log cannot be read: {why}; give `--checkpoint FILE` instead"))?;
    Ok(known.filter(|known| known.log_size > 0).map(|known| Checkpoint { size: known.log_size, root: known.log_root, at: UnixMillis(0) }))
}

fn known_checkpoint(path: &Path, key: &CheckpointVerifier) -> Result<Checkpoint> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the checkpoint `{}`", path.display()))?;
    key.open_note(&text).map_err(|why| {
        anyhow!("`{}` is not a checkpoint of this log ({why}); print one with `countersign audit checkpoint`", path.display())
    })
}

fn document(checkpoint: &Checkpoint) -> Value {
    json!({ "size": checkpoint.size, "root": checkpoint.root.to_string(), "at": checkpoint.at.0 })
}

fn checkpoint(place: &Place, output: Output) -> Result<Exit> {
    let Some((checkpoint, note)) = segments::latest_note(&place.log()?, &own_key(place)?)? else { bail!("the log has no entries yet") };
    match output {
        Output::Json => say_json(&json!({ "checkpoint": document(&checkpoint), "note": note })),
        Output::Text => say(note.trim_end()),
    }
    Ok(Exit::Fine)
}

fn key(place: &Place, output: Output) -> Result<Exit> {
    let path = place.data()?.join(layout::LOG_KEY);
    let text =
        fs::read_to_string(&path).with_context(|| format!("reading `{}`; the first start of the node creates it", path.display()))?;
    match output {
        Output::Json => say_json(&json!({ "key": text.trim_end() })),
        Output::Text => say(text.trim_end()),
    }
    Ok(Exit::Fine)
}

fn prove_entry(args: &ProveArgs, place: &Place) -> Result<Exit> {
    let log = place.log()?;
    let record = find(&log, &args.entry)?;
    let Some((checkpoint, note)) = segments::latest_note(&log, &own_key(place)?)? else { bail!("the log has no signed checkpoint yet") };
    let leaves = segments::leaves(&log, checkpoint.size)?;
    let proof = prove(record.seq, &record.json, &leaves, &note, &[])
        .context("the entry is not covered by a signed checkpoint yet; try again in a moment")?;
    say(proof);
    Ok(Exit::Fine)
}

fn find(log: &Path, entry: &str) -> Result<segments::Record> {
    let record = match entry.parse() {
        Ok(seq) => segments::read_record(log, seq)?,
        Err(_) => segments::find_decision(
            log,
            &DecisionId::parse(entry)
                .map_err(|why| anyhow!("`{entry}` is neither an entry's number nor a decision number (`D-...`): {why}"))?,
        )?,
    };
    record.ok_or_else(|| anyhow!("the log has no entry `{entry}`"))
}

fn check_proof(args: &CheckArgs, output: Output) -> Result<Exit> {
    let key = read_key(&args.key)?;
    let text = fs::read_to_string(&args.proof).with_context(|| format!("reading the proof `{}`", args.proof.display()))?;
    match check(&text, &key) {
        Ok(entry) => {
            let json = Record::read(&entry.json).map(|entry| entry.document()).unwrap_or_default();
            match output {
                Output::Json => {
                    say_json(&json!({ "holds": true, "seq": entry.seq, "entry": json, "checkpoint": document(&entry.checkpoint) }))
                }
                Output::Text => say(format!(
                    "valid: entry {} is in the log of {} records that was signed at {}\n{json:#}",
                    entry.seq,
                    entry.checkpoint.size,
                    when::instant(entry.checkpoint.at.seconds())
                )),
            }
            Ok(Exit::Fine)
        }
        Err(why) => {
            match output {
                Output::Json => say_json(&json!({ "holds": false, "why": why.to_string() })),
                Output::Text => say(why.to_string()),
            }
            Ok(Exit::No)
        }
    }
}
