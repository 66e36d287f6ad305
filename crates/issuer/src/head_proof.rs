//! What is known of the proof in a request's head before anything of its body is read.

use countersign_proof::{
    dpop::{BoundProof, SignedProof},
    jwk::PublicKey,
};

/// A key that signed this very request, now. Not yet known to be the first time.
#[derive(Debug)]
pub(crate) struct ProvedKey {
    /// Key that the proof is made with.
    pub key: PublicKey,
    /// Proof of the key, bound to endpoint and moment.
    pub proof: BoundProof,
}

impl ProvedKey {
    /// Key that the proof is made with.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Proof of a head, as far as it was verified. Not yet fresh.
#[derive(Debug)]
pub(crate) enum HeadProof {
    /// Bound to its request.
    Bound(ProvedKey),
    /// Signed by the key that it names.
    Signed(SignedProof),
}
