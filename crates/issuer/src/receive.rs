//! A request as the endpoints see it: of the right method, type and size, or refused.

use std::{
    error::Error,
    io,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::Request,
};
use countersign_access::Credentials;
use countersign_core::{Limits, Reason};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use crate::{
    endpoint::{BodyKind, Endpoint},
    head_proof::HeadProof,
    refusal::Refusal,
};

/// Whence a request came: whoever listens puts it among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Origin(pub IpAddr);

/// A request that was received whole.
#[derive(Debug)]
pub struct Call {
    headers: HeaderMap,
    /// The method, which the endpoint takes.
    pub method: Method,
    /// The path, as it came.
    pub path: String,
    /// Where it comes from, if the listener told.
    pub address: Option<IpAddr>,
    /// The body; empty where the endpoint takes none.
    pub body: Bytes,
    /// The proof in the head, verified before the body was read; taken by whoever spends it.
    bound: Mutex<Option<HeadProof>>,
}

/// How often a header stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header<'a> {
    /// Not at all.
    Absent,
    /// Once, as visible ASCII.
    Once(&'a str),
    /// Once, as something else.
    Unreadable,
    /// More often.
    Repeated,
}

impl Call {
    /// Token and proof of a person.
    pub fn credentials(&self) -> Credentials<'_> {
        Credentials::read(&self.headers)
    }

    /// Keeps the proof of the head for later.
    pub(crate) fn keep_proof(&self, proof: HeadProof) {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof);
    }

    /// Takes the proof that was kept, if there is one.
    pub(crate) fn take_proof(&self) -> Option<HeadProof> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Looks a header up without ever choosing one of several.
    pub fn header(&self, name: &HeaderName) -> Header<'_> {
        header(&self.headers, name)
    }
}

/// Body of a request that nobody has read yet.
pub(crate) struct Unread {
    body: Body,
    bytes_max: usize,
}

/// Receives the head of a request for `endpoint`; nothing of its body is read.
pub(crate) fn head(request: Request, endpoint: &Endpoint) -> Result<(Call, Unread), Refusal> {
    if !endpoint.methods.contains(request.method()) {
        return Err(Reason::MethodUnknown.into());
    }
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    if endpoint.body != BodyKind::Nothing && parts.uri.query().is_some() {
        // A proof's `htu` has no query, so nothing in one would be proved.
        return Err(Reason::RequestMalformed.into());
    }
    let address = parts.extensions.get::<Origin>().map(|origin| origin.0);
    let (media_type, bytes_max) = match endpoint.body {
        BodyKind::Nothing => ("", 0),
        BodyKind::Form => ("application/x-www-form-urlencoded", Limits::DOOR_FORM_BYTES_MAX),
        BodyKind::Json => ("application/json", Limits::DOOR_JSON_BYTES_MAX),
    };
    if endpoint.body != BodyKind::Nothing && (!is_of_type(&parts.headers, media_type) || parts.headers.contains_key(CONTENT_ENCODING)) {
        return Err(Reason::MediaTypeWrong.into());
    }
    // A length that is told is believed before a byte is read, and before anybody is asked to prove anything.
    if endpoint.body != BodyKind::Nothing && usize::try_from(HttpBody::size_hint(&body).lower()).unwrap_or(usize::MAX) > bytes_max {
        return Err(Reason::BodyTooLarge.into());
    }
    let call = Call { headers: parts.headers, method, path, address, body: Bytes::new(), bound: Mutex::default() };
    Ok((call, Unread { body, bytes_max }))
}

impl Unread {
    /// Reads the body. How long it may take to arrive, and how much of all bodies is kept in memory, is the listener's to limit: its faults
    /// come as [`std::io::Error`] of the kinds `TimedOut` and `OutOfMemory`.
    pub async fn read(self) -> Result<Bytes, Refusal> {
        if self.bytes_max == 0 {
            return Ok(Bytes::new());
        }
        // A body that breaks off is told as too large: the two cannot be told apart here, and both are refused.
        to_bytes(self.body, self.bytes_max).await.map_err(|fault| match kind(&fault) {
            Some(io::ErrorKind::TimedOut) => Reason::RequestTooSlow.into(),
            Some(io::ErrorKind::OutOfMemory) => Reason::BuffersFull.into(),
            Some(_) | None => Reason::BodyTooLarge.into(),
        })
    }
}

/// The kind of the listener's fault under `fault`.
fn kind(fault: &axum::Error) -> Option<io::ErrorKind> {
    let mut cause = fault.source();
    while let Some(fault) = cause {
        match fault.downcast_ref::<io::Error>() {
            Some(fault) => return Some(fault.kind()),
            None => cause = fault.source(),
        }
    }
    None
}

/// Whether there is one `Content-Type`, `expected`, with no other parameter than `charset=utf-8`.
fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let Header::Once(text) = header(headers, &CONTENT_TYPE) else { return false };
    let mut parts = text.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(expected))
        && parts.all(|parameter| parameter.eq_ignore_ascii_case("charset=utf-8") || parameter.eq_ignore_ascii_case("charset=\"utf-8\""))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Header<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Header::Absent,
        (Some(_), Some(_)) => Header::Repeated,
        (Some(Ok(text)), None) => Header::Once(text),
        (Some(Err(_)), None) => Header::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::ErrorFormat;

    async fn whole(request: Request, endpoint: &Endpoint) -> Result<(), Refusal> {
        let (_, unread) = head(request, endpoint)?;
        unread.read().await.map(|_| ())
    }

    #[tokio::test]
    async fn what_the_listener_stops_is_told_apart() {
        let endpoint = Endpoint {
            path: "/",
            method: Method::POST,
            methods: &[Method::POST],
            body: BodyKind::Json,
            errors: ErrorFormat::Problem,
            event: None,
        };
        let rows = [
            (io::ErrorKind::TimedOut, Reason::RequestTooSlow),
            (io::ErrorKind::OutOfMemory, Reason::BuffersFull),
            (io::ErrorKind::ConnectionAborted, Reason::BodyTooLarge),
        ];
        for (kind, expected) in rows {
            let broken = futures_util::stream::iter([Ok("{"), Err(io::Error::from(kind))]);
            let request = Request::builder().method("POST").header("content-type", "application/json").body(Body::from_stream(broken));
            let got = whole(request.expect("a request"), &endpoint).await;
            assert_eq!(got.map_err(|refusal| refusal.reason), Err(expected), "{kind:?}");
        }
    }

    #[tokio::test]
    async fn requests_are_received_strictly() {
        type Bend = fn(http::request::Builder) -> http::request::Builder;
        let endpoint = |method: Method, methods: &'static [Method], body: BodyKind| Endpoint {
            path: "/",
            method,
            methods,
            body,
            errors: ErrorFormat::Problem,
            event: None,
        };
        let takes_json = endpoint(Method::POST, &[Method::POST], BodyKind::Json);
        let takes_form = endpoint(Method::POST, &[Method::POST], BodyKind::Form);
        let public = endpoint(Method::GET, &[Method::GET, Method::HEAD], BodyKind::Nothing);
        let large = "x".repeat(Limits::DOOR_JSON_BYTES_MAX + 1);
        let largest = "x".repeat(Limits::DOOR_JSON_BYTES_MAX);
        let post: Bend = |r| r.method("POST").header("content-type", "application/json");
        let rows: &[(&str, &Endpoint, Bend, &str, Result<(), Reason>)] = &[
            ("all fits", &takes_json, post, "{}", Ok(())),
            ("the largest", &takes_json, post, &largest, Ok(())),
            ("one byte more", &takes_json, post, &large, Err(Reason::BodyTooLarge)),
            ("with a charset", &takes_json, |r| r.method("POST").header("content-type", "Application/JSON; charset=UTF-8"), "", Ok(())),
            (
                "another charset",
                &takes_json,
                |r| r.method("POST").header("content-type", "application/json; charset=latin1"),
                "",
                Err(Reason::MediaTypeWrong),
            ),
            ("a form", &takes_form, |r| r.method("POST").header("content-type", "application/x-www-form-urlencoded"), "", Ok(())),
            ("JSON instead of a form", &takes_form, post, "{}", Err(Reason::MediaTypeWrong)),
            ("no type", &takes_json, |r| r.method("POST"), "{}", Err(Reason::MediaTypeWrong)),
            (
                "two types",
                &takes_json,
                |r| r.method("POST").header("content-type", "application/json").header("content-type", "application/json"),
                "{}",
                Err(Reason::MediaTypeWrong),
            ),
            (
                "compressed",
                &takes_json,
                |r| r.method("POST").header("content-type", "application/json").header("content-encoding", "gzip"),
                "{}",
                Err(Reason::MediaTypeWrong),
            ),
            (
                "another method",
                &takes_json,
                |r| r.method("PUT").header("content-type", "application/json"),
                "{}",
                Err(Reason::MethodUnknown),
            ),
            (
                "a query",
                &takes_json,
                |r| r.method("POST").uri("/?a=1").header("content-type", "application/json"),
                "{}",
                Err(Reason::RequestMalformed),
            ),
            ("nothing asked", &public, |r| r.method("GET"), "", Ok(())),
            ("the head alone", &public, |r| r.method("HEAD"), "", Ok(())),
            ("no such method there", &public, |r| r.method("OPTIONS"), "", Err(Reason::MethodUnknown)),
        ];
        for (name, endpoint, bend, body, expected) in rows {
            let request = bend(Request::builder()).body(Body::from((*body).to_owned())).expect("a request");
            assert_eq!(whole(request, endpoint).await.map_err(|refusal| refusal.reason), *expected, "{name}");
        }
    }
}
