//! The bearer token of an `Authorization` header (RFC 6750 section 2.1).

/// The token; `None` for another scheme, or no token. The scheme is case-insensitive, and one or more spaces follow it (RFC 9110 sections 11.1
/// and 11.4).
pub fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_written_in_any_case() {
        let rows: &[(&str, &str, Option<&str>)] = &[
            ("as in the RFC", "Bearer abc", Some("abc")),
            ("lower case", "bearer abc", Some("abc")),
            ("upper case", "BEARER abc", Some("abc")),
            ("two spaces", "bEaReR  abc", Some("abc")),
            ("another scheme", "Basic abc", None),
            ("a longer scheme", "Bearers abc", None),
            ("no token", "Bearer ", None),
            ("only the scheme", "Bearer", None),
            ("only the token", "abc", None),
            ("two tokens", "Bearer abc def", None),
            ("a tab", "Bearer\tabc", None),
        ];
        for (name, header, expected) in rows {
            assert_eq!(token(header), *expected, "{name}");
        }
    }
}
