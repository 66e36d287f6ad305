//! What a proof is made for: a URL without query and fragment, in one normal form (RFC 9449 section 4.3 check 9, RFC 3986
//! sections 6.2.2 and 6.2.3).

use std::fmt;

/// Why a text is not a target or an origin. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetRefusal {
    /// The authority is empty, or its host or port does not parse.
    AuthorityInvalid,
    /// A byte that has no place in a URL, such as a space, a backslash or one beyond ASCII.
    IllegalByte,
    /// A `%` without two hexadecimal digits after it.
    PercentInvalid,
    /// The scheme is neither `https` nor `http`.
    SchemeInvalid,
    /// More bytes than are read.
    TooLong,
    /// An origin with a path, query or fragment, or a path with a query or fragment.
    UnexpectedPart,
    /// A user name or password before the host.
    UserInfo,
}

/// A URL in normal form, without query and fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target(String);

/// Scheme and authority under which the world reaches us, as declared: `https://api.example.com:7443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Target {
    /// Reads an absolute `http` or `https` URL; its query and fragment are left out.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, TargetRefusal> {
        let _ = text;
        Err(TargetRefusal::TooLong)
    }

    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Origin {
    /// Reads an origin; a lone `/` at its end is left out.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, TargetRefusal> {
        let _ = text;
        Err(TargetRefusal::TooLong)
    }

    /// The normal form, without a `/` at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The target of a request for `path` (RFC 9112 section 3.2.1, without its query).
    ///
    /// # Errors
    /// When the path holds what a path cannot.
    pub fn target(&self, path: &str) -> Result<Target, TargetRefusal> {
        let _ = path;
        Err(TargetRefusal::TooLong)
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
