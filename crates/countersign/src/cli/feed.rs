//! `countersign feed`: what is fetched, how old it is, and the way back.

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_core::UnixSeconds;

use countersign_node::admin::wire::FeedView;

use crate::cli::{
    ask,
    output::{Exit, Output, say, say_json, table},
    place::Place,
    when,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum FeedCommand {
    /// List the feeds, the version in use, and its age
    List,
    /// Return to the previous version; the current one is not used again
    RollBack(RollBackArgs),
}

/// Which one.
#[derive(Args, Debug)]
pub struct RollBackArgs {
    /// Name of the feed: `status_list`, `boot_keys`, ...
    name: String,
}

/// Does it.
pub async fn run(command: &FeedCommand, place: &Place, output: Output) -> Result<Exit> {
    let socket = place.socket()?;
    match command {
        FeedCommand::List => {
            let rows: Vec<FeedView> = ask::get(&socket, "/v1/feeds").await?;
            match output {
                Output::Json => say_json(&rows),
                Output::Text => say(drawn(&rows)),
            }
        }
        FeedCommand::RollBack(args) => {
            let path = format!("/v1/feeds/{}/roll-back", ask::segment(&args.name));
            let row: FeedView = ask::post(&socket, &path, &serde_json::json!({})).await?;
            match output {
                Output::Json => say_json(&row),
                Output::Text => say(drawn(&[row])),
            }
        }
    }
    Ok(Exit::Fine)
}

fn drawn(rows: &[FeedView]) -> String {
    let mut drawn = table(&["NAME", "VERSION", "ENTRIES", "CONFIRMED", "BEFORE", "LAST LOOK"]);
    for row in rows {
        let or = |text: &Option<String>, otherwise: &str| text.clone().unwrap_or_else(|| otherwise.to_owned());
        drawn.add_row([
            row.name.clone(),
            or(&row.version, "(shipped)"),
            row.entries.map_or_else(|| "-".to_owned(), |count| count.to_string()),
            row.confirmed_at.map_or_else(|| "never".to_owned(), |at| when::instant(UnixSeconds(at))),
            or(&row.previous, "-"),
            or(&row.last, "-"),
        ]);
    }
    drawn.to_string()
}
