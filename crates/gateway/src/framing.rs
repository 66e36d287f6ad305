//! What hyper tidies away before we could refuse it: a second reading of HTTP/1.1 heads as they come off the wire.
//!
//! hyper accepts a message that has both `Content-Length` and `Transfer-Encoding` (it drops the length and re-frames), a
//! repeated equal `Content-Length`, and lines that end in a bare line feed. None of that reaches the upstream, but each is how
//! request smuggling begins (RFC 9112 section 11.2), and nobody honest sends it. This scanner sees the bytes before hyper
//! does and remembers, for good, that a connection speaks ambiguously. It decides nothing else: hyper alone frames messages.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether everything that came over a connection so far can be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// At least one message could be framed in two ways.
    Ambiguous,
    /// So far, one reading.
    Clear,
}

/// The memory that scanner and requests of a connection share.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireState(Arc<AtomicBool>);

impl WireState {
    /// What was seen until now.
    pub(crate) fn read(&self) -> Wire {
        if self.0.load(Ordering::Relaxed) { Wire::Ambiguous } else { Wire::Clear }
    }

    /// The memory of a connection that spoke ambiguously.
    #[cfg(test)]
    pub(crate) fn ambiguous() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

/// A stream whose incoming bytes are scanned.
pub(crate) struct Watched<I> {
    inner: I,
    scanner: Scanner,
    state: WireState,
}

impl<I> Watched<I> {
    /// Watches what `inner` reads.
    pub(crate) fn new(inner: I, state: WireState) -> Self {
        Self { inner, scanner: Scanner::default(), state }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if this.scanner.scan(fresh) == Wire::Ambiguous {
            this.state.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// As much of a line as tells a framing header and its value.
const LINE_BYTES_KEPT: usize = 48;

/// Reads heads line by line and skips bodies by their length.
#[derive(Debug, Default)]
pub struct Scanner {
    place: Place,
    line: Vec<u8>,
    last: Option<u8>,
    lines: u32,
    lengths: Vec<u64>,
    encodings: u32,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// Nothing more is looked at: the message is chunked, after which the connection is closed, or it was ambiguous.
    Over,
}

impl Scanner {
    /// Takes the next bytes of the connection, however they were cut.
    pub fn scan(&mut self, bytes: &[u8]) -> Wire {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Over => return Wire::Clear,
                Place::Body(left) => self.skip(rest, left),
                Place::Head => match self.head(rest) {
                    Ok(rest) => rest,
                    Err(Ambiguous) => {
                        self.place = Place::Over;
                        return Wire::Ambiguous;
                    }
                },
            };
        }
        Wire::Clear
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
        self.place = if left == 0 { Place::Head } else { Place::Body(left) };
        bytes.get(here..).unwrap_or_default()
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Ambiguous> {
        let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
            self.keep(bytes);
            return Ok(&[]);
        };
        self.keep(bytes.get(..end).unwrap_or_default());
        if self.last != Some(b'\r') {
            return Err(Ambiguous);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let outcome = self.line_ends();
        self.line.clear();
        self.last = None;
        outcome?;
        Ok(bytes.get(end.saturating_add(1)..).unwrap_or_default())
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_BYTES_KEPT.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(part.get(..room).unwrap_or_default());
        self.last = part.last().copied().or(self.last);
    }

    fn line_ends(&mut self) -> Result<(), Ambiguous> {
        if self.line.is_empty() {
            // An empty line before the request line is tolerated (RFC 9112 section 2.2).
            return if self.lines == 0 { Ok(()) } else { self.head_ends() };
        }
        self.lines = self.lines.saturating_add(1);
        let mut parts = self.line.splitn(2, |b| *b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return Ok(()) };
        if name.trim_ascii().eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value.trim_ascii()).ok().filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
            let length = digits.and_then(|v| v.parse::<u64>().ok()).ok_or(Ambiguous)?;
            self.lengths.push(length);
        } else if name.trim_ascii().eq_ignore_ascii_case(b"transfer-encoding") {
            self.encodings = self.encodings.saturating_add(1);
        }
        if self.lengths.len() > 1 || self.encodings > 1 { Err(Ambiguous) } else { Ok(()) }
    }

    fn head_ends(&mut self) -> Result<(), Ambiguous> {
        let length = self.lengths.pop();
        self.place = match (length, self.encodings) {
            (None | Some(0), 0) => Place::Head,
            (Some(length), 0) => Place::Body(length),
            (None, _) => Place::Over,
            (Some(_), _) => return Err(Ambiguous),
        };
        (self.lines, self.encodings) = (0, 0);
        Ok(())
    }
}

struct Ambiguous;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_reading_or_none() {
        let rows: &[(&str, &str, Wire)] = &[
            ("a request without a body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", Wire::Clear),
            ("two in a row", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Wire::Clear),
            ("a body with a length", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n", Wire::Clear),
            (
                "a body that looks like a head",
                "POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\nContent-Length: 1\nTransfer-Encoding: x\n\n",
                Wire::Clear,
            ),
            ("a chunked body", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Wire::Clear),
            ("length, then encoding", "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", Wire::Ambiguous),
            ("encoding, then length", "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n", Wire::Ambiguous),
            (
                "a length of zero beside an encoding",
                "POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
                Wire::Ambiguous,
            ),
            ("two equal lengths", "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", Wire::Ambiguous),
            ("two encodings", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", Wire::Ambiguous),
            ("a list of lengths", "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n", Wire::Ambiguous),
            ("a signed length", "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", Wire::Ambiguous),
            ("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", Wire::Ambiguous),
            (
                "ambiguous only in the second",
                "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                Wire::Ambiguous,
            ),
            ("empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", Wire::Clear),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Scanner::default().scan(text.as_bytes()), *expected, "{name}");
            let mut bytewise = Scanner::default();
            let seen = text.as_bytes().iter().map(|b| bytewise.scan(&[*b])).any(|wire| wire == Wire::Ambiguous);
            assert_eq!(seen, *expected == Wire::Ambiguous, "{name}, byte by byte");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_say_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400) {
            let cut = cut.min(bytes.len());
            let whole = Scanner::default().scan(&bytes);
            let mut scanner = Scanner::default();
            let (a, b) = bytes.split_at(cut);
            let pieces = [scanner.scan(a), scanner.scan(b)].contains(&Wire::Ambiguous);
            prop_assert_eq!(whole == Wire::Ambiguous, pieces);
            prop_assert!(scanner.line.len() <= LINE_BYTES_KEPT);
        }
    }
}
