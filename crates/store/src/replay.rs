//! Promise: a proof counts once.

use async_trait::async_trait;
use countersign_core::{Reason, Thumbprint, UnixSeconds};
use countersign_proof::dpop::BoundProof;

use crate::unavailable::Unavailable;

/// Proof that fits its request and was never seen before. Only [`ReplayMemory::spend`] makes one.
#[derive(Debug)]
#[must_use]
pub struct FreshProof {
    key: Thumbprint,
}

impl FreshProof {
    pub(crate) const fn new(key: Thumbprint) -> Self {
        Self { key }
    }

    /// Thumbprint of the key that signed the proof.
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.key
    }
}

/// Reason why a proof does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpendError {
    /// The proof was seen before: an attack, or a retry that should have made a new proof.
    AlreadySpent,
    /// The memory is full. Forgetting an old proof would let it be replayed, so the new one is refused.
    Full,
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

impl SpendError {
    /// Stable code of the refusal.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AlreadySpent => Reason::ProofReplayed,
            Self::Full => Reason::ReplayMemoryFull,
            Self::Unavailable(_) => Reason::StoreUnavailable,
        }
    }
}

/// Memory of the proofs that were used.
#[async_trait]
pub trait ReplayMemory: Send + Sync {
    /// Uses up `proof`. Atomic on every node: of two concurrent calls with the same proof, one gets `FreshProof`.
    ///
    /// # Errors
    /// `AlreadySpent` is an attack or a retry; `Full` and `Unavailable` are our fault. All refuse.
    async fn spend(&self, proof: BoundProof, now: UnixSeconds) -> Result<FreshProof, SpendError>;
}
