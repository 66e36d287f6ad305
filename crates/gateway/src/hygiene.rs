//! Which headers cross the gateway, and which do not.
//!
//! Never crossing towards the upstream: what belongs to one connection only (RFC 9110 section 7.6.1), the client's credentials (they are for
//! us), names of a reserved [`family`], and names with other characters than letters, digits and hyphens, which CGI, WSGI and PHP read as
//! other names: an API never sees two spellings of one variable.

use countersign_policy::RequestHeaders;
use http::{HeaderMap, HeaderName, header};

use crate::families::{Family, Spelling, family, spelling};

/// Belongs to one connection.
static HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Words that a client's `Connection` may name: its own options, and headers that belong to a connection by standard (RFC 9110 section 7.6.1,
/// RFC 9113 section 8.2.2, RFC 7540 section 3.2.1). Whatever else it names would be taken away after it was judged.
const CONNECTION_OPTIONS: [&str; 8] = ["", "close", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

/// For us, and nobody behind us. A cookie is a bearer credential too (law 4).
static CREDENTIALS: [HeaderName; 4] = [header::AUTHORIZATION, header::COOKIE, HeaderName::from_static("dpop"), header::PROXY_AUTHORIZATION];

/// Names that pass where an operation declares its request headers: what describes the message itself, and what it is to be answered with.
const DESCRIBING: [&str; 17] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "origin",
    "range",
    "user-agent",
];

/// Whether a sender reads what comes after a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakesTrailers {
    No,
    Yes,
}

/// Reads `TE` (RFC 9110 section 10.1.4), which is between neighbours: whoever passes trailers on says so himself.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> TakesTrailers {
    let mut codings = headers.get_all(header::TE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    if codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers")) { TakesTrailers::Yes } else { TakesTrailers::No }
}

/// `Connection` names a header that does not belong to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamesAnother;

/// Takes a `Connection` that names nothing but what belongs to connections.
///
/// # Errors
/// When it names anything else.
pub(crate) fn connection_of_its_own(headers: &HeaderMap) -> Result<(), NamesAnother> {
    let mut named = headers.get_all(header::CONNECTION).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let known = |name: &[u8]| CONNECTION_OPTIONS.iter().any(|known| name.trim_ascii().eq_ignore_ascii_case(known.as_bytes()));
    if named.all(known) { Ok(()) } else { Err(NamesAnother) }
}

/// Takes from a request what must not reach the upstream.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    drop_hop_by_hop(headers);
    for name in CREDENTIALS.iter().chain([&header::EXPECT]) {
        headers.remove(name);
    }
    drop_where(headers, |name| spelling(name) == Spelling::Aliased || family(name).is_some());
}

/// Leaves what the operation declares, and what describes the message.
pub(crate) fn keep_declared(headers: &mut HeaderMap, declared: &RequestHeaders) {
    drop_where(headers, |name| !is_declared(name, declared));
}

fn is_declared(name: &str, declared: &RequestHeaders) -> bool {
    match declared {
        RequestHeaders::Usual => true,
        RequestHeaders::Declared(names) => {
            // The handshake of a WebSocket, the transport of a call and the place in a stream of events were judged as such.
            let of_a_stream = name.starts_with("sec-websocket-") || name.starts_with("grpc-") || ["last-event-id", "te"].contains(&name);
            of_a_stream || DESCRIBING.contains(&name) || names.iter().any(|declared| declared.eq_ignore_ascii_case(name))
        }
    }
}

/// A header that must not reach the API, where nobody can take it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotRemovable;

/// Takes a request from which nothing would have to be taken away but what the other proxy sets itself, as docs/auth_request.md
/// configures it: the client's credentials, our own three headers, and whence the request came.
///
/// # Errors
/// When another reserved header, a second spelling or an undeclared header would reach the API.
pub(crate) fn needs_no_cleaning(headers: &HeaderMap, declared: &RequestHeaders) -> Result<(), NotRemovable> {
    const SET_THERE: [&str; 3] = ["countersign-decision", "countersign-identity", "countersign-user"];
    let passes = |name: &HeaderName| {
        // What belongs to the client's connection to that proxy is the proxy's to end.
        if HOP_BY_HOP.contains(name) {
            return true;
        }
        let (text, credential) = (name.as_str(), CREDENTIALS.contains(name));
        let reserved = match family(text) {
            None | Some(Family::Address) => false,
            Some(Family::Ours) => !SET_THERE.contains(&text),
            Some(Family::Identity | Family::Override) => !credential,
        };
        let ours_to_judge = credential || SET_THERE.contains(&text) || family(text) == Some(Family::Address);
        spelling(text) == Spelling::Plain && !reserved && (ours_to_judge || is_declared(text, declared))
    };
    if headers.keys().all(passes) { Ok(()) } else { Err(NotRemovable) }
}

/// Takes from an answer what must not reach the client: upstreams speak for themselves, not for us. What they say to a proxy in front of
/// them (`X-Accel-Redirect` and its like) is theirs to say.
pub(crate) fn clean_answer(headers: &mut HeaderMap) {
    drop_hop_by_hop(headers);
    drop_where(headers, |name| family(name) == Some(Family::Ours));
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    // `Connection` names further headers that belong to this connection.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn drop_where(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn after(clean: fn(&mut HeaderMap), given: &[(&str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        clean(&mut headers);
        let mut left: Vec<_> = headers.keys().map(ToString::to_string).collect();
        left.sort();
        left
    }

    #[test]
    fn what_crosses_towards_the_upstream() {
        let rows: &[(&str, &[(&str, &str)], &[&str])] = &[
            (
                "ordinary headers",
                &[("accept", "a"), ("content-length", "3"), ("x-request-id", "r")],
                &["accept", "content-length", "x-request-id"],
            ),
            ("what `Connection` names", &[("connection", "close, X-Secret"), ("x-secret", "1"), ("accept", "a")], &["accept"]),
            ("two `Connection` lines", &[("connection", "a"), ("connection", "b"), ("a", "1"), ("b", "1")], &[]),
            (
                "every header of one connection",
                &[
                    ("te", "trailers"),
                    ("trailer", "a"),
                    ("keep-alive", "1"),
                    ("proxy-connection", "a"),
                    ("transfer-encoding", "chunked"),
                    ("upgrade", "h2c"),
                    ("proxy-authenticate", "a"),
                ],
                &[],
            ),
            ("second spellings", &[("x_app", "1"), ("x.app", "1"), ("content_type", "a"), ("x-app", "1")], &["x-app"]),
            (
                "who a proxy says it is",
                &[("remote-user", "a"), ("client-cert", "a"), ("x-webauth-user", "a"), ("x-goog-iap-jwt-assertion", "a"), ("proxy", "a")],
                &[],
            ),
            (
                "an app's own",
                &[("x-app-version", "1"), ("idempotency-key", "a"), ("traceparent", "a"), ("if-match", "a")],
                &["idempotency-key", "if-match", "traceparent", "x-app-version"],
            ),
            ("credentials", &[("authorization", "DPoP a"), ("dpop", "a"), ("cookie", "a=b"), ("proxy-authorization", "a")], &[]),
            (
                "claims of ours",
                &[("countersign-identity", "forged"), ("countersign-user", "forged"), ("countersign-anything", "forged")],
                &[],
            ),
            ("claims of ours in CGI's spelling", &[("countersign_identity", "forged"), ("x_forwarded_for", "forged")], &[]),
            ("who forwarded", &[("forwarded", "for=a"), ("x-forwarded-for", "a"), ("x-forwarded-prefix", "a"), ("x-real-ip", "a")], &[]),
            (
                "another method or path after the fact",
                &[
                    ("x-http-method-override", "DELETE"),
                    ("x-http-method", "a"),
                    ("x-method-override", "a"),
                    ("x-original-url", "/admin"),
                    ("x-rewrite-url", "/admin"),
                ],
                &[],
            ),
        ];
        for (name, given, expected) in rows {
            assert_eq!(after(clean_request, given), *expected, "{name}");
        }
    }

    #[test]
    fn what_crosses_towards_the_client() {
        let rows: &[(&str, &[(&str, &str)], &[&str])] = &[
            ("ordinary headers", &[("content-type", "a"), ("set-cookie", "a=b"), ("etag", "e")], &["content-type", "etag", "set-cookie"]),
            ("claims of ours", &[("countersign-decision", "D-1"), ("content-type", "a")], &["content-type"]),
            ("claims of ours in CGI's spelling", &[("countersign_decision", "D-1"), ("countersign.user", "a")], &[]),
            ("a word to a proxy of the upstream's", &[("x-accel-redirect", "/file")], &["x-accel-redirect"]),
            ("what `Connection` names", &[("connection", "x-hop"), ("x-hop", "1"), ("transfer-encoding", "chunked")], &[]),
        ];
        for (name, given, expected) in rows {
            assert_eq!(after(clean_answer, given), *expected, "{name}");
        }
    }

    #[test]
    fn where_an_operation_declares_its_headers_no_others_pass() {
        let declared = RequestHeaders::Declared(vec!["X-App-Version".to_owned()]);
        let given: &[(&str, &str)] = &[
            ("x-app-version", "1"),
            ("x-app", "1"),
            ("idempotency-key", "1"),
            ("content-type", "a"),
            ("if-none-match", "a"),
            ("sec-websocket-key", "a"),
            ("host", "a"),
        ];
        let rows: &[(&str, &RequestHeaders, &[&str])] = &[
            ("declared", &declared, &["content-type", "host", "if-none-match", "sec-websocket-key", "x-app-version"]),
            ("none declared", &RequestHeaders::Declared(Vec::new()), &["content-type", "host", "if-none-match", "sec-websocket-key"]),
        ];
        for (name, declared, expected) in rows {
            let mut headers: HeaderMap =
                given.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
            keep_declared(&mut headers, declared);
            let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            left.sort_unstable();
            assert_eq!(left, *expected, "{name}");
        }
    }

    #[test]
    fn behind_another_proxy_only_what_needs_no_cleaning_passes() {
        let declared = RequestHeaders::Declared(vec!["x-app".to_owned()]);
        let rows: &[(&str, &RequestHeaders, &str, Result<(), NotRemovable>)] = &[
            ("an app's own", &RequestHeaders::Usual, "x-app", Ok(())),
            ("a credential", &RequestHeaders::Usual, "authorization", Ok(())),
            ("what is set there", &RequestHeaders::Usual, "countersign-user", Ok(())),
            ("whence it came", &RequestHeaders::Usual, "x-forwarded-for", Ok(())),
            ("what belongs to a connection", &declared, "proxy-connection", Ok(())),
            ("a proxy for what the API asks", &RequestHeaders::Usual, "proxy", Err(NotRemovable)),
            ("another claim of ours", &RequestHeaders::Usual, "countersign-roles", Err(NotRemovable)),
            ("a claim of ours in another spelling", &RequestHeaders::Usual, "countersign.user", Err(NotRemovable)),
            ("who it is", &RequestHeaders::Usual, "remote-user", Err(NotRemovable)),
            ("who it is, from a proxy", &RequestHeaders::Usual, "x-forwarded-user", Err(NotRemovable)),
            ("another method", &RequestHeaders::Usual, "x-http-method-override", Err(NotRemovable)),
            ("a second spelling", &RequestHeaders::Usual, "x_app", Err(NotRemovable)),
            ("declared", &declared, "x-app", Ok(())),
            ("a credential, with others declared", &declared, "dpop", Ok(())),
            ("the type of the body", &declared, "content-type", Ok(())),
            ("not declared", &declared, "x-other", Err(NotRemovable)),
        ];
        for (name, declared, header, expected) in rows {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_bytes(header.as_bytes()).expect("a name"), HeaderValue::from_static("a"))]);
            assert_eq!(needs_no_cleaning(&headers, declared), *expected, "{name}");
        }
    }
}
