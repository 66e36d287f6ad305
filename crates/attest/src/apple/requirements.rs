//! Requirements on the attestation of a key.

use std::fmt;

use crate::apple::app::AppleApp;

/// Environment of App Attest that vouched for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    /// Development: builds that run from Xcode, as a developer attests on a phone of their own.
    Development,
    /// Production: apps from the App Store, TestFlight and enterprise distribution.
    Production,
}

impl Environment {
    /// Both environments, in alphabetical order.
    pub const ALL: [Self; 2] = [Self::Development, Self::Production];

    /// AAGUID that stands for the environment in authenticator data.
    #[must_use]
    pub const fn aaguid(self) -> [u8; 16] {
        match self {
            Self::Development => *b"appattestdevelop",
            Self::Production => *b"appattest\0\0\0\0\0\0\0",
        }
    }

    /// Name of the environment, as in configuration and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    /// The environment with this AAGUID; `None` for any other authenticator.
    #[must_use]
    pub fn from_aaguid(aaguid: [u8; 16]) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.aaguid() == aaguid)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Apps and environments whose keys are accepted. An empty list accepts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Apps whose keys are accepted.
    pub apps: Vec<AppleApp>,
    /// Environments whose keys are accepted.
    pub environments: Vec<Environment>,
}
