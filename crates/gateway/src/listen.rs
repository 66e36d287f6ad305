//! The connection server: TCP, TLS 1.3, HTTP/1.1 and HTTP/2 with every limit set, and an orderly end.
//!
//! It knows nothing of tokens or policies: a handler gets each request with its [`Peer`]. One handler that panics costs one
//! answer (500), never the listener: the panic is caught around the handler's future. The state that a panicking handler
//! shares with others is the handler's own affair; ours holds none that could be left half changed.
//!
//! Whoever connects has proved nothing. Places, handshakes and memory are therefore shared by sites, and given up by whoever uses them
//! least: see `crowd` and `buffers`. What the bodies of requests are held to stands in `passing`.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use countersign_core::{Clock, Limits, Site};
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    answer,
    body::Body,
    buffers::{Budget, Buffers, OfConnection},
    crowd::{Crowd, Place, Places, Share},
    exchange::{Connection, Patience},
    framing::{Watched, Wire, WireState},
    observe,
    passing::{self, BodyRules},
    peer::Peer,
    proxies::Proxies,
    proxy_protocol::{self, FIXED_BYTES, ProxyRefusal, SIGNATURE, Source},
    tls::Certificates,
};

/// How connections are taken.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// Whether and with which certificate they are encrypted.
    pub transport: Transport,
    /// Connections at one time; of these one site may hold a part.
    pub connections_max: usize,
    /// Longest time for a TLS handshake, and for what a proxy says before it.
    pub handshake_max: Duration,
    /// Longest time for a request's head to arrive, and so also the longest that an HTTP/1.1 connection may idle.
    pub head_max: Duration,
    /// Longest time without a request.
    pub idle_max: Duration,
    /// Longest life of a connection; after it no new request is taken on it, and it is cut `drain_max` later.
    pub age_max: Duration,
    /// Longest time that requests get to finish after the shutdown began.
    pub drain_max: Duration,
    /// Requests at one time on one HTTP/2 connection.
    pub streams_max: u32,
    /// Rules that the bodies of requests are held to.
    pub bodies: BodyRules,
    /// Memory for bodies that are kept.
    pub budget: Budget,
    /// Patience with clients that do not read.
    pub patience: Patience,
    /// The operator's proxies, whose word about the client's address is believed.
    pub proxies: Proxies,
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
            idle_max: Duration::from_secs(Limits::CONNECTION_IDLE_MAX.0),
            age_max: Duration::from_secs(3600),
            drain_max: Duration::from_secs(25),
            streams_max: 100,
            bodies: BodyRules::USUAL,
            budget: Budget::USUAL,
            patience: Patience::USUAL,
            proxies: Proxies::NONE,
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
    H: Fn(Request<Body>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let acceptor = match &config.transport {
        Transport::Plain => None,
        Transport::Tls(certificates) => Some(TlsAcceptor::from(Arc::new(certificates.server_config()?))),
    };
    let cut = CancellationToken::new();
    let connections = TaskTracker::new();
    let room = Arc::new(Room::new(&config));
    let (protocol, drain_max) = (protocol(&config), config.drain_max);
    let door = Door { protocol, config: Arc::new(config), room: Arc::clone(&room), clock, shutdown: shutdown.clone(), handler };
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = next(&listener, &room) => accepted,
        };
        let Some((stream, address)) = accepted else { continue };
        // Before anything is spent on it: whoever finds no place is gone here.
        let Some(place) = door.place(address) else { continue };
        let (door, acceptor, cut) = (door.clone(), acceptor.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = door.attend(stream, address, place, acceptor) => {}
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(drain_max, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "requests did not finish in time and are aborted");
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Everything that all connections share.
struct Room {
    places: Arc<Crowd>,
    handshakes: Arc<Crowd>,
    buffers: Arc<Buffers>,
}

impl Room {
    fn new(config: &ListenConfig) -> Self {
        let all = config.connections_max;
        let places = Crowd::new(Places { all, of_a_site: all.div_ceil(Limits::CONNECTIONS_SITE_PART).max(1) });
        let handshakes = Crowd::new(Places { all: Limits::HANDSHAKES_MAX, of_a_site: Limits::HANDSHAKES_OF_A_SITE_MAX });
        Self { places, handshakes, buffers: Buffers::new(config.budget) }
    }
}

async fn next(listener: &TcpListener, room: &Room) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        // A listener on `[::]` shows clients of IPv4 as IPv6; they are the same clients.
        Ok((stream, address)) => Some((stream, SocketAddr::new(address.ip().to_canonical(), address.port()))),
        Err(error) => {
            // Out of file descriptors, mostly: somebody idle gives his back. Trying again at once would spin.
            tracing::warn!(%error, "a connection could not be accepted");
            room.places.make_room();
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
        // What a client may send that nobody has asked for yet, and what waits for one that does not read.
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(128 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

struct Door<H> {
    protocol: auto::Builder<TokioExecutor>,
    config: Arc<ListenConfig>,
    room: Arc<Room>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    handler: H,
}

impl<H: Clone> Clone for Door<H> {
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol.clone(),
            config: Arc::clone(&self.config),
            room: Arc::clone(&self.room),
            clock: Arc::clone(&self.clock),
            shutdown: self.shutdown.clone(),
            handler: self.handler.clone(),
        }
    }
}

/// End of a connection that did not end by itself.
enum Ending {
    /// Cut at once.
    Cut,
    /// No new request is taken, and those that are there have this long.
    Orderly(Duration),
}

impl<H> Door<H> {
    fn share(&self, address: SocketAddr) -> Share {
        if self.config.proxies.contains(address.ip()) { Share::OfMany } else { Share::OfASite }
    }

    fn place(&self, address: SocketAddr) -> Option<Place> {
        let place = self.room.places.enter(Site::of(address.ip()), self.share(address), Instant::now());
        place.inspect_err(|_| observe::turned_away("connections")).ok()
    }

    /// Waits until a connection must end.
    async fn ending(&self, connection: &Connection) -> Ending {
        let config = &*self.config;
        let idles = async {
            // Looked at now and then: a timer that every request sets anew would cost more.
            let pause = (config.idle_max.min(config.patience.reader_max) / 4).clamp(Duration::from_millis(20), Duration::from_secs(5));
            loop {
                tokio::time::sleep(pause).await;
                let now = Instant::now();
                if connection.is_unread(config.patience, now) {
                    observe::turned_away("reader");
                    return Ending::Cut;
                }
                if connection.idle_since().is_some_and(|since| now.saturating_duration_since(since) >= config.idle_max) {
                    return Ending::Orderly(config.handshake_max.min(Duration::from_secs(5)));
                }
            }
        };
        tokio::select! {
            () = self.shutdown.cancelled() => Ending::Orderly(config.drain_max),
            () = tokio::time::sleep(config.age_max) => Ending::Orderly(config.drain_max),
            () = connection.taken_away() => Ending::Cut,
            ending = idles => ending,
        }
    }
}

impl<H, F> Door<H>
where
    H: Fn(Request<Body>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn attend(self, stream: TcpStream, address: SocketAddr, place: Place, acceptor: Option<TlsAcceptor>) {
        // Answers are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let Some(begun) = self.begin(stream, address, place).await else { return };
        let Begun { stream, mut peer, place, believes } = begun;
        let kept = OfConnection::new(Arc::clone(&self.room.buffers), Site::of(peer.address.ip()));
        let Some(acceptor) = acceptor else {
            return self.http1(stream, peer, believes, Connection::new(place, kept)).await;
        };
        let Some(stream) = self.encrypted(stream, &place, peer.address, &acceptor).await else { return };
        let (_, session) = stream.get_ref();
        peer.server_name = session.server_name().map(Arc::from);
        let connection = Connection::new(place, kept);
        // The version is what the handshake agreed on; nothing is guessed from the first bytes.
        if session.alpn_protocol() == Some(b"h2") {
            self.http2(stream, peer, believes, connection).await;
        } else {
            self.http1(stream, peer, believes, connection).await;
        }
    }

    /// Hears a proxy of the operator's out, where one stands before.
    async fn begin(&self, mut stream: TcpStream, address: SocketAddr, place: Place) -> Option<Begun> {
        if self.share(address) == Share::OfASite {
            return Some(Begun { stream, peer: Peer::new(address), place, believes: Believes::Nothing });
        }
        let told = tokio::select! {
            told = tokio::time::timeout(self.config.handshake_max, told(&mut stream)) => told.unwrap_or(Err(Untold::Gone)),
            () = place.taken_away() => return None,
        };
        match told {
            Ok(None) => Some(Begun { stream, peer: Peer::new(address), place, believes: Believes::Headers }),
            Ok(Some(Source::Proxy)) => Some(Begun { stream, peer: Peer::new(address), place, believes: Believes::Nothing }),
            Ok(Some(Source::Client(client))) => {
                drop(place);
                let place = self.place(client)?;
                Some(Begun { stream, peer: Peer::new(client), place, believes: Believes::Nothing })
            }
            Err(Untold::Gone) => None,
            Err(Untold::Refused(refusal)) => {
                tracing::warn!(%address, ?refusal, "a proxy began with a header that is not taken");
                None
            }
        }
    }

    /// A handshake has a place of its own, which it loses to others when there are too many.
    async fn encrypted(
        &self,
        stream: TcpStream,
        place: &Place,
        address: SocketAddr,
        acceptor: &TlsAcceptor,
    ) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
        let turn = self.room.handshakes.enter(Site::of(address.ip()), Share::OfASite, Instant::now());
        let turn = turn.inspect_err(|_| observe::turned_away("handshakes")).ok()?;
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.config.handshake_max, acceptor.accept(stream)) => shaken,
            () = place.taken_away() => return None,
            () = turn.taken_away() => return None,
        };
        match shaken {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("the handshake took too long");
                None
            }
        }
    }

    async fn http1(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        mut peer: Peer,
        believes: Believes,
        connection: Arc<Connection>,
    ) {
        let state = WireState::default();
        peer.watch(state.clone());
        let protocol = self.protocol.clone().http1_only();
        self.serve(protocol, Watched::new(stream, state, Arc::clone(&connection)), Served { peer, believes, connection }).await;
    }

    async fn http2(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: Peer,
        believes: Believes,
        connection: Arc<Connection>,
    ) {
        let protocol = self.protocol.clone().http2_only();
        self.serve(protocol, stream, Served { peer, believes, connection }).await;
    }

    async fn serve(
        self,
        protocol: auto::Builder<TokioExecutor>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        served: Served,
    ) {
        let watched = Arc::clone(&served.connection);
        let (handler, clock, config) = (self.handler.clone(), Arc::clone(&self.clock), Arc::clone(&self.config));
        let service = service_fn(move |request: Request<Incoming>| {
            let exchange = served.connection.begin();
            let peer = served.peer(&config.proxies, request.headers()).within(Arc::clone(&exchange));
            let (handler, clock, bodies) = (handler.clone(), Arc::clone(&clock), config.bodies);
            async move {
                let request = request.map(|body| passing::arriving(body, Arc::clone(&exchange), bodies));
                let answer = answered(handler, request, peer, clock).await;
                Ok::<_, Infallible>(answer.map(|body| passing::leaving(body, exchange)))
            }
        });
        let connection = protocol.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => Some(outcome),
            ending = self.ending(&watched) => match ending {
                Ending::Cut => None,
                Ending::Orderly(within) => {
                    connection.as_mut().graceful_shutdown();
                    // Whoever never reads the answer does not keep the connection for ever.
                    tokio::select! {
                        outcome = tokio::time::timeout(within, connection.as_mut()) => outcome.ok(),
                        () = watched.taken_away() => None,
                    }
                }
            }
        };
        if let Some(Err(error)) = outcome {
            tracing::debug!(error, "the connection ended early");
        }
    }
}

/// A connection that may begin.
struct Begun {
    stream: TcpStream,
    peer: Peer,
    place: Place,
    believes: Believes,
}

/// Belief in what a connection's requests say about their client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Believes {
    /// They come from a proxy of the operator's, which has said nothing before.
    Headers,
    Nothing,
}

/// Everything that the requests of one connection share.
struct Served {
    peer: Peer,
    believes: Believes,
    connection: Arc<Connection>,
}

impl Served {
    /// The peer of one request.
    fn peer(&self, proxies: &Proxies, headers: &http::HeaderMap) -> Peer {
        let mut peer = self.peer.clone();
        if self.believes == Believes::Headers {
            match proxies.client(peer.address.ip(), headers) {
                Ok(client) if client == peer.address.ip() => {}
                Ok(client) => peer.address = (client, 0).into(),
                Err(fault) => peer.watch(WireState::faulty(fault)),
            }
        }
        peer
    }
}

/// Why a proxy's word is not there.
enum Untold {
    Gone,
    Refused(ProxyRefusal),
}

impl From<io::Error> for Untold {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Reads a header of the PROXY protocol, where the first byte begins one. No handshake of TLS and no request begins like it.
async fn told(stream: &mut TcpStream) -> Result<Option<Source>, Untold> {
    let mut first = [0; 1];
    if stream.peek(&mut first).await? == 0 {
        return Err(Untold::Gone);
    }
    if SIGNATURE.first() != first.first() {
        return Ok(None);
    }
    let mut fixed = [0; FIXED_BYTES];
    stream.read_exact(&mut fixed).await?;
    let mut rest = vec![0; proxy_protocol::rest(&fixed).map_err(Untold::Refused)?];
    stream.read_exact(&mut rest).await?;
    proxy_protocol::parse(&fixed, &rest).map(Some).map_err(Untold::Refused)
}

/// The handler's answer, or the one for a handler that panicked.
async fn answered<H, F>(handler: H, request: Request<Body>, peer: Peer, clock: Arc<dyn Clock>) -> Response<Body>
where
    H: Fn(Request<Body>, Peer) -> F,
    F: Future<Output = Response<Body>>,
{
    let tunnel = Tunnel::wanted(&request);
    let wire = peer.clone();
    let answer = AssertUnwindSafe(async move { handler(request, peer).await }).catch_unwind().await;
    let mut answer = answer.unwrap_or_else(|_| {
        tracing::error!("a request ended in a panic; the answer is 500");
        answer::fault(clock.now())
    });
    // Where a tunnel was asked for the scanner has stopped reading; where there is none, nobody reads on. An ambiguous connection is
    // not believed.
    let refused = tunnel == Tunnel::Wanted && answer.status() != StatusCode::SWITCHING_PROTOCOLS;
    if refused || wire.wire() != Wire::Clear {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Wish of an HTTP/1.1 request that its connection become another one.
#[derive(PartialEq, Eq)]
enum Tunnel {
    Unwanted,
    Wanted,
}

impl Tunnel {
    fn wanted(request: &Request<Body>) -> Self {
        let asked = request.method() == Method::CONNECT || request.headers().contains_key(header::UPGRADE);
        if asked && request.version() != http::Version::HTTP_2 { Self::Wanted } else { Self::Unwanted }
    }
}
