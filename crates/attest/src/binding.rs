//! The bytes that evidence has to sign: the server's challenge together with the device key that the evidence vouches for (law 3 of the
//! design).
//!
//! Android's attestation of a new device key does not need this, because the attested key is the device key. All other evidence vouches for
//! a key that it does not contain: App Attest's, the key made to attest a phone again, and a vendor's verdict.

use countersign_codec::sha256;
use countersign_core::Thumbprint;

/// Purpose of the evidence. Evidence for one purpose does not count for another. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Enrolment of a device.
    Enrol,
    /// Renewed attestation of an enrolled device.
    Reattest,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        // The labels are part of the protocol with the SDK and are never changed; they keep hashes for different purposes apart.
        match self {
            Self::Enrol => b"countersign.enrol.v1",
            Self::Reattest => b"countersign.reattest.v1",
        }
    }
}

/// SHA-256 of the purpose's label (`countersign.enrol.v1`, `countersign.reattest.v1`), the challenge and the device key's thumbprint (RFC
/// 7638), concatenated. It serves as App Attest's `clientDataHash`, or as the attestation challenge of a new key.
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
