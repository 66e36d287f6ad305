//! Kills a process that writes the audit log, again and again, and shows that nothing it acknowledged is lost.
//!
//!     cargo run --release --package countersign-store --example log_crash -- [TIMES] [SEED]
//!
//! Each time a child process records entries from many tasks at once and says of each which number it was acknowledged
//! under. It is killed (`kill -9`) at a random moment. Then the log is opened, which repairs it, and verified, and every entry
//! that was ever acknowledged must be in it under its number. Exit status 1 if not; the seed that is printed replays the
//! moments.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_store::{
    Recorder,
    segments::{tail, verify},
};

use support::Numbers;

/// Tasks of the child that record at the same time.
const TASKS: u64 = 64;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("child") => {
            let directory = arguments.next().context("the log's directory")?;
            child(Path::new(&directory), arguments.next().context("a first number")?.parse()?)?;
        }
        times => {
            let times = times.map_or(Ok(50), str::parse)?;
            let seed = arguments.next().map_or_else(|| Ok(Numbers::fresh().next() >> 32), |seed| seed.parse())?;
            parent(times, seed)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Records without end, and says what was acknowledged: number in the log and decision, a line each.
fn child(directory: &Path, first: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build()?;
    let log = Arc::new(support::open(directory)?);
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    for number in (first.saturating_add(task)..).step_by(usize::try_from(TASKS)?) {
                        let entry = support::entry(number)?;
                        let decision = entry.decision.clone();
                        let receipt = log.record(entry).await?;
                        // A whole line at a time, at once: what is printed was acknowledged, however the process ends.
                        std::io::stdout().write_all(format!("{} {decision}\n", receipt.seq()).as_bytes())?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        bail!("no task ends by itself")
    })
}

fn parent(times: u32, seed: u64) -> Result<()> {
    println!("killing {times} times, seed {seed}");
    let (numbers, home) = (Numbers::from_seed(seed), tempfile::tempdir()?);
    let mut acknowledged = BTreeMap::<u64, String>::new();
    for time in 1..=times {
        let before = acknowledged.len();
        let patience = Duration::from_micros(500 + numbers.next() % 150_000);
        for (seq, decision) in kill_after(home.path(), u64::from(time) << 32, patience)? {
            ensure!(acknowledged.insert(seq, decision).is_none(), "number {seq} was acknowledged twice");
        }
        drop(support::open(home.path())?);
        let report = verify(home.path(), &support::verifier()?, None)?;
        ensure!(report.faults.is_empty() && report.unacknowledged == 0, "the log does not verify: {report:?}");
        let kept: BTreeMap<_, _> = tail(home.path(), 0, usize::MAX)?.into_iter().map(|record| (record.seq, record.json)).collect();
        for (seq, decision) in &acknowledged {
            let kept = kept.get(seq).with_context(|| format!("entry {seq} was acknowledged and is lost"))?;
            ensure!(kept.contains(decision.as_str()), "entry {seq} is another one than was acknowledged");
        }
        let new = acknowledged.len() - before;
        println!("{time:3}: killed after {patience:?}; {new} entries acknowledged, {} in the log, none lost", kept.len());
    }
    println!("held: {} acknowledged entries, each in the log, which verifies", acknowledged.len());
    Ok(())
}

/// Runs a child, kills it so long after its first acknowledgement, and gives what it said.
fn kill_after(directory: &Path, first: u64, patience: Duration) -> Result<Vec<(u64, String)>> {
    let mut child =
        Command::new(std::env::current_exe()?).arg("child").arg(directory).arg(first.to_string()).stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(child.stdout.take().context("the child's output")?);
    let mut said = String::new();
    output.read_line(&mut said)?;
    ensure!(!said.is_empty(), "the child ended before it recorded anything");
    let rest = thread::spawn(move || {
        let mut rest = String::new();
        output.read_to_string(&mut rest).map(|_| rest)
    });
    thread::sleep(patience);
    child.kill()?;
    child.wait()?;
    said += &rest.join().ok().context("the reading thread")??;
    // A last line without its break was cut off by the kill.
    let whole = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    whole
        .map(|line| line.split_once(' ').context("a number and a decision"))
        .map(|line| line.and_then(|(seq, decision)| Ok((seq.parse()?, decision.to_owned()))))
        .collect()
}
