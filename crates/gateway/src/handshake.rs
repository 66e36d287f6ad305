//! The opening handshake of a WebSocket (RFC 6455 section 4, and over HTTP/2 RFC 8441), read strictly. Whoever asks for another protocol, or for this one in
//! another way, is refused; nothing is tunnelled that is not understood.
//!
//! The client's key goes to the upstream and the upstream's answer to it comes back, so that the client itself checks that somebody
//! answered who read this very handshake. Over HTTP/2 there is no key; the gateway makes one and checks the answer. Extensions are offered to nobody: what is compressed could not be measured.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request};
use hyper::ext::Protocol;

use crate::config::Origin;

static PROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;

/// Characters of the subprotocols that are offered.
const PROTOCOLS_BYTES_MAX: usize = 512;

/// Why a request cannot have what it wants. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeRefusal {
    /// A WebSocket, in a form that RFC 6455 does not have.
    Malformed,
    /// Another protocol, or several.
    ProtocolUnknown,
}

/// How a request is written. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `CONNECT` with `:protocol`, over HTTP/2 (RFC 8441 section 4).
    Extended,
    /// Any other.
    Usual,
}

/// Reads how `head` is written.
pub(crate) fn form(head: &request::Parts) -> Form {
    let extended = head.version == Version::HTTP_2 && head.method == Method::CONNECT && head.extensions.get::<Protocol>().is_some();
    if extended { Form::Extended } else { Form::Usual }
}

/// What a request wants its connection to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An answer, and no more.
    Answer,
    /// A WebSocket.
    WebSocket,
}

/// Whether the upstream took the handshake up as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAccepted;

/// Reads what `head` wants.
///
/// # Errors
/// When it wants something that is not offered, or in another form.
pub(crate) fn wanted(head: &request::Parts) -> Result<Wanted, HandshakeRefusal> {
    let headers = &head.headers;
    if form(head) == Form::Extended {
        return extended(head);
    }
    let of_a_socket = headers.keys().any(|name| name.as_str().starts_with("sec-websocket-"));
    if !headers.contains_key(header::UPGRADE) {
        return if of_a_socket { Err(HandshakeRefusal::Malformed) } else { Ok(Wanted::Answer) };
    }
    if !only(headers, &header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
        return Err(HandshakeRefusal::ProtocolUnknown);
    }
    let upgrades = only(headers, &header::CONNECTION).is_some_and(|value| {
        let mut words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        words.clone().any(|word| word.eq_ignore_ascii_case(b"upgrade"))
            && words.all(|word| word.eq_ignore_ascii_case(b"upgrade") || word.eq_ignore_ascii_case(b"keep-alive"))
    });
    let sound = head.method == Method::GET
        && head.version == Version::HTTP_11
        && upgrades
        && bodiless(headers)
        && only(headers, &header::SEC_WEBSOCKET_KEY).is_some_and(is_key)
        && only(headers, &header::SEC_WEBSOCKET_VERSION) == Some(b"13")
        && !headers.contains_key(header::SEC_WEBSOCKET_ACCEPT)
        && protocols(headers).is_some();
    if sound { Ok(Wanted::WebSocket) } else { Err(HandshakeRefusal::Malformed) }
}

/// RFC 8441 section 5: the protocol stands in `:protocol`, and key and accept mean nothing.
fn extended(head: &request::Parts) -> Result<Wanted, HandshakeRefusal> {
    let headers = &head.headers;
    if head.extensions.get::<Protocol>().is_none_or(|protocol| protocol.as_str() != "websocket") {
        return Err(HandshakeRefusal::ProtocolUnknown);
    }
    let sound = bodiless(headers) && only(headers, &header::SEC_WEBSOCKET_VERSION) == Some(b"13") && protocols(headers).is_some();
    if sound { Ok(Wanted::WebSocket) } else { Err(HandshakeRefusal::Malformed) }
}

fn bodiless(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::TRANSFER_ENCODING)
        && headers.get(header::CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0")
        && !headers.contains_key(header::EXPECT)
}

/// A key of ours, for a client that has none.
#[derive(Debug)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn from_random(bytes: [u8; 16]) -> Self {
        Self(STANDARD.encode(bytes))
    }

    /// Puts it into the head of a handshake, which is `GET` from here on.
    pub(crate) fn put(&self, head: &mut request::Parts) {
        head.method = Method::GET;
        head.headers.remove(header::CONTENT_LENGTH);
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            head.headers.insert(header::SEC_WEBSOCKET_KEY, value);
        }
    }

    /// Whether somebody answered who read it (RFC 6455 section 4.2.2). SHA-1 keeps no secret here.
    pub(crate) fn answered(&self, answer: &HeaderMap) -> Result<(), NotAccepted> {
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{}{GUID}", self.0).as_bytes());
        let expected = STANDARD.encode(digest);
        if only(answer, &header::SEC_WEBSOCKET_ACCEPT) == Some(expected.as_bytes()) { Ok(()) } else { Err(NotAccepted) }
    }
}

/// RFC 6455 section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Makes the cleaned head of a handshake one again, for the upstream.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    headers.remove(header::TE);
}

/// What an upstream's `101` must say: this protocol, this handshake, no extension, and no subprotocol that was not offered.
pub(crate) fn accepted(asked: &HeaderMap, answer: &HeaderMap) -> Result<(), NotAccepted> {
    let offered = protocols(asked).unwrap_or_default();
    let protocol = match (answer.contains_key(&PROTOCOL), only(answer, &PROTOCOL)) {
        (false, _) => true,
        (true, chosen) => chosen.is_some_and(|chosen| offered.iter().any(|one| one.as_bytes() == chosen)),
    };
    let sound = only(answer, &header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        && only(answer, &header::SEC_WEBSOCKET_ACCEPT).is_some_and(is_accept)
        && !answer.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
        && protocol;
    if sound { Ok(()) } else { Err(NotAccepted) }
}

/// Whether a browser's page may open a connection: apps name no origin, and pages only that of this API or one that is configured.
pub(crate) fn may_open(headers: &HeaderMap, own: &str, others: &[Origin]) -> bool {
    match (headers.contains_key(header::ORIGIN), only(headers, &header::ORIGIN)) {
        (false, _) => true,
        (true, None) => false,
        (true, Some(origin)) => origin == own.as_bytes() || others.iter().any(|other| other.as_str().as_bytes() == origin),
    }
}

/// The subprotocols of all header lines; `None` when one is no token.
fn protocols(headers: &HeaderMap) -> Option<Vec<&str>> {
    let lines: Vec<_> = headers.get_all(&PROTOCOL).iter().map(|line| line.to_str().ok()).collect::<Option<_>>()?;
    if lines.iter().map(|line| line.len()).sum::<usize>() > PROTOCOLS_BYTES_MAX {
        return None;
    }
    let words: Vec<_> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    words.iter().all(|word| !word.is_empty() && word.bytes().all(is_token)).then_some(words)
}

/// RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Sixteen bytes in base64, with no bit to spare.
fn is_key(value: &[u8]) -> bool {
    is_base64(value, 21, b"AQgw", b"==")
}

/// Twenty bytes in base64: a SHA-1.
fn is_accept(value: &[u8]) -> bool {
    is_base64(value, 26, b"AEIMQUYcgkosw048", b"=")
}

/// So many free characters, one of those whose last bits are zero, and the padding.
fn is_base64(value: &[u8], free: usize, last: &[u8], padding: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match value.split_at_checked(free) {
        Some((head, [end, rest @ ..])) => head.iter().all(letter) && last.contains(end) && rest == padding,
        Some((_, [])) | None => false,
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn head(changes: &[(&'static str, Option<&str>)], more: &[(&'static str, &str)]) -> request::Parts {
        let usual = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", KEY), ("sec-websocket-version", "13")];
        let mut request = Request::builder().uri("/v1/live");
        for (name, value) in usual {
            match changes.iter().find(|(changed, _)| *changed == name) {
                Some((_, None)) => {}
                Some((_, Some(other))) => request = request.header(name, *other),
                None => request = request.header(name, value),
            }
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_handshake_over_http2_is_whole_or_none() {
        let version: (&str, &str) = ("sec-websocket-version", "13");
        let rows: &[(&str, Version, Option<&'static str>, &[(&str, &str)], Result<Wanted, HandshakeRefusal>)] = &[
            ("the RFC's", Version::HTTP_2, Some("websocket"), &[version, ("sec-websocket-protocol", "chat")], Ok(Wanted::WebSocket)),
            ("another protocol", Version::HTTP_2, Some("connect-udp"), &[version], Err(HandshakeRefusal::ProtocolUnknown)),
            ("no version", Version::HTTP_2, Some("websocket"), &[], Err(HandshakeRefusal::Malformed)),
            ("another version", Version::HTTP_2, Some("websocket"), &[("sec-websocket-version", "8")], Err(HandshakeRefusal::Malformed)),
            ("a body", Version::HTTP_2, Some("websocket"), &[version, ("content-length", "1")], Err(HandshakeRefusal::Malformed)),
            (
                "a bad protocol",
                Version::HTTP_2,
                Some("websocket"),
                &[version, ("sec-websocket-protocol", ",")],
                Err(HandshakeRefusal::Malformed),
            ),
            ("without `:protocol`", Version::HTTP_2, None, &[version], Err(HandshakeRefusal::Malformed)),
            ("over HTTP/1.1", Version::HTTP_11, Some("websocket"), &[version], Err(HandshakeRefusal::Malformed)),
        ];
        for (name, http, protocol, headers, expected) in rows {
            let mut request = Request::builder().method("CONNECT").uri("https://api.example.com/v1/live").version(*http);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let (mut head, ()) = request.body(()).expect("a request").into_parts();
            if let Some(protocol) = protocol {
                head.extensions.insert(Protocol::from_static(protocol));
            }
            assert_eq!(wanted(&head), *expected, "{name}");
        }
    }

    /// RFC 6455 section 1.3.
    #[test]
    fn a_key_of_ours_has_one_answer() {
        let key = Key::from_random(*b"the sample nonce");
        let mut head = head(&[], &[]);
        key.put(&mut head);
        assert_eq!(head.headers.get("sec-websocket-key").map(HeaderValue::as_bytes), Some(KEY.as_bytes()));
        let answer = |value| [(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(value))].into_iter().collect();
        assert_eq!(key.answered(&answer(ACCEPT)), Ok(()));
        assert_eq!(key.answered(&answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOA=")), Err(NotAccepted));
        assert_eq!(key.answered(&HeaderMap::new()), Err(NotAccepted));
    }

    #[test]
    fn a_handshake_is_whole_or_none() {
        let rows: &[(&str, request::Parts, Result<Wanted, HandshakeRefusal>)] = &[
            ("the RFC's", head(&[], &[]), Ok(Wanted::WebSocket)),
            (
                "other letters",
                head(&[("upgrade", Some("WebSocket")), ("connection", Some("keep-alive, UPGRADE"))], &[]),
                Ok(Wanted::WebSocket),
            ),
            ("extensions are left out later", head(&[], &[("sec-websocket-extensions", "permessage-deflate")]), Ok(Wanted::WebSocket)),
            ("subprotocols", head(&[], &[("sec-websocket-protocol", "chat, superchat")]), Ok(Wanted::WebSocket)),
            (
                "no wish",
                head(&[("upgrade", None), ("connection", None), ("sec-websocket-key", None), ("sec-websocket-version", None)], &[]),
                Ok(Wanted::Answer),
            ),
            ("half a wish", head(&[("upgrade", None), ("connection", None)], &[]), Err(HandshakeRefusal::Malformed)),
            ("another protocol", head(&[("upgrade", Some("h2c"))], &[]), Err(HandshakeRefusal::ProtocolUnknown)),
            ("two protocols", head(&[("upgrade", Some("websocket, h2c"))], &[]), Err(HandshakeRefusal::ProtocolUnknown)),
            ("asked twice", head(&[], &[("upgrade", "websocket")]), Err(HandshakeRefusal::ProtocolUnknown)),
            ("no `upgrade` in `connection`", head(&[("connection", Some("keep-alive"))], &[]), Err(HandshakeRefusal::Malformed)),
            ("headers that hop", head(&[("connection", Some("upgrade, authorization"))], &[]), Err(HandshakeRefusal::Malformed)),
            ("no key", head(&[("sec-websocket-key", None)], &[]), Err(HandshakeRefusal::Malformed)),
            ("two keys", head(&[], &[("sec-websocket-key", KEY)]), Err(HandshakeRefusal::Malformed)),
            ("a short key", head(&[("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25j"))], &[]), Err(HandshakeRefusal::Malformed)),
            ("bits to spare", head(&[("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZR=="))], &[]), Err(HandshakeRefusal::Malformed)),
            ("version 8", head(&[("sec-websocket-version", Some("8"))], &[]), Err(HandshakeRefusal::Malformed)),
            ("no version", head(&[("sec-websocket-version", None)], &[]), Err(HandshakeRefusal::Malformed)),
            ("a body", head(&[], &[("content-length", "1")]), Err(HandshakeRefusal::Malformed)),
            ("a chunked body", head(&[], &[("transfer-encoding", "chunked")]), Err(HandshakeRefusal::Malformed)),
            ("an answer already", head(&[], &[("sec-websocket-accept", ACCEPT)]), Err(HandshakeRefusal::Malformed)),
            ("a subprotocol that is none", head(&[], &[("sec-websocket-protocol", "a b")]), Err(HandshakeRefusal::Malformed)),
        ];
        for (name, head, expected) in rows {
            assert_eq!(wanted(head), *expected, "{name}");
        }
        let mut by_post = head(&[], &[]);
        by_post.method = Method::POST;
        assert_eq!(wanted(&by_post), Err(HandshakeRefusal::Malformed));
    }

    #[test]
    fn an_upstream_takes_up_what_was_asked() {
        let asked = head(&[], &[("sec-websocket-protocol", "chat, superchat")]).headers;
        let usual: &[(&'static str, &str)] = &[("upgrade", "websocket"), ("sec-websocket-accept", ACCEPT)];
        let rows: &[(&str, &[(&'static str, &str)], &[&str], bool)] = &[
            ("the RFC's", &[], &[], true),
            ("a subprotocol that was offered", &[("sec-websocket-protocol", "chat")], &[], true),
            ("another one", &[("sec-websocket-protocol", "other")], &[], false),
            ("two", &[("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", "superchat")], &[], false),
            ("an extension", &[("sec-websocket-extensions", "permessage-deflate")], &[], false),
            ("no answer to the key", &[], &["sec-websocket-accept"], false),
            ("no protocol", &[], &["upgrade"], false),
        ];
        for (name, more, less, expected) in rows {
            let mut answer = HeaderMap::new();
            for (header, value) in usual.iter().filter(|(header, _)| !less.contains(header)).chain(*more) {
                answer.append(*header, HeaderValue::from_str(value).expect("a value"));
            }
            assert_eq!(accepted(&asked, &answer).is_ok(), *expected, "{name}");
        }
    }

    #[test]
    fn pages_open_connections_to_their_own_origin() {
        let others = [Origin::parse("https://app.example.com").expect("an origin")];
        let rows: &[(&str, &[&str], bool)] = &[
            ("an app", &[], true),
            ("a page of this API", &["https://api.example.com"], true),
            ("a configured page", &["https://app.example.com"], true),
            ("another page", &["https://evil.example"], false),
            ("the same host in plain", &["http://api.example.com"], false),
            ("a sandbox", &["null"], false),
            ("two", &["https://api.example.com", "https://api.example.com"], false),
        ];
        for (name, origins, expected) in rows {
            let mut headers = HeaderMap::new();
            for origin in *origins {
                headers.append(header::ORIGIN, HeaderValue::from_str(origin).expect("a value"));
            }
            assert_eq!(may_open(&headers, "https://api.example.com", &others), *expected, "{name}");
        }
    }
}
