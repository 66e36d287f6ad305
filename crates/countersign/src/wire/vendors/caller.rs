//! One request to a vendor and its answer. Nothing is followed, nothing is kept open.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long everything may take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// Why a vendor gave no answer. Alphabetical.
#[derive(Debug)]
pub enum CallError {
    /// The address is neither `https` nor `http` on loopback.
    AddressRefused(String),
    /// The connection failed or broke.
    Broken(String),
    /// It took too long.
    TooSlow,
    /// There are no trust anchors to verify the vendor by.
    TrustMissing,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressRefused(url) => write!(f, "`{url}` is neither `https` nor `http` on loopback"),
            Self::Broken(why) => write!(f, "the vendor could not be asked: {why}"),
            Self::TooSlow => f.write_str("the vendor did not answer in time"),
            Self::TrustMissing => f.write_str("there is nothing to verify the vendor by; name its authorities with `vendors.ca`"),
        }
    }
}

impl std::error::Error for CallError {}

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
        tokio::time::timeout(CALL_MAX, self.call(url, headers, body)).await.map_err(|_| CallError::TooSlow)?
    }

    async fn call(&self, url: &Url, headers: &[(header::HeaderName, &str)], body: String) -> Result<(StatusCode, Bytes), CallError> {
        let refused = || CallError::AddressRefused(url.to_string());
        let (host, port) = (url.host_str().ok_or_else(refused)?, url.port_or_known_default().ok_or_else(refused)?);
        let mut request = Request::post(url.path()).header(header::HOST, url.authority());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| CallError::Broken(e.to_string()))?;
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|e| CallError::Broken(e.to_string()))?;
        match url.scheme() {
            "https" => {
                let trust = self.trust.clone().ok_or(CallError::TrustMissing)?;
                let name = ServerName::try_from(host.to_owned()).map_err(|_| refused())?;
                let stream = TlsConnector::from(trust).connect(name, stream).await.map_err(|e| CallError::Broken(e.to_string()))?;
                exchange(TokioIo::new(stream), request).await
            }
            "http" if stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) => exchange(TokioIo::new(stream), request).await,
            _ => Err(refused()),
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), CallError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let broken = |e: &dyn fmt::Display| CallError::Broken(e.to_string());
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|e| broken(&e))?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|e| broken(&e))?.to_bytes();
    driver.abort();
    Ok((head.status, body))
}
