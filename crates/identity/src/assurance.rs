//! Assurance: from the way a person signed in to what tokens and policies state about it (RFC 8176, RFC 9470).

use countersign_core::{Acr, Amr, EvidenceTier, Posture, SecurityLevel};

/// Strength and methods of an authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assurance {
    /// Authentication class of the sign-in (`acr`).
    pub acr: Acr,
    /// Authentication methods (`amr`), sorted, without repetition.
    pub amr: Vec<Amr>,
}

impl Assurance {
    /// Assurance of a passkey with user verification, used from an enrolled device that signed the ceremony with its device key.
    ///
    /// The passkey alone makes the sign-in phishing-resistant and gives two factors: possession, and a finger, face or PIN. Whether a key
    /// is in hardware is stated of the *device key* only, because only that key is attested. Nobody vouches for the place of a passkey
    /// without attestation, and a synchronised passkey is in several places.
    #[must_use]
    pub fn of_passkey(device: &Posture) -> Self {
        let key = match (device.tier, device.security_level) {
            (EvidenceTier::Hardware, SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox) => Amr::HardwareKey,
            (EvidenceTier::Hardware, SecurityLevel::Software)
            | (EvidenceTier::None | EvidenceTier::Platform | EvidenceTier::SelfReported, _) => Amr::SoftwareKey,
        };
        let mut amr = vec![key, Amr::MultiFactor, Amr::UserVerified];
        amr.sort();
        Self { acr: Acr::PhishingResistant, amr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{DeviceId, Platform, Provenance, Thumbprint, UnixSeconds};

    fn posture(tier: EvidenceTier, security_level: SecurityLevel) -> Posture {
        Posture {
            device: DeviceId::from_random([1; 16]),
            key: Thumbprint::from_bytes([1; 32]),
            platform: Platform::Android,
            tier,
            by: Provenance::AndroidKeyAttestation,
            established_at: UnixSeconds(1000),
            security_level,
            bootloader_locked: None,
            boot_state: None,
            boot_key: None,
            os_version: None,
            patch_level: None,
            app: None,
            app_version: None,
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        }
    }

    #[test]
    fn hardware_is_said_only_where_it_was_attested() {
        let rows: &[(&str, EvidenceTier, SecurityLevel, &str)] = &[
            ("an attested enclave", EvidenceTier::Hardware, SecurityLevel::TrustedEnvironment, "hwk mfa user"),
            ("an attested chip", EvidenceTier::Hardware, SecurityLevel::StrongBox, "hwk mfa user"),
            ("an attested software key", EvidenceTier::Hardware, SecurityLevel::Software, "mfa swk user"),
            ("a vendor's verdict about the phone, not the key", EvidenceTier::Platform, SecurityLevel::StrongBox, "mfa swk user"),
            ("the app's own word", EvidenceTier::SelfReported, SecurityLevel::StrongBox, "mfa swk user"),
            ("nobody's word", EvidenceTier::None, SecurityLevel::StrongBox, "mfa swk user"),
        ];
        for (name, tier, level, amr) in rows {
            let assurance = Assurance::of_passkey(&posture(*tier, *level));
            assert_eq!(assurance.acr, Acr::PhishingResistant, "{name}");
            assert_eq!(assurance.amr.iter().map(|amr| amr.as_str()).collect::<Vec<_>>().join(" "), *amr, "{name}");
        }
    }
}
