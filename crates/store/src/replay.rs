//! Promise: a proof counts once.
//!
//! It is spent last, when it is known whose it is and every cheaper check has passed: what is remembered costs memory, so only those pay
//! with it who have a share.

use async_trait::async_trait;
use countersign_core::{Reason, Thumbprint, UnixSeconds};
use countersign_proof::dpop::BoundProof;

use crate::{spender::Spender, unavailable::Unavailable};

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
    /// So many proofs of unknown keys came that proofs as old as this one cannot be told from spent ones any more. One with a newer nonce
    /// counts.
    CrowdedOut,
    /// The memory is full. Forgetting an old proof would let it be replayed, so the new one is refused.
    Full,
    /// The device holds as much of the memory as one device may.
    ShareUsed,
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

impl SpendError {
    /// Stable code of the refusal.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AlreadySpent => Reason::ProofReplayed,
            Self::CrowdedOut => Reason::ProofCrowdedOut,
            Self::Full => Reason::ReplayMemoryFull,
            Self::ShareUsed => Reason::ReplayShareUsed,
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
    /// `AlreadySpent` is an attack or a retry; `ShareUsed` is one device's flood, `CrowdedOut` that of strangers; `Full` and `Unavailable` are
    /// our fault. All refuse.
    async fn spend(&self, proof: BoundProof, by: Spender<'_>, now: UnixSeconds) -> Result<FreshProof, SpendError>;
}
