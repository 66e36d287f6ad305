//! The URL that a proof is made for, without query and fragment, in one normal form (RFC 9449 section 4.3 check 9, RFC 3986 sections 6.2.2
//! and 6.2.3).

use core::net::Ipv6Addr;
use std::{borrow::Cow, fmt};

use countersign_core::Limits;

/// Reason why a text is not a target or an origin. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetRefusal {
    /// The authority is empty, or its host or port does not parse.
    AuthorityInvalid,
    /// A byte may not stand in a URL, such as a space, a backslash or a byte beyond ASCII.
    IllegalByte,
    /// A `%` is not followed by two hexadecimal digits.
    PercentInvalid,
    /// The scheme is neither `https` nor `http`.
    SchemeInvalid,
    /// The text has more bytes than [`Limits::URL_BYTES_MAX`].
    TooLong,
    /// An origin has a path, query or fragment, or a path has a query or fragment.
    UnexpectedPart,
    /// A user name or password stands before the host.
    UserInfo,
}

impl fmt::Display for TargetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorityInvalid => "the host or port does not parse; write it like `https://api.example.com:7443`",
            Self::IllegalByte => "a URL holds visible ASCII only, and no backslash; encode other characters with `%`",
            Self::PercentInvalid => "a `%` stands before two hexadecimal digits; write `%25` for the sign itself",
            Self::SchemeInvalid => "a URL starts with `https://` or `http://` here",
            Self::TooLong => "a URL has at most 4096 bytes here",
            Self::UnexpectedPart => "give scheme, host and port only, or a path that starts with `/`, without query and fragment",
            Self::UserInfo => "a user name or password has no place in this URL; leave out all before the `@`",
        })
    }
}

impl std::error::Error for TargetRefusal {}

/// A URL in normal form, without query and fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target(String);

/// Scheme and authority under which clients reach this server, as configured: `https://api.example.com:7443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Target {
    /// Parses an absolute `http` or `https` URL; its query and fragment are dropped.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, TargetRefusal> {
        let (origin, rest) = split(text)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        origin.join(path)
    }

    /// The URL in normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks that `text`, as a client writes it, is a URL of this target.
    ///
    /// # Errors
    /// [`OtherTarget`] when it is another URL, or not a URL.
    pub(crate) fn admit(&self, text: &str) -> Result<(), OtherTarget> {
        // A normal form is its own normal form, so the texts of most clients need no parsing.
        if self.0 == text || Self::parse(text).is_ok_and(|other| other == *self) { Ok(()) } else { Err(OtherTarget) }
    }
}

/// Refusal of a text that is another URL, or not a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherTarget;

impl Origin {
    /// Parses an origin; a single `/` at its end is dropped.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, TargetRefusal> {
        let (origin, rest) = split(text)?;
        if matches!(rest, "" | "/") { Ok(origin) } else { Err(TargetRefusal::UnexpectedPart) }
    }

    /// The origin in normal form, without a `/` at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The target of a request for `path`, which is absolute or empty and has no query (RFC 9112 section 3.2.1).
    ///
    /// # Errors
    /// A refusal when the path holds a byte that a path may not hold.
    pub fn target(&self, path: &str) -> Result<Target, TargetRefusal> {
        if path.contains(['?', '#']) {
            return Err(TargetRefusal::UnexpectedPart);
        }
        self.join(path)
    }

    fn join(&self, path: &str) -> Result<Target, TargetRefusal> {
        if self.0.len().saturating_add(path.len()) > Limits::URL_BYTES_MAX {
            return Err(TargetRefusal::TooLong);
        }
        let mut out = String::with_capacity(self.0.len().saturating_add(path.len()).saturating_add(1));
        out.push_str(&self.0);
        push_without_dots(&normal_octets(path)?, &mut out);
        Ok(Target(out))
    }
}

/// Splits a URL into its origin and everything after it.
fn split(text: &str) -> Result<(Origin, &str), TargetRefusal> {
    if text.len() > Limits::URL_BYTES_MAX {
        return Err(TargetRefusal::TooLong);
    }
    // SECURITY: browsers take a backslash for a slash and drop tabs and line breaks, so one text could mean two URLs. It is refused.
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Err(TargetRefusal::IllegalByte);
    }
    let (scheme, rest) = text.split_once("://").ok_or(TargetRefusal::SchemeInvalid)?;
    let (scheme, default_port) = if scheme.eq_ignore_ascii_case("https") {
        ("https", 443)
    } else if scheme.eq_ignore_ascii_case("http") {
        ("http", 80)
    } else {
        return Err(TargetRefusal::SchemeInvalid);
    };
    let (authority, rest) = rest.find(['/', '?', '#']).and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    // SECURITY: `https://api.example.com@evil.example` names the second host, which people misread.
    if authority.contains('@') {
        return Err(TargetRefusal::UserInfo);
    }
    let (host, port) = split_port(authority);
    let host = normal_host(host)?;
    let origin = match normal_port(port)? {
        Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
        Some(_) | None => format!("{scheme}://{host}"),
    };
    Ok((Origin(origin), rest))
}

/// Splits host and port. The colons inside an IPv6 literal do not begin a port.
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        Some(_) | None => (authority, ""),
    }
}

/// The host in normal form: lower case for names, the spelling of RFC 5952 for IPv6 literals. International names must come as `xn--`.
fn normal_host(host: &str) -> Result<String, TargetRefusal> {
    if let Some(literal) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = literal.parse().map_err(|_| TargetRefusal::AuthorityInvalid)?;
        return Ok(format!("[{address}]"));
    }
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if is_name { Ok(host.to_ascii_lowercase()) } else { Err(TargetRefusal::AuthorityInvalid) }
}

/// The port as a number. An empty port means no port (RFC 3986 section 6.2.3).
fn normal_port(port: &str) -> Result<Option<u16>, TargetRefusal> {
    if port.is_empty() {
        return Ok(None);
    }
    let digits_only = port.bytes().all(|b| b.is_ascii_digit());
    port.parse().ok().filter(|port| digits_only && *port > 0).map(Some).ok_or(TargetRefusal::AuthorityInvalid)
}

/// The path in normal form: octets that need no encoding are decoded, all other encodings are in upper case (RFC 3986 sections 6.2.2.1 and
/// 6.2.2.2).
fn normal_octets(path: &str) -> Result<Cow<'_, str>, TargetRefusal> {
    if !path.is_empty() && !path.starts_with('/') {
        return Err(TargetRefusal::UnexpectedPart);
    }
    if !path.bytes().all(|b| is_unreserved(b) || b"!$&'()*+,;=:@/%".contains(&b)) {
        return Err(TargetRefusal::IllegalByte);
    }
    let mut parts = path.split('%');
    let plain = parts.next().unwrap_or_default();
    if plain.len() == path.len() {
        return Ok(Cow::Borrowed(path));
    }
    let mut out = String::with_capacity(path.len());
    out.push_str(plain);
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(TargetRefusal::PercentInvalid)?;
        // The standard library would parse `+f` as a number.
        let octet = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).ok_or(TargetRefusal::PercentInvalid)?;
        if is_unreserved(octet) {
            out.push(char::from(octet));
        } else {
            out.push('%');
            out.push_str(&digits.to_ascii_uppercase());
        }
        out.push_str(rest);
    }
    Ok(Cow::Owned(out))
}

/// True for unreserved characters (RFC 3986 section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends `path` with its dot segments resolved (RFC 3986 section 5.2.4); an empty path becomes `/` (section 6.2.3).
fn push_without_dots(path: &str, out: &mut String) {
    let root = out.len();
    let mut ends_in_directory = true;
    for segment in path.split('/').skip(1) {
        ends_in_directory = true;
        match segment {
            "." => {}
            ".." => {
                // Never above the root: `/..` stays `/`.
                let parent = out.get(root..).and_then(|path| path.rfind('/')).unwrap_or(0);
                out.truncate(root.saturating_add(parent));
            }
            name => {
                out.push('/');
                out.push_str(name);
                ends_in_directory = false;
            }
        }
    }
    if ends_in_directory {
        out.push('/');
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_has_one_normal_form() {
        let longest = format!("https://a/{}", "a".repeat(Limits::URL_BYTES_MAX - 10));
        let too_long = format!("{longest}a");
        let rows: &[(&str, &str, Result<&str, TargetRefusal>)] = &[
            ("already normal", "https://a.example/b", Ok("https://a.example/b")),
            ("case of scheme and host", "HTTPS://A.Example/B", Ok("https://a.example/B")),
            ("default port", "https://a.example:443/b", Ok("https://a.example/b")),
            ("default port of http", "http://a.example:80/b", Ok("http://a.example/b")),
            ("the other's default port", "https://a.example:80/b", Ok("https://a.example:80/b")),
            ("a port with a zero before it", "https://a.example:0443/b", Ok("https://a.example/b")),
            ("an empty port", "https://a.example:/b", Ok("https://a.example/b")),
            ("the last port", "https://a.example:65535/b", Ok("https://a.example:65535/b")),
            ("a port too far", "https://a.example:65536/b", Err(TargetRefusal::AuthorityInvalid)),
            ("port zero", "https://a.example:0/b", Err(TargetRefusal::AuthorityInvalid)),
            ("a port with a sign", "https://a.example:+443/b", Err(TargetRefusal::AuthorityInvalid)),
            ("empty path", "https://a.example", Ok("https://a.example/")),
            ("query and fragment", "https://a.example/b?c=/../#/d", Ok("https://a.example/b")),
            ("query without path", "https://a.example?c", Ok("https://a.example/")),
            ("encoding of unreserved", "https://a.example/%7E%61%2D", Ok("https://a.example/~a-")),
            ("lower-case hex", "https://a.example/%2f%c3%a4", Ok("https://a.example/%2F%C3%A4")),
            ("dot segments", "https://a.example/b/c/./../../g", Ok("https://a.example/g")),
            ("encoded dot segments", "https://a.example/b/%2e%2E/c", Ok("https://a.example/c")),
            ("above the root", "https://a.example/../../b", Ok("https://a.example/b")),
            ("dots at the end", "https://a.example/b/..", Ok("https://a.example/")),
            ("a dot at the end", "https://a.example/b/.", Ok("https://a.example/b/")),
            ("an empty segment stays", "https://a.example/b//c", Ok("https://a.example/b//c")),
            ("an empty segment before dots", "https://a.example/b//../c", Ok("https://a.example/b/c")),
            ("three dots are a name", "https://a.example/.../b", Ok("https://a.example/.../b")),
            ("a slash at the end stays", "https://a.example/b/", Ok("https://a.example/b/")),
            ("IPv6", "https://[2001:DB8:0:0:0:0:0:1]:443/", Ok("https://[2001:db8::1]/")),
            ("IPv6 with a port", "https://[::1]:7443/", Ok("https://[::1]:7443/")),
            ("IPv6 with a zone", "https://[fe80::1%25eth0]/", Err(TargetRefusal::AuthorityInvalid)),
            ("IPv6 without brackets", "https://::1/", Err(TargetRefusal::AuthorityInvalid)),
            ("the longest", &longest, Ok(&longest)),
            ("one byte too long", &too_long, Err(TargetRefusal::TooLong)),
            ("no scheme", "a.example/b", Err(TargetRefusal::SchemeInvalid)),
            ("another scheme", "ftp://a.example/b", Err(TargetRefusal::SchemeInvalid)),
            ("nothing", "", Err(TargetRefusal::SchemeInvalid)),
            ("no host", "https:///b", Err(TargetRefusal::AuthorityInvalid)),
            ("an encoded host", "https://%61.example/b", Err(TargetRefusal::AuthorityInvalid)),
            ("a user name", "https://a.example@evil.example/b", Err(TargetRefusal::UserInfo)),
            ("a backslash", "https://a.example\\@evil.example/b", Err(TargetRefusal::IllegalByte)),
            ("a tab", "https://a.exa\tmple/b", Err(TargetRefusal::IllegalByte)),
            ("a space", "https://a.example/b c", Err(TargetRefusal::IllegalByte)),
            ("beyond ASCII", "https://ä.example/b", Err(TargetRefusal::IllegalByte)),
            ("a bracket in the path", "https://a.example/[b]", Err(TargetRefusal::IllegalByte)),
            ("an encoding cut off", "https://a.example/%4", Err(TargetRefusal::PercentInvalid)),
            ("no encoding", "https://a.example/%zz", Err(TargetRefusal::PercentInvalid)),
            ("an encoding with a sign", "https://a.example/%+f", Err(TargetRefusal::PercentInvalid)),
        ];
        for (name, text, expected) in rows {
            let target = Target::parse(text);
            assert_eq!(target.as_ref().map(Target::as_str), expected.as_ref().map(|text| *text), "{name}");
            if let Ok(target) = target {
                assert_eq!(Target::parse(target.as_str()).as_ref(), Ok(&target), "{name}: the normal form is not its own");
                assert_eq!(target.admit(text), Ok(()), "{name}");
            }
        }
        assert_eq!(Target::parse("https://a.example/b").expect("a target").admit("https://a.example/c"), Err(OtherTarget));
    }

    #[test]
    fn an_origin_is_scheme_and_authority() {
        let rows: &[(&str, &str, Result<&str, TargetRefusal>)] = &[
            ("with a port", "https://API.example.com:7443", Ok("https://api.example.com:7443")),
            ("a slash at the end", "https://api.example.com/", Ok("https://api.example.com")),
            ("a path", "https://api.example.com/v1", Err(TargetRefusal::UnexpectedPart)),
            ("a query", "https://api.example.com?a", Err(TargetRefusal::UnexpectedPart)),
            ("a fragment", "https://api.example.com/#a", Err(TargetRefusal::UnexpectedPart)),
            ("a user name", "https://me@api.example.com", Err(TargetRefusal::UserInfo)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Origin::parse(text).as_ref().map(Origin::as_str), expected.as_ref().map(|text| *text), "{name}");
        }
    }

    #[test]
    fn a_path_below_an_origin_is_the_same_target() {
        let origin = Origin::parse("https://api.example.com:7443").expect("an origin");
        let longest = format!("/{}", "a".repeat(Limits::URL_BYTES_MAX - 29));
        let too_long = format!("{longest}a");
        let rows: &[(&str, &str, Result<(), TargetRefusal>)] = &[
            ("a path", "/v1/accounts", Ok(())),
            ("no path", "", Ok(())),
            ("dots", "/v1/../v2", Ok(())),
            ("the longest", &longest, Ok(())),
            ("one byte too long", &too_long, Err(TargetRefusal::TooLong)),
            ("a query", "/v1?a", Err(TargetRefusal::UnexpectedPart)),
            ("not absolute", "v1", Err(TargetRefusal::UnexpectedPart)),
            ("would become another host", "@evil.example/", Err(TargetRefusal::UnexpectedPart)),
            ("a line break", "/v1\n", Err(TargetRefusal::IllegalByte)),
            ("no encoding", "/%", Err(TargetRefusal::PercentInvalid)),
        ];
        for (name, path, expected) in rows {
            let target = origin.target(path);
            assert_eq!(target.as_ref().map(|_| ()).map_err(|why| *why), *expected, "{name}");
            if let Ok(target) = target {
                assert_eq!(Target::parse(&format!("{origin}{path}")), Ok(target), "{name}");
            }
        }
    }
}
