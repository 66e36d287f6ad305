//! The bounds of the gateway, and of the connections that it takes.

use std::sync::Arc;

use countersign_core::Limits;
use countersign_gateway::{Budget, Certificates, GatewayConfig, ListenConfig, Origin, Patience, Proxies, Transport};

use crate::config::Bounds;

/// The gateway at `public`, within these bounds.
#[must_use]
pub fn gateway(public: &Origin, bounds: &Bounds) -> GatewayConfig {
    let mut config = GatewayConfig::new(public.clone());
    config.streams.bytes_max = bounds.body_bytes_max;
    config.held.connections_max = bounds.open_connections_max;
    config.held.interval = bounds.judged_every;
    config
}

/// The public listener with this certificate, within these bounds.
#[must_use]
pub fn listener(certificates: Arc<Certificates>, bounds: &Bounds, proxies: Proxies) -> ListenConfig {
    let mut config = ListenConfig::new(Transport::Tls(certificates));
    config.connections_max = bounds.connections_max;
    config.drain_max = bounds.drain_max;
    // What the doors of ours take is bounded by them, and not by what streams through.
    config.bodies.bytes_max = bounds.body_bytes_max.max(Limits::PARSED_BODY_BYTES_MAX.try_into().unwrap_or(u64::MAX));
    config.budget = Budget::USUAL;
    config.patience = Patience::USUAL;
    config.proxies = proxies;
    config
}
