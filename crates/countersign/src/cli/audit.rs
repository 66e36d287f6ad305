//! `countersign audit`: verify the log, prove an entry, check a proof. All of it works offline, on a copy of the directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use countersign_audit::{Checkpoint, CheckpointVerifier, Record, check, prove};
use countersign_core::DecisionId;
use countersign_store::segments;
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
    /// Check a proof of one entry, offline
    Check(CheckArgs),
    /// Print the newest signed checkpoint, to be kept where this machine cannot change it
    Checkpoint,
    /// Print the public key by which everybody can verify
    Key,
    /// Write the proof that an entry is in the log
    Prove(ProveArgs),
    /// Verify the whole log
    Verify(VerifyArgs),
}

/// The proof and the key.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The proof, as `audit prove` wrote it.
    proof: PathBuf,
    /// The log's public key, as `audit key` printed it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// The entry.
#[derive(Args, Debug)]
pub struct ProveArgs {
    /// The entry's number, or the number of its decision (`D-...`).
    entry: String,
}

/// By what to verify.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The log's public key, kept elsewhere; without it the one beside the log is believed.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere, against which a rewrite of the whole log is found.
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
        .map_err(|why| anyhow!("`{}` is not a key of a log ({why}); `countersign audit key` prints it", path.display()))
}

fn own_key(place: &Place) -> Result<CheckpointVerifier> {
    read_key(&place.data()?.join(layout::LOG_KEY))
        .context("the log's key comes with the first start of the node; name its data directory with `--data`")
}

fn verify(args: &VerifyArgs, place: &Place, output: Output) -> Result<Exit> {
    let key = match &args.key {
        Some(path) => read_key(path)?,
        None => own_key(place)?,
    };
    let known = args.checkpoint.as_ref().map(|path| known_checkpoint(path, &key)).transpose()?;
    let log = place.log()?;
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
            say(format!("{} records under signed checkpoints{at}; {} faults", report.committed, faults.len()));
            if known.is_none() {
                say(
                    "not checked against a checkpoint kept elsewhere (`--checkpoint`): somebody with the log's key could have rewritten all of it",
                );
            }
        }
    }
    Ok(if faults.is_empty() { Exit::Fine } else { Exit::No })
}

fn known_checkpoint(path: &Path, key: &CheckpointVerifier) -> Result<Checkpoint> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the checkpoint `{}`", path.display()))?;
    key.open_note(&text)
        .map_err(|why| anyhow!("`{}` is not a checkpoint of this log ({why}); `countersign audit checkpoint` prints one", path.display()))
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
    let text = fs::read_to_string(&path).with_context(|| format!("reading `{}`; the first start of the node writes it", path.display()))?;
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
    let proof =
        prove(record.seq, &record.json, &leaves, &note, &[]).context("the entry is not under a checkpoint yet; try again in a moment")?;
    say(proof);
    Ok(Exit::Fine)
}

fn find(log: &Path, entry: &str) -> Result<segments::Record> {
    let record = match entry.parse() {
        Ok(seq) => segments::read_record(log, seq)?,
        Err(_) => segments::find_decision(
            log,
            &DecisionId::parse(entry).map_err(|why| anyhow!("`{entry}` is neither a number nor a decision: {why}"))?,
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
                    "holds: entry {} is in the log of {} records signed {}\n{json:#}",
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
