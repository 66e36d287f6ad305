//! The side port, on loopback: health for orchestrators, metrics for collectors. Nothing personal and nothing secret.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use countersign_store::{KeyPurpose, Keys};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

/// What the side port says.
#[derive(Clone)]
pub struct Side {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Whoever answers this is alive.
    pub keys: Arc<dyn Keys>,
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
    match side.keys.list(KeyPurpose::AccessToken).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(fault) => {
            tracing::error!(%fault, "the node is not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
