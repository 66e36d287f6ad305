//! Step 1 of the way: one unambiguous request, or a refusal.
//!
//! hyper has parsed the message; this is the strict layer on top. Nothing is repaired: what has two readings is refused, so
//! that the form that is judged, the form that is proved and the form that is forwarded are the same bytes.

use countersign_access::Credentials;
use countersign_core::{Limits, Reason};
use http::{HeaderMap, HeaderName, Method, Version, header, request};

use crate::{
    config::PublicHost,
    framing::{Fault, Wire},
    handshake::{self, Form, HandshakeRefusal, Wanted},
    hygiene, path,
    peer::Peer,
};

/// Why a request is refused before anyone asks who sent it. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// A header that only HTTP/1.1 may have came over HTTP/2 (RFC 9113 section 8.2.2).
    ConnectionHeader,
    /// `Connection` names a header that does not belong to connections, which some server on the way would take away (RFC 9110 section
    /// 7.6.1).
    ConnectionNames,
    /// An `Expect` other than `100-continue`.
    ExpectationUnknown,
    /// A WebSocket handshake that is none (RFC 6455 section 4.2.1).
    Handshake,
    /// More header bytes than [`Limits::HEADER_BYTES_MAX`].
    HeadTooLarge,
    /// More header lines than [`Limits::HEADERS_MAX`].
    HeadersTooMany,
    /// `Host` and `:authority` differ, or the handshake named another host.
    HostDisagrees,
    /// The request is for another host.
    HostForeign,
    /// No host at all.
    HostMissing,
    /// Two hosts.
    HostRepeated,
    /// Two lengths, or one that is no number.
    LengthInvalid,
    /// The query names another method.
    MethodOverridden,
    /// A method that no operation can have.
    MethodUnknown,
    /// The path; see there.
    Path(path::PathRefusal),
    /// The query holds bytes that a query cannot (RFC 3986 section 3.4).
    QueryIllegal,
    /// `:scheme` is not `https` (RFC 9113 section 8.3.1).
    SchemeForeign,
    /// `GET http://host/path`, `OPTIONS *` or `CONNECT`: forms for proxies and for whole servers (RFC 9112 section 3.2).
    TargetForm,
    /// A transfer coding other than one `chunked`, or one beside a length (RFC 9112 section 6.3).
    TransferEncoding,
    /// The connection is to become something other than a WebSocket.
    Upgrade,
    /// Neither HTTP/1.1 nor HTTP/2.
    VersionUnknown,
    /// The bytes on the wire had two readings.
    WireAmbiguous,
}

impl RequestRefusal {
    /// The rule that bytes on the wire broke.
    const fn of(fault: Fault) -> Self {
        match fault {
            Fault::Fragment => Self::TargetForm,
            Fault::LengthInvalid => Self::LengthInvalid,
            Fault::TransferCoding => Self::TransferEncoding,
            Fault::ChunkExtension
            | Fault::ChunkSize
            | Fault::ControlCharacter
            | Fault::EmptyLines
            | Fault::Fold
            | Fault::Hop
            | Fault::LengthAndCoding
            | Fault::LengthRepeated
            | Fault::LineEnd
            | Fault::Name
            | Fault::RequestLine
            | Fault::Trailer => Self::WireAmbiguous,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::ConnectionHeader
            | Self::ConnectionNames
            | Self::ExpectationUnknown
            | Self::HostDisagrees
            | Self::HostMissing
            | Self::HostRepeated
            | Self::LengthInvalid
            | Self::QueryIllegal
            | Self::SchemeForeign
            | Self::TargetForm
            | Self::TransferEncoding
            | Self::Upgrade
            | Self::VersionUnknown
            | Self::WireAmbiguous => Reason::RequestMalformed,
            Self::Handshake => Reason::HandshakeInvalid,
            Self::HeadTooLarge | Self::HeadersTooMany => Reason::RequestTooLarge,
            Self::HostForeign => Reason::HostUnknown,
            Self::MethodOverridden => Reason::MethodOverridden,
            Self::MethodUnknown => Reason::MethodUnknown,
            Self::Path(refusal) => refusal.reason(),
        }
    }
}

/// A request with one reading. Only [`parse`] makes one.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Received<'a> {
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
    wanted: Wanted,
}

impl<'a> Received<'a> {
    /// The method; `GET` for the handshake of a WebSocket, in whichever version of HTTP.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        self.method
    }

    /// The path, in the only form that is used from here on.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// What its connection is to become.
    #[must_use]
    pub const fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Token and proof.
    #[must_use]
    pub fn credentials(&self) -> Credentials<'a> {
        Credentials::read(self.headers)
    }
}

fn only<'a, E>(headers: &'a HeaderMap, name: &HeaderName, missing: E, repeated: E) -> Result<&'a [u8], E> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Err(missing) };
    match values.next() {
        None => Ok(value.as_bytes()),
        Some(_) => Err(repeated),
    }
}

/// Takes a request that has one reading and is for us.
///
/// # Errors
/// The first rule that it breaks.
pub fn parse<'a>(head: &'a request::Parts, peer: &Peer, public: &PublicHost) -> Result<Received<'a>, RequestRefusal> {
    match peer.wire() {
        Wire::Ambiguous(fault) => return Err(RequestRefusal::of(fault)),
        Wire::Clear => {}
    }
    let method = known(head)?;
    sized(&head.headers)?;
    let wanted = framed(head)?;
    addressed(head, peer, public)?;
    let path = path::normal(head.uri.path()).map_err(RequestRefusal::Path)?;
    let query = head.uri.query().unwrap_or_default();
    if !query.bytes().all(is_query) {
        return Err(RequestRefusal::QueryIllegal);
    }
    if query.split(['&', ';']).any(overrides_the_method) {
        return Err(RequestRefusal::MethodOverridden);
    }
    Ok(Received { method, path, headers: &head.headers, wanted })
}

/// What an extended CONNECT is to everybody behind this: the handshake means the same in both versions of HTTP.
static GET: Method = Method::GET;

fn known(head: &request::Parts) -> Result<&Method, RequestRefusal> {
    const KNOWN: [Method; 7] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];
    match handshake::form(head) {
        Form::Extended => Ok(&GET),
        Form::Usual if KNOWN.contains(&head.method) => Ok(&head.method),
        Form::Usual => Err(RequestRefusal::MethodUnknown),
    }
}

fn sized(headers: &HeaderMap) -> Result<(), RequestRefusal> {
    if headers.len() > Limits::HEADERS_MAX {
        return Err(RequestRefusal::HeadersTooMany);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if bytes > Limits::HEADER_BYTES_MAX { Err(RequestRefusal::HeadTooLarge) } else { Ok(()) }
}

/// One framing, and no change of protocol but to a WebSocket.
fn framed(head: &request::Parts) -> Result<Wanted, RequestRefusal> {
    let headers = &head.headers;
    let encoded = headers.contains_key(header::TRANSFER_ENCODING);
    match head.version {
        Version::HTTP_11 => hygiene::connection_of_its_own(headers).map_err(|_| RequestRefusal::ConnectionNames)?,
        Version::HTTP_2 => {
            if encoded || headers.contains_key(header::CONNECTION) || headers.contains_key(header::UPGRADE) {
                return Err(RequestRefusal::ConnectionHeader);
            }
        }
        _ => return Err(RequestRefusal::VersionUnknown),
    }
    let length = match only(headers, &header::CONTENT_LENGTH, None, Some(RequestRefusal::LengthInvalid)) {
        Ok(length) if length.is_empty() || !length.iter().all(u8::is_ascii_digit) => return Err(RequestRefusal::LengthInvalid),
        Ok(length) => Some(length),
        Err(None) => None,
        Err(Some(refusal)) => return Err(refusal),
    };
    if encoded {
        let coding = only(headers, &header::TRANSFER_ENCODING, RequestRefusal::TransferEncoding, RequestRefusal::TransferEncoding)?;
        if length.is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(RequestRefusal::TransferEncoding);
        }
    }
    match only(headers, &header::EXPECT, None, Some(RequestRefusal::ExpectationUnknown)) {
        Ok(value) if !value.eq_ignore_ascii_case(b"100-continue") => return Err(RequestRefusal::ExpectationUnknown),
        Err(Some(refusal)) => return Err(refusal),
        Ok(_) | Err(None) => {}
    }
    handshake::wanted(head).map_err(|refusal| match refusal {
        HandshakeRefusal::Malformed => RequestRefusal::Handshake,
        HandshakeRefusal::ProtocolUnknown => RequestRefusal::Upgrade,
    })
}

/// Exactly one host, which is ours. The handshake may name none (an address, RFC 6066 section 3), but not another one.
fn addressed(head: &request::Parts, peer: &Peer, public: &PublicHost) -> Result<(), RequestRefusal> {
    let host = match only(&head.headers, &header::HOST, None, Some(RequestRefusal::HostRepeated)) {
        Ok(host) => Some(host),
        Err(None) => None,
        Err(Some(refusal)) => return Err(refusal),
    };
    // RFC 9113 section 8.3.1: what is asked for in another scheme is another resource, and somebody behind may see it so.
    if head.version == Version::HTTP_2 && head.uri.scheme().is_some_and(|scheme| *scheme != http::uri::Scheme::HTTPS) {
        return Err(RequestRefusal::SchemeForeign);
    }
    let named = match (head.version, head.uri.authority(), host) {
        // Origin-form and nothing else: the other forms address proxies.
        (Version::HTTP_11, None, Some(host)) => host,
        (Version::HTTP_11, Some(_), _) => return Err(RequestRefusal::TargetForm),
        (_, Some(authority), None) => authority.as_str().as_bytes(),
        (_, Some(authority), Some(host)) if authority.as_str().as_bytes().eq_ignore_ascii_case(host) => host,
        (_, Some(_), Some(_)) => return Err(RequestRefusal::HostDisagrees),
        (_, None, Some(host)) => host,
        (_, None, None) => return Err(RequestRefusal::HostMissing),
    };
    if !head.uri.path().starts_with('/') {
        return Err(RequestRefusal::TargetForm);
    }
    public.accept(named).map_err(|_| RequestRefusal::HostForeign)?;
    match &peer.server_name {
        Some(name) if !public.name().eq_ignore_ascii_case(name) => Err(RequestRefusal::HostDisagrees),
        Some(_) | None => Ok(()),
    }
}

/// RFC 3986 section 3.4, and what URLs of the WHATWG kind leave as it is in a query (URL Standard, query percent-encode set), as browsers
/// and OkHttp do. No policy looks at a query, so that nobody here could read it otherwise than the API.
const fn is_query(byte: u8) -> bool {
    path::is_pchar(byte) || matches!(byte, b'/' | b'?' | b'[' | b']' | b'%' | b'|' | b'^' | b'{' | b'}' | b'`' | b'\\')
}

/// Tells whether some framework takes the method from this parameter: `_method` (Symfony, Laravel, Rails, Express), `X-HTTP-Method-Override`
/// and its like. PHP reads `.method`, `+method` and `_method` as one.
fn overrides_the_method(parameter: &str) -> bool {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    let name = decoded(name).to_ascii_lowercase();
    let form: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match form.as_str() {
        // A method of payment is nobody's override.
        "method" => name.trim_end_matches(['[', ']']) != form,
        "httpmethod" | "httpmethodoverride" | "methodoverride" | "xhttpmethod" | "xhttpmethodoverride" | "xmethodoverride" => true,
        _ => false,
    }
}

/// A name without its percent-encoding; what is none stays as it is.
fn decoded(name: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(name.len()), name);
    while let Some((before, after)) = rest.split_once('%') {
        out += before;
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match byte {
            Some(byte) => {
                out.push(char::from(byte));
                after.get(2..).unwrap_or_default()
            }
            None => {
                out.push('%');
                after
            }
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;
    use http::{HeaderValue, Request};
    use proptest::prelude::*;

    const PUBLIC: &str = "https://api.example.com";

    fn head(method: &str, url: &str, version: Version, headers: &[(&'static str, &str)]) -> request::Parts {
        let mut request = Request::builder().method(method).uri(url).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn peer() -> Peer {
        Peer::new("192.0.2.7:4711".parse().expect("an address"))
    }

    fn ours() -> PublicHost {
        PublicHost::of(&Origin::parse(PUBLIC).expect("an origin"))
    }

    #[test]
    fn a_socket_over_http2_is_opened_by_get() {
        let mut head = head("CONNECT", "https://api.example.com/a", Version::HTTP_2, &[("sec-websocket-version", "13")]);
        let method = |head: &request::Parts| parse(head, &peer(), &ours()).map(|r| (r.method().clone(), r.wanted()));
        assert_eq!(method(&head), Err(RequestRefusal::MethodUnknown));
        head.extensions.insert(hyper::ext::Protocol::from_static("websocket"));
        assert_eq!(method(&head), Ok((Method::GET, Wanted::WebSocket)));
        head.extensions.insert(hyper::ext::Protocol::from_static("connect-ip"));
        assert_eq!(method(&head), Err(RequestRefusal::Upgrade));
    }

    #[test]
    fn a_head_has_one_reading() {
        use RequestRefusal as R;
        const HOST: (&str, &str) = ("host", "api.example.com");
        const H1: Version = Version::HTTP_11;
        const H2: Version = Version::HTTP_2;
        let url2 = "https://api.example.com/a";
        let large = "a".repeat(Limits::HEADER_BYTES_MAX);
        let rows: &[(&str, request::Parts, Result<(), R>)] = &[
            ("HTTP/1.1", head("GET", "/a", H1, &[HOST]), Ok(())),
            ("HTTP/2", head("GET", url2, H2, &[]), Ok(())),
            ("HTTP/2 with a host only", head("GET", "/a", H2, &[HOST]), Ok(())),
            ("the scheme's own port", head("GET", "/a", H1, &[("host", "api.example.com:443")]), Ok(())),
            ("a chunked body", head("POST", "/a", H1, &[HOST, ("transfer-encoding", "Chunked")]), Ok(())),
            ("asked to continue", head("POST", "/a", H1, &[HOST, ("expect", "100-Continue")]), Ok(())),
            ("a query", head("GET", "/a?b=%20&c[]=/?:@", H1, &[HOST]), Ok(())),
            ("HTTP/1.0", head("GET", "/a", Version::HTTP_10, &[HOST]), Err(R::VersionUnknown)),
            ("HTTP/3", head("GET", "/a", Version::HTTP_3, &[HOST]), Err(R::VersionUnknown)),
            ("an unknown method", head("PROPFIND", "/a", H1, &[HOST]), Err(R::MethodUnknown)),
            ("a tunnel over HTTP/2", head("CONNECT", url2, H2, &[]), Err(R::MethodUnknown)),
            ("half a handshake", head("GET", "/a", H1, &[HOST, ("upgrade", "websocket")]), Err(R::Handshake)),
            ("another protocol", head("GET", "/a", H1, &[HOST, ("upgrade", "h2c"), ("connection", "upgrade")]), Err(R::Upgrade)),
            ("an upgrade over HTTP/2", head("GET", url2, H2, &[("upgrade", "websocket")]), Err(R::ConnectionHeader)),
            ("a connection header over HTTP/2", head("GET", url2, H2, &[("connection", "close")]), Err(R::ConnectionHeader)),
            ("an encoding over HTTP/2", head("POST", url2, H2, &[("transfer-encoding", "chunked")]), Err(R::ConnectionHeader)),
            (
                "a length and an encoding",
                head("POST", "/a", H1, &[HOST, ("content-length", "3"), ("transfer-encoding", "chunked")]),
                Err(R::TransferEncoding),
            ),
            (
                "two encodings",
                head("POST", "/a", H1, &[HOST, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]),
                Err(R::TransferEncoding),
            ),
            ("another encoding", head("POST", "/a", H1, &[HOST, ("transfer-encoding", "gzip, chunked")]), Err(R::TransferEncoding)),
            ("two lengths", head("POST", url2, H2, &[("content-length", "3"), ("content-length", "3")]), Err(R::LengthInvalid)),
            ("a list of lengths", head("POST", url2, H2, &[("content-length", "3, 3")]), Err(R::LengthInvalid)),
            ("an empty length", head("POST", url2, H2, &[("content-length", "")]), Err(R::LengthInvalid)),
            ("another expectation", head("POST", "/a", H1, &[HOST, ("expect", "a")]), Err(R::ExpectationUnknown)),
            (
                "two expectations",
                head("POST", "/a", H1, &[HOST, ("expect", "100-continue"), ("expect", "100-continue")]),
                Err(R::ExpectationUnknown),
            ),
            ("another scheme", head("GET", "http://api.example.com/a", H2, &[]), Err(R::SchemeForeign)),
            ("a scheme that nobody knows", head("GET", "ws://api.example.com/a", H2, &[]), Err(R::SchemeForeign)),
            ("no host", head("GET", "/a", H1, &[]), Err(R::HostMissing)),
            ("no host over HTTP/2", head("GET", "/a", H2, &[]), Err(R::HostMissing)),
            ("two hosts", head("GET", "/a", H1, &[HOST, HOST]), Err(R::HostRepeated)),
            ("another host", head("GET", "/a", H1, &[("host", "evil.example")]), Err(R::HostForeign)),
            ("another port", head("GET", "/a", H1, &[("host", "api.example.com:8443")]), Err(R::HostForeign)),
            ("a dot at the end", head("GET", "/a", H1, &[("host", "api.example.com.")]), Err(R::HostForeign)),
            ("a list of hosts", head("GET", "/a", H1, &[("host", "api.example.com, evil.example")]), Err(R::HostForeign)),
            ("an empty host", head("GET", "/a", H1, &[("host", "")]), Err(R::HostForeign)),
            ("two hosts that differ over HTTP/2", head("GET", url2, H2, &[("host", "evil.example")]), Err(R::HostDisagrees)),
            ("absolute form", head("GET", url2, H1, &[HOST]), Err(R::TargetForm)),
            ("asterisk form", head("OPTIONS", "*", H1, &[HOST]), Err(R::TargetForm)),
            ("a large header", head("GET", "/a", H1, &[HOST, ("x", &large)]), Err(R::HeadTooLarge)),
            ("a query beyond ASCII", head("GET", "/a?b=\u{e9}", H1, &[HOST]), Err(R::QueryIllegal)),
            ("a filter as OkHttp sends it", head("GET", "/a?filter={a|b}^2`c\\d", H1, &[HOST]), Ok(())),
            ("the same over HTTP/2", head("GET", "https://api.example.com/a?filter={a|b}^2`c\\d", H2, &[]), Ok(())),
            ("a parameter twice", head("GET", "/a?b=1&B=2&b[]=3", H1, &[HOST]), Ok(())),
            ("a method of payment", head("GET", "/a?method=card", H1, &[HOST]), Ok(())),
            ("a method in the query", head("POST", "/a?_method=DELETE", H1, &[HOST]), Err(R::MethodOverridden)),
            ("the same, encoded", head("POST", "/a?b=1&%5FMethod=DELETE", H1, &[HOST]), Err(R::MethodOverridden)),
            ("the same, as PHP reads it", head("POST", "/a?.method=DELETE", H1, &[HOST]), Err(R::MethodOverridden)),
            ("the same, as a list", head("POST", "/a?_method[]=DELETE", H1, &[HOST]), Err(R::MethodOverridden)),
            ("a header in the query", head("POST", "/a?X-HTTP-Method-Override=PUT", H1, &[HOST]), Err(R::MethodOverridden)),
            ("what belongs to a connection", head("GET", "/a", H1, &[HOST, ("connection", "Keep-Alive, TE,,close")]), Ok(())),
            ("a header that was judged", head("POST", "/a", H1, &[HOST, ("connection", "content-type")]), Err(R::ConnectionNames)),
            ("one of two lines", head("GET", "/a", H1, &[HOST, ("connection", "close"), ("connection", "x-a")]), Err(R::ConnectionNames)),
            ("the length", head("POST", "/a", H1, &[HOST, ("connection", "content-length")]), Err(R::ConnectionNames)),
            ("the credential", head("GET", "/a", H1, &[HOST, ("connection", "authorization")]), Err(R::ConnectionNames)),
            ("no name at all", head("GET", "/a", H1, &[HOST, ("connection", "a b")]), Err(R::ConnectionNames)),
            ("an ambiguous path", head("GET", "/a//b", H1, &[HOST]), Err(R::Path(path::PathRefusal::EmptySegment))),
        ];
        for (name, head, expected) in rows {
            assert_eq!(parse(head, &peer(), &ours()).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn headers_are_counted() {
        let mut head = head("GET", "/a", Version::HTTP_11, &[("host", "api.example.com")]);
        for n in 1..Limits::HEADERS_MAX {
            head.headers.append("x", HeaderValue::from(n));
        }
        assert_eq!(parse(&head, &peer(), &ours()).map(|_| ()), Ok(()));
        head.headers.append("x", HeaderValue::from(0));
        assert_eq!(parse(&head, &peer(), &ours()).map(|_| ()), Err(RequestRefusal::HeadersTooMany));
    }

    #[test]
    fn the_handshake_and_the_wire_have_a_say() {
        let head = head("GET", "/a", Version::HTTP_11, &[("host", "api.example.com")]);
        let named = |name: &str| {
            let mut peer = peer();
            peer.server_name = Some(name.into());
            peer
        };
        assert_eq!(parse(&head, &named("API.example.com"), &ours()).map(|_| ()), Ok(()));
        assert_eq!(parse(&head, &named("evil.example"), &ours()).map(|_| ()), Err(RequestRefusal::HostDisagrees));
        let mut watched = peer();
        watched.watch(crate::framing::WireState::faulty(Fault::LineEnd));
        assert_eq!(parse(&head, &watched, &ours()).map(|_| ()), Err(RequestRefusal::WireAmbiguous));
    }

    proptest! {
        #[test]
        fn any_head_is_taken_or_refused(
            method in "[A-Z]{1,8}",
            path in "/[ -~]{0,40}",
            headers in proptest::collection::vec(("(host|dpop|authorization|content-length|transfer-encoding|expect|x)", "[ -~]{0,30}"), 0..8),
        ) {
            let mut request = Request::builder().method(method.as_str()).uri(path.as_str());
            for (name, value) in &headers {
                request = request.header(name.as_str(), value.as_str());
            }
            if let Ok(request) = request.body(()) {
                let (head, ()) = request.into_parts();
                if let Ok(received) = parse(&head, &peer(), &ours()) {
                    prop_assert!(received.path().starts_with('/'));
                    let _ = received.credentials();
                }
            }
        }
    }
}
