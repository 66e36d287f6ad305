//! Whether a message says that its body is plain JSON. Only such a body is looked into.

use http::{HeaderMap, header};

/// What a message says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// One JSON document in UTF-8, not compressed.
    Json,
    /// Anything else.
    Other,
}

impl Media {
    /// `application/json`, or a type built on it (RFC 6839 section 3.1), with or without parameters, and no content coding.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(value), None) = (types.next(), types.next()) else { return Self::Other };
        let (essence, parameters) = match value.to_str().map(|text| text.split_once(';')) {
            Ok(Some((essence, parameters))) => (essence, Some(parameters)),
            Ok(None) => (value.to_str().unwrap_or_default(), None),
            Err(_) => return Self::Other,
        };
        let essence = essence.trim_matches([' ', '\t']).to_ascii_lowercase();
        let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
        let token = essence.bytes().all(|byte| byte == b'/' || is_token(byte));
        let plain = headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        if json && token && plain && parameters.is_none_or(in_utf8) { Self::Json } else { Self::Other }
    }
}

/// Reads parameters of a media type (RFC 9110 section 5.6.6). JSON has none (RFC 8259 section 11), but clients write `charset=utf-8`, and
/// some readers obey whatever stands there: another character set is another document.
fn in_utf8(mut rest: &str) -> bool {
    let mut names = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(';') {
            let Some((name, after)) = rest.split_once('=') else { return false };
            let Some((value, after)) = value(after) else { return false };
            let name = name.to_ascii_lowercase();
            // `charset*` is another spelling of the same (RFC 8187), and of two the first or the last may count.
            if name.is_empty() || name.contains('*') || !name.bytes().all(is_token) || names.contains(&name) {
                return false;
            }
            if name == "charset" && !value.eq_ignore_ascii_case("utf-8") {
                return false;
            }
            names.push(name);
            rest = after.trim_start_matches([' ', '\t']);
        }
        match rest.strip_prefix(';') {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

/// A token or a quoted text without escapes, and what stands behind it.
fn value(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').filter(|(value, _)| !value.contains('\\'));
    }
    let end = text.find(|c: char| !u8::try_from(c).is_ok_and(is_token)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(value, _)| !value.is_empty())
}

/// A character of a token (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    #[test]
    fn json_is_what_says_so_and_is_not_compressed() {
        let rows: &[(&str, &[(&str, &str)], Media)] = &[
            ("the type", &[("content-type", "application/json")], Media::Json),
            ("with a parameter", &[("content-type", "Application/JSON; charset=utf-8")], Media::Json),
            ("in quotes", &[("content-type", "application/json;charset=\"UTF-8\"")], Media::Json),
            ("another parameter", &[("content-type", "application/json; profile=\"a\"; v=1")], Media::Json),
            ("a semicolon at the end", &[("content-type", "application/json;")], Media::Json),
            ("another character set", &[("content-type", "application/json; charset=utf-16")], Media::Other),
            ("UTF-7", &[("content-type", "application/json;charset=utf-7")], Media::Other),
            ("a Latin one", &[("content-type", "application/json; charset=iso-8859-1")], Media::Other),
            ("no character set", &[("content-type", "application/json; charset=")], Media::Other),
            ("another spelling of the name", &[("content-type", "application/json; Charset=utf-16")], Media::Other),
            ("an encoded parameter", &[("content-type", "application/json; charset*=utf-8''utf-16")], Media::Other),
            ("two character sets", &[("content-type", "application/json; charset=utf-8; charset=utf-16")], Media::Other),
            ("one of them behind a comma", &[("content-type", "application/json; charset=utf-8, text/plain")], Media::Other),
            ("a list of types", &[("content-type", "application/json, application/json")], Media::Other),
            ("a blank before the sign", &[("content-type", "application/json; charset =utf-16")], Media::Other),
            ("an escape in the name of the set", &[("content-type", "application/json; charset=\"utf-\\16\"")], Media::Other),
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

    proptest! {
        #[test]
        fn no_type_panics_and_no_other_character_set_passes(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            text in "application/json[ ;a-zA-Z0-9=\"*,'\\\\-]{0,40}",
            set in "[a-zA-Z0-9-]{1,10}",
        ) {
            let of = |value: HeaderValue| Media::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)]));
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = of(value);
            }
            if let Ok(value) = HeaderValue::from_str(&text) {
                let _ = of(value);
            }
            let named = HeaderValue::from_str(&format!("application/json; charset={set}")).expect("a value");
            prop_assert_eq!(of(named) == Media::Json, set.eq_ignore_ascii_case("utf-8"));
        }
    }
}
