//! What evidence is asked to sign: the server's challenge together with the device key that it shall vouch for (law 3).
//!
//! Android's attestation of a new device key needs none of this, because the attested key is the device key. Everything else
//! vouches for a key that it does not hold: App Attest's key, the key made to attest a phone again, a vendor's verdict.

use countersign_codec::sha256;
use countersign_core::Thumbprint;

/// What the evidence is for. Evidence for one purpose is none for another. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A device enrols.
    Enrol,
    /// An enrolled device proves itself again.
    Reattest,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Enrol => b"countersign.enrol.v1",
            Self::Reattest => b"countersign.reattest.v1",
        }
    }
}

/// SHA-256 of the purpose's label (`countersign.enrol.v1`, `countersign.reattest.v1`), the challenge and the device key's
/// thumbprint (RFC 7638), one after the other: App Attest's `clientDataHash`, or the attestation challenge of a new key.
#[must_use]
pub fn bound_challenge(purpose: Purpose, challenge: &[u8; 32], device_key: &Thumbprint) -> [u8; 32] {
    sha256(&[purpose.label(), challenge, device_key.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let key = |byte| Thumbprint::from_bytes([byte; 32]);
        let all = [
            bound_challenge(Purpose::Enrol, &[1; 32], &key(2)),
            bound_challenge(Purpose::Reattest, &[1; 32], &key(2)),
            bound_challenge(Purpose::Enrol, &[2; 32], &key(2)),
            bound_challenge(Purpose::Enrol, &[1; 32], &key(1)),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        let by_hand = format!("countersign.enrol.v1{}{}", "\u{1}".repeat(32), "\u{2}".repeat(32));
        assert_eq!(all[0], sha256(&[by_hand.as_bytes()]));
    }
}
