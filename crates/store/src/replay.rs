//! Promise: a proof counts once.

use async_trait::async_trait;
use countersign_core::{Reason, Thumbprint, UnixSeconds};
use countersign_proof::dpop::BoundProof;

use crate::unavailable::Unavailable;

/// A proof that fits its request and was never seen before. Only [`ReplayMemory::spend`] makes one.
#[derive(Debug)]
#[must_use]
pub struct FreshProof {
    key: Thumbprint,
}

impl FreshProof {
    pub(crate) const fn new(key: Thumbprint) -> Self {
        Self { key }
    }

    /// The key that signed it.
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.key
    }
}

/// Why a proof does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpendError {
    /// Seen before: an attack, or a retry that should have made a new proof.
    AlreadySpent,
    /// The memory is full; forgetting an old proof would let it be replayed, so the new one is refused.
    Full,
    /// Our fault.
    Unavailable(Unavailable),
}

impl SpendError {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AlreadySpent => Reason::ProofReplayed,
            Self::Full => Reason::ReplayMemoryFull,
            Self::Unavailable(_) => Reason::StoreUnavailable,
        }
    }
}

/// Remembers which proofs were already used.
#[async_trait]
pub trait ReplayMemory: Send + Sync {
    /// Uses up `proof`. Atomic on every node: of two concurrent calls with the same proof, one gets `FreshProof`.
    ///
    /// # Errors
    /// `AlreadySpent` is an attack or a retry; `Full` and `Unavailable` are our fault. All refuse.
    async fn spend(&self, proof: BoundProof, now: UnixSeconds) -> Result<FreshProof, SpendError>;
}
