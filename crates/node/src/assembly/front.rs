//! The public door: one listener, and one rule about who answers. Two prefixes are the issuer's; everything else is the API.

use std::{convert::Infallible, io, sync::Arc};

use axum::Router;
use countersign_gateway::{
    Gateway, Peer, Wire,
    body::{Body, BodyError},
};
use countersign_issuer::Origin;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// What the issuer answers.
const ISSUER_PREFIXES: [&str; 2] = ["/countersign/v1/", "/.well-known/"];

/// What the doors of shared signals answer.
const SIGNALS_PREFIX: &str = "/countersign/v1/signals/";

/// What a receiver of shared signals reads first (SSF 1.0 section 7.2).
const SIGNALS_CONFIGURATION: &str = "/.well-known/ssf-configuration";

/// Who answers what.
#[derive(Clone)]
pub struct Front {
    /// The gateway.
    pub house: Arc<Gateway>,
    /// The issuer.
    pub issuer: Router,
    /// Shared signals.
    pub signals: Router,
}

impl Front {
    /// Answers one request.
    pub async fn answer(self, request: Request<Body>, peer: Peer) -> Response<Body> {
        // What has two readings is refused in one place, whoever's it was.
        if peer.wire() != Wire::Clear {
            return countersign_gateway::serve(&self.house, request, peer).await;
        }
        // The path is looked at as it came. One that only becomes the issuer's by decoding or tidying is not the issuer's, and
        // the gateway refuses it as ambiguous.
        let path = request.uri().path();
        if path.starts_with(SIGNALS_PREFIX) || path == SIGNALS_CONFIGURATION {
            return by_router(self.signals, request).await;
        }
        if ISSUER_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
            return by_the_issuer(self.issuer, request, peer).await;
        }
        countersign_gateway::serve(&self.house, request, peer).await
    }
}

async fn by_the_issuer(issuer: Router, mut request: Request<Body>, peer: Peer) -> Response<Body> {
    request.extensions_mut().insert(Origin(peer.address.ip()));
    by_router(issuer, request).await
}

async fn by_router(router: Router, request: Request<Body>) -> Response<Body> {
    let answer: Result<_, Infallible> = router.oneshot(request.map(|body| axum::body::Body::new(body.map_err(io_fault)))).await;
    match answer {
        Ok(answer) => answer.map(|body| body.map_err(|fault| BodyError::Broken(Box::new(fault))).boxed_unsync()),
        Err(never) => match never {},
    }
}

/// The fault of a request's body, in words that every server knows.
fn io_fault(fault: BodyError) -> io::Error {
    let kind = match &fault {
        BodyError::Broken(_) | BodyError::Cut => io::ErrorKind::ConnectionAborted,
        BodyError::NoRoom => io::ErrorKind::OutOfMemory,
        BodyError::TooLarge => io::ErrorKind::FileTooLarge,
        BodyError::TooSlow => io::ErrorKind::TimedOut,
    };
    io::Error::new(kind, fault)
}
