//! One mail to one server, over a connection of its own. TLS is ours, the dialogue of SMTP is lettre's.
//!
//! `STARTTLS` is asked for here and not by lettre, for three reasons: lettre's TLS features, and TLS 1.2 with them, stay out of the
//! process; a server that does not offer it is refused; and everything that came before the handshake is dropped, so that nobody on the way
//! can answer in the server's place (RFC 3207 section 6).

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use countersign_core::Limits;
use lettre::{
    address::Envelope,
    transport::smtp::{
        self,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, AsyncTokioStream},
        extension::ClientId,
    },
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// Greeting that lettre expects at the beginning of a dialogue, which began here.
const GREETING: &[u8] = b"220 after STARTTLS\r\n";

/// Reason why a mail was not taken by its server. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarryError {
    /// The server could not be reached or trusted, or asks to wait: the mail is tried again.
    Failed(String),
    /// The server refused for good: trying again changes nothing.
    Rejected(String),
}

impl fmt::Display for CarryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "the mail server could not be used: {why}"),
            Self::Rejected(why) => write!(f, "the mail server refused: {why}"),
        }
    }
}

impl std::error::Error for CarryError {}

/// Protection of the connection.
#[derive(Clone, Debug)]
pub enum SmtpTls {
    /// TLS from the first byte.
    Implicit(Arc<ClientConfig>),
    /// No protection; to this machine only.
    Plain,
    /// TLS from `STARTTLS` on.
    StartTls(Arc<ClientConfig>),
}

/// Connection settings of the mail server.
pub struct SmtpClient {
    /// Name or address of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// Protection of the connection.
    pub tls: SmtpTls,
    /// Credentials for the server; `None` when it asks for none.
    pub login: Option<Credentials>,
    /// Name of this host in the server's greeting (`EHLO`).
    pub hello: String,
}

impl SmtpClient {
    /// Sends a mail; `Ok` once the server has taken it.
    ///
    /// # Errors
    /// [`CarryError`] says whether to try again, and why.
    pub(crate) async fn carry(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), CarryError> {
        let carried = tokio::time::timeout(Duration::from_secs(Limits::SMTP_WAIT_MAX.0), self.hand_over(envelope, mail)).await;
        carried.unwrap_or_else(|_| Err(failed(format!("`{}` did not answer in time", self.host))))
    }

    async fn hand_over(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), CarryError> {
        let hello = ClientId::Domain(self.hello.clone());
        let mut server = AsyncSmtpConnection::connect_with_transport(self.connect().await?, &hello).await.map_err(|e| said(&e))?;
        if let Some(login) = &self.login {
            server.auth(&[Mechanism::Plain, Mechanism::Login], login).await.map_err(|e| said(&e))?;
        }
        server.send(envelope, mail).await.map_err(|e| said(&e))?;
        // The server has the mail; an error at the goodbye changes nothing.
        drop(server.quit().await);
        Ok(())
    }

    async fn connect(&self) -> Result<Box<dyn AsyncTokioStream>, CarryError> {
        let reach = |e: io::Error| failed(format!("`{}` port {}: {e}", self.host, self.port));
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(reach)?;
        let peer = stream.peer_addr().map_err(reach)?;
        match &self.tls {
            SmtpTls::Implicit(trust) => Ok(Box::new(Line { greeting: b"", stream: self.protect(trust, stream).await?, peer })),
            SmtpTls::Plain if peer.ip().is_loopback() => Ok(Box::new(Line { greeting: b"", stream, peer })),
            SmtpTls::Plain => Err(failed(format!("`{}` is not this machine, and TLS is off", self.host))),
            SmtpTls::StartTls(trust) => {
                self.ask_for_tls(&mut stream).await?;
                Ok(Box::new(Line { greeting: GREETING, stream: self.protect(trust, stream).await?, peer }))
            }
        }
    }

    async fn protect(
        &self,
        trust: &Arc<ClientConfig>,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, CarryError> {
        let name = ServerName::try_from(self.host.clone()).map_err(|e| failed(format!("`{}`: {e}", self.host)))?;
        let shaken = TlsConnector::from(Arc::clone(trust)).connect(name, stream).await;
        shaken.map_err(|e| failed(format!("`{}` cannot be trusted: {e}", self.host)))
    }

    /// Asks for TLS by RFC 3207: greeting, `EHLO`, `STARTTLS`, and not a byte more.
    async fn ask_for_tls(&self, stream: &mut TcpStream) -> Result<(), CarryError> {
        let (read, mut write) = stream.split();
        let mut replies = BufReader::new(read.take(Limits::SMTP_BYTES_BEFORE_TLS_MAX));
        expect(&mut replies, "220").await?;
        write.write_all(format!("EHLO {}\r\n", self.hello).as_bytes()).await.map_err(|e| failed(e.to_string()))?;
        let offers = expect(&mut replies, "250").await?;
        if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
            return Err(failed(format!("`{}` does not offer STARTTLS", self.host)));
        }
        write.write_all(b"STARTTLS\r\n").await.map_err(|e| failed(e.to_string()))?;
        expect(&mut replies, "220").await?;
        // SECURITY: bytes that came in the clear behind the answer would be taken for answers under TLS.
        if !replies.buffer().is_empty() {
            return Err(failed(format!("`{}` says more than was asked before TLS", self.host)));
        }
        Ok(())
    }
}

/// Reads the lines of one reply without their code, which has to be `code` (RFC 5321 section 4.2.1).
async fn expect(replies: &mut (impl AsyncBufRead + Unpin), code: &str) -> Result<Vec<String>, CarryError> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = replies.read_line(&mut line).await.map_err(|e| failed(e.to_string()))?;
        if read == 0 || !line.ends_with('\n') {
            return Err(failed("the server hung up, or talks without end".to_owned()));
        }
        let words = line.trim_end();
        let rest = words.strip_prefix(code).ok_or_else(|| failed(calm(words)))?;
        match rest.strip_prefix('-') {
            Some(more) => lines.push(more.to_owned()),
            None => {
                lines.push(rest.trim_start().to_owned());
                return Ok(lines);
            }
        }
    }
}

const fn failed(why: String) -> CarryError {
    CarryError::Failed(why)
}

/// Sorts an error: a refusal with 5xx is final, everything else is not (RFC 5321 section 4.2.1).
fn said(error: &smtp::Error) -> CarryError {
    let words = calm(&error.to_string());
    if error.is_permanent() { CarryError::Rejected(words) } else { CarryError::Failed(words) }
}

/// Makes a server's words fit for a terminal: one line of bounded length.
fn calm(words: &str) -> String {
    words.chars().take(Limits::SMTP_REPLY_CHARACTERS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Connection in lettre's form. After `STARTTLS` the server does not greet again, so the greeting is supplied here.
struct Line<S> {
    greeting: &'static [u8],
    stream: S,
    peer: SocketAddr,
}

impl<S> fmt::Debug for Line<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.peer)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for Line<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.greeting.split_at_checked(into.remaining().min(self.greeting.len())) {
            Some((now, later)) if !now.is_empty() => {
                into.put_slice(now);
                self.greeting = later;
                Poll::Ready(Ok(()))
            }
            _ => Pin::new(&mut self.stream).poll_read(context, into),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
