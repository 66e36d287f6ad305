//! The commands as people type them, and where each goes.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use countersign_node::{StartError, config::Faults};

use crate::cli::{
    attest_check::{self, CheckArgs},
    attest_inspect::{self, InspectArgs},
    audit::{self, AuditCommand},
    backup::{self, BackupArgs, RestoreArgs},
    dev_token::{self, DevTokenCommand},
    evaluate::{self, EvaluateCommand},
    feed::{self, FeedCommand},
    incident::{self, IncidentCommand},
    init::{self, InitArgs},
    logs::{self, LogsCommand},
    output::{Exit, Output, complain},
    people::{self, DeviceCommand, SessionCommand, UserCommand},
    place::Place,
    policy::{self, PolicyCommand},
    serve::{self, ServeArgs},
    why::{self, WhyArgs},
};
#[cfg(feature = "demo")]
use crate::cli::{
    demo::{self, DemoArgs},
    phone::{self, PhoneCommand},
};

/// Zero-trust access for mobile app backends: checks, decides and records every request
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a minimal configuration, a first policy with tests, and a data directory
    Init(InitArgs),
    /// Run a node: issuer and gateway on one port
    Serve(ServeArgs),
    /// Run an example bank behind Countersign, with honest customers and about a hundred attacks
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Check and test the policies, or print their schema
    Policy {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Explain attestation evidence of a phone, or run files of test cases
    #[command(subcommand)]
    Attest(AttestCommand),
    /// Measure how well the risk models work on recorded events
    #[command(subcommand)]
    Evaluate(EvaluateCommand),
    /// Verify the audit log, create and check proofs of its entries; works offline
    Audit {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Write a backup of a running node: database, keys and log of one time
    Backup {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        args: BackupArgs,
    },
    /// Compare database, keys and log of a stopped node, and go on with files of another time
    Restore {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        args: RestoreArgs,
    },
    /// Explain one decision: its inputs, the policies that applied, unmet conditions, and remedies
    Why {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        args: WhyArgs,
    },
    /// Show the decisions in the audit log
    Logs {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: LogsCommand,
    },
    /// Send requests from a simulated phone to a running development node
    #[cfg(feature = "demo")]
    Phone {
        #[command(flatten)]
        place: Place,
        /// Enrol with this development token, as an emulator does, instead of simulated attestation hardware
        #[arg(long, global = true, value_name = "TOKEN")]
        dev_token: Option<String>,
        #[command(subcommand)]
        command: PhoneCommand,
    },
    /// Manage accounts of a running node
    User {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Manage development tokens (for emulators and CI) of a running node
    DevToken {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: DevTokenCommand,
    },
    /// Manage devices of a running node
    Device {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: DeviceCommand,
    },
    /// Show downloaded trust anchors, revocation lists and boot keys of a running node, or roll them back
    Feed {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: FeedCommand,
    },
    /// Show and resolve incidents that the monitor of a running node detected
    Incident {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: IncidentCommand,
    },
    /// Manage sessions of a running node
    Session {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: SessionCommand,
    },
}

#[derive(Debug, Subcommand)]
enum AttestCommand {
    /// Run test cases from files and compare the verdicts with the expected ones
    Check(CheckArgs),
    /// Show the contents of attestation evidence and the verdict on it, or what it lacks under another configuration (`--what-if`)
    Inspect(InspectArgs),
}

/// Parses the command line, does what it says, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::of(cli.json);
    match run(cli.command, output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let unread = error.is::<Faults>() || matches!(error.downcast_ref(), Some(StartError::Config(_)));
            let exit = if unread { Exit::NotUnderstood } else { Exit::No };
            complain(output, &error);
            exit.into()
        }
    }
}

fn run(command: Command, output: Output) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(&args, output),
        Command::Policy { place, command } => policy::run(&command, &place, output),
        Command::Evaluate(command) => evaluate::run(&command, output),
        Command::Attest(AttestCommand::Check(args)) => attest_check::run(&args, output),
        Command::Attest(AttestCommand::Inspect(args)) => attest_inspect::run(&args, output),
        Command::Audit { place, command } => audit::run(&command, &place, output),
        Command::Backup { place, args } => wait(backup::backup(&args, &place, output)),
        Command::Restore { place, args } => wait(backup::restored(&args, &place, output)),
        Command::Why { place, args } => why::run(&args, &place, output),
        Command::Logs { place, command } => wait(logs::run(&command, &place, output)),
        #[cfg(feature = "demo")]
        Command::Phone { place, dev_token, command } => wait(phone::run(&command, &place, dev_token.as_deref(), output)),
        Command::User { place, command } => wait(people::user(&command, &place, output)),
        Command::DevToken { place, command } => wait(dev_token::run(&command, &place, output)),
        Command::Device { place, command } => wait(people::device(&command, &place, output)),
        Command::Feed { place, command } => wait(feed::run(&command, &place, output)),
        Command::Incident { place, command } => wait(incident::run(&command, &place, output)),
        Command::Session { place, command } => wait(people::session(&command, &place, output)),
        #[cfg(feature = "demo")]
        Command::Demo(args) => wait(demo::run(args, output)),
        Command::Serve(args) => wait(serve::run(&args)),
    }
}

/// Runs a command that waits for something.
fn wait(command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_says_what_there_is() {
        insta::assert_snapshot!(Cli::command().render_help());
    }
}
