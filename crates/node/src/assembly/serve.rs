//! What serves on each listener. A part that stops by itself, by whatever cause, takes the node with it: half a node would only look
//! alive.

use std::{
    io,
    sync::{Arc, Mutex},
};

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
        readiness::Readiness,
        side::{self, Side, Spared},
        side_access::{self, Caller, SideAccess},
    },
    bodies,
    config::Operators,
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

/// Serves operators at the admin socket.
pub fn operators(assembly: &Assembly, socket: Socket, routes: Router, operators: Operators, tasks: &mut JoinSet<()>) {
    let shutdown = assembly.shutdown.clone();
    tasks.spawn(until_it_fails("the admin socket", socket.serve(routes, operators, shutdown.clone()), shutdown));
}

/// Serves health and metrics.
pub fn side(assembly: &Assembly, listener: TcpListener, access: SideAccess, metrics: PrometheusHandle, tasks: &mut JoinSet<()>) {
    let shutdown = assembly.shutdown.clone();
    let readiness = Readiness {
        log: assembly.stores.log(),
        database: assembly.stores.database(),
        replay: assembly.stores.replay(),
        access: Arc::clone(&assembly.rings.access),
        statements: Arc::clone(&assembly.rings.statements),
        clock: Arc::clone(&assembly.clock),
        data: assembly.data.clone(),
        shutdown: shutdown.clone(),
        last: Mutex::default(),
    };
    let routes = side::router(Side { metrics, readiness: Arc::new(readiness) });
    let routes = bodies::bounded(side_access::guarded(routes, access)).into_make_service_with_connect_info::<Caller>();
    let served = axum::serve(Spared::new(listener), routes).with_graceful_shutdown(shutdown.clone().cancelled_owned());
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
