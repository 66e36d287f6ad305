//! The way of a request through the issuer: receive, prove, judge, record, answer.

use std::{
    net::{IpAddr, Ipv4Addr},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use axum::{Router, extract::Request, response::Response, routing::any};
use countersign_core::Reason;
use futures_util::FutureExt;
use metrics::{counter, histogram};

use crate::{
    answer, attest, discovery,
    door::{Door, Voice},
    enrol,
    house::Issuer,
    login, me,
    receive::{Call, Origin, receive},
    record,
    refusal::Refusal,
    registration, report, revoke, token,
    visit::Visit,
};

/// Every door of the issuer, below the paths that [`Door::path`] names; any other path is refused.
///
/// Limits on connections, heads and slow bodies are the listener's; TLS too.
pub fn router(issuer: Arc<Issuer>) -> Router {
    let mut router = Router::new();
    for door in Door::ALL.iter().copied().filter(|door| door.neighbours().next() == Some(*door)) {
        let issuer = Arc::clone(&issuer);
        router = router.route(door.path(), any(move |request: Request| visit(Arc::clone(&issuer), meant(door, &request), request)));
    }
    router.fallback(move |_: Request| nowhere(Arc::clone(&issuer)))
}

/// The door at this path that takes the request's method; the first of them refuses what none does.
fn meant(first: Door, request: &Request) -> Door {
    first.neighbours().find(|door| door.methods().contains(request.method())).unwrap_or(first)
}

async fn visit(issuer: Arc<Issuer>, door: Door, request: Request) -> Response {
    let address = request.extensions().get::<Origin>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |origin| origin.0);
    let visit = Visit::new(door, issuer.new_decision_id(), issuer.now(), address);
    // Nothing below should panic; if something does, one request is refused, and the fault is ours (law 1).
    let passed = AssertUnwindSafe(pass(&issuer, request, &visit)).catch_unwind().await;
    let passed = passed.unwrap_or_else(|_| Err(Refusal::because(Reason::Internal, "a panic".to_owned())));
    let outcome = passed.as_ref().err().map_or("served", |refusal| refusal.reason.code()).to_owned();
    let mut response = match passed {
        Ok(response) => response,
        Err(refusal) => {
            log(&refusal, &visit);
            let mut response = answer::refusal(&refusal, door.voice(), &visit.number);
            if refusal.reason == Reason::MethodUnknown {
                let methods: Vec<_> = door.neighbours().flat_map(Door::methods).cloned().collect();
                answer::allow(&mut response, &methods);
            }
            response
        }
    };
    counter!("countersign_issuer_requests_total", "door" => door.path(), "outcome" => outcome).increment(1);
    let milliseconds = u32::try_from(issuer.now().0.saturating_sub(visit.now.0)).unwrap_or(u32::MAX);
    histogram!("countersign_issuer_request_seconds", "door" => door.path()).record(f64::from(milliseconds) / 1000.0);
    answer::dress(&mut response, &visit.number, &issuer.keys.nonces.issue(visit.second()), visit.second());
    response
}

async fn pass(issuer: &Issuer, request: Request, visit: &Visit) -> Result<Response, Refusal> {
    let call = receive(request, visit.door).await?;
    let judged = judge(issuer, &call, visit).await;
    if let Err(refusal) = &judged {
        record::refused(issuer, refusal, visit).await?;
    }
    judged
}

async fn judge(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    match visit.door {
        Door::Attest => attest::attest(issuer, call, visit).await,
        Door::Challenge => enrol::challenge(issuer, call, visit).await,
        Door::Devices => enrol::enrol(issuer, call, visit).await,
        Door::Jwks => discovery::jwks(issuer, visit),
        Door::LoginFinish => login::finish(issuer, call, visit).await,
        Door::LoginStart => login::start(issuer, call, visit).await,
        Door::Metadata => Ok(discovery::metadata(issuer)),
        Door::MyDevice => me::rename(issuer, call, visit).await,
        Door::MyDeviceNotMe => me::disown(issuer, call, visit).await,
        Door::MyDeviceRemove => me::remove(issuer, call, visit).await,
        Door::MyDevices => me::devices(issuer, call, visit).await,
        Door::MyNotices => me::notices(issuer, call, visit).await,
        Door::RegistrationFinish => registration::finish(issuer, call, visit).await,
        Door::RegistrationStart => registration::start(issuer, call, visit).await,
        Door::Report => report::report(issuer, call, visit).await,
        Door::Revoke => revoke::revoke(issuer, call, visit).await,
        Door::Token => token::issue(issuer, call, visit).await,
    }
}

/// A path below ours that is no door.
async fn nowhere(issuer: Arc<Issuer>) -> Response {
    let (number, now) = (issuer.new_decision_id(), issuer.now().seconds());
    let mut response = answer::refusal(&Refusal::new(Reason::UnknownOperation), Voice::Problem, &number);
    answer::dress(&mut response, &number, &issuer.keys.nonces.issue(now), now);
    response
}

/// Writes down why, for operators: codes and rules, never names, ids of people, tokens or keys.
fn log(refusal: &Refusal, visit: &Visit) {
    let (door, number, reason, cause) = (visit.door.path(), visit.number.as_str(), refusal.reason.code(), refusal.cause.as_str());
    if refusal.reason.told() == countersign_core::Told::Unavailable {
        tracing::error!(door, number, reason, cause, "our fault");
    } else {
        tracing::info!(door, number, reason, cause, "refused");
    }
}
