//! `countersign dev-token`: tokens for emulators and continuous integration, at a running node.

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use countersign_core::{Seconds, UnixSeconds};

use crate::{
    admin::wire::{DevTokenAsk, DevTokenEnded, DevTokenMade, DevTokenView},
    cli::{
        ask,
        output::{Exit, Output, say, say_json, table},
        place::Place,
        when,
    },
    config,
};

/// What to do with development tokens.
#[derive(Debug, Subcommand)]
pub enum DevTokenCommand {
    /// Make a token that enrols emulators and test machines; prints it once
    Create(CreateArgs),
    /// The newest tokens, with their phones and last use
    List,
    /// End a token for good, and cut off the devices that it enrolled
    Revoke(RevokeArgs),
}

/// A platform, as people type it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlatformArg {
    Android,
    Ios,
}

/// For what.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// The app that it enrols.
    #[arg(long, value_name = "ID")]
    app: String,
    /// The platform that it enrols; without it, both.
    #[arg(long)]
    platform: Option<PlatformArg>,
    /// How long it enrols: 12h, 30d; at most 90d.
    #[arg(long, default_value = "30d", value_name = "TIME", value_parser = span)]
    expires: Seconds,
    /// Phones that it enrols at most.
    #[arg(long, default_value_t = 5)]
    phones: u32,
    /// Take it from every network, not from private ones alone.
    #[arg(long)]
    any_network: bool,
    /// A note for people.
    #[arg(long, default_value = "", value_name = "TEXT")]
    label: String,
}

/// Which one.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Its id (`dt_...`), as `list` shows it.
    id: String,
}

fn span(text: &str) -> Result<Seconds> {
    config::span(text).ok_or_else(|| anyhow!("give a whole number and a unit, as in `12h` or `30d`"))
}

/// Does it.
pub async fn run(command: &DevTokenCommand, place: &Place, output: Output) -> Result<Exit> {
    let data = place.data()?;
    match command {
        DevTokenCommand::Create(args) => {
            let ask = DevTokenAsk {
                app: args.app.clone(),
                platform: args.platform.map(|platform| {
                    match platform {
                        PlatformArg::Android => "android",
                        PlatformArg::Ios => "ios",
                    }
                    .to_owned()
                }),
                life_seconds: args.expires.0,
                phones: args.phones,
                any_network: args.any_network,
                label: args.label.clone(),
            };
            made(&ask::post(&data, "/v1/dev-tokens", &ask).await?, &args.app, output);
        }
        DevTokenCommand::List => list(&ask::get::<Vec<DevTokenView>>(&data, "/v1/dev-tokens").await?, output),
        DevTokenCommand::Revoke(args) => {
            let path = format!("/v1/dev-tokens/{}/revoke", ask::segment(&args.id));
            let ended: DevTokenEnded = ask::post(&data, &path, &serde_json::json!({})).await?;
            match output {
                Output::Json => say_json(&ended),
                Output::Text => say(format!(
                    "revoked; {} devices cut off, {} sessions ended; recorded as {}",
                    ended.devices_revoked, ended.sessions_ended, ended.decision
                )),
            }
        }
    }
    Ok(Exit::Fine)
}

fn made(made: &DevTokenMade, app: &str, output: Output) {
    match output {
        Output::Json => say_json(made),
        Output::Text => {
            let until = when::instant(UnixSeconds(made.expires_at));
            say(format!("{}\nshown once; enrols until {until}; revoke it with `countersign dev-token revoke {}`", made.token, made.id));
            if made.development == "enforce" {
                say(format!(
                    "`{app}` refuses development devices; it takes them with `allow_dev_tokens = true` in `[device]` and a restart"
                ));
            }
        }
    }
}

fn list(all: &[DevTokenView], output: Output) {
    match output {
        Output::Json => say_json(&all),
        Output::Text => {
            let mut table = table(&["token", "app", "platform", "networks", "phones", "state", "expires", "last used", "label"]);
            for token in all {
                let instant = |at: u64| when::instant(UnixSeconds(at));
                table.add_row(vec![
                    token.id.clone(),
                    token.app.clone(),
                    token.platform.clone().unwrap_or_else(|| "both".to_owned()),
                    token.networks.clone(),
                    format!("{} of {}", token.phones.len(), token.phones_max),
                    token.state.clone(),
                    instant(token.expires_at),
                    token.last_used_at.map(instant).unwrap_or_default(),
                    token.label.clone(),
                ]);
            }
            say(table.to_string());
        }
    }
}
