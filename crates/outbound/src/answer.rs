//! One exchange over a connection that the caller opened: a request, and its answer, read whole and within bounds.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Reason why a server gave no answer. Alphabetical.
#[derive(Debug)]
pub enum CallError {
    /// The address is neither `https` nor `http` on loopback.
    AddressRefused(String),
    /// The connection failed or broke.
    Broken(String),
    /// The answer has more bytes than the caller reads.
    TooLarge,
    /// The exchange took longer than the caller waits.
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

/// Answer of a server.
#[derive(Debug)]
pub struct Answer {
    /// Status of the answer; a refusal is an answer, too.
    pub status: StatusCode,
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// Body of the answer, whole.
    pub body: Bytes,
}

impl Answer {
    /// Reads an answer whole, up to `bytes_max` bytes of body.
    ///
    /// # Errors
    /// [`CallError::TooLarge`] when the body is longer; [`CallError::Broken`] when it breaks off.
    pub async fn read(answer: Response<Incoming>, bytes_max: usize) -> Result<Self, CallError> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|e| if e.is::<LengthLimitError>() { CallError::TooLarge } else { broken(&e) })?;
        Ok(Self { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// Returns the value of a header that is text; `None` when the header is missing or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body as JSON; `Null` when the body is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends one request over `stream` and reads the answer, up to `bytes_max` bytes of body. The connection ends afterwards.
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
    // The connection is not kept: the next request opens one of its own and verifies its server again.
    driver.abort();
    answer
}

fn broken(fault: &dyn fmt::Display) -> CallError {
    CallError::Broken(fault.to_string())
}
