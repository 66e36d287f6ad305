//! A request as the endpoints see it: of the right method, type and size, or refused.

use std::net::IpAddr;

use axum::{
    body::{Bytes, to_bytes},
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

    /// Looks a header up without ever choosing one of several.
    pub fn header(&self, name: &HeaderName) -> Header<'_> {
        header(&self.headers, name)
    }
}

/// Receives a request for `endpoint`.
///
/// The time that a body may take to arrive is the listener's to limit.
pub async fn receive(request: Request, endpoint: &Endpoint) -> Result<Call, Refusal> {
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
        BodyKind::Nothing => return Ok(Call { headers: parts.headers, method, path, address, body: Bytes::new() }),
        BodyKind::Form => ("application/x-www-form-urlencoded", Limits::DOOR_FORM_BYTES_MAX),
        BodyKind::Json => ("application/json", Limits::DOOR_JSON_BYTES_MAX),
    };
    if !is_of_type(&parts.headers, media_type) || parts.headers.contains_key(CONTENT_ENCODING) {
        return Err(Reason::MediaTypeWrong.into());
    }
    // A body that breaks off is told as too large: the two cannot be told apart here, and both are refused.
    let body = to_bytes(body, bytes_max).await.map_err(|_| Refusal::new(Reason::BodyTooLarge))?;
    Ok(Call { headers: parts.headers, method, path, address, body })
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
    use axum::body::Body;

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
            assert_eq!(receive(request, endpoint).await.map(|_| ()).map_err(|refusal| refusal.reason), *expected, "{name}");
        }
    }
}
