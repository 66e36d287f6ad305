//! Bodies at the doors beside the public one: its listener is not theirs, its rule is.

use axum::{Router, body::Body, extract::Request, middleware};
use countersign_gateway::{BodyRules, at_door};

/// Bounds what each request's body may bring, and how long it may take.
pub(crate) fn bounded(router: Router) -> Router {
    router.layer(middleware::map_request(async |request: Request| request.map(|body| Body::new(at_door(body, BodyRules::USUAL)))))
}
