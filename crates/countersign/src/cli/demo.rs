//! `countersign demo`.

use anyhow::Result;
use clap::Args;

use crate::{
    cli::output::{Exit, Output},
    demo::{self, After},
};

/// What to do after the scenarios.
#[derive(Args, Clone, Copy, Debug)]
pub struct DemoArgs {
    /// Leave everything running, and print command lines to try
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. `No` when anything was not as expected.
///
/// # Errors
/// When the demo's world cannot be started.
pub async fn run(args: DemoArgs, output: Output) -> Result<Exit> {
    let after = if args.keep { After::Keep } else { After::Stop };
    Ok(if demo::run(output, after).await? == 0 { Exit::Fine } else { Exit::No })
}
