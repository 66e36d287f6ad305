//! The witness that a proof fits its request, for the replay memory to spend.

use countersign_codec::sha256;
use countersign_core::{Thumbprint, UnixSeconds};

use crate::window::AcceptanceWindow;

/// What a proof is remembered by: a hash over its kind, its key and its `jti`, so that a long `jti` costs no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayId([u8; 32]);

impl ReplayId {
    /// The hash itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `kind` keeps proofs and delegations apart; the lengths before it and the key are fixed, so no two inputs meet.
    pub(crate) fn of(kind: &[u8; 4], key: &Thumbprint, jti: &str) -> Self {
        Self(sha256(&[kind, key.as_bytes(), jti.as_bytes()]))
    }
}

/// A proof that fits its request and moment. Not yet fresh: only the replay memory, which takes it, can say that.
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

    /// The key that signed it.
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.key
    }

    /// What to remember it by.
    #[must_use]
    pub const fn id(&self) -> &ReplayId {
        &self.id
    }

    /// The last second, inclusive, in which it must be remembered: a little longer than it would be taken again.
    #[must_use]
    pub const fn remember_until(&self) -> UnixSeconds {
        self.window.remember_until()
    }
}
