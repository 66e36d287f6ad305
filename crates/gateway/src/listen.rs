//! The connection server: TCP, TLS 1.3, HTTP/1.1 and HTTP/2 with every limit set, and an orderly end.
//!
//! It knows nothing of tokens or policies: a handler gets each request with its [`Peer`]. One handler that panics costs one
//! answer (500), never the listener: the panic is caught around the handler's future. The state that a panicking handler
//! shares with others is the handler's own affair; ours holds none that could be left half changed.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use countersign_core::{Clock, Limits};
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    answer,
    body::Body,
    framing::{Watched, Wire, WireState},
    peer::Peer,
    tls::Certificates,
};

/// How connections are taken.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Whether and with which certificate they are encrypted.
    pub transport: Transport,
    /// Connections at one time; beyond it new ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Longest time for a TLS handshake.
    pub handshake_max: Duration,
    /// Longest time for a request's head to arrive, and so also the longest that an HTTP/1.1 connection may idle.
    pub head_max: Duration,
    /// Longest life of a connection; after it no new request is taken on it, and it is cut `drain_max` later.
    pub age_max: Duration,
    /// Longest time that requests get to finish after the shutdown began.
    pub drain_max: Duration,
    /// Requests at one time on one HTTP/2 connection.
    pub streams_max: u32,
}

impl ListenConfig {
    /// The usual limits.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        Self {
            transport,
            connections_max: 10_000,
            handshake_max: Duration::from_secs(10),
            head_max: Duration::from_secs(15),
            age_max: Duration::from_secs(3600),
            drain_max: Duration::from_secs(25),
            streams_max: 128,
        }
    }
}

/// Whether connections are encrypted.
#[derive(Clone, Debug)]
pub enum Transport {
    /// They are not: loopback only, for measuring and behind something that ends TLS.
    Plain,
    /// TLS 1.3 with this certificate.
    Tls(Arc<Certificates>),
}

/// Serves `listener` until `shutdown`, then lets open requests finish for `drain_max` and cuts the rest.
///
/// `handler` answers every request; `clock` dates the answer that is given in place of one that panicked.
///
/// # Errors
/// When TLS cannot be set up. Faults of single connections are logged and end that connection only.
pub async fn listen<H, F>(
    listener: TcpListener,
    config: ListenConfig,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    handler: H,
) -> io::Result<()>
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let acceptor = match &config.transport {
        Transport::Plain => None,
        Transport::Tls(certificates) => Some(TlsAcceptor::from(Arc::new(certificates.server_config()?))),
    };
    let cut = CancellationToken::new();
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(config.connections_max));
    let door = Door { protocol: protocol(&config), config: config.clone(), clock, shutdown: shutdown.clone(), handler };
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = next(&listener, &places) => accepted,
        };
        let Some((stream, address, place)) = accepted else { continue };
        let (door, acceptor, cut) = (door.clone(), acceptor.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = door.attend(stream, address, acceptor) => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(config.drain_max, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "requests did not finish in time and are aborted");
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Waits for a free place first, so that at the limit the kernel's queue fills and not our memory.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        // A listener on `[::]` shows clients of IPv4 as IPv6; they are the same clients.
        Ok((stream, address)) => Some((stream, SocketAddr::new(address.ip().to_canonical(), address.port()), place)),
        Err(error) => {
            // Out of file descriptors, mostly: trying again at once would spin.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// HTTP with every limit spelled out, since defaults of libraries change.
fn protocol(config: &ListenConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_max)
        .max_buf_size(2 * Limits::HEADER_BYTES_MAX)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        // WebSockets over HTTP/2 (RFC 8441 section 3).
        .enable_connect_protocol()
        .max_concurrent_streams(config.streams_max)
        .max_header_list_size(u32::try_from(Limits::HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buf_size(256 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

#[derive(Clone)]
struct Door<H> {
    protocol: auto::Builder<TokioExecutor>,
    config: ListenConfig,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    handler: H,
}

impl<H, F> Door<H>
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn attend(self, stream: TcpStream, address: SocketAddr, acceptor: Option<TlsAcceptor>) {
        // Answers are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let mut peer = Peer::new(address);
        let Some(acceptor) = acceptor else {
            return self.http1(stream, peer).await;
        };
        let stream = match tokio::time::timeout(self.config.handshake_max, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "the handshake failed"),
            Err(_) => return tracing::debug!("the handshake took too long"),
        };
        let (_, session) = stream.get_ref();
        peer.server_name = session.server_name().map(Arc::from);
        // The version is what the handshake agreed on; nothing is guessed from the first bytes.
        if session.alpn_protocol() == Some(b"h2") { self.http2(stream, peer).await } else { self.http1(stream, peer).await }
    }

    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, mut peer: Peer) {
        let state = WireState::default();
        peer.watch(state.clone());
        let protocol = self.protocol.clone().http1_only();
        self.serve(protocol, Watched::new(stream, state), peer).await;
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, peer: Peer) {
        let protocol = self.protocol.clone().http2_only();
        self.serve(protocol, stream, peer).await;
    }

    async fn serve(self, protocol: auto::Builder<TokioExecutor>, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, peer: Peer) {
        let (handler, clock) = (self.handler, self.clock);
        let service = service_fn(move |request: Request<Incoming>| {
            let (handler, clock, peer) = (handler.clone(), Arc::clone(&clock), peer.clone());
            async move { Ok::<_, Infallible>(answered(handler, request, peer, clock).await) }
        });
        let connection = protocol.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ends = async {
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = tokio::time::sleep(self.config.age_max) => {}
            }
        };
        let outcome = tokio::select! {
            outcome = connection.as_mut() => Some(outcome),
            () = ends => {
                connection.as_mut().graceful_shutdown();
                // Whoever never reads the answer does not keep the connection for ever.
                tokio::time::timeout(self.config.drain_max, connection.as_mut()).await.ok()
            }
        };
        if let Some(Err(error)) = outcome {
            tracing::debug!(error, "the connection ended early");
        }
    }
}

/// The handler's answer, or the one for a handler that panicked.
async fn answered<H, F>(handler: H, request: Request<Incoming>, peer: Peer, clock: Arc<dyn Clock>) -> Response<Body>
where
    H: Fn(Request<Incoming>, Peer) -> F,
    F: Future<Output = Response<Body>>,
{
    let closing = must_close(&request, &peer);
    let answer = AssertUnwindSafe(async move { handler(request, peer).await }).catch_unwind().await;
    let mut answer = answer.unwrap_or_else(|_| {
        tracing::error!("a request ended in a panic; the answer is 500");
        answer::fault(clock.now())
    });
    if closing == Closing::Yes {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

#[derive(PartialEq, Eq)]
enum Closing {
    No,
    Yes,
}

/// After a chunked body the scanner no longer knows where the next head begins, and an ambiguous connection is not believed.
fn must_close(request: &Request<Incoming>, peer: &Peer) -> Closing {
    let chunked = request.version() == Version::HTTP_11 && request.headers().contains_key(header::TRANSFER_ENCODING);
    if chunked || peer.wire() == Wire::Ambiguous { Closing::Yes } else { Closing::No }
}
