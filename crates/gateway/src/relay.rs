//! One request to the upstream and its answer back: hygiene and bounds, no judgement. What is judged goes through `forward`.

use std::net::IpAddr;

use bytes::Bytes;
use countersign_core::{Limits, Reason};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version, header, request};
use http_body::Body as _;

use crate::{
    body::{self, Body, Bounds},
    config::{Origin, Protocol, Scheme},
    exchange::Stage,
    hygiene::{self, TakesTrailers},
    peer::Peer,
    upstream::{Answered, Patience, SendError, Stopped, Upstream},
};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What every request to this upstream says of where it came from.
#[derive(Debug)]
pub(crate) struct Route {
    upstream: Upstream,
    host: HeaderValue,
    public_host: HeaderValue,
    public_proto: HeaderValue,
    /// `;host=..;proto=..`, to stand behind `for=..` in `Forwarded` (RFC 7239).
    forwarded_rest: String,
    streams: Bounds,
}

impl Route {
    /// From the world's `public` origin to `upstream`.
    pub(crate) fn new(public: &Origin, upstream: Upstream, streams: Bounds) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"));
        let proto = match public.scheme() {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        Self {
            host: value(upstream.origin().authority().as_str()),
            public_host: value(public.authority().as_str()),
            public_proto: HeaderValue::from_static(proto),
            forwarded_rest: format!(";host=\"{}\";proto={proto}", public.authority()),
            upstream,
            streams,
        }
    }

    /// Bounds on what streams through.
    pub(crate) const fn streams(&self) -> Bounds {
        self.streams
    }

    /// Makes the request's head the upstream's. `None` never happens for a path that was received.
    pub(crate) fn readdress(&self, mut head: request::Parts, peer: &Peer) -> Option<request::Parts> {
        head.uri = self.upstream.url(head.uri.path_and_query())?;
        head.version = Version::HTTP_11;
        let takes_trailers = hygiene::takes_trailers(&head.headers);
        hygiene::clean_request(&mut head.headers);
        self.say_who_forwards(&mut head.headers, peer.address.ip());
        match self.upstream.protocol() {
            Protocol::Http1 => {}
            Protocol::Http2 | Protocol::Negotiated => {
                if takes_trailers == TakesTrailers::Yes {
                    // The one coding that HTTP/2 knows (RFC 9113 section 8.2.2), and gRPC asks for.
                    head.headers.insert(header::TE, HeaderValue::from_static("trailers"));
                }
            }
        }
        Some(head)
    }

    fn say_who_forwards(&self, headers: &mut HeaderMap, client: IpAddr) {
        let (plain, quoted) = match client.to_canonical() {
            IpAddr::V4(ip) => (ip.to_string(), format!("for={ip}{}", self.forwarded_rest)),
            IpAddr::V6(ip) => (ip.to_string(), format!("for=\"[{ip}]\"{}", self.forwarded_rest)),
        };
        headers.insert(header::HOST, self.host.clone());
        headers.insert(X_FORWARDED_HOST.clone(), self.public_host.clone());
        headers.insert(X_FORWARDED_PROTO.clone(), self.public_proto.clone());
        for (name, text) in [(X_FORWARDED_FOR.clone(), plain), (header::FORWARDED, quoted)] {
            if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
                headers.insert(name, value);
            }
        }
    }

    /// Sends it, and cleans the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Reason> {
        let answer = self.ask(request, Patience::Usual).await?;
        // Nothing was to be upgraded, so this is no answer.
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Reason::UpstreamUnavailable);
        }
        // Refused where its head tells, since nobody can be told later.
        if answer.body().size_hint().lower() > self.streams.bytes_max {
            tracing::warn!(bytes_max = self.streams.bytes_max, "the upstream's answer is longer than is passed on (`limits.body_max`)");
            return Err(Reason::UpstreamAnswerTooLarge);
        }
        Ok(self.clean(answer))
    }

    /// Sends it; the answer is still the upstream's.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn ask(&self, request: Request<Body>, patience: Patience) -> Result<Response<Answered>, Reason> {
        let answer = self.upstream.send(request, patience).await.map_err(|error| reason(&error))?;
        sized(answer.headers())?;
        Ok(answer)
    }

    /// Cleans an answer, and bounds its body.
    pub(crate) fn clean(&self, answer: Response<Answered>) -> Response<Body> {
        clean_head(answer).map(|body| body::bounded(body, self.streams))
    }
}

/// Takes from an answer's head what is not for the client.
pub(crate) fn clean_head<B>(answer: Response<B>) -> Response<B> {
    let (mut head, body) = answer.into_parts();
    // RFC 9112 section 6.3, rule 3: the coding alone frames the message, and a length beside it goes no further.
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    hygiene::clean_answer(&mut head.headers);
    // Both peers speak their own version; hyper decides it for ours.
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Response::from_parts(head, body)
}

/// An answer's head, within the limits of heads.
fn sized(headers: &HeaderMap) -> Result<(), Reason> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if headers.len() > Limits::HEADERS_MAX || bytes > Limits::HEADER_BYTES_MAX {
        tracing::warn!(headers = headers.len(), bytes, "the upstream's answer has more headers than are passed on");
        return Err(Reason::UpstreamAnswerTooLarge);
    }
    Ok(())
}

fn reason(error: &SendError) -> Reason {
    match error {
        SendError::Body(Stopped::Broken | Stopped::Cut) => Reason::RequestMalformed,
        SendError::Body(Stopped::NoRoom) => Reason::BuffersFull,
        SendError::Body(Stopped::TooLarge) => Reason::BodyTooLarge,
        SendError::Body(Stopped::TooSlow) => Reason::RequestTooSlow,
        SendError::HeadTooLarge => {
            tracing::warn!("the head of the upstream's answer is larger than is passed on");
            Reason::UpstreamAnswerTooLarge
        }
        SendError::Timeout => {
            tracing::warn!("the upstream did not answer in time");
            Reason::UpstreamTimeout
        }
        SendError::Unreachable(error) => {
            tracing::warn!(error = error as &dyn std::error::Error, "the upstream could not be reached");
            Reason::UpstreamUnavailable
        }
    }
}

/// A bare reverse proxy over the same listener, pool and hygiene, without any check.
///
/// It exists as the baseline of `make bench`: what the gateway costs beyond it is what the checks cost. Nothing that serves
/// clients may use it, and nothing of the gateway does.
#[derive(Debug)]
pub struct PassThrough {
    route: Route,
}

impl PassThrough {
    /// From `public` to `upstream`.
    #[must_use]
    pub fn new(public: &Origin, upstream: Upstream, streams: Bounds) -> Self {
        Self { route: Route::new(public, upstream, streams) }
    }

    /// Forwards whatever comes; a bare 502 when the upstream does not answer.
    pub async fn forward<B>(&self, request: Request<B>, peer: &Peer) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        peer.reaches(Stage::Admitted);
        let answer = match self.route.readdress(head, peer) {
            Some(head) => self.route.send(Request::from_parts(head, body::bounded(body, self.route.streams))).await.ok(),
            None => None,
        };
        answer.unwrap_or_else(|| {
            let mut answer = Response::new(body::empty());
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        })
    }
}
