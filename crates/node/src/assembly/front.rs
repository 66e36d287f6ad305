//! The public door: one listener, and one rule about who answers. One prefix and its own well-known names are the issuer's; two
//! well-known files are about apps; everything else is the API.

use std::{convert::Infallible, io, sync::Arc};

use axum::Router;
use countersign_gateway::{
    Gateway, Peer, Wire,
    body::{Body, BodyError},
};
use countersign_issuer::{Origin, endpoints};
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::{
    assembly::association::{self, Association},
    config::Dev,
};

/// Beginning of the paths that the issuer answers, besides its own well-known names.
const ISSUER_PREFIX: &str = "/countersign/v1/";

/// Where well-known names are (RFC 8615). Those that are not ours are operations like all others.
const WELL_KNOWN: &str = "/.well-known/";

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
    /// Routes that answer with the metadata of shared signals, where somebody is told of any.
    pub transmitter: Option<Router>,
    /// The files about apps.
    pub association: Association,
    /// Header of every answer that tells clients to use TLS (RFC 6797).
    pub transport_security: HeaderValue,
}

/// `Strict-Transport-Security`: a year. A development node asks to forget instead, since it is called `localhost`, as others are.
pub(crate) const fn transport_security(dev: Dev) -> HeaderValue {
    match dev {
        Dev::Off => HeaderValue::from_static("max-age=31536000"),
        Dev::On => HeaderValue::from_static("max-age=0"),
    }
}

impl Front {
    /// Answers one request by its path.
    pub async fn answer(self, request: Request<Body>, peer: Peer) -> Response<Body> {
        let told = self.transport_security.clone();
        let mut answer = self.answer_by_path(request, peer).await;
        // An upstream that says something else knows why.
        answer.headers_mut().entry(header::STRICT_TRANSPORT_SECURITY).or_insert(told);
        answer
    }

    async fn answer_by_path(self, request: Request<Body>, peer: Peer) -> Response<Body> {
        // What has two readings is refused in one place, whoever's it was.
        if peer.wire() != Wire::Clear {
            return countersign_gateway::serve(&self.house, request, peer).await;
        }
        // The path is looked at as it came. One that only becomes the issuer's by decoding or tidying is not the issuer's, and
        // the gateway refuses it as ambiguous.
        let path = request.uri().path();
        if path.starts_with(SIGNALS_PREFIX) {
            return by_router(self.signals, request).await;
        }
        if path == SIGNALS_CONFIGURATION
            && let Some(transmitter) = self.transmitter
        {
            return by_router(transmitter, request).await;
        }
        if let Some(file) = self.association.at(path) {
            return association::answer(file, request).await;
        }
        if path.starts_with(ISSUER_PREFIX) || (path.starts_with(WELL_KNOWN) && endpoints().any(|endpoint| endpoint.path == path)) {
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
