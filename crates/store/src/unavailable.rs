//! Our own fault: the store did not answer.

use std::fmt;

/// The backend failed. Always a refusal for the caller, never the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// What was tried, for the operator's log; holds no secret and nothing personal.
    pub what: String,
}

impl Unavailable {
    /// Says what was tried.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the operation failed: {}", self.what)
    }
}

impl std::error::Error for Unavailable {}
