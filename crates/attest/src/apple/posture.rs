//! The posture that App Attest establishes. What evidence adds to it, such as app and version of the system, its reader fills in.

use countersign_core::{DeviceId, EvidenceTier, Platform, Posture, Provenance, SecurityLevel, Thumbprint, UnixSeconds};

/// An iPhone as App Attest shows it: a key in the Secure Enclave, used by an app as its maker signed it.
#[must_use]
pub const fn posture(device: DeviceId, key: Thumbprint, now: UnixSeconds) -> Posture {
    Posture {
        device,
        key,
        platform: Platform::Ios,
        tier: EvidenceTier::Hardware,
        by: Provenance::AppAttest,
        established_at: now,
        security_level: SecurityLevel::TrustedEnvironment,
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

/// The version of a system as a number that orders like it: `17.5.1` is 170501. `None` for what is no such version.
#[must_use]
pub fn os_version(text: &str) -> Option<u64> {
    let mut parts = text.split('.').map(str::parse::<u64>);
    let mut part = || parts.next().unwrap_or(Ok(0)).ok().filter(|part| *part < 100);
    let (major, minor, patch) = (part()?, part()?, part()?);
    Some(major.saturating_mul(10_000).saturating_add(minor.saturating_mul(100)).saturating_add(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_ios_are_numbers() {
        let rows = [("17.5.1", Some(170_501)), ("18", Some(180_000)), ("17.100", None), ("beta", None), ("", None)];
        for (text, expected) in rows {
            assert_eq!(os_version(text), expected, "{text}");
        }
    }
}
