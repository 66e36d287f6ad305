//! One request to a vendor and its answer. Nothing is followed, nothing is kept open.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::answer::{Answer, CallError, exchange};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long everything may take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read, and how long everything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Bytes.
    pub bytes_max: usize,
    /// From the first packet to the last.
    pub wait_max: Duration,
}

/// Asks vendors.
#[derive(Clone, Debug)]
pub struct Caller {
    trust: Option<Arc<ClientConfig>>,
}

impl Caller {
    /// Verifies vendors by these anchors; without any, only `http` on loopback can be asked.
    #[must_use]
    pub const fn new(trust: Option<Arc<ClientConfig>>) -> Self {
        Self { trust }
    }

    /// Posts `body` to `url`.
    ///
    /// # Errors
    /// Why there is no answer; a refusal is an answer.
    pub async fn post(&self, url: &Url, headers: &[(header::HeaderName, &str)], body: String) -> Result<(StatusCode, Bytes), CallError> {
        let patience = Patience { bytes_max: ANSWER_BYTES_MAX, wait_max: CALL_MAX };
        let request = request(Method::POST, url, headers, body)?;
        let answer = self.within(patience, url, request).await?;
        Ok((answer.status, answer.body))
    }

    /// Gets what stands at `url`.
    ///
    /// # Errors
    /// Why there is no answer; a refusal is an answer.
    pub async fn get(&self, url: &Url, headers: &[(header::HeaderName, &str)], patience: Patience) -> Result<Answer, CallError> {
        self.within(patience, url, request(Method::GET, url, headers, String::new())?).await
    }

    async fn within(&self, patience: Patience, url: &Url, request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
        tokio::time::timeout(patience.wait_max, self.call(url, request, patience.bytes_max)).await.map_err(|_| CallError::TooSlow)?
    }

    async fn call(&self, url: &Url, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Answer, CallError> {
        let refused = || CallError::AddressRefused(url.to_string());
        let (host, port) = (url.host_str().ok_or_else(refused)?, url.port_or_known_default().ok_or_else(refused)?);
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|e| CallError::Broken(e.to_string()))?;
        match url.scheme() {
            "https" => {
                let trust = self.trust.clone().ok_or(CallError::TrustMissing)?;
                let name = ServerName::try_from(host.to_owned()).map_err(|_| refused())?;
                let stream = TlsConnector::from(trust).connect(name, stream).await.map_err(|e| CallError::Broken(e.to_string()))?;
                exchange(stream, request, bytes_max).await
            }
            "http" if stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) => exchange(stream, request, bytes_max).await,
            _ => Err(refused()),
        }
    }
}

fn request(method: Method, url: &Url, headers: &[(header::HeaderName, &str)], body: String) -> Result<Request<Full<Bytes>>, CallError> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = Request::builder().method(method).uri(target).header(header::HOST, url.authority());
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.body(Full::new(Bytes::from(body))).map_err(|e| CallError::Broken(e.to_string()))
}
