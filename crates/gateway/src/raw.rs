//! A request as it came: nothing of it is believed yet.

use bytes::Bytes;
use http::{Request, request::Parts};
use http_body_util::BodyExt;

use crate::{
    body::{self, Body, BodyError, Bounds},
    peer::Peer,
};

/// A request as it came.
pub(crate) struct RawRequest {
    /// Its head.
    pub(crate) head: Parts,
    /// Its body.
    pub(crate) body: Unread,
    /// Who sent it.
    pub(crate) peer: Peer,
}

impl RawRequest {
    /// Takes it in.
    pub(crate) fn new<B>(request: Request<B>, peer: Peer) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let body = if body.is_end_stream() { body::empty() } else { body.map_err(|cause| BodyError::Broken(cause.into())).boxed_unsync() };
        Self { head, body: Unread(body), peer }
    }
}

/// A body that nobody reads but through bounds.
pub(crate) struct Unread(Body);

impl Unread {
    /// The body, of which there is only one; it will keep to `bounds` whoever reads it.
    pub(crate) fn take(&mut self, bounds: Bounds) -> Body {
        body::bounded(std::mem::replace(&mut self.0, body::empty()), bounds)
    }
}
