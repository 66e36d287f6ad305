//! A requirement that a device does not meet, and the effect of that. The requirements, and the rules that decide whether they are met, are
//! in `compliance`.

use crate::reason::Reason;

/// Effect of an unmet requirement. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The device is counted, and nothing else happens.
    Observe,
    /// The request is allowed as far as policies allow limited sessions.
    Limit,
    /// The request is refused.
    Enforce,
}

impl Stage {
    /// Word for the stage in configuration, log and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Limit => "limit",
            Self::Enforce => "enforce",
        }
    }
}

/// Requirement that a device does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Reason, in the words of every other refusal.
    pub reason: Reason,
    /// Effect on requests from the device.
    pub stage: Stage,
    /// Version of the app that would meet the requirement, and its address; `None` when no update would help.
    pub update: Option<Update>,
}

/// Version of an app that a requirement asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Oldest supported version, as people write it.
    pub min_version: String,
    /// Address of the app in its store; `None` when the operator gave none.
    pub store: Option<String>,
}
