//! One request to a server and its answer. No redirect is followed, and no connection is kept open.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::Limits;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::answer::{Answer, CallError, exchange};

/// A method and the address that it is asked of.
struct Target<'a> {
    method: Method,
    url: &'a Url,
}

/// Bounds on one exchange: the size of the answer and the time for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Greatest size of the answer's body, in bytes.
    pub bytes_max: usize,
    /// Longest time from the first packet to the last.
    pub wait_max: Duration,
}

/// Client for requests to vendors and other services.
#[derive(Clone, Debug)]
pub struct Caller {
    trust: Option<Arc<ClientConfig>>,
}

impl Caller {
    /// Makes a client that verifies servers by these anchors; without anchors, it asks `http` on loopback only.
    #[must_use]
    pub const fn new(trust: Option<Arc<ClientConfig>>) -> Self {
        Self { trust }
    }

    /// Posts `body` to `url`, with an answer of at most one mebibyte within ten seconds.
    ///
    /// # Errors
    /// The reason why there is no answer; a refusal by the server is an answer.
    pub async fn post(&self, url: &Url, headers: &[(header::HeaderName, &str)], body: String) -> Result<(StatusCode, Bytes), CallError> {
        let patience = Patience { bytes_max: Limits::ANSWER_BYTES_MAX, wait_max: Duration::from_secs(Limits::CALL_WAIT_MAX.0) };
        let answer = self.ask(Target { method: Method::POST, url }, headers, body, patience).await?;
        Ok((answer.status, answer.body))
    }

    /// Gets the document at `url` within the bounds of `patience`.
    ///
    /// # Errors
    /// The reason why there is no answer; a refusal by the server is an answer.
    pub async fn get(&self, url: &Url, headers: &[(header::HeaderName, &str)], patience: Patience) -> Result<Answer, CallError> {
        self.ask(Target { method: Method::GET, url }, headers, String::new(), patience).await
    }

    async fn ask(
        &self,
        target: Target<'_>,
        headers: &[(header::HeaderName, &str)],
        body: String,
        patience: Patience,
    ) -> Result<Answer, CallError> {
        let Target { method, url } = target;
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, url.authority());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| CallError::Broken(e.to_string()))?;
        // One limit for everything, so that a server that sends a byte now and then cannot hold the caller.
        tokio::time::timeout(patience.wait_max, self.call(url, request, patience.bytes_max)).await.map_err(|_| CallError::TooSlow)?
    }

    async fn call(&self, url: &Url, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Answer, CallError> {
        let refused = || CallError::AddressRefused(url.to_string());
        let (host, port) = (url.host_str().ok_or_else(refused)?, url.port_or_known_default().ok_or_else(refused)?);
        // A URL writes IPv6 addresses in brackets, and the resolver takes them without.
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|e| CallError::Broken(e.to_string()))?;
        match url.scheme() {
            "https" => {
                let trust = self.trust.clone().ok_or(CallError::TrustMissing)?;
                let name = ServerName::try_from(host.to_owned()).map_err(|_| refused())?;
                let stream = TlsConnector::from(trust).connect(name, stream).await.map_err(|e| CallError::Broken(e.to_string()))?;
                exchange(stream, request, bytes_max).await
            }
            // SECURITY: the address that was really reached decides, not the name, which may point anywhere.
            "http" if stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) => exchange(stream, request, bytes_max).await,
            _ => Err(refused()),
        }
    }
}
