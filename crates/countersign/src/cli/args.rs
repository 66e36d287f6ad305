//! The commands as people type them, and where each goes.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use countersign_node::{StartError, config::Faults};

use crate::cli::{
    attest_check::{self, CheckArgs},
    attest_inspect::{self, InspectArgs},
    audit::{self, AuditCommand},
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

/// Zero-trust access for mobile app backends: every request is checked, decided and recorded
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration of three lines, a first policy with tests, and a data directory
    Init(InitArgs),
    /// Run the node: issuer and gateway on one port
    Serve(ServeArgs),
    /// A bank behind Countersign, honest customers, and everything a thief would try
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Check policies, or print their schema
    Policy {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Explain any evidence about a phone, or judge files of cases
    #[command(subcommand)]
    Attest(AttestCommand),
    /// Measure the risk models on recorded events
    #[command(subcommand)]
    Evaluate(EvaluateCommand),
    /// Verify the log, prove entries, check proofs; offline
    Audit {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Explain one decision: the inputs, the rule, what was missing, what would help
    Why {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        args: WhyArgs,
    },
    /// Decisions as they are made
    Logs {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: LogsCommand,
    },
    /// A software phone, against a running development node
    #[cfg(feature = "demo")]
    Phone {
        #[command(flatten)]
        place: Place,
        /// Enrol as an emulator does, by this development token, and not by software hardware
        #[arg(long, global = true, value_name = "TOKEN")]
        dev_token: Option<String>,
        #[command(subcommand)]
        command: PhoneCommand,
    },
    /// People, at a running node
    User {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Development tokens for emulators and continuous integration, at a running node
    DevToken {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: DevTokenCommand,
    },
    /// Devices, at a running node
    Device {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: DeviceCommand,
    },
    /// Trust anchors, revocation lists and boot keys that are fetched, at a running node
    Feed {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: FeedCommand,
    },
    /// What the monitor noticed and did, at a running node
    Incident {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: IncidentCommand,
    },
    /// Sessions, at a running node
    Session {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: SessionCommand,
    },
}

#[derive(Debug, Subcommand)]
enum AttestCommand {
    /// Judge a file of cases against what they expect
    Check(CheckArgs),
    /// Say of any evidence about a phone what it is, what each part says, and the verdict; or what it lacks elsewhere (`--what-if`)
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
