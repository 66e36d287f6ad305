//! The name of a set of rules: by it the log says which operations and policies decided, and a copy of them is found.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::hash::{Hash, digest};

/// SHA-256 of the text of a set of operations and policies; written as 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulesDigest([u8; 32]);

impl RulesDigest {
    /// The digest of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let Hash(bytes) = digest(&[text.as_bytes()]);
        Self(bytes)
    }

    /// Reads 43 characters of base64url; `None` when they are not the canonical encoding of 32 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Hash::parse(text).map(|Hash(bytes)| Self(bytes))
    }
}

impl fmt::Display for RulesDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hash(self.0).fmt(f)
    }
}

impl fmt::Debug for RulesDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RulesDigest({self})")
    }
}

impl Serialize for RulesDigest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RulesDigest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("not the name of a set of rules"))
    }
}
