//! `make siege`: whether people whose phones are in order notice that strangers lay siege to the node.
//!
//! Two hundred connections of strangers send two thousand requests a second to every door, without any credential that this node
//! issued. They come first from one network (a /24) in which honest phones are too, then from ten thousand networks. Meanwhile honest phones
//! use the API, sign in again and, elsewhere, enrol. The node runs on threads of its own; the load shares the machine's cores with it,
//! so the latencies are the pessimist's.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "measuring reads the clock, and says what it measured")]

mod honest;
mod strangers;

use std::{
    env, fs,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use countersign_demo::{Watching, World};
use honest::{Neighbourhood, Seen};
use strangers::{From, Strangers};

/// Length of a siege unless `SECONDS` says otherwise.
const SIEGE: Duration = Duration::from_secs(60);

/// Length of the quiet time before, with which the siege is compared.
const QUIET: Duration = Duration::from_secs(20);

/// Share of their requests that honest phones elsewhere may have refused.
const REFUSED_MAX: f64 = 0.02;

/// How many times the quiet time's 99th percentile a request may take during the siege.
const SLOWER_MAX: f64 = 2.0;

/// Time after which what was counted stands in the log.
const SUMMARISED: Duration = Duration::from_secs(2);

/// Bytes a day that strangers may add to the log.
const LOG_BYTES_A_DAY_MAX: f64 = 50e6;

fn main() -> Result<()> {
    let siege = match env::var("SECONDS") {
        Ok(text) => Duration::from_secs(text.parse().context("SECONDS is no number")?),
        Err(_) => SIEGE,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut broken = Vec::new();
    for from in [From::OneNetwork, From::ManyNetworks] {
        broken.extend(runtime.block_on(lay_siege(from, siege))?);
    }
    ensure!(broken.is_empty(), "the siege was felt:\n  {}", broken.join("\n  "));
    println!("held: nobody whose phone is in order noticed more than is promised");
    Ok(())
}

/// Node with its bank on threads of its own.
struct Besieged {
    world: Arc<World>,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: thread::JoinHandle<Result<()>>,
}

impl Besieged {
    fn start() -> Result<Self> {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = thread::Builder::new().name("node".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                let world = Arc::new(World::start(Watching::Besieged).await?);
                tell.send(Arc::clone(&world)).map_err(|_| anyhow!("nobody waits for the node"))?;
                let _ = stopped.await;
                Arc::into_inner(world).context("somebody still holds the node")?.stop().await;
                anyhow::Ok(())
            })
        })?;
        match told.recv() {
            Ok(world) => Ok(Self { world, stop, thread }),
            Err(_) => match thread.join() {
                Ok(Err(fault)) => Err(fault),
                Ok(Ok(())) | Err(_) => bail!("the node did not start"),
            },
        }
    }

    fn stop(self) -> Result<()> {
        drop(self.world);
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow!("the node panicked"))?
    }
}

/// One siege. What of the promises was broken.
async fn lay_siege(from: From, siege: Duration) -> Result<Vec<String>> {
    println!("strangers from {from}\n");
    let node = Besieged::start()?;
    let log = node.world.node.log_directory().to_owned();
    let neighbourhood = Neighbourhood::settle(&node.world).await?;
    let quiet = neighbourhood.live(QUIET, Arc::clone(&node.world)).await?;
    let before = strangers_bytes(&log)?;
    let strangers = Strangers::come(&node.world, from)?;
    let during = neighbourhood.live(siege, Arc::clone(&node.world)).await?;
    let load = strangers.leave().await?;
    tokio::time::sleep(SUMMARISED).await;
    let grown = strangers_bytes(&log)?.saturating_sub(before) as f64 * 86_400.0 / siege.as_secs_f64();
    drop(neighbourhood);
    node.stop()?;
    println!("{load}\n");
    println!("{:<26} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "requests", "refused", "p50 ms", "p99 ms", "at worst");
    for (what, seen) in [
        ("elsewhere, before", &quiet.elsewhere),
        ("elsewhere, besieged", &during.elsewhere),
        ("beside the strangers", &during.beside),
        ("signing in beside them", &during.signing_in),
        ("new phones elsewhere", &during.enrolling),
    ] {
        println!("{what:<26} {seen}");
    }
    println!("\nlog: strangers' records would be {:.1} MB a day\n", grown / 1e6);
    Ok(judge(from, &quiet.elsewhere, &during, load.rate(), grown))
}

fn judge(from: From, quiet: &Seen, during: &honest::Lived, rate: f64, grown: f64) -> Vec<String> {
    let slower = during.elsewhere.p99() / quiet.p99().max(f64::EPSILON);
    let rows = [
        (rate < strangers::RATE * 0.9, format!("only {rate:.0} requests a second were sent: the siege was none")),
        (quiet.refused_share() > 0.0, format!("{:.2} % were refused before the siege", quiet.refused_share() * 100.0)),
        (
            during.elsewhere.refused_share() > REFUSED_MAX,
            format!("elsewhere {:.2} % were refused ({})", during.elsewhere.refused_share() * 100.0, during.elsewhere.reasons()),
        ),
        (slower > SLOWER_MAX, format!("elsewhere the 99th percentile rose {slower:.1} times")),
        (
            during.enrolling.refused_share() > REFUSED_MAX,
            format!(
                "{:.1} % of new phones elsewhere were refused ({})",
                during.enrolling.refused_share() * 100.0,
                during.enrolling.reasons()
            ),
        ),
        (
            during.beside.refused_share() > REFUSED_MAX,
            format!("beside them {:.2} % were refused ({})", during.beside.refused_share() * 100.0, during.beside.reasons()),
        ),
        (
            during.signing_in.refused_share() > REFUSED_MAX,
            format!("beside them {:.1} % could not sign in ({})", during.signing_in.refused_share() * 100.0, during.signing_in.reasons()),
        ),
        (grown > LOG_BYTES_A_DAY_MAX, format!("the log would grow by {:.1} MB a day", grown / 1e6)),
    ];
    rows.into_iter().filter(|(broken, _)| *broken).map(|(_, what)| format!("strangers from {from}: {what}")).collect()
}

/// Bytes of the log's records that no honest phone made: refusals without a session or a person, and what sums them up.
fn strangers_bytes(log: &Path) -> Result<u64> {
    let honest = ["\"session\"", "\"user\"", "\"outcome\":\"allow\""];
    let mut bytes = 0;
    for segment in fs::read_dir(log)? {
        let path = segment?.path();
        if path.extension().is_some_and(|it| it == "txt") {
            let text = fs::read_to_string(&path)?;
            let strangers = text.lines().filter(|line| line.starts_with("r ") && !honest.iter().any(|word| line.contains(word)));
            bytes += strangers.map(|line| line.len() as u64 + 1).sum::<u64>();
        }
    }
    Ok(bytes)
}
