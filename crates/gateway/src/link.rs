//! One connection to the upstream: TCP, TLS where the origin asks for it, and a count of what it served.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls_pki_types::ServerName;
use tokio::{io::ReadBuf, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::Service;

use crate::config::{Origin, Protocol};

/// RFC 7301 section 6 and RFC 9113 section 3.1.
const H2: &[u8] = b"h2";

/// What is offered in the handshake.
pub(crate) fn offers(protocol: Protocol) -> Vec<Vec<u8>> {
    match protocol {
        Protocol::Http1 => Vec::new(),
        Protocol::Http2 => vec![H2.to_vec()],
        Protocol::Negotiated => vec![H2.to_vec(), b"http/1.1".to_vec()],
    }
}

/// Count of the answers that came over a connection, and whether anything was sent since the last.
#[derive(Clone, Debug)]
pub(crate) struct ServedCount(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    served: AtomicU32,
    sent: AtomicBool,
    requests: Requests,
}

/// Number of requests that a connection carries at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requests {
    /// Many: nobody knows whose was what was sent.
    Many,
    One,
}

impl ServedCount {
    pub(crate) fn count(&self) {
        self.0.served.fetch_add(1, Ordering::Relaxed);
        self.0.sent.store(self.0.requests == Requests::Many, Ordering::Relaxed);
    }

    fn new(requests: Requests) -> Self {
        Self(Arc::new(Counts { served: AtomicU32::new(0), sent: AtomicBool::new(requests == Requests::Many), requests }))
    }

    pub(crate) fn read(&self) -> u32 {
        self.0.served.load(Ordering::Relaxed)
    }

    /// Says whether any byte of a request was sent that has not been answered.
    pub(crate) fn has_sent(&self) -> bool {
        self.0.sent.load(Ordering::Relaxed)
    }
}

/// Opens connections to the one upstream there is, whatever URL it is asked for.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) origin: Arc<Origin>,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) protocol: Protocol,
    pub(crate) connect_max: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.origin.as_str())
    }
}

impl Connector {
    async fn connect(self) -> io::Result<Link> {
        let host = self.origin.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.origin.port())).await?;
        stream.set_nodelay(true)?;
        let mut requests = if self.protocol == Protocol::Http2 { Requests::Many } else { Requests::One };
        let stream = match self.tls {
            None => Stream::Plain(TokioIo::new(stream)),
            Some((tls, name)) => {
                let stream = tls.connect(name, stream).await?;
                let agreed = stream.get_ref().1.alpn_protocol() == Some(H2);
                if self.protocol == Protocol::Http2 && !agreed {
                    return Err(io::Error::new(io::ErrorKind::Unsupported, "the upstream did not agree to HTTP/2"));
                }
                if agreed {
                    requests = Requests::Many;
                }
                Stream::Tls(Box::new(TokioIo::new(stream)))
            }
        };
        Ok(Link { stream, served: ServedCount::new(requests), hears: Hears::Yes })
    }
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Link>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connect_max = connector.connect_max;
            match tokio::time::timeout(connect_max, connector.connect()).await {
                Ok(link) => link,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}

enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

/// State of the other side: it takes what is written, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hears {
    No,
    Yes,
}

/// One connection, which counts what it served.
///
/// An upstream may answer before it has read the whole request, and close. What is written then goes nowhere, but the answer is there to
/// be read: only reading says how the exchange ended (RFC 9112 section 9.6).
pub(crate) struct Link {
    stream: Stream,
    served: ServedCount,
    hears: Hears,
}

impl Link {
    /// Says whether the other side has closed before the first byte of a request goes out: nothing is sent then, and nothing can have happened.
    fn is_stale(&self, cx: &mut Context<'_>) -> bool {
        if self.served.has_sent() {
            return false;
        }
        let stream = match &self.stream {
            Stream::Plain(stream) => stream.inner(),
            Stream::Tls(stream) => stream.inner().get_ref().0,
        };
        let mut byte = [0; 1];
        matches!(stream.poll_peek(cx, &mut ReadBuf::new(&mut byte)), Poll::Ready(Ok(0)))
    }

    /// Number of bytes that were `written`, or all of it where the other side has closed.
    fn heard(&mut self, written: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.served.0.sent.store(true, Ordering::Relaxed);
        }
        match written {
            Poll::Ready(Err(fault)) if is_closed(&fault) => {
                self.hears = Hears::No;
                Poll::Ready(Ok(all))
            }
            written @ (Poll::Ready(_) | Poll::Pending) => written,
        }
    }
}

fn is_closed(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.served.clone());
        // RFC 9113 section 3.2: what the handshake agreed on, and nothing else, makes a TLS connection HTTP/2.
        match &self.stream {
            Stream::Tls(stream) if stream.inner().get_ref().1.alpn_protocol() == Some(H2) => connected.negotiated_h2(),
            Stream::Plain(_) | Stream::Tls(_) => connected,
        }
    }
}

impl Read for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.hears == Hears::No {
            return Poll::Ready(Ok(buf.len()));
        }
        if self.is_stale(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        };
        self.heard(written, buf.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        };
        self.heard(flushed.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|buf| buf.len()).sum();
        if self.hears == Hears::No {
            return Poll::Ready(Ok(all));
        }
        if self.is_stale(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        };
        self.heard(written, all)
    }
}
