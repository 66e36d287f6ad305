//! `make bench`: what a request costs, side by side in one run on this machine.
//!
//! Each server is a process of its own, so that its CPU per request can be read from the kernel; the load and its signing are
//! in this one. Only ratios within a run mean something: the machine's neighbours do not hold still.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "measuring reads the clock, and says what it measured; what fails here fails nobody's request"
)]

mod cores;
mod load;
mod servers;

use std::{collections::VecDeque, env, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use countersign_demo::phone::{Call, Handset, Phone};
use http::Method;
use load::{Pace, Prepared, Seen};
use servers::{Server, Setting};

/// Kept connections.
const CONNECTIONS: usize = 32;

/// Requests of one round.
const ROUND: usize = 12_000;

/// Rounds per server; their order alternates.
const ROUNDS: usize = 3;

/// People at their phones.
const PHONES: usize = 8;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["upstream", port] => servers::upstream(port.parse()?).await,
        ["pass-through", port, upstream, home] => servers::pass_through(port.parse()?, upstream.parse()?, home.as_ref()).await,
        ["gateway", home] => servers::gateway(home.as_ref()).await,
        // Cargo's own word when examples are run as benchmarks.
        [] | ["--bench"] => compare().await,
        _ => bail!("nothing is known about {args:?}; run it without arguments"),
    }
}

/// One server's figures over all rounds.
#[derive(Default)]
struct Figures {
    cpu_us: Vec<f64>,
    rate: Vec<f64>,
    p50: Vec<u64>,
    p99: Vec<u64>,
}

impl Figures {
    /// The least disturbed round.
    fn cpu(&self) -> f64 {
        self.cpu_us.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn take(&mut self, seen: &Seen, cpu: Duration) {
        self.cpu_us.push(cpu.as_secs_f64() * 1e6 / seen.latencies_us.len() as f64);
        self.rate.push(seen.rate());
        self.p50.push(seen.percentile(50.0));
        self.p99.push(seen.percentile(99.0));
    }
}

fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

async fn compare() -> Result<()> {
    println!("{}\n", servers::machine());
    let setting = Setting::lay_out()?;
    let (bank, gateway) = (setting.start_upstream()?, setting.start_gateway()?);
    let pass_through = setting.start_pass_through()?;
    let nginx = setting.start_nginx()?;
    for server in [&bank, &gateway, &pass_through].into_iter().chain(&nginx) {
        server.wait().await.with_context(|| format!("{} did not come up", server.name))?;
    }
    let phones = customers(&setting).await?;
    let path = format!("/v1/customers/{}/accounts", "bench");
    let mut rows: Vec<(&Server, Figures)> =
        [Some(&bank), nginx.as_ref(), Some(&pass_through), Some(&gateway)].into_iter().flatten().map(|s| (s, Figures::default())).collect();
    for _ in 0..ROUNDS {
        for (server, figures) in &mut rows {
            let requests = if server.name == gateway.name { proved(&phones, ROUND).await? } else { bare(&path, &phones, ROUND).await? };
            let before = server.cpu()?;
            let seen = load::run(&server.goal, CONNECTIONS, requests, Pace::Closed).await.with_context(|| server.name.to_owned())?;
            ensure!(seen.refused == 0, "{}: {} of {} requests were refused", server.name, seen.refused, seen.latencies_us.len());
            figures.take(&seen, server.cpu()? - before);
        }
        rows.reverse();
    }
    rows.sort_by_key(|(server, _)| server.order);
    println!(
        "{CONNECTIONS} connections, {ROUNDS} rounds of {ROUND} GET requests each; CPU is user and system time of the server's process, least of the rounds\n"
    );
    println!("{:<46} {:>12} {:>12} {:>9} {:>9}", "", "CPU us/req", "requests/s", "p50 us", "p99 us");
    for (server, f) in &rows {
        let (rate, p50, p99) =
            (median(&f.rate).unwrap_or_default(), median(&f.p50).unwrap_or_default(), median(&f.p99).unwrap_or_default());
        println!("{:<46} {:>12.1} {:>12.0} {:>9} {:>9}", server.title, f.cpu(), rate, p50, p99);
    }
    let of = |wanted: &Server| rows.iter().find(|(server, _)| server.name == wanted.name).map(|(_, figures)| figures);
    let (through, whole) = (of(&pass_through).context("a row")?, of(&gateway).context("a row")?);
    let half = median(&whole.rate).unwrap_or_default() / 2.0;
    half_load(&setting, &[&pass_through, &gateway], &phones, half).await?;
    let parts = cores::measure(&setting).await?;
    println!("\nin this process, one thread: median us (p99)\n");
    for part in &parts {
        println!("{:<46} {:>9.1} ({:.1})", part.name, part.p50_us, part.p99_us);
    }
    let verification = parts.first().map(|part| part.p50_us).unwrap_or_default();
    let floor = through.cpu() + verification;
    println!("\npass-through + one verification   {floor:.1} us");
    println!("gateway                           {:.1} us, {:.2} times that (goal: at most 1.5)", whole.cpu(), whole.cpu() / floor);
    println!("added beyond the two              {:.1} us (goal: at most 40)", whole.cpu() - floor);
    Ok(())
}

/// Latency with requests at half of the gateway's rate, each due at its time whatever the earlier ones do.
async fn half_load(setting: &Setting, servers: &[&Server], phones: &[Phone], rate: f64) -> Result<()> {
    println!("\nat half load ({rate:.0} requests/s):\n");
    let path = setting.own_path();
    for server in servers {
        let count = (rate * 4.0) as usize;
        let requests = if server.order == servers::GATEWAY { proved(phones, count).await? } else { bare(&path, phones, count).await? };
        let seen = load::run(&server.goal, CONNECTIONS, requests, Pace::PerSecond(rate)).await?;
        println!("{:<46} p50 {:>6} us   p99 {:>6} us", server.title, seen.percentile(50.0), seen.percentile(99.0));
    }
    Ok(())
}

async fn customers(setting: &Setting) -> Result<Vec<Phone>> {
    let mut phones = Vec::new();
    for n in 0..PHONES {
        let phone = Phone::new(setting.around()?, 0)?;
        phone.enrol(&setting.ca, &Handset::genuine()).await?;
        phone.register(&format!("customer-{n}@example.com"), None).await?;
        phone.sign_in().await?;
        phones.push(phone);
    }
    Ok(phones)
}

/// Requests with a token and a proof of their own each, as phones send them; signed before the clock runs.
async fn proved(phones: &[Phone], count: usize) -> Result<VecDeque<Prepared>> {
    let mut out = VecDeque::with_capacity(count);
    let mut calls = Vec::new();
    for phone in phones {
        phone.renew(phone.tokens().await.map_or(0, |tokens| tokens.generation)).await?;
        let access = phone.tokens().await.context("signed in")?.access;
        let me = phone.call(&Call::new(Method::GET, "/v1/me")).await?.json();
        let customer = me.get("customer").and_then(|v| v.as_str()).context("the bank says who asks")?.to_owned();
        calls.push((phone, access, Call::new(Method::GET, &format!("/v1/customers/{customer}/accounts"))));
    }
    for n in 0..count {
        let (phone, access, call) = &calls[n % calls.len()];
        let proved = phone.proved(call, access)?;
        out.push_back(Prepared { path: proved.target, headers: proved.headers });
    }
    Ok(out)
}

/// The same requests for servers that check nothing: headers of the same size, without the cost of making them fresh.
async fn bare(path: &str, phones: &[Phone], count: usize) -> Result<VecDeque<Prepared>> {
    let phone = phones.first().context("a phone")?;
    let access = phone.tokens().await.context("signed in")?.access;
    let proved = phone.proved(&Call::new(Method::GET, path), &access)?;
    let mut headers = proved.headers;
    headers.push(("countersign-user".to_owned(), "bench".to_owned()));
    let prepared = Prepared { path: proved.target, headers };
    Ok(std::iter::repeat_n(prepared, count).collect())
}
