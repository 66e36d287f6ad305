//! A phone's side of a WebSocket (RFC 6455): enough to talk, and to read why it was closed.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use countersign_gateway::{Frame, FrameReader, FrameSender, Opcode};
use http::{Method, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::phone::{Call, Phone};

/// Bytes of a message that a phone reads.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Longest wait for the next message.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call that asks for a WebSocket.
#[must_use]
pub fn handshake(target: &str) -> Call {
    Call::new(Method::GET, target)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// An open WebSocket.
pub struct Live {
    stream: TokioIo<Upgraded>,
    reader: FrameReader,
}

/// How a WebSocket was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The code; none when the server said none.
    pub code: Option<u16>,
    /// The class of the reason, as `code` in a problem.
    pub word: String,
    /// The number of the decision.
    pub decision: String,
}

impl Live {
    /// Opens one with the phone's token.
    ///
    /// # Errors
    /// When it is refused, or a fault of network or server.
    pub async fn open(phone: &Phone, target: &str) -> Result<Self> {
        let mut answer = phone.open(&handshake(target)).await?;
        ensure!(answer.status() == StatusCode::SWITCHING_PROTOCOLS, "{} in place of 101", answer.status());
        let stream = TokioIo::new(hyper::upgrade::on(&mut answer).await.context("the connection did not become a WebSocket")?);
        Ok(Self { stream, reader: FrameReader::new(FrameSender::Server, MESSAGE_BYTES_MAX) })
    }

    /// Says a text.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, text: &str) -> Result<()> {
        let mut wire = BytesMut::new();
        // A mask protects old proxies from scripts in browsers (RFC 6455 section 10.3); a phone behind TLS may take any.
        Frame::whole(Opcode::Text, Bytes::copy_from_slice(text.as_bytes())).write(Some([1, 2, 3, 4]), &mut wire);
        Ok(self.stream.write_all(&wire).await?)
    }

    /// The next frame.
    ///
    /// # Errors
    /// When none comes in time, or what comes is none.
    pub async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.reader.frame().map_err(|refusal| anyhow::anyhow!("no frame: {refusal:?}"))? {
                return Ok(frame);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(self.reader.buffer())).await.context("nothing came")??;
            if read == 0 {
                bail!("the connection ended without a close frame");
            }
        }
    }

    /// Waits for this text among whatever else comes.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn hear(&mut self, text: &str) -> Result<()> {
        loop {
            let frame = self.next().await?;
            ensure!(frame.opcode != Opcode::Close, "the connection was closed");
            if frame.payload == text.as_bytes() {
                return Ok(());
            }
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not come, or without a close frame.
    pub async fn closed(&mut self) -> Result<Closed> {
        loop {
            let frame = self.next().await?;
            if frame.opcode == Opcode::Close {
                let text = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default()).into_owned();
                let (word, decision) = text.split_once(' ').unwrap_or((&text, ""));
                return Ok(Closed { code: frame.close_code(), word: word.to_owned(), decision: decision.to_owned() });
            }
        }
    }
}
