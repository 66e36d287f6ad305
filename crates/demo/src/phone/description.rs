//! What a handset's hardware says of a key: Android's KeyDescription, filled in as a real phone does.

use anyhow::{Result, anyhow};
use countersign_attest::android::{
    ApplicationId, Authorization, AuthorizationList, KeyDescription, Origin, Package, RootOfTrust, Tag, Value, encode,
};
use countersign_core::{BootState, SecurityLevel, UnixSeconds};

/// SHA-256 of the certificate that signs the software phone's app. A development node that is handed it takes it for every app.
pub const SIGNER: [u8; 32] = [0xc5; 32];

/// The things that a demo changes; the rest is as on any phone.
#[derive(Clone, Debug)]
pub struct Description {
    /// What the server asked to be attested.
    pub challenge: Vec<u8>,
    /// The app's package.
    pub package: String,
    /// Digest of the app's signing certificate.
    pub signer: [u8; 32],
    /// Where key and attestation live.
    pub security_level: SecurityLevel,
    /// What the bootloader verified.
    pub boot_state: BootState,
    /// Whether the bootloader is locked.
    pub locked: bool,
    /// How the key came to be.
    pub origin: Origin,
    /// Security patch level as `YYYYMM`.
    pub patch_level: u64,
    /// The app's version code.
    pub app_version: u64,
    /// When the key was made.
    pub made_at: UnixSeconds,
}

impl Description {
    /// A key made in the TEE of a locked, verified, up-to-date phone, by the app as its maker signed it.
    pub fn genuine(package: &str, challenge: &[u8], now: UnixSeconds) -> Self {
        Self {
            challenge: challenge.to_vec(),
            package: package.to_owned(),
            signer: SIGNER,
            security_level: SecurityLevel::TrustedEnvironment,
            boot_state: BootState::Verified,
            locked: true,
            origin: Origin::Generated,
            patch_level: patch_of(now),
            app_version: 42,
            made_at: now,
        }
    }

    /// The content of the attestation extension.
    pub fn der(&self) -> Result<Vec<u8>> {
        let package = Package { name: self.package.clone(), version: self.app_version };
        let application = ApplicationId { packages: vec![package], signers: vec![self.signer.to_vec()] };
        let root_of_trust = RootOfTrust {
            verified_boot_key: vec![9; 32],
            device_locked: self.locked,
            verified_boot_state: self.boot_state,
            verified_boot_hash: Some(vec![8; 32]),
        };
        let hardware = vec![
            (Tag::Purpose, Value::Integers(vec![2])),
            (Tag::Algorithm, Value::Integer(3)),
            (Tag::KeySize, Value::Integer(256)),
            (Tag::Digest, Value::Integers(vec![4])),
            (Tag::EcCurve, Value::Integer(1)),
            (Tag::NoAuthRequired, Value::Present),
            (Tag::Origin, Value::Origin(self.origin)),
            (Tag::RootOfTrust, Value::RootOfTrust(root_of_trust)),
            (Tag::OsVersion, Value::Integer(160_000)),
            (Tag::OsPatchLevel, Value::Integer(self.patch_level)),
        ];
        let software = vec![
            (Tag::CreationDateTime, Value::Integer(self.made_at.0.saturating_mul(1000))),
            (Tag::AttestationApplicationId, Value::Application(application)),
        ];
        let description = KeyDescription {
            attestation_version: 300,
            attestation_security_level: self.security_level,
            key_mint_version: 300,
            key_mint_security_level: self.security_level,
            challenge: self.challenge.clone(),
            unique_id: Vec::new(),
            software_enforced: list(software)?,
            hardware_enforced: list(hardware)?,
        };
        encode(&description).map_err(|e| anyhow!("encoding a description: {e:?}"))
    }
}

fn list(entries: Vec<(Tag, Value)>) -> Result<AuthorizationList> {
    let entries = entries.into_iter().map(|(tag, value)| Authorization { tag, value }).collect();
    AuthorizationList::new(entries).map_err(|e| anyhow!("writing a list of authorizations: {e:?}"))
}

/// The month before the present one, as an up-to-date phone has it.
fn patch_of(now: UnixSeconds) -> u64 {
    // A month and a bit back; days of the proleptic Gregorian calendar from 1970 (years have 365.2425 days on average).
    let days = now.0.saturating_sub(35 * 86_400) / 86_400;
    let year = 1970 + days * 10_000 / 3_652_425;
    let in_year = days.saturating_sub((year - 1970) * 3_652_425 / 10_000);
    year * 100 + (in_year / 31 + 1).min(12)
}
