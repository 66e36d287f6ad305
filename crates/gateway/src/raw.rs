//! A request as it came: nothing of it is believed yet.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use countersign_codec::sha256;
use countersign_core::Reason;
use http::{Request, request::Parts};
use http_body_util::BodyExt;

use crate::{
    body::{self, Body, BodyError, Bounds},
    peer::Peer,
};

/// A request as it came.
pub(crate) struct RawRequest {
    /// Head of the message, as it came.
    pub(crate) head: Parts,
    /// Body of the message, which is read within bounds only.
    pub(crate) body: RawBody,
    /// The peer that sent it.
    pub(crate) peer: Peer,
    /// Digest of the body, where it was read.
    pub(crate) content: Option<ContentDigest>,
}

/// SHA-256 of a body, as `Content-Digest` has it (RFC 9530 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentDigest(String);

impl ContentDigest {
    /// Digest of a body that was read whole.
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(format!("sha-256=:{}:", STANDARD.encode(sha256(&[body]))))
    }

    /// The value of the header.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl RawRequest {
    /// Takes in a message and its peer.
    pub(crate) fn new<B>(request: Request<B>, peer: Peer) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let body = if body.is_end_stream() { body::empty() } else { body.map_err(|cause| BodyError::of(cause.into())).boxed_unsync() };
        Self { head, body: RawBody::Unread(body), peer, content: None }
    }

    /// A head whose body, if it has one, is in other hands.
    pub(crate) fn bodiless(head: Parts, peer: Peer) -> Self {
        Self { head, body: RawBody::Unread(body::empty()), peer, content: None }
    }
}

/// A body that nobody reads but through bounds, and that nobody forwards but as it was judged.
pub(crate) enum RawBody {
    /// A body as it came.
    Unread(Body),
    /// Within the bounds of its operation, and read by policy where policy reads it: the same bytes.
    Judged(Body),
}

impl RawBody {
    /// The body, of which there is only one; it will keep to `bounds` whoever reads it.
    pub(crate) fn take(&mut self, bounds: Bounds) -> Body {
        match std::mem::replace(self, Self::Unread(body::empty())) {
            Self::Unread(body) | Self::Judged(body) => body::bounded(body, bounds),
        }
    }

    /// Puts back what was taken, after it was judged.
    pub(crate) fn keep(&mut self, body: Body) {
        *self = Self::Judged(body);
    }

    /// The body, for the upstream.
    ///
    /// # Errors
    /// A fault of ours: nobody has judged it.
    pub(crate) fn judged(self) -> Result<Body, Reason> {
        match self {
            Self::Judged(body) => Ok(body),
            Self::Unread(_) => Err(Reason::Internal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9530 appendix B.1 has this one.
    #[test]
    fn a_body_is_named_as_the_standard_does() {
        let digest = ContentDigest::of(b"{\"hello\": \"world\"}\n");
        assert_eq!(digest.as_str(), "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    }
}
