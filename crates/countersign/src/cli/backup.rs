//! `countersign backup` and `countersign restore`: a copy of everything while the node runs, and the way back.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use clap::Args;
use countersign_node::{OsEntropy, RestoreAt, Restored, SystemClock, admin::wire::BackupAsk, restore};
use serde_json::json;

use crate::cli::{
    ask,
    output::{Exit, Output, say, say_json},
    place::Place,
};

/// Arguments of `countersign backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// Directory that is created; it must not lie in the data directory.
    directory: PathBuf,
}

/// Arguments of `countersign restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// Go on although this file is of another time; may be given several times. Without it, differences are only shown.
    #[arg(long, value_name = "WORD")]
    accept: Vec<String>,
}

/// Has the running node write a backup.
pub async fn backup(args: &BackupArgs, place: &Place, output: Output) -> Result<Exit> {
    let directory = std::path::absolute(&args.directory).context("finding the directory")?;
    let ask = BackupAsk { directory: directory.to_string_lossy().into_owned() };
    let done: BackupAsk = ask::post(&place.data()?, "/v1/backup", &ask).await?;
    match output {
        Output::Json => say_json(&done),
        Output::Text => say(format!("the backup is in `{}`; it holds keys, so keep it as secret as the data directory", done.directory)),
    }
    Ok(Exit::Fine)
}

/// Compares the files of a data directory that no node uses, and goes on with them if that was accepted.
pub async fn restored(args: &RestoreArgs, place: &Place, output: Output) -> Result<Exit> {
    let config = place.config()?;
    let data = place.data.clone().unwrap_or_else(|| config.data.clone());
    let at = RestoreAt { data: &data, origin: config.public.host(), clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) };
    let Restored { accepted, restrictions_applied, restrictions_unreadable, set_aside, voided } = restore(&at, &args.accept).await?;
    let set_aside = set_aside.map(|path| path.display().to_string());
    match output {
        Output::Json => say_json(&json!({
            "accepted": accepted.keys().collect::<Vec<_>>(),
            "restrictions_applied": restrictions_applied,
            "restrictions_unreadable": restrictions_unreadable,
            "log_set_aside": set_aside,
            "tokens_voided": voided,
        })),
        Output::Text if accepted.is_empty() => say("database, keys and log are of one time; nothing was changed"),
        Output::Text => {
            for (word, one) in &accepted {
                say(format!("accepted {word}: {one}"));
            }
            if voided {
                say("all sessions, refresh tokens, access tokens, codes and invitations of before are void; people sign in again");
                say(format!("{} restrictions of the log were applied to the database", restrictions_applied));
            }
            if restrictions_unreadable > 0 {
                say(format!(
                    "WARNING: {} restrictions of the log cannot be read, because the keys of their people are missing; look at accounts \
                     and devices by hand",
                    restrictions_unreadable
                ));
            }
            if let Some(path) = set_aside {
                say(format!("the log that could not go on is in `{path}`; a new one begins"));
            }
            say("recorded in the log; start the node with `countersign serve`");
        }
    }
    Ok(Exit::Fine)
}
