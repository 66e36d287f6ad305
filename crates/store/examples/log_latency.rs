//! Measures the audit log: how long an entry waits for its acknowledgement, how many fit in a second, and what CPU each costs.
//!
//!     cargo run --release --package countersign-store --example log_latency -- [DIRECTORY]
//!
//! The directory decides which disk is measured; without one it is the system's place for temporary files. First as many
//! entries as fit, from so many tasks that each wait for the last answer; then at a fixed rate, whatever the answers do, which
//! is what requests are like.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod support;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use countersign_store::{Recorder, segments::SegmentLog};

/// How long each row is measured.
const SPAN: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    let home = match std::env::args().nth(1) {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    println!("{:>22} {:>10} {:>10} {:>10} {:>10} {:>12}", "load", "entries/s", "p50 us", "p99 us", "p99.9 us", "CPU us/entry");
    for tasks in [1, 16, 128, 1024] {
        let waited = measure(home.path(), |log, until| closed(log, tasks, until))?;
        println!("{:>18} tasks {waited}", tasks);
    }
    for rate in [500, 2000, 5000, 10_000, 20_000] {
        let waited = measure(home.path(), |log, until| open(log, rate, until))?;
        println!("{:>20}/s {waited}", rate);
    }
    let begun = Instant::now();
    drop(support::open(home.path())?);
    println!("opened again in {:?}", begun.elapsed());
    let begun = Instant::now();
    let report = countersign_store::segments::verify(home.path(), &support::verifier()?, None)?;
    println!("{} entries verified in {:?}, {} faults", report.committed, begun.elapsed(), report.faults.len());
    Ok(())
}

/// One row of the table.
fn measure<F: Future<Output = Result<Vec<Duration>>>>(home: &Path, load: impl FnOnce(Arc<SegmentLog>, Instant) -> F) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let log = Arc::new(support::open(home)?);
    let (begun, cpu) = (Instant::now(), cpu_ticks()?);
    let mut waited = runtime.block_on(load(log, begun + SPAN))?;
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), cpu_ticks()? - cpu);
    waited.sort_unstable();
    let micros = |per_mille: usize| waited.get(waited.len() * per_mille / 1000).map_or(0, Duration::as_micros);
    let count = waited.len() as f64;
    // A tick is a hundredth of a second on every Linux.
    let (rate, each) = (count / elapsed, cpu * 10_000.0 / count);
    Ok(format!("{rate:>10.0} {:>10} {:>10} {:>10} {each:>12.1}", micros(500), micros(990), micros(999)))
}

/// So many tasks, each of which waits for its answer before it asks again.
async fn closed(log: Arc<SegmentLog>, tasks: u64, until: Instant) -> Result<Vec<Duration>> {
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut waited = Vec::new();
                while Instant::now() < until {
                    waited.push(record(&log, task.wrapping_mul(1 << 32).wrapping_add(waited.len() as u64)).await?);
                }
                anyhow::Ok(waited)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

/// So many a second, evenly, in steps of a millisecond.
async fn open(log: Arc<SegmentLog>, rate: u64, until: Instant) -> Result<Vec<Duration>> {
    let (mut tick, mut tasks, begun) = (tokio::time::interval(Duration::from_millis(1)), Vec::new(), Instant::now());
    while Instant::now() < until {
        tick.tick().await;
        let due = begun.elapsed().as_secs_f64() * rate as f64;
        while (tasks.len() as f64) < due {
            let (log, number) = (Arc::clone(&log), tasks.len() as u64);
            tasks.push(tokio::spawn(async move { record(&log, number).await }));
        }
    }
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await??);
    }
    Ok(all)
}

async fn record(log: &SegmentLog, number: u64) -> Result<Duration> {
    let entry = support::entry(number)?;
    let begun = Instant::now();
    let _ = log.record(entry).await?;
    Ok(begun.elapsed())
}

/// CPU time of this process, user and system, in ticks (proc(5), `/proc/pid/stat`, fields 14 and 15).
fn cpu_ticks() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("the fields behind the name")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
}
