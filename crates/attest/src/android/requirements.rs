//! What an operator asks of a phone and its key, beyond a chain that holds.

use countersign_core::{AppId, BootState, PatchLevel, SecurityLevel};

use crate::android::application::{ApplicationId, Package};
use crate::android::boot_state::RootOfTrust;
use crate::android::key_description::KeyDescription;
use crate::android::origin::Origin;
use crate::android::refusal::AttestRefusal;
use crate::x509::{KeyKind, SubjectKey};

/// What is required. Every field has to be chosen: there is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The least at which both the key lives and the attestation was made.
    pub security_level_min: SecurityLevel,
    /// What the bootloader may say of the system.
    pub boot_states: Vec<BootState>,
    /// Which keys may have verified a system that its owner signed.
    pub boot_keys: BootKeyRule,
    /// Whether the bootloader has to be locked.
    pub bootloader: BootloaderRule,
    /// Whether the hardware has to say how the phone booted.
    pub root_of_trust: RootOfTrustRule,
    /// The oldest security patches of the system.
    pub patch_level_min: Option<PatchLevel>,
    /// Which app may have made the key.
    pub app: AppRule,
    /// Which apps may use the key.
    pub applications: ApplicationsRule,
    /// What kind of key it has to be.
    pub key: KeyRule,
    /// How the key came to be.
    pub origin: OriginRule,
    /// What the key may be used for.
    pub purpose: PurposeRule,
}

/// Which apps are accepted. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppRule {
    /// Every app.
    Any,
    /// One of these.
    OneOf(Vec<App>),
}

/// An app, known by its package and by who signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The package.
    pub package: AppId,
    /// SHA-256 of the certificates that may sign it.
    pub signers: Vec<[u8; 32]>,
}

/// Which apps may use the key. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationsRule {
    /// Whichever may.
    Any,
    /// Only the one that made it.
    OnlyItsOwn,
}

/// Which keys are accepted for a system that verified with its owner's key (`SelfSigned`). Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootKeyRule {
    /// Every key.
    Any,
    /// One of these, as the bootloader gives them: those of a system such as GrapheneOS that the operator trusts.
    OneOf(Vec<Vec<u8>>),
}

/// Whether the bootloader has to be locked. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootloaderRule {
    /// It may be unlocked.
    Any,
    /// It has to be locked.
    Locked,
}

/// What kind of key is accepted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// Every kind.
    Any,
    /// EC on P-256, with which device keys sign.
    P256,
}

/// Which origins are accepted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginRule {
    /// Every origin.
    Any,
    /// Generated where it lives.
    Generated,
}

/// Which purposes are accepted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurposeRule {
    /// All.
    Any,
    /// Signing; verifying as well, because that takes no more than the public key.
    SignOnly,
}

/// Whether the hardware has to say how the phone booted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootOfTrustRule {
    /// When it says nothing, the rules on boot state and bootloader are passed over, except that `Locked` is never met.
    Optional,
    /// It has to.
    Required,
}

impl Requirements {
    /// What a device key has to fulfil on a phone that is in order: made and kept in hardware, by one of these apps, for signing,
    /// on a system verified with its maker's key behind a locked bootloader.
    #[must_use]
    pub fn enforce(apps: Vec<App>) -> Self {
        Self {
            security_level_min: SecurityLevel::TrustedEnvironment,
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

    /// Nothing beyond a chain that holds: for looking at phones without refusing any.
    #[must_use]
    pub fn observe() -> Self {
        Self {
            security_level_min: SecurityLevel::Software,
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

    /// Each rule's answer, in the order in which they are asked; and the app, when one is named that the rule accepts.
    pub(super) fn answers(&self, description: &KeyDescription, key: &SubjectKey) -> [Result<(), AttestRefusal>; 10] {
        [
            self.attested_at(description),
            self.key_lives_at(description),
            self.booted(description.root_of_trust()),
            self.locked(description.root_of_trust()),
            self.patched(description),
            self.app.accepted(description.application_id()).map(|_| ()),
            self.applications.met(description),
            self.key.met(key),
            self.origin.met(description),
            self.purpose.met(description),
        ]
    }

    fn attested_at(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let (level_min, level) = (self.security_level_min, description.attestation_security_level);
        if level >= level_min { Ok(()) } else { Err(AttestRefusal::AttestationNotHardware { level_min, level }) }
    }

    fn key_lives_at(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let (level_min, level) = (self.security_level_min, description.key_mint_security_level);
        if level >= level_min { Ok(()) } else { Err(AttestRefusal::KeyNotHardware { level_min, level }) }
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
            (BootloaderRule::Locked, None) => Err(AttestRefusal::RootOfTrustMissing),
            (BootloaderRule::Locked, Some(root)) if root.device_locked => Ok(()),
            (BootloaderRule::Locked, Some(_)) => Err(AttestRefusal::BootloaderUnlocked),
        }
    }

    fn patched(&self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let Some(level_min) = self.patch_level_min else { return Ok(()) };
        match description.os_patch_level() {
            Some(level) if level >= level_min => Ok(()),
            level => Err(AttestRefusal::PatchLevelTooOld { level_min, level }),
        }
    }
}

impl AppRule {
    /// The package that the rule accepts; without a rule, the one that is named, when it is the only one.
    ///
    /// Packages that share one identity share their signers, so one accepted package speaks for all; every signer has to be
    /// accepted, so that nobody adds a certificate of his own.
    pub(super) fn accepted<'a>(&self, app: Option<&'a ApplicationId>) -> Result<Option<&'a Package>, AttestRefusal> {
        let packages = app.map_or(&[][..], |app| app.packages.as_slice());
        let signers = app.map_or(&[][..], |app| app.signers.as_slice());
        let Self::OneOf(apps) = self else {
            return Ok(if let [only] = packages { Some(only) } else { None });
        };
        let known =
            packages.iter().find_map(|package| apps.iter().find(|app| app.package.as_str() == package.name).map(|app| (package, app)));
        let Some((package, app)) = known else {
            return Err(AttestRefusal::AppUnknown { packages: packages.iter().map(|package| package.name.clone()).collect() });
        };
        let accepted = |signer: &Vec<u8>| app.signers.iter().any(|accepted| accepted.as_slice() == signer);
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
            Self::Generated if description.origin() != Some(Origin::Generated) => Err(AttestRefusal::KeyNotGenerated),
            Self::Generated | Self::Any => Ok(()),
        }
    }
}

/// `KeyPurpose::SIGN`.
const SIGN: u64 = 2;
/// `KeyPurpose::VERIFY`.
const VERIFY: u64 = 3;

impl PurposeRule {
    fn met(self, description: &KeyDescription) -> Result<(), AttestRefusal> {
        let purposes = description.purposes().unwrap_or_default();
        let signs_only = purposes.contains(&SIGN) && purposes.iter().all(|purpose| [SIGN, VERIFY].contains(purpose));
        match self {
            Self::SignOnly if !signs_only => Err(AttestRefusal::KeyPurposeWrong { purposes: purposes.to_vec() }),
            Self::SignOnly | Self::Any => Ok(()),
        }
    }
}
