//! A request as it came: nothing of it is believed yet.

use bytes::Bytes;
use http::{Request, request::Parts};

use crate::{
    body::{self, Body, Bounds},
    peer::Peer,
};

/// A request as it came.
pub(crate) struct RawRequest {
    /// Its head.
    pub(crate) head: Parts,
    /// Its body, within bounds.
    pub(crate) body: Body,
    /// Who sent it.
    pub(crate) peer: Peer,
}

impl RawRequest {
    /// Takes it in; its body will keep to `bounds` whoever reads it.
    pub(crate) fn new<B>(request: Request<B>, peer: Peer, bounds: Bounds) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        Self { head, body: body::bounded(body, bounds), peer }
    }

    /// The body, of which there is only one.
    pub(crate) fn take_body(body: &mut Body) -> Body {
        std::mem::replace(body, body::empty())
    }
}
