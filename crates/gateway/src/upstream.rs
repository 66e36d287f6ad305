//! Connections to the upstream: pooled, timed, and retried exactly where a retry cannot do anything twice.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Extensions, Method, Request, Response, Uri, uri::PathAndQuery};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::Service;

use crate::{
    body::{self, Body, BodyError},
    config::{Origin, Scheme, UpstreamConfig},
};

/// Why there is no way to the upstream. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// The host of an `https` upstream is no name that a certificate can have.
    HostInvalid,
    /// An `https` upstream without anything to verify its certificate by.
    TrustMissing,
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostInvalid => "the upstream's host is no name that a certificate can have",
            Self::TrustMissing => "an `https` upstream needs trust anchors; name its CA file, or use `http` on loopback",
        })
    }
}

impl std::error::Error for UpstreamError {}

/// Why a request got no answer from the upstream. Alphabetical.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The client's body ended the request.
    Body(Stopped),
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
    /// It was longer than is taken.
    TooLarge,
    /// It stalled.
    TooSlow,
}

/// The API that is protected, and the pool of connections to it.
#[derive(Debug)]
pub struct Upstream {
    client: Client<Connector, Body>,
    config: UpstreamConfig,
}

impl Upstream {
    /// Prepares the pool; connects to nothing yet.
    ///
    /// # Errors
    /// When an `https` upstream cannot be verified.
    pub fn new(config: UpstreamConfig) -> Result<Self, UpstreamError> {
        let tls = match (config.origin.scheme(), &config.trust) {
            (Scheme::Http, _) => None,
            (Scheme::Https, None) => return Err(UpstreamError::TrustMissing),
            (Scheme::Https, Some(trust)) => {
                let bare = config.origin.host().trim_start_matches('[').trim_end_matches(']');
                let name = ServerName::try_from(bare.to_owned()).map_err(|_| UpstreamError::HostInvalid)?;
                Some((TlsConnector::from(Arc::clone(trust)), name))
            }
        };
        let connector = Connector { origin: Arc::new(config.origin.clone()), tls, connect_max: config.connect_max };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_max)
            .pool_max_idle_per_host(config.idle_connections_max)
            .set_host(false)
            .build(connector);
        Ok(Self { client, config })
    }

    /// Where it lives.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.config.origin
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
    /// served before died under it: the upstream closed it while the request was on its way (RFC 9112 section 9.3.1).
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, SendError> {
        if !repeatable(&request) {
            let (head, body) = request.into_parts();
            let progress = Progress::default();
            let body = Counted { inner: body, progress: progress.clone() }.boxed_unsync();
            return self.attempt(Request::from_parts(head, body), &progress).await;
        }
        let (head, _) = request.into_parts();
        let progress = Progress::default();
        match self.attempt(Request::from_parts(head.clone(), body::empty()), &progress).await {
            Err(SendError::Unreachable(error)) if had_served(&error) == Served::Before => {
                self.attempt(Request::from_parts(head, body::empty()), &progress).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&self, request: Request<Body>, progress: &Progress) -> Result<Response<Incoming>, SendError> {
        let answer = self.client.request(request);
        tokio::pin!(answer);
        let mut sent = progress.read();
        loop {
            match tokio::time::timeout(self.config.head_max, answer.as_mut()).await {
                Ok(Ok(answer)) => {
                    if let Some(count) = answer.extensions().get::<ServedCount>() {
                        count.0.fetch_add(1, Ordering::Relaxed);
                    }
                    return Ok(answer);
                }
                Ok(Err(error)) => return Err(stopped(&error).map_or_else(|| SendError::Unreachable(error), SendError::Body)),
                // While the body is still moving, the upstream cannot be expected to answer.
                Err(_) if progress.read() != sent => sent = progress.read(),
                Err(_) => return Err(SendError::Timeout),
            }
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
            Some(BodyError::Broken(_) | BodyError::Cut) => return Some(Stopped::Broken),
            Some(BodyError::TooLarge) => return Some(Stopped::TooLarge),
            Some(BodyError::TooSlow) => return Some(Stopped::TooSlow),
            None => cause = error.source(),
        }
    }
    None
}

#[derive(PartialEq, Eq)]
enum Served {
    Before,
    Never,
}

fn had_served(error: &Error) -> Served {
    let mut extensions = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    let count = extensions.get::<ServedCount>().map_or(0, |count| count.0.load(Ordering::Relaxed));
    if count > 0 { Served::Before } else { Served::Never }
}

/// How many answers came over a connection.
#[derive(Clone, Debug, Default)]
struct ServedCount(Arc<AtomicU32>);

/// How much of a body was taken so far.
#[derive(Clone, Debug, Default)]
struct Progress(Arc<AtomicU64>);

impl Progress {
    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted {
    inner: Body,
    progress: Progress,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if frame.is_ready() {
            self.progress.0.fetch_add(1, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Opens connections to the one upstream there is, whatever URL it is asked for.
#[derive(Clone)]
struct Connector {
    origin: Arc<Origin>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect_max: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.origin.as_str())
    }
}

impl Connector {
    async fn connect(self) -> io::Result<Link> {
        let host = self.origin.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.origin.port())).await?;
        stream.set_nodelay(true)?;
        let stream = match self.tls {
            None => Stream::Plain(TokioIo::new(stream)),
            Some((tls, name)) => Stream::Tls(Box::new(TokioIo::new(tls.connect(name, stream).await?))),
        };
        Ok(Link { stream, served: ServedCount::default() })
    }
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Link>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connect_max = connector.connect_max;
            match tokio::time::timeout(connect_max, connector.connect()).await {
                Ok(link) => link,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}

enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

/// One connection, which counts what it served.
struct Link {
    stream: Stream,
    served: ServedCount,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.served.clone())
    }
}

impl Read for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }
}
