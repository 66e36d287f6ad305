//! `countersign demo`.

use anyhow::Result;
use clap::Args;
use countersign_demo::{After, Form};

use crate::cli::output::{Exit, Output, say};

/// What to do after the scenarios.
#[derive(Args, Clone, Copy, Debug)]
pub struct DemoArgs {
    /// Keep everything running afterwards, and print commands to try
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. `No` when anything was not as expected.
///
/// # Errors
/// When the demo's world cannot be started.
pub async fn run(args: DemoArgs, output: Output) -> Result<Exit> {
    let after = if args.keep { After::Keep } else { After::Stop };
    let form = match output {
        Output::Json => Form::Json,
        Output::Text => Form::Text,
    };
    Ok(if countersign_demo::run(form, after, |text| say(text)).await? == 0 { Exit::Fine } else { Exit::No })
}
