//! The public door: one listener, and one rule about who answers. Two prefixes are the issuer's; everything else is the API.

use std::{convert::Infallible, sync::Arc};

use axum::Router;
use countersign_gateway::{
    House, Peer,
    body::{Body, BodyError},
};
use countersign_issuer::ClientAddress;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tower::ServiceExt;

/// What the issuer answers.
const ISSUER_PREFIXES: [&str; 2] = ["/countersign/v1/", "/.well-known/"];

/// Who answers what.
#[derive(Clone)]
pub struct Front {
    /// The gateway.
    pub house: Arc<House>,
    /// The issuer.
    pub issuer: Router,
}

impl Front {
    /// Answers one request.
    pub async fn answer(self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        // The path is looked at as it came. One that only becomes the issuer's by decoding or tidying is not the issuer's, and
        // the gateway refuses it as ambiguous.
        let path = request.uri().path();
        if ISSUER_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
            return by_the_issuer(self.issuer, request, &peer).await;
        }
        countersign_gateway::serve(&self.house, request, peer).await
    }
}

async fn by_the_issuer(issuer: Router, mut request: Request<Incoming>, peer: &Peer) -> Response<Body> {
    request.extensions_mut().insert(ClientAddress(peer.address.ip()));
    let answer: Result<_, Infallible> = issuer.oneshot(request.map(axum::body::Body::new)).await;
    match answer {
        Ok(answer) => answer.map(|body| body.map_err(|fault| BodyError::Broken(Box::new(fault))).boxed_unsync()),
        Err(never) => match never {},
    }
}
