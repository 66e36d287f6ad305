//! The one form of a path. Anything that some server somewhere reads differently is refused, never rewritten.

use countersign_core::{Limits, Reason};

/// Why a path is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRefusal {
    /// A backslash, plain or encoded, which Windows and some URL parsers take for a slash.
    Backslash,
    /// A control byte, plain or encoded; `%00` among them.
    ControlByte,
    /// `.` or `..`, plain or encoded, as a whole segment.
    DotSegment,
    /// `%25` before two hexadecimal digits: decoded twice it is something else.
    DoubleEncoding,
    /// Two slashes in a row.
    EmptySegment,
    /// An encoded slash.
    EncodedSlash,
    /// A byte that has no place in a path unencoded (RFC 3986 section 3.3).
    IllegalByte,
    /// What is encoded needs no encoding, or with lower-case digits: another spelling of the same path (RFC 3986 section 6.2.2).
    NotCanonical,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// `;`, plain or encoded, behind which some servers see parameters and cut them off.
    Parameter,
    /// `%` without two hexadecimal digits.
    PercentMalformed,
    /// More bytes than [`Limits::URL_BYTES_MAX`].
    TooLong,
}

impl PathRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Backslash
            | Self::ControlByte
            | Self::DotSegment
            | Self::DoubleEncoding
            | Self::EmptySegment
            | Self::EncodedSlash
            | Self::IllegalByte
            | Self::NotCanonical
            | Self::NotUtf8
            | Self::Parameter
            | Self::PercentMalformed => Reason::PathAmbiguous,
            Self::TooLong => Reason::RequestTooLarge,
        }
    }
}

/// Gives the path back if it is in normal form.
///
/// # Errors
/// The first thing in it that has two readings.
pub fn normal(path: &str) -> Result<&str, PathRefusal> {
    if path.len() > Limits::URL_BYTES_MAX {
        return Err(PathRefusal::TooLong);
    }
    let mut rest = path.as_bytes();
    let mut segment = Segment::default();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match *byte {
            b'/' => segment.ends(PathRefusal::EmptySegment)?,
            b'%' => {
                let (decoded, after) = escape(after)?;
                segment.take_encoded(decoded);
                rest = after;
            }
            b'\\' => return Err(PathRefusal::Backslash),
            b';' => return Err(PathRefusal::Parameter),
            byte if byte.is_ascii_control() => return Err(PathRefusal::ControlByte),
            byte if is_pchar(byte) => segment.take(byte),
            _ => return Err(PathRefusal::IllegalByte),
        }
    }
    segment.closes()?;
    Ok(path)
}

/// `pchar` of RFC 3986 section 3.3 but for `%`.
pub const fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Decodes what stands behind a `%`, if it can mean one thing only.
fn escape(rest: &[u8]) -> Result<(u8, &[u8]), PathRefusal> {
    let ([high, low], after) = rest.split_first_chunk::<2>().ok_or(PathRefusal::PercentMalformed)?;
    let (Some(h), Some(l)) = (hex(*high), hex(*low)) else { return Err(PathRefusal::PercentMalformed) };
    let decoded = (h << 4) | l;
    match decoded {
        b'/' => Err(PathRefusal::EncodedSlash),
        b'\\' => Err(PathRefusal::Backslash),
        b';' => Err(PathRefusal::Parameter),
        byte if byte.is_ascii_control() => Err(PathRefusal::ControlByte),
        b'%' if after.first_chunk::<2>().is_some_and(|next| next.iter().all(u8::is_ascii_hexdigit)) => Err(PathRefusal::DoubleEncoding),
        byte if is_unreserved(byte) => Err(if byte == b'.' { PathRefusal::DotSegment } else { PathRefusal::NotCanonical }),
        _ if high.is_ascii_lowercase() || low.is_ascii_lowercase() => Err(PathRefusal::NotCanonical),
        byte => Ok((byte, after)),
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

/// What was read since the last slash.
#[derive(Default)]
struct Segment {
    slashes: usize,
    bytes: usize,
    dots: usize,
    /// Encoded bytes beyond ASCII; empty for nearly every path, and then never allocated.
    beyond_ascii: Vec<u8>,
}

impl Segment {
    fn take(&mut self, byte: u8) {
        self.bytes = self.bytes.saturating_add(1);
        if byte == b'.' {
            self.dots = self.dots.saturating_add(1);
        }
        if !self.beyond_ascii.is_empty() {
            self.beyond_ascii.push(byte);
        }
    }

    fn take_encoded(&mut self, byte: u8) {
        self.bytes = self.bytes.saturating_add(1);
        if !byte.is_ascii() || !self.beyond_ascii.is_empty() {
            self.beyond_ascii.push(byte);
        }
    }

    /// A slash follows. The first one begins the path; between two there must be something.
    fn ends(&mut self, empty: PathRefusal) -> Result<(), PathRefusal> {
        if self.slashes > 0 && self.bytes == 0 {
            return Err(empty);
        }
        self.closes()?;
        self.slashes = self.slashes.saturating_add(1);
        (self.bytes, self.dots) = (0, 0);
        self.beyond_ascii.clear();
        Ok(())
    }

    fn closes(&self) -> Result<(), PathRefusal> {
        if (1..=2).contains(&self.dots) && self.dots == self.bytes {
            return Err(PathRefusal::DotSegment);
        }
        match std::str::from_utf8(&self.beyond_ascii) {
            Ok(text) if text.chars().any(char::is_control) => Err(PathRefusal::ControlByte),
            Ok(_) => Ok(()),
            Err(_) => Err(PathRefusal::NotUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_has_one_spelling() {
        let long = format!("/{}", "a".repeat(Limits::URL_BYTES_MAX));
        let longest = format!("/{}", "a".repeat(Limits::URL_BYTES_MAX - 1));
        let rows: &[(&str, &str, Result<(), PathRefusal>)] = &[
            ("the root", "/", Ok(())),
            ("an ordinary path", "/v1/accounts/a-1_2.3~4", Ok(())),
            ("a slash at the end", "/v1/accounts/", Ok(())),
            ("dots within a name", "/v1/..a/b../...", Ok(())),
            ("what stands plain in a segment", "/a!$&'()*+,=:@", Ok(())),
            ("an encoded space", "/a%20b", Ok(())),
            ("encoded UTF-8", "/caf%C3%A9", Ok(())),
            ("an encoded percent sign", "/100%25", Ok(())),
            ("an encoded percent sign before one digit", "/100%251", Ok(())),
            ("the longest", &longest, Ok(())),
            ("one byte too long", &long, Err(PathRefusal::TooLong)),
            ("two slashes", "//v1/accounts", Err(PathRefusal::EmptySegment)),
            ("two slashes inside", "/v1//accounts", Err(PathRefusal::EmptySegment)),
            ("two slashes at the end", "/v1//", Err(PathRefusal::EmptySegment)),
            ("up", "/v1/../admin", Err(PathRefusal::DotSegment)),
            ("up at the end", "/v1/..", Err(PathRefusal::DotSegment)),
            ("here", "/v1/./admin", Err(PathRefusal::DotSegment)),
            ("here at the end", "/v1/.", Err(PathRefusal::DotSegment)),
            ("up, encoded", "/v1/%2e%2e/admin", Err(PathRefusal::DotSegment)),
            ("up, encoded in upper case", "/v1/%2E%2E/admin", Err(PathRefusal::DotSegment)),
            ("up, half encoded", "/v1/.%2e/admin", Err(PathRefusal::DotSegment)),
            ("a parameter", "/v1/accounts;a=b", Err(PathRefusal::Parameter)),
            ("up with a parameter", "/v1/..;/admin", Err(PathRefusal::Parameter)),
            ("an encoded parameter", "/v1/..%3B/admin", Err(PathRefusal::Parameter)),
            ("a backslash", "/v1\\admin", Err(PathRefusal::Backslash)),
            ("an encoded backslash", "/v1%5Cadmin", Err(PathRefusal::Backslash)),
            ("an encoded slash", "/v1%2Fadmin", Err(PathRefusal::EncodedSlash)),
            ("an encoded slash in lower case", "/v1%2fadmin", Err(PathRefusal::EncodedSlash)),
            ("a null byte", "/v1%00", Err(PathRefusal::ControlByte)),
            ("a line feed", "/v1%0A", Err(PathRefusal::ControlByte)),
            ("a plain control byte", "/v1\u{7f}", Err(PathRefusal::ControlByte)),
            ("a control character beyond ASCII", "/v1%C2%85", Err(PathRefusal::ControlByte)),
            ("encoded twice", "/v1/%252e%252e/admin", Err(PathRefusal::DoubleEncoding)),
            ("a slash encoded twice", "/v1%252Fadmin", Err(PathRefusal::DoubleEncoding)),
            ("an overlong dot", "/v1/%C0%AE%C0%AE/admin", Err(PathRefusal::NotUtf8)),
            ("half a character", "/v1/%C3", Err(PathRefusal::NotUtf8)),
            ("a character broken by a plain byte", "/v1/%C3a%A9", Err(PathRefusal::NotUtf8)),
            ("a letter encoded", "/v1/%61dmin", Err(PathRefusal::NotCanonical)),
            ("lower-case digits", "/caf%c3%a9", Err(PathRefusal::NotCanonical)),
            ("no digits", "/v1/%zz", Err(PathRefusal::PercentMalformed)),
            ("cut off", "/v1/%2", Err(PathRefusal::PercentMalformed)),
            ("a quotation mark", "/v1/\"", Err(PathRefusal::IllegalByte)),
            ("plain UTF-8", "/café", Err(PathRefusal::IllegalByte)),
        ];
        for (name, path, expected) in rows {
            assert_eq!(normal(path).map(|_| ()), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_resolves_to_itself(path in "/[a-z./%0-9;A-F\\\\]{0,40}") {
            if let Ok(normal) = normal(&path) {
                // The WHATWG parser removes dot segments and rewrites backslashes: on a normal path it changes nothing.
                let url = url::Url::parse(&format!("https://a{normal}")).expect("a URL");
                prop_assert_eq!(url.path(), normal);
            }
        }

        #[test]
        fn any_text_is_taken_or_refused(path in ".*") {
            let _ = normal(&path);
        }
    }
}
