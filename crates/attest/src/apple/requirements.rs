//! What is required of a key's attestation.

use std::fmt;

use crate::apple::app::AppleApp;

/// Which of Apple's two App Attest servers vouched for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    /// For builds that run from Xcode without asking for the other one: what a developer attests on a phone of their own.
    Development,
    /// For apps from the App Store, TestFlight and enterprise distribution.
    Production,
}

impl Environment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Development, Self::Production];

    /// The AAGUID that stands for it in authenticator data.
    #[must_use]
    pub const fn aaguid(self) -> [u8; 16] {
        match self {
            Self::Development => *b"appattestdevelop",
            Self::Production => *b"appattest\0\0\0\0\0\0\0",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    /// Reads an AAGUID; `None` for every other authenticator's.
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

/// Which apps' keys are accepted, and vouched for by which server. An empty list accepts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The apps.
    pub apps: Vec<AppleApp>,
    /// The environments.
    pub environments: Vec<Environment>,
}
