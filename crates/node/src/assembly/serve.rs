//! What serves on each listener. A part that stops by itself, by whatever cause, takes the node with it: half a node would only look
//! alive.

use std::{io, sync::Arc};

use axum::Router;
use countersign_gateway::{Gateway, ListenConfig, listen};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::socket::Socket,
    assembly::{
        auth_requests::AuthRequests,
        base::Assembly,
        front::Front,
        side::{self, Side},
    },
};

/// Serves phones.
pub fn public(assembly: &Assembly, listener: TcpListener, config: ListenConfig, front: Front, tasks: &mut JoinSet<()>) {
    let (clock, shutdown) = (Arc::clone(&assembly.clock), assembly.shutdown.clone());
    tasks.spawn(end_open_connections(Arc::clone(&front.house), shutdown.clone()));
    let served = listen(listener, config, clock, shutdown.clone(), move |request, peer| front.clone().answer(request, peer));
    tasks.spawn(until_it_fails("the public port", served, shutdown));
}

/// Answers another proxy that asks whether a request may pass.
pub fn auth_requests(assembly: &Assembly, door: AuthRequests, gateway: Arc<Gateway>, tasks: &mut JoinSet<()>) {
    let shutdown = assembly.shutdown.clone();
    tasks.spawn(until_it_fails("the door of another proxy", door.serve(gateway, shutdown.clone()), shutdown));
}

/// Serves operators.
pub fn operators(assembly: &Assembly, socket: Socket, routes: Router, tasks: &mut JoinSet<()>) {
    let shutdown = assembly.shutdown.clone();
    tasks.spawn(until_it_fails("the admin socket", socket.serve(routes, shutdown.clone()), shutdown));
}

/// Serves health and metrics.
pub fn side(assembly: &Assembly, listener: TcpListener, metrics: PrometheusHandle, tasks: &mut JoinSet<()>) {
    let shutdown = assembly.shutdown.clone();
    let (keys, rings, clock) = (Arc::clone(&assembly.stores.keys), assembly.rings.clone(), Arc::clone(&assembly.clock));
    let routes = side::router(Side { metrics, keys, rings, clock, shutdown: shutdown.clone() });
    let served = axum::serve(listener, routes).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tasks.spawn(until_it_fails("the port of metrics", async { served.await }, shutdown));
}

/// Connections that stay open are told to end when the node takes no new work; nobody else would tell them.
async fn end_open_connections(house: Arc<Gateway>, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    house.end_open_connections().await;
}

async fn until_it_fails(what: &'static str, part: impl Future<Output = io::Result<()>>, shutdown: CancellationToken) {
    let _guard = shutdown.drop_guard();
    if let Err(fault) = part.await {
        tracing::error!(what, %fault, "failed; the node stops");
    }
}
