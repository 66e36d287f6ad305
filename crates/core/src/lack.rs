//! A requirement that a device does not meet, and what that does. What is required, and when it is met, is a rule of `compliance`.

use crate::reason::Reason;

/// What an unmet requirement does. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It is counted, and nothing else happens.
    Observe,
    /// The request is allowed as far as policies allow limited sessions.
    Limit,
    /// The request is refused.
    Enforce,
}

impl Stage {
    /// The word in configuration, log and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Limit => "limit",
            Self::Enforce => "enforce",
        }
    }
}

/// A requirement that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Why, in the words of every other refusal.
    pub reason: Reason,
    /// What it does.
    pub stage: Stage,
    /// Where the person finds the version that is asked for.
    pub update: Option<Update>,
}

/// The version of an app that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// As people write it.
    pub min_version: String,
    /// Where the store has it.
    pub store: Option<String>,
}
