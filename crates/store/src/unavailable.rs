//! Fault of this node: the store did not answer.

use std::fmt;

/// Failure of the backend. The request is refused, but its caller is not at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Step that failed, for the operator's log; holds no secret and nothing personal.
    pub what: String,
}

impl Unavailable {
    /// Makes a failure from the step that failed.
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
