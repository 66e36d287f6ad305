//! The one body type of requests and answers, and the bounds on whatever streams: how many bytes, and how long the next may take.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::time::{Instant, Sleep};

use crate::peer::Peer;

/// A body of unknown origin: a buffer of ours, or a stream of somebody else's.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ended before its end. The peer sees a broken stream, never a shortened body that looks whole.
#[derive(Debug)]
pub enum BodyError {
    /// The peer that sent it failed.
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// What it was let through by does not hold any more.
    Cut,
    /// It would have to be kept in memory, and the share of its sender is used up.
    NoRoom,
    /// More bytes than are taken.
    TooLarge,
    /// The next bytes took longer than is waited for.
    TooSlow,
}

impl BodyError {
    /// The fault of a body under this one: a fault of ours stays what it is.
    pub(crate) fn of(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        match cause.downcast::<Self>() {
            Ok(fault) => *fault,
            Err(cause) => Self::Broken(cause),
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(cause) => write!(f, "the body broke off: {cause}"),
            Self::Cut => f.write_str("the body was cut, because its decision does not hold any more"),
            Self::NoRoom => f.write_str("there is no room to keep the body in memory"),
            Self::TooLarge => f.write_str("the body is larger than is accepted"),
            Self::TooSlow => f.write_str("the body took longer to arrive than is accepted"),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Broken(cause) => Some(cause.as_ref()),
            Self::Cut | Self::NoRoom | Self::TooLarge | Self::TooSlow => None,
        }
    }
}

/// A body of these bytes.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// No body.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// The bounds on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in all.
    pub bytes_max: u64,
    /// Longest wait for the next frame.
    pub idle_max: Duration,
}

/// Passes `inner` through within `bounds`.
///
/// A body that names a length beyond the bounds is refused with its first frame; one that lies, where it exceeds them.
pub fn bounded<B>(inner: B, bounds: Bounds) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if inner.is_end_stream() {
        return empty();
    }
    Bounded { inner, left: bounds.bytes_max, idle_max: bounds.idle_max, alarm: None, ended: End::NotYet }.boxed_unsync()
}

/// Passes `inner` through, while there is room to keep it in memory until the exchange of `peer` ends.
pub(crate) fn kept(inner: Body, peer: Peer) -> Body {
    let stream = inner.into_data_stream().map(move |data| {
        let data = data?;
        peer.keep(data.len()).map_err(|_| BodyError::NoRoom)?;
        Ok(Frame::data(data))
    });
    StreamBody::new(stream).boxed_unsync()
}

/// Whether a bounded body can still yield a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Reached,
}

struct Bounded<B> {
    inner: B,
    left: u64,
    idle_max: Duration,
    /// Set only while a frame is awaited: most bodies are there at once and never need a timer.
    alarm: Option<Pin<Box<Sleep>>>,
    ended: End,
}

impl<B> Bounded<B> {
    fn waited_too_long(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle_max = self.idle_max;
        self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max))).as_mut().poll(cx)
    }
}

impl<B> http_body::Body for Bounded<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.ended == End::Reached {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            ready!(this.waited_too_long(cx));
            this.ended = End::Reached;
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        };
        if let Some(alarm) = &mut this.alarm {
            let next = Instant::now().checked_add(this.idle_max);
            if let Some(next) = next {
                alarm.as_mut().reset(next);
            }
        }
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(cause)) => {
                this.ended = End::Reached;
                return Poll::Ready(Some(Err(BodyError::of(cause.into()))));
            }
            None => {
                this.ended = End::Reached;
                return Poll::Ready(None);
            }
        };
        let length = frame.data_ref().map_or(0, Buf::remaining);
        match u64::try_from(length).ok().and_then(|length| this.left.checked_sub(length)) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                this.ended = End::Reached;
                Poll::Ready(Some(Err(BodyError::TooLarge)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended == End::Reached || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Reads the whole body into memory, if it is not longer than `bytes_max`.
///
/// # Errors
/// When it is longer, breaks off or stalls.
pub async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut first: Option<Bytes> = None;
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers mean nothing here.
        let Ok(data) = frame?.into_data() else { continue };
        let so_far = first.as_ref().map_or(all.len(), Bytes::len);
        if so_far.saturating_add(data.len()) > bytes_max {
            return Err(BodyError::TooLarge);
        }
        match first.take() {
            None if all.is_empty() => first = Some(data),
            None => all.extend_from_slice(&data),
            Some(head) => {
                all.extend_from_slice(&head);
                all.extend_from_slice(&data);
            }
        }
    }
    // One frame is the common case, and needs no copy.
    Ok(first.unwrap_or_else(|| Bytes::from(all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    const BOUNDS: Bounds = Bounds { bytes_max: 10, idle_max: Duration::from_secs(5) };

    fn stream(chunks: &[&'static str]) -> impl http_body::Body<Data = Bytes, Error = std::io::Error> + Send + 'static {
        let frames: Vec<_> = chunks.iter().map(|c| Ok(Frame::data(Bytes::from_static(c.as_bytes())))).collect();
        StreamBody::new(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn a_stream_keeps_to_its_bounds() {
        let rows: &[(&str, &[&str], Result<&str, &str>)] = &[
            ("nothing", &[], Ok("")),
            ("exactly the bound", &["12345", "67890"], Ok("1234567890")),
            ("one byte beyond it", &["12345", "67890", "1"], Err("the body is larger than is accepted")),
            ("far beyond it at once", &["12345678901234567890"], Err("the body is larger than is accepted")),
        ];
        for (name, chunks, expected) in rows {
            let got = collect(bounded(stream(chunks), BOUNDS), 100).await;
            let got = got.as_ref().map(|b| std::str::from_utf8(b).expect("text")).map_err(ToString::to_string);
            assert_eq!(got, expected.map_err(String::from), "{name}");
        }
    }

    #[tokio::test]
    async fn collecting_has_a_bound_of_its_own() {
        assert!(collect(full("12345"), 5).await.is_ok());
        assert!(matches!(collect(full("123456"), 5).await, Err(BodyError::TooLarge)));
        assert!(matches!(collect(bounded(stream(&["123", "456"]), BOUNDS), 5).await, Err(BodyError::TooLarge)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_stalls_is_cut() {
        let silent = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
        assert!(matches!(collect(bounded(silent, BOUNDS), 5).await, Err(BodyError::TooSlow)));
    }
}
