//! Step 1 of the way: one unambiguous request, or a refusal.
//!
//! hyper has parsed the message; this is the strict layer on top. Nothing is repaired: what has two readings is refused, so
//! that the form that is judged, the form that is proved and the form that is forwarded are the same bytes.

use countersign_core::{Limits, Reason};
use http::{HeaderMap, HeaderName, Method, Version, header, request};

use crate::{config::PublicHost, framing::Wire, path, peer::Peer};

/// Why a request is refused before anyone asks who sent it. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// A header that only HTTP/1.1 may have came over HTTP/2 (RFC 9113 section 8.2.2).
    ConnectionHeader,
    /// An `Expect` other than `100-continue`.
    ExpectationUnknown,
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
    /// A method that no operation can have.
    MethodUnknown,
    /// The path; see there.
    Path(path::PathRefusal),
    /// The query holds bytes that a query cannot (RFC 3986 section 3.4).
    QueryIllegal,
    /// `GET http://host/path`, `OPTIONS *` or `CONNECT`: forms for proxies and for whole servers (RFC 9112 section 3.2).
    TargetForm,
    /// A transfer coding other than one `chunked`, or one beside a length (RFC 9112 section 6.3).
    TransferEncoding,
    /// The connection is to become something else; open connections are not offered yet.
    Upgrade,
    /// Neither HTTP/1.1 nor HTTP/2.
    VersionUnknown,
    /// The bytes on the wire had two readings.
    WireAmbiguous,
}

impl RequestRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::ConnectionHeader
            | Self::ExpectationUnknown
            | Self::HostDisagrees
            | Self::HostMissing
            | Self::HostRepeated
            | Self::LengthInvalid
            | Self::QueryIllegal
            | Self::TargetForm
            | Self::TransferEncoding
            | Self::Upgrade
            | Self::VersionUnknown
            | Self::WireAmbiguous => Reason::RequestMalformed,
            Self::HeadTooLarge | Self::HeadersTooMany => Reason::RequestTooLarge,
            Self::HostForeign => Reason::HostUnknown,
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
}

/// Why a request has no usable credentials. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRefusal {
    /// A token of ours, or somebody's, came as `Bearer`.
    Bearer,
    /// No `DPoP` header.
    ProofMissing,
    /// Two `DPoP` headers, or a list in one.
    ProofRepeated,
    /// Bytes that no JWS has.
    ProofUnreadable,
    /// Bytes that no token has.
    TokenIllegible,
    /// No `Authorization` header, or one of another scheme.
    TokenMissing,
    /// Two `Authorization` headers.
    TokenRepeated,
}

impl CredentialRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Bearer => Reason::BearerDowngrade,
            Self::ProofMissing => Reason::ProofMissing,
            Self::ProofRepeated => Reason::ProofRepeatedHeader,
            Self::ProofUnreadable => Reason::ProofMalformed,
            Self::TokenIllegible => Reason::TokenMalformed,
            Self::TokenMissing => Reason::TokenMissing,
            Self::TokenRepeated => Reason::TokenRepeatedHeader,
        }
    }
}

impl<'a> Received<'a> {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        self.method
    }

    /// The path, in the only form that is used from here on.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The access token (RFC 9449 section 7.1). The scheme is case-insensitive (RFC 9110 section 11.1).
    ///
    /// # Errors
    /// When there is none, more than one, or one of another scheme.
    pub fn token(&self) -> Result<&'a str, CredentialRefusal> {
        let value = only(self.headers, &header::AUTHORIZATION, CredentialRefusal::TokenMissing, CredentialRefusal::TokenRepeated)?;
        let text = std::str::from_utf8(value).map_err(|_| CredentialRefusal::TokenIllegible)?;
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Err(CredentialRefusal::Bearer);
        }
        if !scheme.eq_ignore_ascii_case("dpop") || token.is_empty() {
            return Err(CredentialRefusal::TokenMissing);
        }
        if token.bytes().all(is_token68) { Ok(token) } else { Err(CredentialRefusal::TokenIllegible) }
    }

    /// The proof (RFC 9449 section 4.3, check 1).
    ///
    /// # Errors
    /// When there is none or more than one.
    pub fn proof(&self) -> Result<&'a str, CredentialRefusal> {
        let value = only(self.headers, &DPOP, CredentialRefusal::ProofMissing, CredentialRefusal::ProofRepeated)?;
        let text = std::str::from_utf8(value).map_err(|_| CredentialRefusal::ProofUnreadable)?;
        if text.contains(',') {
            return Err(CredentialRefusal::ProofRepeated);
        }
        if text.bytes().all(is_token68) { Ok(text) } else { Err(CredentialRefusal::ProofUnreadable) }
    }
}

/// The header that carries a proof.
pub(crate) static DPOP: HeaderName = HeaderName::from_static("dpop");

/// `token68` of RFC 9110 section 11.2, which every compact JWS is made of.
const fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
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
    if peer.wire() == Wire::Ambiguous {
        return Err(RequestRefusal::WireAmbiguous);
    }
    let method = known(&head.method)?;
    sized(&head.headers)?;
    framed(head)?;
    addressed(head, peer, public)?;
    let path = path::normal(head.uri.path()).map_err(RequestRefusal::Path)?;
    if !head.uri.query().unwrap_or_default().bytes().all(is_query) {
        return Err(RequestRefusal::QueryIllegal);
    }
    Ok(Received { method, path, headers: &head.headers })
}

fn known(method: &Method) -> Result<&Method, RequestRefusal> {
    const KNOWN: [Method; 7] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];
    if KNOWN.contains(method) { Ok(method) } else { Err(RequestRefusal::MethodUnknown) }
}

fn sized(headers: &HeaderMap) -> Result<(), RequestRefusal> {
    if headers.len() > Limits::HEADERS_MAX {
        return Err(RequestRefusal::HeadersTooMany);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if bytes > Limits::HEADER_BYTES_MAX { Err(RequestRefusal::HeadTooLarge) } else { Ok(()) }
}

/// One framing, and no change of protocol.
fn framed(head: &request::Parts) -> Result<(), RequestRefusal> {
    let headers = &head.headers;
    let encoded = headers.contains_key(header::TRANSFER_ENCODING);
    match head.version {
        Version::HTTP_11 => {
            if headers.contains_key(header::UPGRADE) {
                return Err(RequestRefusal::Upgrade);
            }
        }
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
        Ok(value) if !value.eq_ignore_ascii_case(b"100-continue") => Err(RequestRefusal::ExpectationUnknown),
        Err(Some(refusal)) => Err(refusal),
        Ok(_) | Err(None) => Ok(()),
    }
}

/// Exactly one host, which is ours. The handshake may name none (an address, RFC 6066 section 3), but not another one.
fn addressed(head: &request::Parts, peer: &Peer, public: &PublicHost) -> Result<(), RequestRefusal> {
    let host = match only(&head.headers, &header::HOST, None, Some(RequestRefusal::HostRepeated)) {
        Ok(host) => Some(host),
        Err(None) => None,
        Err(Some(refusal)) => return Err(refusal),
    };
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

/// RFC 3986 section 3.4, and the brackets that URLs of the WHATWG kind leave as they are.
const fn is_query(byte: u8) -> bool {
    path::is_pchar(byte) || matches!(byte, b'/' | b'?' | b'[' | b']' | b'%')
}
