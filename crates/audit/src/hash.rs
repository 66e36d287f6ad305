//! Hashes of leaves and nodes (RFC 9162 section 2.1.1).

use countersign_codec::{base64url, sha256};
use std::fmt;

/// A SHA-256 hash of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads 43 characters of base64url; `None` when they are not the canonical encoding of 32 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The hash of a leaf: SHA-256(0x00 || bytes).
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    digest(&[&[0], bytes])
}

/// The hash of a node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    digest(&[&[1], &left.0, &right.0])
}

/// SHA-256 over several parts, one after the other.
pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    Hash(sha256(parts))
}
