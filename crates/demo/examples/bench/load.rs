//! A closed-loop load of ready-made requests over kept connections, and its latencies.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What one run of the load saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answers with status 200.
    pub served: u64,
    /// All other answers.
    pub refused: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Latency of each answer in microseconds, sorted.
    pub latencies_us: Vec<u64>,
}

impl Seen {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        (self.served + self.refused) as f64 / self.took.as_secs_f64()
    }

    /// The latency that `percent` of the answers did not exceed, in microseconds.
    pub fn percentile(&self, percent: f64) -> u64 {
        let rank = (percent / 100.0 * self.latencies_us.len() as f64).ceil() as usize;
        self.latencies_us.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Where the load goes.
#[derive(Clone)]
pub struct Goal {
    /// Host name for SNI and `Host`.
    pub host: String,
    /// Port on loopback.
    pub port: u16,
    /// The root to trust; plain HTTP without one.
    pub root_pem: Option<String>,
}

/// One prepared request head: method GET, path, headers.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Path.
    pub path: String,
    /// Headers besides `Host`.
    pub headers: Vec<(String, String)>,
}

/// How fast requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each connection sends its next request when the last was answered.
    Closed,
    /// So many requests per second over all connections; latency counts from when a request was due, so that a stall is
    /// not hidden by the requests that it delayed (coordinated omission).
    PerSecond(f64),
}

/// Sends all of `requests` over `connections` kept connections.
pub async fn run(goal: &Goal, connections: usize, requests: VecDeque<Prepared>, pace: Pace) -> Result<Seen> {
    let count = requests.len();
    let queue = Arc::new(Mutex::new((0_u64, requests)));
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect(goal).await?);
    }
    let began = Instant::now();
    let workers: Vec<_> = open
        .into_iter()
        .map(|connection| {
            let (queue, goal) = (Arc::clone(&queue), goal.clone());
            tokio::spawn(async move { work(connection, &goal, &queue, began, pace).await })
        })
        .collect();
    let mut seen = Seen { latencies_us: Vec::with_capacity(count), ..Seen::default() };
    for worker in workers {
        let part = worker.await??;
        seen.served += part.served;
        seen.refused += part.refused;
        seen.latencies_us.extend(part.latencies_us);
    }
    seen.took = began.elapsed();
    seen.latencies_us.sort_unstable();
    Ok(seen)
}

async fn work(
    mut connection: SendRequest<Full<Bytes>>,
    goal: &Goal,
    queue: &Mutex<(u64, VecDeque<Prepared>)>,
    began: Instant,
    pace: Pace,
) -> Result<Seen> {
    let mut seen = Seen::default();
    let authority = format!("{}:{}", goal.host, goal.port);
    loop {
        let (number, prepared) = {
            let mut queue = queue.lock().map_err(|_| anyhow!("a worker panicked"))?;
            let Some(prepared) = queue.1.pop_front() else { return Ok(seen) };
            queue.0 += 1;
            (queue.0 - 1, prepared)
        };
        let due = match pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => {
                let due = began + Duration::from_secs_f64(number as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        let mut request = http::Request::get(prepared.path).header("host", &authority);
        for (name, value) in &prepared.headers {
            request = request.header(name, value);
        }
        if connection.ready().await.is_err() {
            connection = connect(goal).await?;
        }
        let answer = connection.send_request(request.body(Full::new(Bytes::new()))?).await.context("sending")?;
        let served = answer.status().is_success();
        answer.into_body().collect().await.context("reading")?;
        seen.latencies_us.push(due.elapsed().as_micros() as u64);
        if served { seen.served += 1 } else { seen.refused += 1 }
    }
}

async fn connect(goal: &Goal) -> Result<SendRequest<Full<Bytes>>> {
    let tcp = TcpStream::connect(("127.0.0.1", goal.port)).await.with_context(|| format!("connecting to port {}", goal.port))?;
    tcp.set_nodelay(true)?;
    let Some(root) = &goal.root_pem else {
        let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
        tokio::spawn(connection);
        return Ok(sender);
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(root.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(goal.host.clone())?, tcp).await?;
    let (sender, connection) = handshake(TokioIo::new(tls)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
