//! Whether a message says that its body is plain JSON. Only such a body is looked into.

use http::{HeaderMap, header};

/// What a message says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// One JSON document, not compressed.
    Json,
    /// Anything else.
    Other,
}

impl Media {
    /// `application/json`, or a type built on it (RFC 6839 section 3.1), with or without parameters, and no content coding.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(value), None) = (types.next(), types.next()) else { return Self::Other };
        let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let json = essence == b"application/json" || (essence.starts_with(b"application/") && essence.ends_with(b"+json"));
        let plain = headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        if json && plain { Self::Json } else { Self::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn json_is_what_says_so_and_is_not_compressed() {
        let rows: &[(&str, &[(&str, &str)], Media)] = &[
            ("the type", &[("content-type", "application/json")], Media::Json),
            ("with a parameter", &[("content-type", "Application/JSON; charset=utf-8")], Media::Json),
            ("a type built on it", &[("content-type", "application/problem+json")], Media::Json),
            ("said to be plain", &[("content-type", "application/json"), ("content-encoding", "identity")], Media::Json),
            ("compressed", &[("content-type", "application/json"), ("content-encoding", "gzip")], Media::Other),
            ("text", &[("content-type", "text/json")], Media::Other),
            ("a longer name", &[("content-type", "application/jsonx")], Media::Other),
            ("two types", &[("content-type", "application/json"), ("content-type", "text/html")], Media::Other),
            ("none", &[], Media::Other),
        ];
        for (name, given, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *given {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(Media::of(&headers), *expected, "{name}");
        }
    }
}
