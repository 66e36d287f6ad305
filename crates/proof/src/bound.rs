//! The witness that a proof fits its request, to be consumed by the replay memory.

use countersign_codec::sha256;
use countersign_core::{Thumbprint, UnixSeconds};

use crate::window::AcceptanceWindow;

/// Identifier under which the replay memory keeps a proof: a hash over its kind, its key and its `jti`, so that a long `jti` costs no
/// memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayId([u8; 32]);

impl ReplayId {
    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Hashes `kind`, `key` and `jti`. The kind keeps proofs and delegations apart. Kind and key have fixed lengths, so two different
    /// inputs never give the same bytes to hash.
    pub(crate) fn of(kind: &[u8; 4], key: &Thumbprint, jti: &str) -> Self {
        Self(sha256(&[kind, key.as_bytes(), jti.as_bytes()]))
    }
}

/// A proof that fits its request and the present time. It may still be a replay: only the replay memory, which consumes this value, can
/// tell.
#[derive(Debug)]
#[must_use]
pub struct BoundProof {
    key: Thumbprint,
    id: ReplayId,
    window: AcceptanceWindow,
}

impl BoundProof {
    pub(crate) const fn new(key: Thumbprint, id: ReplayId, window: AcceptanceWindow) -> Self {
        Self { key, id, window }
    }

    /// Thumbprint of the key that signed the proof.
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.key
    }

    /// Identifier for the replay memory.
    #[must_use]
    pub const fn id(&self) -> &ReplayId {
        &self.id
    }

    /// The last second, inclusive, in which the proof must be remembered: a little later than it would be accepted.
    #[must_use]
    pub const fn remember_until(&self) -> UnixSeconds {
        self.window.remember_until()
    }
}
