//! One exchange over a connection that somebody else opened: a request, and its answer, read whole and within bounds.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a vendor gave no answer. Alphabetical.
#[derive(Debug)]
pub enum CallError {
    /// The address is neither `https` nor `http` on loopback.
    AddressRefused(String),
    /// The connection failed or broke.
    Broken(String),
    /// The answer has more bytes than are read.
    TooLarge,
    /// It took too long.
    TooSlow,
    /// There are no trust anchors to verify the vendor by.
    TrustMissing,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressRefused(url) => write!(f, "`{url}` must be `https`, or `http` on loopback"),
            Self::Broken(why) => write!(f, "the vendor could not be reached: {why}"),
            Self::TooLarge => f.write_str("the vendor's answer is larger than the limit"),
            Self::TooSlow => f.write_str("the vendor did not answer in time"),
            Self::TrustMissing => f.write_str("there are no CA certificates to verify the vendor with; set `vendors.ca`"),
        }
    }
}

impl std::error::Error for CallError {}

/// What a server said.
#[derive(Debug)]
pub struct Answer {
    /// The status; a refusal is an answer.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Reads an answer whole, up to `bytes_max` bytes of body.
    ///
    /// # Errors
    /// When the body is longer, or breaks off.
    pub async fn read(answer: Response<Incoming>, bytes_max: usize) -> Result<Self, CallError> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|e| if e.is::<LengthLimitError>() { CallError::TooLarge } else { broken(&e) })?;
        Ok(Self { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// The value of a header that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; `Null` when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends one request over `stream` and reads the answer, up to `bytes_max` bytes of body. The connection ends with it.
///
/// # Errors
/// When the connection or the server's HTTP fails, or the body is longer; a refusal is an answer.
pub async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Answer, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let answer = Answer::read(answer, bytes_max).await;
    driver.abort();
    answer
}

fn broken(fault: &dyn fmt::Display) -> CallError {
    CallError::Broken(fault.to_string())
}
