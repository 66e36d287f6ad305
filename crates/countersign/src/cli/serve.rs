//! `countersign serve`: the node as a process, with its signals and its log.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use countersign_node::{
    Options, OsEntropy, RunningNode, SystemClock,
    config::{self, Dev},
    files,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::{
    output::Exit,
    process_log::{self, LastLines, ProcessLog},
};

/// Whose simulated phones a development node takes: those of this program's own software phone, where it is built with one.
#[cfg(feature = "demo")]
const SIMULATED_SIGNERS: &[[u8; 32]] = &[countersign_demo::phone::SIGNER];
#[cfg(not(feature = "demo"))]
const SIMULATED_SIGNERS: &[[u8; 32]] = &[];

/// Number of the signal that a write beyond the limit on the size of files is answered with; the same on Linux and macOS.
const SIGXFSZ: i32 = 25;

/// How to run.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Configuration file.
    #[arg(long, default_value = "csign.toml", value_name = "FILE")]
    config: PathBuf,
    /// Development mode: makes its own certificate, listens only on loopback, accepts simulated phones. Not for production.
    #[arg(long)]
    dev: bool,
    /// Format of the log messages; by default `pretty` on a terminal, otherwise `json`.
    #[arg(long, value_enum)]
    log: Option<LogForm>,
    /// Which log messages are written: a level (`info`), or a level per module (`countersign_gateway=debug`).
    #[arg(long, default_value = "info", value_name = "FILTER")]
    log_filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogForm {
    Json,
    Pretty,
}

/// Runs until it is told to stop.
pub async fn run(args: &ServeArgs) -> Result<Exit> {
    files::keep_private();
    let _last_lines = start_log(args)?;
    let config = config::load(&args.config)?;
    let dev = if args.dev { Dev::On } else { Dev::Off };
    let drain_max = config.bounds.drain_max;
    // Before the start: a SIGHUP that nobody listens for yet would end the process.
    let mut told = Told::listen()?;
    let options =
        Options { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy), dev, simulated_signers: SIMULATED_SIGNERS.to_vec() };
    let node = countersign_node::start(config, options).await?;
    let exit = told.until_told(&node).await;
    let seconds = drain_max.as_secs();
    tracing::info!(seconds, "stopping; waiting at most {seconds} s for open requests; send the signal again to stop at once");
    tokio::select! {
        () = node.shutdown(drain_max) => tracing::info!("stopped"),
        () = told.once() => tracing::warn!("stopped at once; open requests were aborted"),
    }
    Ok(exit)
}

/// What the system tells the process.
struct Told {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    // Heard and not acted on: a limit on the size of files fails the write, and does not end the process.
    _file_too_large: Signal,
}

impl Told {
    fn listen() -> Result<Self> {
        let listen = |kind, name| signal(kind).with_context(|| format!("listening for {name}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate(), "SIGTERM")?,
            interrupt: listen(SignalKind::interrupt(), "SIGINT")?,
            hang_up: listen(SignalKind::hangup(), "SIGHUP")?,
            _file_too_large: listen(SignalKind::from_raw(SIGXFSZ), "SIGXFSZ")?,
        })
    }

    /// Waits until the node has to stop, and reads again at every SIGHUP. A node that stops by itself is a failure.
    async fn until_told(&mut self, node: &RunningNode) -> Exit {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Exit::Fine,
                _ = self.interrupt.recv() => return Exit::Fine,
                _ = self.hang_up.recv() => node.reload().await,
                () = node.stopped() => return Exit::No,
            }
        }
    }

    /// Waits for one more SIGTERM or SIGINT.
    async fn once(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn start_log(args: &ServeArgs) -> Result<LastLines> {
    let filter = EnvFilter::builder().parse(&args.log_filter).with_context(|| format!("`--log-filter {}`", args.log_filter))?;
    let form = args.log.unwrap_or(if io::stderr().is_terminal() { LogForm::Pretty } else { LogForm::Json });
    let (to, last_lines) = ProcessLog::start(io::stderr()).context("starting the log")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_writer(to);
    let started = match form {
        LogForm::Json => log.json().flatten_event(true).try_init(),
        LogForm::Pretty => log.with_target(false).with_ansi(io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|e| anyhow::anyhow!("starting the log: {e}"))?;
    process_log::say_panics();
    Ok(last_lines)
}
