//! A phone's HTTP: TLS with a pinned root, a handful of kept connections, and no cleverness.
//!
//! Requests go out exactly as given, dots and slashes included, because an attacker's client would not tidy them either.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use countersign_outbound::Answer;
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Bytes of an answer that a phone reads.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path and query, sent as they stand.
    pub target: String,
    /// Headers besides `Host`, in order, repeated where they are repeated.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// A call without headers or body.
    #[must_use]
    pub fn new(method: Method, target: &str) -> Self {
        Self { method, target: target.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, value: &serde_json::Value) -> Self {
        self.body = Bytes::from(value.to_string());
        self.header("content-type", "application/json")
    }

    /// With a form body (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = Bytes::from(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish());
        self.header("content-type", "application/x-www-form-urlencoded")
    }
}

/// The connections of one phone to one server.
pub struct Http {
    host: String,
    port: u16,
    tls: TlsConnector,
    from: Mutex<Option<IpAddr>>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Http {
    /// Prepares connections to `origin` (an `https` URL without a path) that trust the roots in `root_pem` and no others.
    ///
    /// # Errors
    /// When the origin or the root does not parse.
    pub fn new(origin: &url::Url, root_pem: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(root_pem.as_bytes()) {
            roots.add(certificate.context("the pinned root is not PEM")?).context("the pinned root is not a certificate")?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .context("TLS 1.3")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = origin.host_str().ok_or_else(|| anyhow!("`{origin}` has no host"))?.to_owned();
        let port = origin.port_or_known_default().ok_or_else(|| anyhow!("`{origin}` has no port"))?;
        Ok(Self { host, port, tls: TlsConnector::from(Arc::new(config)), from: Mutex::default(), idle: Mutex::new(Vec::new()) })
    }

    /// Goes on from this address of this machine: another network, as the server sees it. Linux has all of `127.0.0.0/8`.
    pub fn move_to(&self, address: IpAddr) {
        *self.from.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends `call` and reads the answer.
    ///
    /// # Errors
    /// When the network or the server's HTTP fails; a refusal is an answer, not an error.
    pub async fn send(&self, call: &Call) -> Result<Answer> {
        let (answer, connection) = self.begin(call).await?;
        let answer = Answer::read(answer, ANSWER_BYTES_MAX).await.map_err(|e| anyhow!("reading the answer: {e}"))?;
        if connection.is_ready() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(answer)
    }

    /// Sends `call`, and leaves the body of the answer and what the connection becomes to the caller.
    ///
    /// # Errors
    /// When the network or the server's HTTP fails.
    pub async fn open(&self, call: &Call) -> Result<Response<Incoming>> {
        Ok(self.begin(call).await?.0)
    }

    async fn begin(&self, call: &Call) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>)> {
        let mut request =
            Request::builder().method(call.method.clone()).uri(call.target.parse::<Uri>().context("the target is not a URI")?);
        if !call.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", self.authority());
        }
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body.clone()))?;
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match kept {
            Some(connection) if connection.is_ready() => connection,
            Some(_) | None => self.connect().await?,
        };
        let answer = connection.send_request(request).await.context("sending the request")?;
        Ok((answer, connection))
    }

    /// Host and port, as `Host` names them.
    pub(crate) fn authority(&self) -> String {
        if self.port == 443 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    async fn dial(&self) -> std::io::Result<TcpStream> {
        let from = *self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(from) = from else { return TcpStream::connect((self.host.as_str(), self.port)).await };
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)).await
    }

    /// A connection that speaks `protocol`, for what no client would send.
    ///
    /// # Errors
    /// When the network or the handshake fails.
    pub async fn wire(&self, protocol: &str) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(self.host.clone()).context("the host is not a server name")?;
        let tcp = self.dial().await.with_context(|| format!("connecting to {}", self.authority()))?;
        tcp.set_nodelay(true)?;
        let mut config = ClientConfig::clone(self.tls.config());
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.context("the TLS handshake")
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let name = ServerName::try_from(self.host.clone()).context("the host is not a server name")?;
        let tcp = self.dial().await.with_context(|| format!("connecting to {}", self.authority()))?;
        tcp.set_nodelay(true)?;
        let tls = self.tls.connect(name, tcp).await.context("the TLS handshake")?;
        let (sender, connection) = handshake(TokioIo::new(tls)).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }
}
