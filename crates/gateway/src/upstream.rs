//! Connections to the upstream: pooled, timed, and retried exactly where a retry cannot do anything twice.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::Limits;
use http::{Extensions, Method, Request, Response, Uri, header, uri::PathAndQuery};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::{TokioExecutor, TokioTimer},
};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::{
    again::Source,
    body::{Body, BodyError},
    config::{Origin, Protocol, Scheme, UpstreamConfig},
    hygiene,
    link::{self, Connector, ServedCount},
};

/// Why there is no way to the upstream. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// The host of an `https` upstream is no name that a certificate can have.
    HostInvalid,
    /// Without a handshake nobody says which HTTP is spoken.
    NothingNegotiates,
    /// An `https` upstream without anything to verify its certificate by.
    TrustMissing,
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostInvalid => "the upstream's host is not a name that can occur in a certificate",
            Self::NothingNegotiates => "an `http` upstream cannot negotiate the HTTP version; write `http1` or `http2`",
            Self::TrustMissing => "an `https` upstream needs CA certificates; set `upstream_ca`, or use `http` on loopback",
        })
    }
}

impl std::error::Error for UpstreamError {}

/// Why a request got no answer from the upstream. Alphabetical.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The client's body ended the request.
    Body(Stopped),
    /// The head of the answer is larger than is read.
    HeadTooLarge,
    /// The upstream took too long.
    Timeout,
    /// The upstream could not be reached or broke off.
    Unreachable(Error),
}

/// How the client's body ended the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It broke off.
    Broken,
    /// The decision that let it through does not hold any more.
    Cut,
    /// There was no room for it.
    NoRoom,
    /// It was longer than is taken.
    TooLarge,
    /// It stalled.
    TooSlow,
}

impl Stopped {
    const fn by(fault: &BodyError) -> Self {
        match fault {
            BodyError::Broken(_) => Self::Broken,
            BodyError::Cut => Self::Cut,
            BodyError::NoRoom => Self::NoRoom,
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow => Self::TooSlow,
        }
    }
}

/// How long is waited for the head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as somebody else allows: a call may say nothing until it has something to say.
    Held,
    /// As long as the operator allows.
    Usual,
}

/// The API that is protected, and the pool of connections to it.
#[derive(Debug)]
pub struct Upstream {
    /// Speaks as the operator says. HTTP/2 has many requests on one connection, and connections side by side.
    lanes: Vec<Lane>,
    /// Speaks HTTP/1.1, in which handshakes of WebSockets are (RFC 6455 section 4.1).
    http1: Pool,
    config: UpstreamConfig,
}

impl Upstream {
    /// Prepares the pool; connects to nothing yet.
    ///
    /// # Errors
    /// When an `https` upstream cannot be verified, or HTTP/2 is to be negotiated where there is no handshake.
    pub fn new(config: UpstreamConfig) -> Result<Self, UpstreamError> {
        if config.protocol == Protocol::Negotiated && config.origin.scheme() == Scheme::Http {
            return Err(UpstreamError::NothingNegotiates);
        }
        let http1 = pool(&config, connector(&config, Protocol::Http1)?);
        let lanes = match config.protocol {
            Protocol::Http1 => vec![Lane::of(http1.clone())],
            Protocol::Http2 | Protocol::Negotiated => {
                let connector = connector(&config, config.protocol)?;
                (0..LANES_MAX).map(|_| Lane::of(pool(&config, connector.clone()))).collect()
            }
        };
        Ok(Self { lanes, http1, config })
    }

    /// Where it lives.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.config.origin
    }

    /// What is spoken there.
    pub(crate) const fn protocol(&self) -> Protocol {
        self.config.protocol
    }

    /// The URL of `path` there; `None` never happens for a path that was received.
    pub(crate) fn url(&self, path: Option<&PathAndQuery>) -> Option<Uri> {
        let scheme = match self.config.origin.scheme() {
            Scheme::Http => http::uri::Scheme::HTTP,
            Scheme::Https => http::uri::Scheme::HTTPS,
        };
        let builder = Uri::builder().scheme(scheme).authority(self.config.origin.authority().clone());
        builder.path_and_query(path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))).build().ok()
    }

    /// Sends `request` and waits for the head of the answer.
    ///
    /// A request that is idempotent (RFC 9110 section 9.2.2) and has no body is sent a second time if a connection that had
    /// served before died under it: the upstream closed it while the request was on its way (RFC 9112 section 9.3.1). Any request is, of
    /// which nothing was sent, as long as what was taken of its body is still there.
    pub(crate) async fn send(&self, mut request: Request<Body>, patience: Patience) -> Result<Response<Answered>, SendError> {
        let (pool, seat) = self.way_for(&request);
        if seat.is_some() && self.config.protocol == Protocol::Http2 {
            // `:authority` says it (RFC 9113 section 8.3.1).
            request.headers_mut().remove(header::HOST);
        }
        let head_max = match patience {
            Patience::Held => None,
            Patience::Usual => Some(self.config.head_max),
        };
        let repeatable = repeatable(&request);
        let (head, body) = request.into_parts();
        let progress = Progress::default();
        let source = Source::of(Counted { inner: body, progress: progress.clone() }.boxed_unsync());
        let again = |error: &Error| match served(error) {
            Served::Before => repeatable,
            Served::BeforeAndNothingSent => source.is_whole(),
            Served::Never => false,
        };
        let answer = match attempt(pool, Request::from_parts(head.clone(), source.body()), &progress, head_max).await {
            Err(SendError::Unreachable(error)) if again(&error) => {
                attempt(pool, Request::from_parts(head, source.body()), &progress, head_max).await
            }
            outcome => outcome,
        };
        source.forget();
        answer.map(|answer| answer.map(|inner| Answered { inner, _seat: seat }))
    }

    /// The first connection with a free seat, so that the others may idle and be closed; the last where all are taken.
    fn way_for(&self, request: &Request<Body>) -> (&Pool, Option<Seat>) {
        if request.headers().contains_key(header::UPGRADE) || self.config.protocol == Protocol::Http1 {
            return (&self.http1, None);
        }
        let free = self.lanes.iter().find(|lane| lane.taken.load(Ordering::Relaxed) < SEATS);
        free.or(self.lanes.last()).map_or((&self.http1, None), |lane| (&lane.pool, Some(Seat::of(&lane.taken))))
    }
}

type Pool = Client<Connector, Body>;

/// Requests on one HTTP/2 connection: what every server should take (RFC 9113 section 6.5.2). More than a server takes would wait
/// behind those that stay open.
const SEATS: usize = 100;

/// Connections side by side; with [`SEATS`] more than the places that there are for what stays open.
const LANES_MAX: usize = 128;

/// A pool of which one connection is used at a time, and how many requests are on it.
#[derive(Debug)]
struct Lane {
    pool: Pool,
    taken: Arc<AtomicUsize>,
}

impl Lane {
    fn of(pool: Pool) -> Self {
        Self { pool, taken: Arc::default() }
    }
}

/// One request of a lane, until it is dropped.
#[derive(Debug)]
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn of(taken: &Arc<AtomicUsize>) -> Self {
        taken.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(taken))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn connector(config: &UpstreamConfig, protocol: Protocol) -> Result<Connector, UpstreamError> {
    let tls = match (config.origin.scheme(), &config.trust) {
        (Scheme::Http, _) => None,
        (Scheme::Https, None) => return Err(UpstreamError::TrustMissing),
        (Scheme::Https, Some(trust)) => {
            let bare = config.origin.host().trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(bare.to_owned()).map_err(|_| UpstreamError::HostInvalid)?;
            let mut trust = rustls::ClientConfig::clone(trust);
            trust.alpn_protocols = link::offers(protocol);
            Some((TlsConnector::from(Arc::new(trust)), name))
        }
    };
    Ok(Connector { origin: Arc::new(config.origin.clone()), tls, protocol, connect_max: config.connect_max })
}

fn pool(config: &UpstreamConfig, connector: Connector) -> Pool {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(config.idle_max)
        .pool_max_idle_per_host(config.idle_connections_max)
        .set_host(false)
        // RFC 9112 sections 5.1 and 5.2: what a proxy has to repair in an answer, and may not pass on.
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_max_buf_size(2 * Limits::HEADER_BYTES_MAX)
        .http1_max_headers(Limits::HEADERS_MAX)
        .http2_only(connector.protocol == Protocol::Http2)
        .http2_initial_stream_window_size(256 * 1024)
        .http2_initial_connection_window_size(1024 * 1024)
        .http2_max_frame_size(16 * 1024)
        .http2_max_header_list_size(u32::try_from(Limits::HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .http2_max_send_buf_size(256 * 1024)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(20))
        .build(connector)
}

async fn attempt(
    pool: &Pool,
    request: Request<Body>,
    progress: &Progress,
    head_max: Option<Duration>,
) -> Result<Response<Incoming>, SendError> {
    let answer = pool.request(request);
    tokio::pin!(answer);
    let mut sent = progress.read();
    loop {
        let outcome = match head_max {
            None => Ok(answer.as_mut().await),
            Some(head_max) => tokio::time::timeout(head_max, answer.as_mut()).await,
        };
        match outcome {
            Ok(Ok(answer)) => {
                if let Some(count) = answer.extensions().get::<ServedCount>() {
                    count.count();
                }
                return Ok(answer);
            }
            Ok(Err(error)) => {
                // HTTP/2 sends bodies beside the request, and tells of their faults as of a reset.
                return Err(match progress.stopped().or_else(|| stopped(&error)) {
                    Some(stopped) => SendError::Body(stopped),
                    None if is_too_large(&error) => SendError::HeadTooLarge,
                    None => SendError::Unreachable(error),
                });
            }
            // While the body is still moving, the upstream cannot be expected to answer.
            Err(_) if progress.read() != sent => sent = progress.read(),
            Err(_) => return Err(SendError::Timeout),
        }
    }
}

fn repeatable(request: &Request<Body>) -> bool {
    const IDEMPOTENT: [Method; 5] = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE];
    http_body::Body::is_end_stream(request.body()) && IDEMPOTENT.contains(request.method())
}

/// Finds the fault of the client's body under the error of the connection that it broke.
fn stopped(error: &Error) -> Option<Stopped> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<BodyError>() {
            Some(fault) => return Some(Stopped::by(fault)),
            None => cause = error.source(),
        }
    }
    None
}

/// Says whether more of a head came than is read.
fn is_too_large(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[derive(PartialEq, Eq)]
enum Served {
    Before,
    BeforeAndNothingSent,
    Never,
}

/// Finds what the connection had done that broke.
fn served(error: &Error) -> Served {
    let mut extensions = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    match extensions.get::<ServedCount>() {
        Some(count) if count.read() > 0 && !count.has_sent() => Served::BeforeAndNothingSent,
        Some(count) if count.read() > 0 => Served::Before,
        Some(_) | None => Served::Never,
    }
}

/// How much of a body was taken so far, and what became of it.
#[derive(Clone, Debug, Default)]
struct Progress(Arc<(AtomicU64, OnceLock<Stopped>)>);

impl Progress {
    fn read(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn stopped(&self) -> Option<Stopped> {
        self.0.1.get().copied()
    }
}

/// A request's body on its way. Its trailers end here: they would come after the credentials and claims that were taken away, and
/// some servers make headers of them (RFC 9110 section 6.5.1).
struct Counted {
    inner: Body,
    progress: Progress,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        self.progress.0.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(match frame {
            Some(Ok(frame)) if frame.is_trailers() => None,
            Some(Err(fault)) => {
                // The first fault is the cause of the others.
                let _ = self.progress.0.1.set(Stopped::by(&fault));
                Some(Err(fault))
            }
            frame => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of an answer. Its trailers are cleaned as its headers are.
pub(crate) struct Answered {
    inner: Incoming,
    _seat: Option<Seat>,
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    hygiene::clean_answer(trailers);
                }
                frame
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
