//! One connection to the upstream: TCP, TLS where the origin asks for it, and a count of what it served.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
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
use tokio::net::TcpStream;
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

/// How many answers came over a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServedCount(Arc<AtomicU32>);

impl ServedCount {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
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
        let stream = match self.tls {
            None => Stream::Plain(TokioIo::new(stream)),
            Some((tls, name)) => {
                let stream = tls.connect(name, stream).await?;
                let agreed = stream.get_ref().1.alpn_protocol() == Some(H2);
                if self.protocol == Protocol::Http2 && !agreed {
                    return Err(io::Error::new(io::ErrorKind::Unsupported, "the upstream did not agree to HTTP/2"));
                }
                Stream::Tls(Box::new(TokioIo::new(stream)))
            }
        };
        Ok(Link { stream, served: ServedCount::default() })
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

/// One connection, which counts what it served.
pub(crate) struct Link {
    stream: Stream,
    served: ServedCount,
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
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
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
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }
}
