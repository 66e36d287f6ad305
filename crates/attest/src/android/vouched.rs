//! Statements of the certificates about the place that attests: what a phone's own statement has to agree with.

use countersign_core::SecurityLevel;

use crate::anchors::Purpose;
use crate::android::chain::Chain;
use crate::android::key_description::KeyDescription;
use crate::android::refusal::AttestRefusal;

/// Security level for which the chain vouches. The key's own statement counts up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vouched {
    anchor: Purpose,
    claimed: Option<SecurityLevel>,
}

impl Vouched {
    /// Statements of this chain, whose root is an anchor for `anchor`.
    pub(super) fn by(chain: &Chain, anchor: Purpose) -> Self {
        Self { anchor, claimed: chain.claimed_level() }
    }

    /// Level at which the key is kept, as far as it is vouched for: a StrongBox only when the certificate says so.
    pub(super) fn level(&self, description: &KeyDescription) -> SecurityLevel {
        match (description.security_level(), self.claimed) {
            (SecurityLevel::StrongBox, Some(SecurityLevel::StrongBox)) => SecurityLevel::StrongBox,
            (SecurityLevel::StrongBox, Some(SecurityLevel::Software | SecurityLevel::TrustedEnvironment) | None) => {
                SecurityLevel::TrustedEnvironment
            }
            (below, _) => below,
        }
    }

    /// Checks that key, attestation and certificate speak of one place (android/keyattestation, `SecurityLevelConstraint`: `NOT_SOFTWARE` and
    /// `MATCHES_CERTIFICATE`). Asked where more than software is required.
    pub(super) fn one_place(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let (attestation, key) = (description.attestation_security_level, description.key_mint_security_level);
        if attestation != key {
            return Err(AttestRefusal::SecurityLevelsDiffer { attestation, key });
        }
        let contradicted = Err(AttestRefusal::SecurityLevelContradicted { level: key, claimed: self.claimed });
        match (key, self.claimed) {
            // Makers of StrongBoxes have to name them, so that a certificate without the name is of something else.
            (SecurityLevel::StrongBox, Some(SecurityLevel::StrongBox)) => Ok(()),
            (SecurityLevel::StrongBox, _)
            | (SecurityLevel::Software | SecurityLevel::TrustedEnvironment, Some(SecurityLevel::StrongBox)) => contradicted,
            // Older certificates do not say that they are of a trusted environment.
            (SecurityLevel::Software | SecurityLevel::TrustedEnvironment, _) => Ok(()),
        }
    }

    /// Level that the anchor lets a phone claim at most: below a root for software there is nothing but software.
    pub(super) const fn most(&self) -> SecurityLevel {
        match self.anchor {
            Purpose::AndroidSoftware => SecurityLevel::Software,
            Purpose::AndroidHardware | Purpose::AppAttest | Purpose::AppAttestReceipt => SecurityLevel::StrongBox,
        }
    }
}
