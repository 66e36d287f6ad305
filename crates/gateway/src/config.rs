//! What an operator decides about the gateway. The binary reads the file; this crate takes the result as types.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use countersign_core::Limits;
use http::uri::Authority;

use crate::body::Bounds;

/// Why a text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// It is not a URL with a host.
    Malformed,
    /// It has a path, a query, a fragment or credentials, and an origin has none.
    NotAnOrigin,
    /// Neither `http` nor `https`.
    SchemeUnknown,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is not a valid URL; write for example `https://api.example.com`",
            Self::NotAnOrigin => "it contains a path, query, fragment or password; write only scheme, host and port",
            Self::SchemeUnknown => "the scheme must be `http` or `https`",
        })
    }
}

impl std::error::Error for OriginError {}

/// How an origin is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In plain; for loopback and private networks.
    Http,
    /// Through TLS.
    Https,
}

/// Scheme, host and port (RFC 6454 section 4), in one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
    authority: Authority,
    text: String,
}

impl Origin {
    /// Reads `https://api.example.com:7443`.
    ///
    /// # Errors
    /// When it is no URL, of another scheme, or more than an origin.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = url::Url::parse(text).map_err(|_| OriginError::Malformed)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::SchemeUnknown),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(OriginError::Malformed)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::NotAnOrigin);
        }
        let port = url.port_or_known_default().ok_or(OriginError::Malformed)?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let text = format!("{}://{authority}", url.scheme());
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            authority: Authority::try_from(authority).map_err(|_| OriginError::Malformed)?,
            text,
        })
    }

    /// How it is reached.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: lower-case name, or address (IPv6 in brackets).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Tells whether it is on this machine by its very name: a loopback address, or `localhost` (RFC 6761 section 6.3). A name that
    /// only resolves to loopback is not: whoever answers for the name can change that.
    #[must_use]
    pub fn on_this_machine(&self) -> bool {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        self.host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// The port, given or by default.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host, and port where it is not the scheme's own.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// As it is written down: no slash at the end, no port where it is the scheme's own.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The spellings of our own host in `Host` and `:authority`: with the port, and without where it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHost {
    name: String,
    spellings: Vec<String>,
}

/// The host is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignHost;

impl PublicHost {
    /// The host of `origin`.
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        let mut spellings = vec![origin.authority.as_str().to_owned()];
        if origin.authority.port().is_none() {
            spellings.push(format!("{}:{}", origin.host, origin.port));
        }
        Self { name: origin.host.clone(), spellings }
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes a host that is ours, in upper or lower case.
    ///
    /// # Errors
    /// When it is another one.
    pub fn accept(&self, host: &[u8]) -> Result<(), ForeignHost> {
        let ours = self.spellings.iter().any(|spelling| spelling.as_bytes().eq_ignore_ascii_case(host));
        if ours { Ok(()) } else { Err(ForeignHost) }
    }
}

/// Which HTTP an upstream is spoken to in. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112).
    Http1,
    /// HTTP/2 (RFC 9113) and nothing else: in plain with prior knowledge (section 3.3), through TLS by ALPN (section 3.2).
    Http2,
    /// Through TLS, what the upstream chooses of the two (RFC 7301).
    Negotiated,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Negotiated];

    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Negotiated => "negotiated",
        }
    }
}

/// Where the API lives that is protected.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Its origin.
    pub origin: Origin,
    /// What is spoken there. The handshakes of WebSockets are always HTTP/1.1.
    pub protocol: Protocol,
    /// Longest time to connect.
    pub connect_max: Duration,
    /// Longest time from the request to the head of the answer.
    pub head_max: Duration,
    /// How long an unused connection is kept; less than the upstream keeps it, or requests race its close.
    pub idle_max: Duration,
    /// Unused connections kept.
    pub idle_connections_max: usize,
    /// What verifies the certificate of an `https` upstream.
    pub trust: Option<Arc<rustls::ClientConfig>>,
}

impl UpstreamConfig {
    /// The upstream at `origin`, with the usual patience: nginx keeps connections for 75 seconds, Node.js for 5.
    #[must_use]
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            protocol: Protocol::Http1,
            connect_max: Duration::from_secs(5),
            head_max: Duration::from_secs(30),
            idle_max: Duration::from_secs(4),
            idle_connections_max: 256,
            trust: None,
        }
    }
}

/// What an operator decides about the gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The origin that clients use: issuer, audience, and the origin of every `htu`.
    pub public: Origin,
    /// Bounds on bodies that stream through, in both directions.
    pub streams: Bounds,
    /// How connections are held open.
    pub held: HeldConfig,
}

/// How connections are held open: WebSockets, events and streams.
#[derive(Clone, Debug)]
pub struct HeldConfig {
    /// How long a decision counts at most, when nothing is heard of a change.
    pub interval: Duration,
    /// Open connections at one time.
    pub connections_max: usize,
    /// How often a side of a WebSocket is asked whether it is still there.
    pub ping_every: Duration,
    /// Longest silence of a side of a WebSocket, and longest wait for the next bytes of events and streams.
    pub idle_max: Duration,
    /// Longest time until a side has taken what is sent to it.
    pub write_max: Duration,
    /// Age from which an exchange is watched of which no stream is declared.
    pub unwatched_max: Duration,
    /// Longest time for such an exchange.
    pub exchange_max: Duration,
    /// Origins, beside our own, whose pages may open WebSockets.
    pub origins: Vec<Origin>,
}

impl HeldConfig {
    /// The usual patience. Many networks forget a connection that was silent for a minute.
    pub const USUAL: Self = Self {
        interval: Duration::from_secs(30),
        connections_max: 10_000,
        ping_every: Duration::from_secs(20),
        idle_max: Duration::from_secs(60),
        write_max: Duration::from_secs(20),
        unwatched_max: Duration::from_secs(Limits::UNWATCHED_TIME_MAX.0),
        exchange_max: Duration::from_secs(Limits::EXCHANGE_TIME_MAX.0),
        origins: Vec::new(),
    };
}

impl GatewayConfig {
    /// The gateway at `public`, with the limits of [`Limits`].
    #[must_use]
    pub const fn new(public: Origin) -> Self {
        let streams = Bounds { bytes_max: Limits::STREAMED_BODY_BYTES_MAX, idle_max: Duration::from_secs(30) };
        Self { public, streams, held: HeldConfig::USUAL }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_one_spelling() {
        let rows: &[(&str, &str, Result<(&str, &str, u16), OriginError>)] = &[
            ("a name", "https://api.example.com", Ok(("https://api.example.com", "api.example.com", 443))),
            ("a slash at the end", "https://api.example.com/", Ok(("https://api.example.com", "api.example.com", 443))),
            ("the scheme's own port", "https://api.example.com:443", Ok(("https://api.example.com", "api.example.com", 443))),
            ("upper case", "HTTPS://API.Example.com:7443", Ok(("https://api.example.com:7443", "api.example.com:7443", 7443))),
            ("an address", "http://127.0.0.1:8080", Ok(("http://127.0.0.1:8080", "127.0.0.1:8080", 8080))),
            ("an IPv6 address", "http://[::1]:8080", Ok(("http://[::1]:8080", "[::1]:8080", 8080))),
            ("no scheme", "api.example.com", Err(OriginError::Malformed)),
            ("another scheme", "ftp://api.example.com", Err(OriginError::SchemeUnknown)),
            ("a path", "https://api.example.com/v1", Err(OriginError::NotAnOrigin)),
            ("a query", "https://api.example.com?a", Err(OriginError::NotAnOrigin)),
            ("a password", "https://a:b@api.example.com", Err(OriginError::NotAnOrigin)),
            ("nothing", "", Err(OriginError::Malformed)),
        ];
        for (name, text, expected) in rows {
            let got = Origin::parse(text);
            let got = got.as_ref().map(|o| (o.as_str(), o.authority().as_str(), o.port())).map_err(|e| *e);
            assert_eq!(got, *expected, "{name}");
        }
    }
}
