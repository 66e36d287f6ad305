//! The side port, on loopback: health for orchestrators, metrics for collectors. Nothing personal and nothing secret.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use countersign_core::Clock;
use countersign_store::{KeyPurpose, Keys};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::assembly::rotation::Rings;

/// What the side port says.
#[derive(Clone)]
pub struct Side {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Whoever answers this is alive.
    pub keys: Arc<dyn Keys>,
    /// Whoever signs.
    pub rings: Rings,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the node takes no new work.
    pub shutdown: CancellationToken,
}

/// All routes.
pub fn router(side: Side) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async |State(side): State<Side>| ([("content-type", "text/plain; version=0.0.4")], side.metrics.render())))
        .with_state(side)
}

async fn ready(State(side): State<Side>) -> impl IntoResponse {
    if side.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if !able_to_sign(&side) {
        return (StatusCode::SERVICE_UNAVAILABLE, "no signing key covers this moment\n");
    }
    match side.keys.list(KeyPurpose::AccessToken).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(fault) => {
            tracing::error!(%fault, "the node is not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}

/// Tells if a signing key covers this moment. After a step of the clock none may, until the next look at the clock.
fn able_to_sign(side: &Side) -> bool {
    side.rings.can_sign(side.clock.now().seconds())
}
