//! The result of a verified attestation, and the posture that follows from it.

use std::fmt;

use countersign_core::{
    AppId, BootKey, DeviceId, EvidenceTier, Platform, Posture, Provenance, SecurityLevel, SerialDigest, Thumbprint, UnixSeconds,
};
use countersign_proof::jwk::PublicKey;

use crate::anchors::{Anchor, Purpose};
use crate::android::application::{ApplicationId, Package};
use crate::android::chain::Provisioning;
use crate::android::key_description::KeyDescription;
use crate::android::refusal::AttestRefusal;
use crate::android::requirements::KeyRule;
use crate::android::vouched::Vouched;
use crate::x509::SubjectKey;

/// A key and a phone, proved by a chain that was valid at a certain time. Only [`super::verify()`] makes one.
#[must_use]
pub struct Evidence {
    pub(super) description: KeyDescription,
    pub(super) key: SubjectKey,
    pub(super) anchor: Anchor,
    pub(super) provisioning: Provisioning,
    pub(super) vouched: Vouched,
    pub(super) package: Option<Package>,
    pub(super) certificates: Vec<SerialDigest>,
}

impl Evidence {
    /// Statements about the key, the app and the system, signed by the phone's keystore.
    #[must_use]
    pub const fn description(&self) -> &KeyDescription {
        &self.description
    }

    /// The attested key as `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn key_spki(&self) -> &[u8] {
        self.key.spki()
    }

    /// The attested key in the form that verifies proofs.
    ///
    /// # Errors
    /// [`AttestRefusal::KeyUnsupported`] when it is not a P-256 key.
    pub fn device_key(&self) -> Result<PublicKey, AttestRefusal> {
        // Requirements for observing accept every kind of key, but proofs need P-256.
        KeyRule::P256.met(&self.key)?;
        PublicKey::from_p256_sec1(self.key.bits()).map_err(|_| AttestRefusal::KeyUnsupported { kind: self.key.kind().to_string() })
    }

    /// The trust anchor at which the chain ends.
    #[must_use]
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Origin of the certificate with which the phone attests its keys.
    #[must_use]
    pub const fn provisioning(&self) -> &Provisioning {
        &self.provisioning
    }

    /// The app that made the key, with all packages of its identity and their signers.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        self.description.application_id()
    }

    /// Strength of the evidence: hardware, or only the phone's own software.
    #[must_use]
    pub fn tier(&self) -> EvidenceTier {
        // SECURITY: hardware counts only when the anchor and the key's own statement agree. No purpose is left to a wildcard, so that a new
        // one is decided about here.
        match (self.anchor.source().purpose, self.description.security_level()) {
            (Purpose::AndroidHardware, SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox) => EvidenceTier::Hardware,
            (Purpose::AndroidHardware, SecurityLevel::Software)
            | (Purpose::AndroidSoftware | Purpose::AppAttest | Purpose::AppAttestReceipt, _) => EvidenceTier::SelfReported,
        }
    }

    /// The posture that this evidence establishes for a device and its key, at the time of verification.
    #[must_use]
    pub fn posture(&self, device: DeviceId, key: Thumbprint, now: UnixSeconds) -> Posture {
        let root = self.description.root_of_trust();
        Posture {
            // Only what hardware signed becomes part of the posture; vendor's verdict and the app's own report are added by other evidence.
            device,
            key,
            platform: Platform::Android,
            tier: self.tier(),
            by: Provenance::AndroidKeyAttestation,
            established_at: now,
            security_level: self.vouched.level(&self.description),
            bootloader_locked: root.map(|root| root.device_locked),
            boot_state: root.map(|root| root.verified_boot_state),
            boot_key: root.and_then(|root| BootKey::new(root.verified_boot_key.clone())),
            os_version: self.description.os_version(),
            // A level of the future is no new one.
            patch_level: self.description.os_patch_level().and_then(|level| level.believed(now)),
            app: self.package.as_ref().and_then(|package| AppId::parse(&package.name).ok()),
            app_version: self.package.as_ref().map(|package| package.version),
            certificates: self.certificates.clone(),
            verdict: None,
            report: None,
            risk_metric: None,
        }
    }
}

/// Prints the tier and kind of key only: the description may identify the phone (serial number, IMEI), which has no place in a log.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({:?}, key {})", self.tier(), self.key.kind())
    }
}
