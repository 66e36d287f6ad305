//! A listener on a free port, a certificate, a clock, and clients that speak to it.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{Clock, UnixMillis};
use countersign_gateway::{Certificates, ListenConfig, Peer, Transport, body::Body, listen};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// The instant at which all tests take place: 2026-09-13T12:26:40Z.
pub const NOW: UnixMillis = UnixMillis(1_789_302_400_000);

/// A clock that stands still.
pub struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        NOW
    }
}

/// A certificate for `localhost`, its key, and a client that trusts it.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: Vec<u8>,
}

impl Identity {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        Self { chain: vec![made.cert.der().clone()], key: made.signing_key.serialize_der() }
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.clone()).expect("a key")
    }

    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::new(Certificates::new(self.chain.clone(), self.key()).expect("a certificate with its key"))
    }

    pub fn connector(&self, protocol: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in &self.chain {
            roots.add(certificate.clone()).expect("a root");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

/// A listener that runs until it is told to stop.
pub struct Running {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<std::io::Result<()>>,
    pub identity: Identity,
    pub certificates: Arc<Certificates>,
}

/// Listens with TLS on a free port.
pub async fn start<H, F>(adjust: impl FnOnce(&mut ListenConfig), handler: H) -> Running
where
    H: Fn(Request<Body>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let identity = Identity::new();
    let certificates = identity.certificates();
    let mut config = ListenConfig::new(Transport::Tls(Arc::clone(&certificates)));
    adjust(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(listen(listener, config, Arc::new(Still), shutdown.clone(), handler));
    Running { address, shutdown, task, identity, certificates }
}

impl Running {
    pub async fn tls(&self, protocol: &str) -> TlsStream<TcpStream> {
        self.tls_with(self.identity.connector(protocol, &[&rustls::version::TLS13])).await.expect("a handshake")
    }

    pub async fn tls_with(&self, connector: TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await
    }

    /// Sends these bytes over HTTP/1.1 and returns all that comes back until the connection closes or falls silent.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.tls("http/1.1").await;
        stream.write_all(bytes).await.expect("sent");
        read_all(&mut stream).await
    }

    pub async fn http1<B>(&self) -> conn::http1::SendRequest<B>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (sender, connection) = conn::http1::handshake(TokioIo::new(self.tls("http/1.1").await)).await.expect("a connection");
        tokio::spawn(connection);
        sender
    }

    pub async fn http2<B>(&self) -> conn::http2::SendRequest<B>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), TokioIo::new(self.tls("h2").await)).await.expect("a connection");
        tokio::spawn(connection);
        sender
    }
}

/// Reads until the end, or until nothing has come for a while.
pub async fn read_all(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(700), stream.read(&mut part)).await {
        if count == 0 {
            break;
        }
        all.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub async fn text(response: Response<impl http_body::Body<Data = Bytes, Error: std::fmt::Debug>>) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn bytes(text: &str) -> Full<Bytes> {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
}
