//! The side port, on loopback: health for orchestrators, metrics for collectors. Nothing personal and nothing secret.

use std::{fs::File, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get, serve::Listener};
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};

use crate::assembly::readiness::{Part, Readiness};

/// Descriptors that are kept for the side port: when no others are left, that is what it has to say.
const SPARE: usize = 4;

/// Time after which a connection is looked for again that could not be taken.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What the side port says.
#[derive(Clone)]
pub struct Side {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Asks everything that fails closed.
    pub readiness: Arc<Readiness>,
}

/// All routes.
pub fn router(side: Side) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async |State(side): State<Side>| ([("content-type", "text/plain; version=0.0.4")], side.metrics.render())))
        .with_state(side)
}

/// `ready`, or each part that is not, a line each.
async fn ready(State(side): State<Side>) -> impl IntoResponse {
    let not_ready = side.readiness.ask().await;
    gauge!("countersign_ready").set(if not_ready.is_empty() { 1.0 } else { 0.0 });
    if not_ready.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let mut told = String::new();
    for part in not_ready {
        if part.part == Part::Serving {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", part.why));
        }
        tracing::warn!(part = part.part.as_str(), why = part.why, "the node is not ready");
        told.push_str(&format!("not ready: {}: {}\n", part.part.as_str(), part.why));
    }
    (StatusCode::SERVICE_UNAVAILABLE, told)
}

/// A listener that can take a connection although no descriptor is left: it keeps a few for that.
pub(crate) struct Spared {
    listener: TcpListener,
    spare: Vec<File>,
}

impl Spared {
    /// Keeps descriptors beside a listener.
    pub fn new(listener: TcpListener) -> Self {
        let mut spared = Self { listener, spare: Vec::with_capacity(SPARE) };
        spared.refill();
        spared
    }

    fn refill(&mut self) {
        while self.spare.len() < SPARE
            && let Ok(file) = File::open("/dev/null")
        {
            self.spare.push(file);
        }
    }
}

impl Listener for Spared {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            self.refill();
            match self.listener.accept().await {
                Ok(taken) => return taken,
                // One of ours is given up for the connection, and taken again when that has ended.
                Err(_) if self.spare.pop().is_some() => {}
                Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
