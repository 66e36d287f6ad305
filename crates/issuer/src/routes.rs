//! Way of a request through the issuer: receive, prove, judge, record, answer.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use axum::{Router, extract::Request, response::Response, routing::any};
use countersign_core::Reason;
use futures_util::FutureExt;
use metrics::{counter, histogram};

use crate::{
    answer,
    context::RequestContext,
    endpoint::ErrorFormat,
    endpoints::{ROUTES, Route},
    proven,
    receive::{self, Origin},
    record,
    refusal::Refusal,
    state::Issuer,
};

/// Makes the router of every endpoint in `endpoints.rs`; any other path is refused.
///
/// Limits on connections, heads and slow bodies belong to the listener, and TLS does too.
pub fn router(issuer: Arc<Issuer>) -> Router {
    let mut router = Router::new();
    let mut paths = BTreeSet::new();
    for first in ROUTES.iter().filter(|route| paths.insert(route.endpoint.path)) {
        let issuer = Arc::clone(&issuer);
        let handler = move |request: Request| serve(Arc::clone(&issuer), meant(first, &request), request);
        router = router.route(first.endpoint.path, any(handler));
    }
    router.fallback(move |_: Request| nowhere(Arc::clone(&issuer)))
}

/// Finds the route at this path that takes the request's method; without one, the first route, which then refuses the method.
fn meant(first: &'static Route, request: &Request) -> &'static Route {
    first.neighbours().find(|route| route.endpoint.methods.contains(request.method())).unwrap_or(first)
}

async fn serve(issuer: Arc<Issuer>, route: &'static Route, request: Request) -> Response {
    let address = request.extensions().get::<Origin>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |origin| origin.0);
    let context = RequestContext::new(&route.endpoint, issuer.new_decision_id(), issuer.now(), address);
    // Nothing below should panic; if something does, one request is refused, and the fault is ours (law 1).
    let passed = AssertUnwindSafe(pass(&issuer, route, request, &context)).catch_unwind().await;
    let passed = passed.unwrap_or_else(|_| Err(Refusal::because(Reason::Internal, "a panic".to_owned())));
    let outcome = passed.as_ref().err().map_or("served", |refusal| refusal.reason.code()).to_owned();
    let mut response = match passed {
        Ok(response) => response,
        Err(refusal) => {
            log(&refusal, &context);
            let mut response = answer::refusal(&refusal, route.endpoint.errors, &context.number);
            if refusal.reason == Reason::MethodUnknown {
                let methods: Vec<_> = route.neighbours().flat_map(|route| route.endpoint.methods).cloned().collect();
                answer::allow(&mut response, &methods);
            }
            response
        }
    };
    counter!("countersign_issuer_requests_total", "door" => route.endpoint.path, "outcome" => outcome).increment(1);
    let milliseconds = u32::try_from(issuer.now().0.saturating_sub(context.now.0)).unwrap_or(u32::MAX);
    histogram!("countersign_issuer_request_seconds", "door" => route.endpoint.path).record(f64::from(milliseconds) / 1000.0);
    let nonce = context.speaker().map(|key| issuer.access.nonces.issue(&key, issuer.now().seconds()));
    answer::dress(&mut response, &context.number, nonce.as_deref(), context.second());
    response
}

async fn pass(issuer: &Issuer, route: &Route, request: Request, context: &RequestContext) -> Result<Response, Refusal> {
    let judged = handle(issuer, route, request, context).await;
    if let Err(refusal) = &judged {
        // A refusal that cannot be recorded becomes a fault of the server: nothing is answered that the log does not have.
        record::refused(issuer, refusal, context).await?;
    }
    judged
}

async fn handle(issuer: &Issuer, route: &Route, request: Request, context: &RequestContext) -> Result<Response, Refusal> {
    let (mut call, unread) = receive::head(request, &route.endpoint)?;
    // Who proves nothing is read nothing from.
    proven::worth_reading(issuer, &call, context)?;
    call.body = unread.read().await?;
    (route.handler)(issuer, &call, context).await
}

/// Answers at a path below this server's where no endpoint is.
async fn nowhere(issuer: Arc<Issuer>) -> Response {
    let (number, now) = (issuer.new_decision_id(), issuer.now().seconds());
    let mut response = answer::refusal(&Refusal::new(Reason::UnknownOperation), ErrorFormat::Problem, &number);
    answer::dress(&mut response, &number, None, now);
    response
}

/// Writes the reason into the operator's log: codes and rules, never names, ids of people, tokens or keys.
fn log(refusal: &Refusal, context: &RequestContext) {
    let (door, number, reason, cause) = (context.endpoint.path, context.number.as_str(), refusal.reason.code(), refusal.cause.as_str());
    if refusal.reason.public() == countersign_core::PublicReason::Unavailable {
        tracing::error!(door, number, reason, cause, "internal error");
    } else {
        tracing::info!(door, number, reason, cause, "request refused");
    }
}
