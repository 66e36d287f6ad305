//! Answers of which fields are hidden: nothing of the exchange may depend on what the fields hold.
//!
//! A validator is made from the whole representation, hidden fields included. A condition on it (`If-None-Match`), a part of it (`Range`) or
//! a digest of it would so answer guesses about what is hidden, one bit a request. Such an exchange is therefore unconditional and whole,
//! and of the answer's head only what cannot hold such a value comes back.

use bytes::Bytes;
use countersign_core::{Limits, MaskPath, Reason};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request};

use crate::{
    body::{self, Body, BodyError},
    media::Media,
    peer::Peer,
};

/// Asks for another answer than the whole, plain and present one: conditions (RFC 9110 section 13.1, RFC 4918 section 10.4), parts (section
/// 14.2), differences (RFC 3229), digests (RFC 9530 section 4, RFC 3230) and trailers that hold them.
const ASKS: [&str; 13] = [
    "a-im",
    "if",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-schedule-tag-match",
    "if-unmodified-since",
    "range",
    "te",
    "want-content-digest",
    "want-digest",
    "want-repr-digest",
];

/// Conditions by which a request changes something or does not.
const CONDITIONS: [&str; 6] = ["if", "if-match", "if-modified-since", "if-none-match", "if-schedule-tag-match", "if-unmodified-since"];

/// Headers of an answer that say nothing of the fields in its body. The length is our own, and so is what may be kept where.
const SAYS_NOTHING: [&str; 17] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "content-language",
    "content-type",
    "date",
    "deprecation",
    "retry-after",
    "strict-transport-security",
    "sunset",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];

/// Makes a request unconditional, whole and plain.
///
/// # Errors
/// [`Reason::ConditionOnHidden`] for a condition on a change: without it something else would be done than was asked for.
pub(crate) fn ask_nothing_of_it(head: &mut request::Parts) -> Result<(), Reason> {
    let reads = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && CONDITIONS.iter().any(|name| head.headers.contains_key(*name)) {
        return Err(Reason::ConditionOnHidden);
    }
    for name in ASKS {
        head.headers.remove(name);
    }
    head.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(())
}

/// The answer without the fields that must be hidden, or none at all.
///
/// # Errors
/// [`Reason::ResponseNotMaskable`], also for the answers to what was not asked: a part, a condition that was met or not.
pub(crate) async fn masked(answer: Response<Body>, masks: &[MaskPath], method: &Method, peer: &Peer) -> Result<Response<Body>, Reason> {
    let (mut head, body) = answer.into_parts();
    match head.status {
        StatusCode::PARTIAL_CONTENT
        | StatusCode::NOT_MODIFIED
        | StatusCode::PRECONDITION_FAILED
        | StatusCode::RANGE_NOT_SATISFIABLE
        | StatusCode::IM_USED => return Err(Reason::ResponseNotMaskable),
        _ => {}
    }
    let media = Media::of(&head.headers);
    keep_what_says_nothing(&mut head.headers);
    if *method == Method::HEAD || head.status == StatusCode::NO_CONTENT {
        return Ok(Response::from_parts(head, body::empty()));
    }
    let kept = body::kept(body, peer.clone());
    let bytes = body::collect(kept, Limits::PARSED_BODY_BYTES_MAX).await.map_err(|fault| match fault {
        BodyError::NoRoom => Reason::BuffersFull,
        BodyError::Broken(_) | BodyError::Cut | BodyError::TooLarge | BodyError::TooSlow => Reason::ResponseNotMaskable,
    })?;
    let hidden = match media {
        Media::Other if bytes.is_empty() => bytes,
        Media::Other => return Err(Reason::ResponseNotMaskable),
        Media::Json => countersign_policy::mask(&bytes, masks).map(Bytes::from).map_err(|_| Reason::ResponseNotMaskable)?,
    };
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(hidden.len()));
    Ok(Response::from_parts(head, body::full(hidden)))
}

fn keep_what_says_nothing(headers: &mut HeaderMap) {
    let others: Vec<HeaderName> = headers.keys().filter(|name| !SAYS_NOTHING.contains(&name.as_str())).cloned().collect();
    for name in others {
        headers.remove(name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::BodyExt;

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// RFC 9110 sections 13 and 14, RFC 9530, RFC 3229: each of these would answer a guess.
    #[test]
    fn nothing_is_asked_that_depends_on_what_is_hidden() {
        let rows: &[(&str, &str, &[(&str, &str)], Result<&[&str], Reason>)] = &[
            ("a plain request", "GET", &[("accept", "a")], Ok(&["accept", "accept-encoding"])),
            ("a validator", "GET", &[("if-none-match", "\"e\"")], Ok(&["accept-encoding"])),
            ("a validator that must match", "GET", &[("if-match", "\"e\"")], Ok(&["accept-encoding"])),
            ("a time", "GET", &[("if-modified-since", "a")], Ok(&["accept-encoding"])),
            ("another time", "HEAD", &[("if-unmodified-since", "a")], Ok(&["accept-encoding"])),
            ("a part", "GET", &[("range", "bytes=0-9"), ("if-range", "\"e\"")], Ok(&["accept-encoding"])),
            ("a compressed answer", "GET", &[("accept-encoding", "gzip, br")], Ok(&["accept-encoding"])),
            ("digests", "GET", &[("want-repr-digest", "sha-256=1"), ("want-digest", "a")], Ok(&["accept-encoding"])),
            ("a difference", "GET", &[("a-im", "vcdiff")], Ok(&["accept-encoding"])),
            ("a plain change", "POST", &[("content-type", "a")], Ok(&["accept-encoding", "content-type"])),
            ("a change on a condition", "PUT", &[("if-match", "\"e\"")], Err(Reason::ConditionOnHidden)),
            ("a change unless", "POST", &[("if-none-match", "*")], Err(Reason::ConditionOnHidden)),
            ("a change since", "DELETE", &[("if-unmodified-since", "a")], Err(Reason::ConditionOnHidden)),
        ];
        for (name, method, given, expected) in rows {
            let mut request = Request::builder().method(*method);
            for (name, value) in *given {
                request = request.header(*name, *value);
            }
            let (mut head, ()) = request.body(()).expect("a request").into_parts();
            let got = ask_nothing_of_it(&mut head).map(|()| names(&head.headers));
            assert_eq!(got, expected.clone().map(<[&str]>::to_vec), "{name}");
            assert!(got.is_err() || head.headers.get("accept-encoding").is_some_and(|coding| coding == "identity"), "{name}");
        }
    }

    #[tokio::test]
    async fn an_answer_says_nothing_of_what_is_hidden() {
        let path = [MaskPath::parse("/iban").expect("a path")];
        let all = [
            ("content-type", "application/json"),
            ("etag", "\"e\""),
            ("last-modified", "a"),
            ("content-md5", "a"),
            ("digest", "a"),
            ("content-digest", "a"),
            ("repr-digest", "a"),
            ("content-range", "a"),
            ("accept-ranges", "bytes"),
            ("content-location", "/DE02"),
            ("location", "/DE02"),
            ("link", "</DE02>"),
            ("x-iban", "DE02"),
            ("set-cookie", "iban=DE02"),
            ("server-timing", "a"),
            ("age", "3"),
            ("vary", "accept"),
        ];
        let kept = ["cache-control", "content-length", "content-type", "vary"];
        let rows: &[(&str, &str, u16, &str, Result<(&[&str], &str), Reason>)] = &[
            ("an answer", "GET", 200, r#"{"iban":"DE02"}"#, Ok((&kept, r#"{"iban":null}"#))),
            ("another length of what is hidden", "GET", 200, r#"{"iban":"DE0212345"}"#, Ok((&kept, r#"{"iban":null}"#))),
            ("a problem", "GET", 404, r#"{"iban":"DE02"}"#, Ok((&kept, r#"{"iban":null}"#))),
            ("a head alone", "HEAD", 200, "", Ok((&["cache-control", "content-type", "vary"], ""))),
            ("no content", "DELETE", 204, "", Ok((&["cache-control", "content-type", "vary"], ""))),
            ("a part", "GET", 206, r#"{"iban":"DE02"}"#, Err(Reason::ResponseNotMaskable)),
            ("a validator that fits", "GET", 304, "", Err(Reason::ResponseNotMaskable)),
            ("a condition that failed", "GET", 412, "", Err(Reason::ResponseNotMaskable)),
            ("no such part", "GET", 416, "", Err(Reason::ResponseNotMaskable)),
            ("a difference", "GET", 226, "{}", Err(Reason::ResponseNotMaskable)),
        ];
        for (name, method, status, body, expected) in rows {
            let mut answer = Response::builder().status(*status).header("content-length", body.len());
            for (name, value) in all {
                answer = answer.header(name, value);
            }
            let answer = answer.body(body::full(*body)).expect("an answer");
            let peer = Peer::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
            let got = masked(answer, &path, &Method::from_bytes(method.as_bytes()).expect("a method"), &peer).await;
            match (got, expected) {
                (Ok(answer), Ok((head, text))) => {
                    let (parts, body) = answer.into_parts();
                    assert_eq!(names(&parts.headers), *head, "{name}");
                    let bytes = body.collect().await.expect("a body").to_bytes();
                    assert_eq!(bytes, text.as_bytes(), "{name}");
                }
                (got, expected) => assert_eq!(got.map(|_| ()).err().as_ref(), expected.as_ref().err(), "{name}"),
            }
        }
    }
}
