//! A second, strict reading of HTTP/1.1 as it comes off the wire, before hyper reads it.
//!
//! hyper tidies away what we want to refuse: a message with both `Content-Length` and `Transfer-Encoding` (it drops the length), a
//! repeated equal `Content-Length`, lines that end in a bare line feed, chunk extensions, a fragment in a target. None of that
//! reaches the upstream, but each is how request smuggling begins (RFC 9112 section 11.2), and nobody honest sends it. The scanner
//! knows where every message ends, chunked ones too, and so it never loses its place: what it does not know is a fault, a fault is
//! remembered for good, and a connection with one is refused and closed. What it takes, hyper frames in the same way; a test compares
//! the two.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use countersign_core::Limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::exchange::Connection;

/// Why bytes have no reading, or two. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something behind a chunk's size: an extension (RFC 9112 section 7.1.1).
    ChunkExtension,
    /// A chunk whose size is no number, or has blanks around it, or is followed by other bytes than it says.
    ChunkSize,
    /// A control character in a head, a bare carriage return among them (section 2.2).
    ControlCharacter,
    /// More empty lines before a request than are taken.
    EmptyLines,
    /// A header line that continues the one before (section 5.2).
    Fold,
    /// A fragment in the target.
    Fragment,
    /// A hop that a proxy of the operator's names cannot be read (RFC 7239 section 6).
    Hop,
    /// A length beside a transfer coding (section 6.3).
    LengthAndCoding,
    /// A length with a sign, leading zeros, a list, or more digits than a length can have.
    LengthInvalid,
    /// Two lengths, equal or not.
    LengthRepeated,
    /// A line that ends in a bare line feed (section 2.2).
    LineEnd,
    /// A header line without a name, or with a blank behind it (section 5.1).
    Name,
    /// A first line that is no request line (section 3).
    RequestLine,
    /// A header that frames a message stands behind its body.
    Trailer,
    /// A transfer coding other than one `chunked`, or in HTTP/1.0.
    TransferCoding,
}

/// Whether everything that came over a connection so far can be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// At least one message could not, by this fault.
    Ambiguous(Fault),
    /// So far, one reading.
    Clear,
}

/// The memory that scanner and requests of a connection share.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireState(Arc<OnceLock<Fault>>);

impl WireState {
    /// What was seen until now.
    pub(crate) fn read(&self) -> Wire {
        self.0.get().map_or(Wire::Clear, |fault| Wire::Ambiguous(*fault))
    }

    /// The memory of something that spoke ambiguously.
    pub(crate) fn faulty(fault: Fault) -> Self {
        let state = Self::default();
        let _ = state.0.set(fault);
        state
    }
}

/// A stream whose incoming bytes are scanned. When it is dropped in the middle of an upload, what is left of it is read for a while:
/// closed at once, the system would reset the connection, and the client would lose the answer that it was refused by (RFC 9112
/// section 9.6).
pub(crate) struct Watched<I: AsyncRead + Unpin + Send + 'static> {
    inner: Option<I>,
    scanner: Scanner,
    state: WireState,
    /// No byte goes on any more: the fault is inside of a body.
    shut: AtomicBool,
    place: Option<Arc<Connection>>,
}

impl<I: AsyncRead + Unpin + Send + 'static> Watched<I> {
    /// Watches what `inner` reads; its place is held until the last byte was read.
    pub(crate) fn new(inner: I, state: WireState, place: Arc<Connection>) -> Self {
        Self { inner: Some(inner), scanner: Scanner::default(), state, shut: AtomicBool::new(false), place: Some(place) }
    }
}

impl<I: AsyncRead + Unpin + Send + 'static> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.shut.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let Some(inner) = &mut this.inner else { return Poll::Ready(Ok(())) };
        let before = buf.filled().len();
        ready!(Pin::new(inner).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if let Some(found) = this.scanner.scan_until_fault(fresh) {
            // SECURITY: remembered before hyper sees the bytes, so that no request among them is served.
            let _ = this.state.0.set(found.fault);
            if found.place == FaultIn::Body {
                // A head with a fault is answered; of a body with one, nothing more is believed.
                this.shut.store(true, Ordering::Relaxed);
                buf.set_filled(before.saturating_add(found.at));
                if found.at == 0 {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Some(inner) => Pin::new(inner).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Some(inner) => Pin::new(inner).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Some(inner) => Pin::new(inner).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Some(inner) => Pin::new(inner).poll_write_vectored(cx, bufs),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

impl<I: AsyncRead + Unpin + Send + 'static> Drop for Watched<I> {
    fn drop(&mut self) {
        let refused = self.scanner.is_inside() || self.state.read() != Wire::Clear;
        let (Some(inner), Some(place)) = (self.inner.take(), self.place.take()) else { return };
        if refused && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(linger(inner, place));
        }
    }
}

/// Reads and drops what still comes, for as long as a client may need to read its answer.
async fn linger(mut inner: impl AsyncRead + Unpin, place: Arc<Connection>) {
    let rest = async {
        let mut part = [0; 8 * 1024];
        while matches!(inner.read(&mut part).await, Ok(1..)) {}
    };
    tokio::select! {
        _ = tokio::time::timeout(Duration::from_secs(Limits::LINGER_MAX.0), rest) => {}
        () = place.taken_away() => {}
    }
}

/// Bytes of a value that frames a message: `chunked`, or a length with blanks around it.
const VALUE_BYTES_KEPT: usize = 40;

/// Bytes of a name that tell whether its header frames a message.
const NAME_BYTES_KEPT: usize = 18;

/// Digits that the length of a message or a chunk may have.
const DIGITS_KEPT: usize = 16;

/// Reads heads line by line, and bodies by their length or their chunks.
#[derive(Debug, Default)]
pub struct Scanner {
    place: Place,
    at: At,
    head: Head,
    empty_lines: u8,
    name: Vec<u8>,
    value: Vec<u8>,
    messages: u64,
}

/// Part of a message that is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// So many bytes of a body are still to come.
    Body(u64),
    /// So many bytes of a chunk are still to come.
    Chunk(u64),
    /// The end of a chunk's line, after its bytes.
    ChunkEnd,
    /// A chunk's size, by its digits so far.
    ChunkSize(u64),
    /// A fault was found, and nothing more is believed.
    Faulty(Fault),
    Headers,
    /// No HTTP any more: a tunnel was asked for, and where it is refused the connection is closed.
    Other,
    #[default]
    RequestLine,
    Trailers,
}

/// Where in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Begin,
    /// A carriage return was read; the line feed must follow.
    Ending,
    /// The same, of a line with nothing on it.
    EndingEmpty,
    Method,
    Name,
    Target,
    Value,
    Version,
}

/// Facts that a head has stated so far.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    coding: Option<Chunked>,
    other: Option<Tunnel>,
    version: Option<Version>,
}

#[derive(Debug)]
struct Chunked;

#[derive(Debug)]
struct Tunnel;

#[derive(Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Where a fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FaultIn {
    Body,
    Head,
}

#[derive(Debug)]
struct Found {
    fault: Fault,
    /// Number of bytes before it.
    at: usize,
    place: FaultIn,
}

impl Scanner {
    /// Takes the next bytes of the connection, however they were cut.
    pub fn scan(&mut self, bytes: &[u8]) -> Wire {
        match self.scan_until_fault(bytes) {
            Some(found) => Wire::Ambiguous(found.fault),
            None => Wire::Clear,
        }
    }

    /// Counts the messages whose last byte was read.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.messages
    }

    /// Says whether a message has begun and not ended.
    pub(crate) fn is_inside(&self) -> bool {
        match self.place {
            Place::RequestLine => self.at != At::Begin && self.at != At::EndingEmpty,
            Place::Other => false,
            Place::Body(_)
            | Place::Chunk(_)
            | Place::ChunkEnd
            | Place::ChunkSize(_)
            | Place::Faulty(_)
            | Place::Headers
            | Place::Trailers => true,
        }
    }

    fn scan_until_fault(&mut self, bytes: &[u8]) -> Option<Found> {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            let place = match self.place {
                Place::Headers | Place::RequestLine => FaultIn::Head,
                Place::Faulty(fault) => return Some(Found { fault, at: bytes.len(), place: FaultIn::Head }),
                Place::Body(_) | Place::Chunk(_) | Place::ChunkEnd | Place::ChunkSize(_) | Place::Other | Place::Trailers => FaultIn::Body,
            };
            rest = match self.place {
                Place::Other => return None,
                Place::Body(left) => self.skip(rest, left, Place::Body),
                Place::Chunk(left) => self.skip(rest, left, Place::Chunk),
                Place::ChunkEnd | Place::ChunkSize(_) | Place::Faulty(_) | Place::Headers | Place::RequestLine | Place::Trailers => {
                    if let Err(fault) = self.step(*first) {
                        self.place = Place::Faulty(fault);
                        return Some(Found { fault, at: bytes.len().saturating_sub(rest.len()), place });
                    }
                    after
                }
            };
        }
        None
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64, still: fn(u64) -> Place) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
        self.place = match (left, still(left)) {
            (1.., place) => place,
            (0, Place::Chunk(_)) => Place::ChunkEnd,
            (0, _) => self.ended(),
        };
        bytes.get(here..).unwrap_or_default()
    }

    fn ended(&mut self) -> Place {
        self.messages = self.messages.wrapping_add(1);
        (self.empty_lines, self.at) = (0, At::Begin);
        Place::RequestLine
    }

    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        match self.place {
            Place::RequestLine => self.request_line(byte),
            Place::Headers | Place::Trailers => self.header_line(byte),
            Place::ChunkSize(size) => self.chunk_size(byte, size),
            Place::ChunkEnd => self.chunk_end(byte),
            Place::Body(_) | Place::Chunk(_) | Place::Faulty(_) | Place::Other => Ok(()),
        }
    }

    /// RFC 9112 section 3, and nothing that is tolerated beside it but empty lines before (section 2.2).
    fn request_line(&mut self, byte: u8) -> Result<(), Fault> {
        self.at = match (self.at, byte) {
            (At::Begin, b'\r') => At::EndingEmpty,
            (At::EndingEmpty, b'\n') => {
                self.empty_lines = self.empty_lines.saturating_add(1);
                if self.empty_lines > Limits::EMPTY_LINES_MAX {
                    return Err(Fault::EmptyLines);
                }
                At::Begin
            }
            (At::Begin | At::Method, byte) if is_token(byte) => {
                if self.at == At::Begin {
                    self.head = Head::default();
                    self.name.clear();
                }
                keep(&mut self.name, byte, NAME_BYTES_KEPT);
                At::Method
            }
            (At::Method, b' ') => {
                if self.name == b"CONNECT" {
                    self.head.other = Some(Tunnel);
                }
                self.value.clear();
                At::Target
            }
            (At::Target, b'#') => return Err(Fault::Fragment),
            (At::Target, 0x21..=0x7e) => {
                keep(&mut self.value, byte, VALUE_BYTES_KEPT);
                At::Target
            }
            (At::Target, b' ') if !self.value.is_empty() => {
                self.value.clear();
                At::Version
            }
            (At::Version, b'\r') => {
                self.head.version = match self.value.as_slice() {
                    b"HTTP/1.1" => Some(Version::Http11),
                    b"HTTP/1.0" => Some(Version::Http10),
                    _ => return Err(Fault::RequestLine),
                };
                At::Ending
            }
            (At::Version, b'\n') | (At::Begin, b'\n') => return Err(Fault::LineEnd),
            (At::Version, byte) => {
                keep(&mut self.value, byte, VALUE_BYTES_KEPT);
                At::Version
            }
            (At::Ending, b'\n') => {
                self.place = Place::Headers;
                At::Begin
            }
            (At::Ending | At::EndingEmpty, _) => return Err(Fault::LineEnd),
            (At::Begin | At::Method | At::Name | At::Target | At::Value, _) => return Err(Fault::RequestLine),
        };
        Ok(())
    }

    /// RFC 9112 section 5: a name, a colon, and a value without control characters.
    fn header_line(&mut self, byte: u8) -> Result<(), Fault> {
        self.at = match (self.at, byte) {
            (At::Begin, b'\r') => At::EndingEmpty,
            (At::Begin, b' ' | b'\t') => return Err(Fault::Fold),
            (At::Begin, b'\n') => return Err(Fault::LineEnd),
            (At::Begin | At::Name, byte) if is_token(byte) => {
                if self.at == At::Begin {
                    self.name.clear();
                    self.value.clear();
                }
                keep(&mut self.name, byte.to_ascii_lowercase(), NAME_BYTES_KEPT);
                At::Name
            }
            (At::Name, b':') => At::Value,
            (At::Value, b'\r') => {
                self.header_ends()?;
                At::Ending
            }
            (At::Value, b'\n') => return Err(Fault::LineEnd),
            (At::Value, b' ' | b'\t') if self.value.is_empty() => At::Value,
            (At::Value, b'\t' | 0x20..=0x7e | 0x80..) => {
                self.keep_value(byte);
                At::Value
            }
            (At::Value, _) => return Err(Fault::ControlCharacter),
            (At::Ending, b'\n') => At::Begin,
            (At::EndingEmpty, b'\n') => {
                self.place = self.lines_end()?;
                At::Begin
            }
            (At::Ending, _) => return Err(Fault::ControlCharacter),
            (At::EndingEmpty, _) => return Err(Fault::LineEnd),
            (At::Begin | At::Method | At::Name | At::Target | At::Version, _) => return Err(Fault::Name),
        };
        Ok(())
    }

    fn keep_value(&mut self, byte: u8) {
        if self.value.len() < VALUE_BYTES_KEPT {
            self.value.push(byte);
        } else if !matches!(byte, b' ' | b'\t') {
            // Something stands where it is not kept: a byte that is in no length and in no coding says so.
            self.value.pop();
            self.value.push(b'?');
        }
    }

    fn header_ends(&mut self) -> Result<(), Fault> {
        let frames = matches!(self.name.as_slice(), b"content-length" | b"transfer-encoding");
        if self.place == Place::Trailers {
            return if frames { Err(Fault::Trailer) } else { Ok(()) };
        }
        match self.name.as_slice() {
            b"content-length" => {
                let length = length(self.value.trim_ascii_end()).ok_or(Fault::LengthInvalid)?;
                if self.head.length.replace(length).is_some() {
                    return Err(Fault::LengthRepeated);
                }
            }
            b"transfer-encoding" => {
                let known = self.value.trim_ascii_end().eq_ignore_ascii_case(b"chunked") && self.head.version == Some(Version::Http11);
                if !known || self.head.coding.replace(Chunked).is_some() {
                    return Err(Fault::TransferCoding);
                }
            }
            b"upgrade" => self.head.other = Some(Tunnel),
            _ => {}
        }
        match (&self.head.length, &self.head.coding) {
            (Some(_), Some(Chunked)) => Err(Fault::LengthAndCoding),
            (Some(_), None) | (None, Some(Chunked) | None) => Ok(()),
        }
    }

    /// The empty line behind a head or behind a chunked body.
    fn lines_end(&mut self) -> Result<Place, Fault> {
        if self.place == Place::Trailers {
            return Ok(self.ended());
        }
        let Head { length, coding, other, .. } = std::mem::take(&mut self.head);
        Ok(match (other, coding, length) {
            (Some(Tunnel), _, _) => Place::Other,
            (None, Some(Chunked), _) => self.first_chunk(),
            (None, None, Some(length @ 1..)) => Place::Body(length),
            (None, None, None | Some(0)) => self.ended(),
        })
    }

    fn first_chunk(&mut self) -> Place {
        self.value.clear();
        Place::ChunkSize(0)
    }

    /// RFC 9112 section 7.1: hexadecimal digits and the end of the line.
    fn chunk_size(&mut self, byte: u8, size: u64) -> Result<(), Fault> {
        match (self.at, byte) {
            (At::Ending, b'\n') => {
                self.at = At::Begin;
                self.place = if size == 0 { Place::Trailers } else { Place::Chunk(size) };
                Ok(())
            }
            (At::Ending, _) => Err(Fault::LineEnd),
            (_, b'\r') if !self.value.is_empty() => {
                self.at = At::Ending;
                Ok(())
            }
            (_, b'\n') => Err(Fault::LineEnd),
            (_, b';') => Err(Fault::ChunkExtension),
            (_, byte) => {
                let digit = char::from(byte).to_digit(16).ok_or(Fault::ChunkSize)?;
                if self.value.len() >= DIGITS_KEPT {
                    return Err(Fault::ChunkSize);
                }
                self.value.push(byte);
                let size = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit))).ok_or(Fault::ChunkSize)?;
                // hyper keeps its last numbers for other meanings, and no chunk is that large.
                self.place = if size >> 60 == 0 { Place::ChunkSize(size) } else { return Err(Fault::ChunkSize) };
                Ok(())
            }
        }
    }

    fn chunk_end(&mut self, byte: u8) -> Result<(), Fault> {
        match (self.at, byte) {
            (At::Begin, b'\r') => self.at = At::Ending,
            (At::Ending, b'\n') => {
                self.at = At::Begin;
                self.place = self.first_chunk();
            }
            _ => return Err(Fault::ChunkSize),
        }
        Ok(())
    }
}

/// A length as RFC 9110 section 8.6 writes it, in its one spelling.
fn length(digits: &[u8]) -> Option<u64> {
    let canonical = match digits {
        [] => false,
        [b'0', rest @ ..] => rest.is_empty(),
        _ => digits.len() <= DIGITS_KEPT,
    };
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn keep(kept: &mut Vec<u8>, byte: u8, bytes_max: usize) {
    if kept.len() < bytes_max {
        kept.push(byte);
    }
}

/// RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_reading_or_none() {
        use Fault as F;
        let post = "POST / HTTP/1.1\r\n";
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        let zeros = "0".repeat(60);
        let far = " ".repeat(50);
        let rows: &[(&str, String, Result<u64, Fault>)] = &[
            ("a request without a body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Ok(1)),
            ("two in a row", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Ok(2)),
            ("a body with a length", format!("{post}Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"), Ok(2)),
            (
                "a body that looks like a head",
                format!("{post}Content-Length: 40\r\n\r\nContent-Length: 1\nTransfer-Encoding: x\n\n"),
                Ok(1),
            ),
            ("a length with blanks around it", format!("{post}Content-Length:\t 3 \t\r\n\r\nabc"), Ok(1)),
            ("a length with many blanks", format!("{post}Content-Length: {far}3{far}\r\n\r\nabc"), Ok(1)),
            ("a length of zero", format!("{post}Content-Length: 0\r\n\r\n"), Ok(1)),
            ("a chunked body", format!("{chunked}0\r\n\r\n"), Ok(1)),
            ("two of them", format!("{chunked}3\r\nabc\r\n0\r\n\r\n{chunked}00a\r\n0123456789\r\n0\r\nA: b\r\n\r\n"), Ok(2)),
            ("a tunnel: nothing more is HTTP", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\0\n\n".into(), Ok(0)),
            ("empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n\r\n".into(), Ok(1)),
            ("HTTP/1.0 is refused later", "GET / HTTP/1.0\r\n\r\n".into(), Ok(1)),
            ("a long line", format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(5000)), Ok(1)),
            ("bytes of other alphabets in a value", "GET / HTTP/1.1\r\nX: \u{e9}\r\n\r\n".into(), Ok(1)),
            ("length, then coding", both.into(), Err(F::LengthAndCoding)),
            ("coding, then length", format!("{post}transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n"), Err(F::LengthAndCoding)),
            (
                "a length of zero beside a coding",
                format!("{post}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
                Err(F::LengthAndCoding),
            ),
            ("two equal lengths", format!("{post}Content-Length: 3\r\nContent-Length: 3\r\n\r\n"), Err(F::LengthRepeated)),
            ("a list of lengths", format!("{post}Content-Length: 3, 3\r\n\r\n"), Err(F::LengthInvalid)),
            ("a signed length", format!("{post}Content-Length: +3\r\n\r\n"), Err(F::LengthInvalid)),
            ("a length with a zero in front", format!("{post}Content-Length: 03\r\n\r\n"), Err(F::LengthInvalid)),
            ("sixty zeros and a number", format!("{post}Content-Length: {zeros}3\r\n\r\n"), Err(F::LengthInvalid)),
            ("two numbers far apart", format!("{post}Content-Length: 3{far}4\r\n\r\n"), Err(F::LengthInvalid)),
            ("no length", format!("{post}Content-Length: \r\n\r\n"), Err(F::LengthInvalid)),
            ("a length in hexadecimal", format!("{post}Content-Length: 0x3\r\n\r\n"), Err(F::LengthInvalid)),
            ("two codings", format!("{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(F::TransferCoding)),
            ("a coding that is none", format!("{post}Transfer-Encoding: xchunked\r\n\r\n"), Err(F::TransferCoding)),
            ("a list of codings", format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n"), Err(F::TransferCoding)),
            ("a coding and something far behind", format!("{post}Transfer-Encoding: chunked{far}x\r\n\r\n"), Err(F::TransferCoding)),
            ("a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), Err(F::TransferCoding)),
            ("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n".into(), Err(F::LineEnd)),
            ("a bare line feed in a head", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n".into(), Err(F::LineEnd)),
            ("a bare line feed ends a head", "GET / HTTP/1.1\r\nA: b\r\n\n".into(), Err(F::LineEnd)),
            ("a bare carriage return in a value", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n".into(), Err(F::ControlCharacter)),
            ("a zero byte in a value", "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n".into(), Err(F::ControlCharacter)),
            ("a folded line", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n".into(), Err(F::Fold)),
            ("a folded first line", "GET / HTTP/1.1\r\n A: b\r\n\r\n".into(), Err(F::Fold)),
            ("a blank before the colon", format!("{post}Content-Length : 3\r\n\r\nabc"), Err(F::Name)),
            ("a line without a colon", "GET / HTTP/1.1\r\nA\r\n\r\n".into(), Err(F::Name)),
            ("a line without a name", "GET / HTTP/1.1\r\n: a\r\n\r\n".into(), Err(F::Name)),
            ("two blanks in the request line", "GET  / HTTP/1.1\r\n\r\n".into(), Err(F::RequestLine)),
            ("a tabulator in the request line", "GET\t/ HTTP/1.1\r\n\r\n".into(), Err(F::RequestLine)),
            ("a blank behind the version", "GET / HTTP/1.1 \r\n\r\n".into(), Err(F::RequestLine)),
            ("another version", "PRI * HTTP/2.0\r\n\r\n".into(), Err(F::RequestLine)),
            ("no version", "GET /\r\n\r\n".into(), Err(F::RequestLine)),
            ("a fragment", "GET /a#b HTTP/1.1\r\n\r\n".into(), Err(F::Fragment)),
            ("too many empty lines", "\r\n".repeat(9), Err(F::EmptyLines)),
            ("a chunk with an extension", format!("{chunked}3;a=b\r\nabc\r\n0\r\n\r\n"), Err(F::ChunkExtension)),
            ("a chunk with a blank behind its size", format!("{chunked}3 \r\nabc\r\n0\r\n\r\n"), Err(F::ChunkSize)),
            ("a chunk with a blank before its size", format!("{chunked} 3\r\nabc\r\n0\r\n\r\n"), Err(F::ChunkSize)),
            ("a chunk with a signed size", format!("{chunked}+3\r\nabc\r\n0\r\n\r\n"), Err(F::ChunkSize)),
            ("a chunk without a size", format!("{chunked}\r\nabc\r\n0\r\n\r\n"), Err(F::ChunkSize)),
            ("a chunk of too large a size", format!("{chunked}fffffffffffffffff\r\n"), Err(F::ChunkSize)),
            ("a chunk that is longer than it says", format!("{chunked}3\r\nabcd\r\n0\r\n\r\n"), Err(F::ChunkSize)),
            ("a chunk that ends in a bare line feed", format!("{chunked}3\r\nabc\n0\r\n\r\n"), Err(F::ChunkSize)),
            ("a size that ends in a bare line feed", format!("{chunked}3\nabc\r\n0\r\n\r\n"), Err(F::LineEnd)),
            ("a length behind the body", format!("{chunked}0\r\nContent-Length: 3\r\n\r\n"), Err(F::Trailer)),
            ("a coding behind the body", format!("{chunked}0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(F::Trailer)),
            ("ambiguous only in the second", format!("GET / HTTP/1.1\r\n\r\n{both}"), Err(F::LengthAndCoding)),
            ("ambiguous behind a chunked one", format!("{chunked}0\r\n\r\n{both}"), Err(F::LengthAndCoding)),
        ];
        for (name, text, expected) in rows {
            let mut scanner = Scanner::default();
            let seen = scanner.scan(text.as_bytes());
            let expected_wire = expected.map_or_else(Wire::Ambiguous, |_| Wire::Clear);
            assert_eq!(seen, expected_wire, "{name}");
            if let Ok(messages) = expected {
                assert_eq!(scanner.count(), *messages, "{name}");
            }
            let mut bytewise = Scanner::default();
            let seen = text.as_bytes().iter().map(|b| bytewise.scan(&[*b])).find(|wire| *wire != Wire::Clear);
            assert_eq!(seen.unwrap_or(Wire::Clear), expected_wire, "{name}, byte by byte");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_say_the_same(text in "((GET|POST) /a HTTP/1.1\r\n)?[ -~\r\n;:0-3a-c]{0,80}(\r\n)?", raw in proptest::collection::vec(any::<u8>(), 0..200), size in 1_usize..40) {
            for bytes in [text.as_bytes(), raw.as_slice()] {
                let whole = Scanner::default().scan(bytes);
                let mut scanner = Scanner::default();
                let pieces = bytes.chunks(size).map(|part| scanner.scan(part)).find(|wire| *wire != Wire::Clear).unwrap_or(Wire::Clear);
                prop_assert_eq!(whole, pieces);
                prop_assert!(scanner.value.len() <= VALUE_BYTES_KEPT && scanner.name.len() <= NAME_BYTES_KEPT);
            }
        }
    }
}
