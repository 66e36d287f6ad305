//! The operator's requirements on a phone and its key, beyond a valid chain.

use countersign_core::{AppId, BootState, Limits, PatchLevel, Seconds, SecurityLevel, UnixSeconds};

use crate::android::application::{ApplicationId, Package};
use crate::android::boot_state::RootOfTrust;
use crate::android::key_description::KeyDescription;
use crate::android::origin::Origin;
use crate::android::refusal::AttestRefusal;
use crate::android::vouched::Vouched;
use crate::x509::{KeyKind, SubjectKey};

/// The requirements. Every field has to be chosen: there is no default, so that a forgotten rule is a compile error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Lowest security level accepted, for the place where the key is kept and for the place where the attestation was made. Above software,
    /// both must be one place, and a StrongBox must be named in the certificate that vouches for it, as Google's verifier asks.
    pub security_level_min: SecurityLevel,
    /// The one security level that is accepted; `None` accepts every level from the lowest on.
    pub security_level_exact: Option<SecurityLevel>,
    /// Oldest accepted version of the attestation's format (3 for Keymaster 4.0, 100 for KeyMint 1); `None` accepts all.
    pub attestation_version_min: Option<u32>,
    /// Oldest accepted version of the keystore's hardware interface (4 for Keymaster 4.0, 100 for KeyMint 1); `None` accepts all.
    pub key_mint_version_min: Option<u32>,
    /// Requirement that a deleted key cannot come back.
    pub rollback: RollbackRule,
    /// Greatest accepted age of the key, by the phone's own statement; `None` accepts every age. The challenge already proves that the
    /// attestation is new, so this only refuses phones whose clocks or keys are odd.
    pub attestation_age_max: Option<Seconds>,
    /// States of the system that are accepted from the bootloader.
    pub boot_states: Vec<BootState>,
    /// Keys that may have verified a system which the phone's owner signed.
    pub boot_keys: BootKeyRule,
    /// Requirement on the bootloader's lock.
    pub bootloader: BootloaderRule,
    /// Requirement that the hardware states how the phone booted.
    pub root_of_trust: RootOfTrustRule,
    /// Oldest accepted security patch level of the system; `None` accepts all.
    pub patch_level_min: Option<PatchLevel>,
    /// Apps that may have made the key.
    pub app: AppRule,
    /// Apps that may use the key.
    pub applications: ApplicationsRule,
    /// Kind of key that is accepted.
    pub key: KeyRule,
    /// Accepted ways in which the key came into its keystore.
    pub origin: OriginRule,
    /// Uses that the key may be allowed.
    pub purpose: PurposeRule,
}

/// Rule for the app that made the key. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppRule {
    /// Every app is accepted.
    Any,
    /// One of these apps is accepted, with its signer.
    OneOf(Vec<App>),
}

/// An app, identified by its package name and its signers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Name of the package.
    pub package: AppId,
    /// SHA-256 of the certificates that may sign the package.
    pub signers: Vec<[u8; 32]>,
}

/// Rule for the apps that may use the key. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationsRule {
    /// The key may be open to every app.
    Any,
    /// The key may be open only to the app that made it.
    OnlyItsOwn,
}

/// Rule for the keys of a system that was verified with its owner's key (`SelfSigned`). Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootKeyRule {
    /// Every key is accepted.
    Any,
    /// One of these keys is accepted, as the bootloader gives them: those of a system such as GrapheneOS that the operator trusts.
    OneOf(Vec<Vec<u8>>),
}

/// Rule for the bootloader's lock. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootloaderRule {
    /// The bootloader may be unlocked.
    Any,
    /// The bootloader must be locked.
    Locked,
}

/// Rule for the kind of key. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// Every kind of key is accepted.
    Any,
    /// Only an EC key on P-256, with which device keys sign, is accepted.
    P256,
}

/// Rule for the way in which the key came into its keystore. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginRule {
    /// Every origin is accepted.
    Any,
    /// The key must have been generated where it is kept.
    Generated,
}

/// Rule for the uses of the key. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurposeRule {
    /// Every use is accepted.
    Any,
    /// Only signing is accepted, and verifying, which needs no more than the public key.
    SignOnly,
}

/// Rule for keys that come back after they were deleted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackRule {
    /// Keys that may come back are accepted.
    Any,
    /// The hardware must state that a deleted key is gone for good.
    Resistant,
}

/// Rule for the hardware's statement how the phone booted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootOfTrustRule {
    /// The statement may be absent; then the rules on boot state and bootloader are skipped, except that `Locked` is never met.
    Optional,
    /// The statement must be there.
    Required,
}

impl Requirements {
    /// Requirements for a device key on a phone in good order: made and kept in hardware by one of these apps, for signing only, on a
    /// system that was verified with its maker's key behind a locked bootloader.
    #[must_use]
    pub fn enforce(apps: Vec<App>) -> Self {
        Self {
            security_level_min: SecurityLevel::TrustedEnvironment,
            security_level_exact: None,
            attestation_version_min: None,
            key_mint_version_min: None,
            rollback: RollbackRule::Any,
            attestation_age_max: None,
            boot_states: vec![BootState::Verified],
            boot_keys: BootKeyRule::Any,
            bootloader: BootloaderRule::Locked,
            root_of_trust: RootOfTrustRule::Required,
            patch_level_min: None,
            app: AppRule::OneOf(apps),
            applications: ApplicationsRule::OnlyItsOwn,
            key: KeyRule::P256,
            origin: OriginRule::Generated,
            purpose: PurposeRule::SignOnly,
        }
    }

    /// Requirements that every valid chain meets: for observing phones without refusing any.
    #[must_use]
    pub fn observe() -> Self {
        Self {
            security_level_min: SecurityLevel::Software,
            security_level_exact: None,
            attestation_version_min: None,
            key_mint_version_min: None,
            rollback: RollbackRule::Any,
            attestation_age_max: None,
            boot_states: vec![BootState::Verified, BootState::SelfSigned, BootState::Unverified, BootState::Failed],
            boot_keys: BootKeyRule::Any,
            bootloader: BootloaderRule::Any,
            root_of_trust: RootOfTrustRule::Optional,
            patch_level_min: None,
            app: AppRule::Any,
            applications: ApplicationsRule::Any,
            key: KeyRule::Any,
            origin: OriginRule::Any,
            purpose: PurposeRule::Any,
        }
    }

    /// Result of each rule, in the order in which the rules are applied.
    pub(super) fn answers(
        &self,
        description: &KeyDescription,
        vouched: &Vouched,
        key: &SubjectKey,
        now: UnixSeconds,
    ) -> [Result<(), AttestRefusal>; 16] {
        [
            self.attested_at(description, vouched),
            self.key_lives_at(description),
            self.in_one_place(description, vouched),
            self.exactly_at(description),
            self.new_enough(description),
            self.interface_new_enough(description),
            self.booted(description.root_of_trust()),
            self.locked(description.root_of_trust()),
            self.patched(description, now),
            self.deleted_for_good(description),
            self.made_lately(description, now),
            self.app.accepted(description.application_id()).map(|_| ()),
            self.applications.met(description),
            self.key.met(key),
            self.origin.met(description),
            self.purpose.met(description),
        ]
    }

    fn attested_at(&self, description: &KeyDescription, vouched: &Vouched) -> Result<(), AttestRefusal> {
        // SECURITY: the keys of the software roots are published, so below them everybody can write what he likes.
        let (level_min, level) = (self.security_level_min, description.attestation_security_level.min(vouched.most()));
        if level >= level_min { Ok(()) } else { Err(AttestRefusal::AttestationNotHardware { level_min, level }) }
    }

    fn key_lives_at(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let (level_min, level) = (self.security_level_min, description.key_mint_security_level);
        if level >= level_min { Ok(()) } else { Err(AttestRefusal::KeyNotHardware { level_min, level }) }
    }

    fn in_one_place(&self, description: &KeyDescription, vouched: &Vouched) -> Result<(), AttestRefusal> {
        match self.security_level_min {
            // Old phones attest keys of hardware in software; where that is accepted, the levels may differ.
            SecurityLevel::Software => Ok(()),
            SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox => vouched.one_place(description),
        }
    }

    fn exactly_at(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let Some(required) = self.security_level_exact else { return Ok(()) };
        let levels = [description.attestation_security_level, description.key_mint_security_level];
        match levels.into_iter().find(|level| *level != required) {
            Some(level) => Err(AttestRefusal::SecurityLevelWrong { required, level }),
            None => Ok(()),
        }
    }

    fn new_enough(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let version = description.attestation_version;
        match self.attestation_version_min {
            Some(version_min) if version < version_min => Err(AttestRefusal::AttestationVersionTooOld { version_min, version }),
            Some(_) | None => Ok(()),
        }
    }

    fn interface_new_enough(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let version = description.key_mint_version;
        match self.key_mint_version_min {
            Some(version_min) if version < version_min => Err(AttestRefusal::KeyMintVersionTooOld { version_min, version }),
            Some(_) | None => Ok(()),
        }
    }

    fn deleted_for_good(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        match self.rollback {
            RollbackRule::Resistant if !description.rollback_resistant() => Err(AttestRefusal::RollbackResistanceMissing),
            RollbackRule::Resistant | RollbackRule::Any => Ok(()),
        }
    }

    fn made_lately(&self, description: &KeyDescription, now: UnixSeconds) -> Result<(), AttestRefusal> {
        let Some(age_max) = self.attestation_age_max else { return Ok(()) };
        let created_at = description.created_at();
        let ahead_max = Limits::ATTESTATION_AHEAD_MAX;
        match created_at {
            Some(at) if now.since(at) <= age_max && at.since(now) <= ahead_max => Ok(()),
            Some(_) | None => Err(AttestRefusal::AttestationStale { created_at }),
        }
    }

    fn booted(&self, root: Option<&RootOfTrust>) -> Result<(), AttestRefusal> {
        let Some(root) = root else {
            return match self.root_of_trust {
                RootOfTrustRule::Optional => Ok(()),
                RootOfTrustRule::Required => Err(AttestRefusal::RootOfTrustMissing),
            };
        };
        let state = root.verified_boot_state;
        if !self.boot_states.contains(&state) {
            return Err(AttestRefusal::BootNotVerified { state });
        }
        match (state, &self.boot_keys) {
            (BootState::SelfSigned, BootKeyRule::OneOf(keys)) if !keys.contains(&root.verified_boot_key) => {
                Err(AttestRefusal::BootKeyUnknown { key: root.verified_boot_key.clone() })
            }
            (BootState::SelfSigned | BootState::Failed | BootState::Unverified | BootState::Verified, _) => Ok(()),
        }
    }

    fn locked(&self, root: Option<&RootOfTrust>) -> Result<(), AttestRefusal> {
        match (self.bootloader, root) {
            (BootloaderRule::Any, _) => Ok(()),
            // SECURITY: a bootloader about which the hardware says nothing does not count as locked.
            (BootloaderRule::Locked, None) => Err(AttestRefusal::RootOfTrustMissing),
            (BootloaderRule::Locked, Some(root)) if root.device_locked => Ok(()),
            (BootloaderRule::Locked, Some(_)) => Err(AttestRefusal::BootloaderUnlocked),
        }
    }

    fn patched(&self, description: &KeyDescription, now: UnixSeconds) -> Result<(), AttestRefusal> {
        let Some(level_min) = self.patch_level_min else { return Ok(()) };
        match description.os_patch_level().and_then(|level| level.believed(now)) {
            Some(level) if level >= level_min => Ok(()),
            // An unknown level, or one of the future, is refused like an old one.
            level => Err(AttestRefusal::PatchLevelTooOld { level_min, level }),
        }
    }
}

impl AppRule {
    /// The package that the rule accepts; with `Any`, the package that is named, when it is the only one.
    ///
    /// Packages that share one identity share their signers, so one accepted package is enough. Every signer must be accepted, so that
    /// nobody can add a certificate of his own.
    pub(super) fn accepted<'a>(&self, app: Option<&'a ApplicationId>) -> Result<Option<&'a Package>, AttestRefusal> {
        let packages = app.map_or(&[][..], |app| app.packages.as_slice());
        let signers = app.map_or(&[][..], |app| app.signers.as_slice());
        let Self::OneOf(apps) = self else {
            // With several packages, nobody can say which one made the key.
            return Ok(if let [only] = packages { Some(only) } else { None });
        };
        let known =
            packages.iter().find_map(|package| apps.iter().find(|app| app.package.as_str() == package.name).map(|app| (package, app)));
        let Some((package, app)) = known else {
            return Err(AttestRefusal::AppUnknown { packages: packages.iter().map(|package| package.name.clone()).collect() });
        };
        let accepted = |signer: &Vec<u8>| app.signers.iter().any(|accepted| accepted.as_slice() == signer);
        // SECURITY: `all` alone would accept an empty list of signers.
        if signers.is_empty() || !signers.iter().all(accepted) {
            return Err(AttestRefusal::AppSignerUnknown { package: package.name.clone(), signers: signers.to_vec() });
        }
        Ok(Some(package))
    }
}

impl ApplicationsRule {
    fn met(self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        match self {
            Self::OnlyItsOwn if description.all_applications() => Err(AttestRefusal::KeyOpenToAllApplications),
            Self::OnlyItsOwn | Self::Any => Ok(()),
        }
    }
}

impl KeyRule {
    pub(super) fn met(self, key: &SubjectKey) -> Result<(), AttestRefusal> {
        match self {
            Self::P256 if *key.kind() != KeyKind::P256 => Err(AttestRefusal::KeyUnsupported { kind: key.kind().to_string() }),
            Self::P256 | Self::Any => Ok(()),
        }
    }
}

impl OriginRule {
    fn met(self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        match self {
            // An origin that is not stated is refused as well.
            Self::Generated if description.origin() != Some(Origin::Generated) => Err(AttestRefusal::KeyNotGenerated),
            Self::Generated | Self::Any => Ok(()),
        }
    }
}

/// Keymaster's number of `KeyPurpose::SIGN`.
const SIGN: u64 = 2;
/// Keymaster's number of `KeyPurpose::VERIFY`.
const VERIFY: u64 = 3;

impl PurposeRule {
    fn met(self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        // Without a statement the key counts as one that may not sign.
        let purposes = description.purposes().unwrap_or_default();
        let signs_only = purposes.contains(&SIGN) && purposes.iter().all(|purpose| [SIGN, VERIFY].contains(purpose));
        match self {
            Self::SignOnly if !signs_only => Err(AttestRefusal::KeyPurposeWrong { purposes: purposes.to_vec() }),
            Self::SignOnly | Self::Any => Ok(()),
        }
    }
}
