//! Which headers cross the gateway, and which do not.
//!
//! Never crossing towards the upstream: what belongs to one connection only (RFC 9110 section 7.6.1), the client's
//! credentials (they are for us), claims that only we may make (`Countersign-*`, `Forwarded`, `X-Forwarded-*`), and headers by
//! which many frameworks let a client change method or path after the fact, so that something else would run than was judged.
//! Names with an underscore are dropped as nginx does: CGI, WSGI and PHP read `Countersign_Identity` as `Countersign-Identity`.

use http::{HeaderMap, HeaderName, header};

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

/// For us, and nobody behind us. A cookie is a bearer credential too (law 4).
static CREDENTIALS: [HeaderName; 4] = [header::AUTHORIZATION, header::COOKIE, HeaderName::from_static("dpop"), header::PROXY_AUTHORIZATION];

/// Says of the client, the target or the protocol what only we know, or changes what was judged.
static NOT_THEIRS_TO_SAY: [HeaderName; 8] = [
    header::EXPECT,
    header::FORWARDED,
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-rewrite-url"),
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

/// Takes from a request what must not reach the upstream.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    drop_hop_by_hop(headers);
    for name in CREDENTIALS.iter().chain(&NOT_THEIRS_TO_SAY) {
        headers.remove(name);
    }
    drop_where(headers, |name| name.starts_with("countersign-") || name.starts_with("x-forwarded-") || name.contains('_'));
}

/// Takes from an answer what must not reach the client: upstreams speak for themselves, not for us.
pub(crate) fn clean_answer(headers: &mut HeaderMap) {
    drop_hop_by_hop(headers);
    drop_where(headers, |name| name.starts_with("countersign-"));
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
            ("what `Connection` names", &[("connection", "x-hop"), ("x-hop", "1"), ("transfer-encoding", "chunked")], &[]),
        ];
        for (name, given, expected) in rows {
            assert_eq!(after(clean_answer, given), *expected, "{name}");
        }
    }
}
