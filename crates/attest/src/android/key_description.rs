//! `KeyDescription`: the content of the attestation extension.

use countersign_core::{PatchLevel, SecurityLevel, UnixMillis, UnixSeconds};
use der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, OctetStringRef},
};

use crate::android::application::ApplicationId;
use crate::android::authorization::{AuthorizationList, Tag};
use crate::android::boot_state::RootOfTrust;
use crate::android::origin::Origin;
use crate::android::refusal::DescriptionRefusal;
use crate::android::security_level;

/// Statements of a phone's keystore about a key, whoever signed them. Keymaster 2 to 4 (versions 1 to 4) and KeyMint 1 to 5 (100 to 500).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// Version of this structure.
    pub attestation_version: u32,
    /// Place in which the structure was made: software, trusted environment or StrongBox.
    pub attestation_security_level: SecurityLevel,
    /// Version of the keystore's hardware interface.
    pub key_mint_version: u32,
    /// Place in which the key is kept.
    pub key_mint_security_level: SecurityLevel,
    /// Bytes that the app gave when it asked for the attestation; here they must be the server's challenge.
    pub challenge: Vec<u8>,
    /// A rotating identifier of the phone, filled in for system apps only.
    pub unique_id: Vec<u8>,
    /// Properties that Android enforces.
    pub software_enforced: AuthorizationList,
    /// Properties that the secure hardware enforces.
    pub hardware_enforced: AuthorizationList,
}

impl KeyDescription {
    /// Versions whose meaning is known. Unknown tags are skipped, but a whole new version is refused until somebody has read what changed
    /// in it.
    pub const VERSIONS: [u32; 9] = [1, 2, 3, 4, 100, 200, 300, 400, 500];

    /// Parses the content of the attestation extension.
    ///
    /// # Errors
    /// The first part that its version does not define so.
    pub fn parse(der: &[u8]) -> Result<Self, DescriptionRefusal> {
        let not_der = |_| DescriptionRefusal::NotDer;
        let whole = AnyRef::from_der(der).map_err(not_der)?;
        if whole.header().tag() != der::Tag::Sequence {
            return Err(DescriptionRefusal::NotDer);
        }
        let mut reader = SliceReader::new(whole.value()).map_err(not_der)?;
        let attestation_version = u32::decode(&mut reader).map_err(not_der)?;
        if !Self::VERSIONS.contains(&attestation_version) {
            return Err(DescriptionRefusal::VersionUnknown { version: attestation_version });
        }
        let out = Self {
            attestation_version,
            attestation_security_level: level(&mut reader)?,
            key_mint_version: u32::decode(&mut reader).map_err(not_der)?,
            key_mint_security_level: level(&mut reader)?,
            challenge: <&OctetStringRef>::decode(&mut reader).map_err(not_der)?.as_bytes().to_vec(),
            unique_id: <&OctetStringRef>::decode(&mut reader).map_err(not_der)?.as_bytes().to_vec(),
            software_enforced: AuthorizationList::parse(AnyRef::decode(&mut reader).map_err(not_der)?)?,
            hardware_enforced: AuthorizationList::parse(AnyRef::decode(&mut reader).map_err(not_der)?)?,
        };
        // SECURITY: further fields would be signed, but not understood.
        reader.finish().map_err(not_der)?;
        Ok(out)
    }

    /// The lower of the two security levels, because a key is no safer than the place that vouches for it.
    #[must_use]
    pub fn security_level(&self) -> SecurityLevel {
        self.attestation_security_level.min(self.key_mint_security_level)
    }

    /// State in which the phone booted, when hardware states it. What Android itself claims does not count, because Android is what is
    /// being asked about.
    #[must_use]
    pub fn root_of_trust(&self) -> Option<&RootOfTrust> {
        match self.attestation_security_level {
            SecurityLevel::Software => None,
            SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox => self.hardware_enforced.root_of_trust(),
        }
    }

    /// The way in which the key came into its keystore, as the place where it is kept states it.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.enforced().origin()
    }

    /// Uses that the key is allowed, by Keymaster's numbers (2 signs, 3 verifies), as the place where it is kept states them.
    #[must_use]
    pub fn purposes(&self) -> Option<&[u64]> {
        self.enforced().integers(Tag::Purpose)
    }

    /// Version of the system as `MMmmss`; `None` when it is unknown, which some phones write as 0.
    #[must_use]
    pub fn os_version(&self) -> Option<u64> {
        // Only the hardware's list: a modified system could write anything into the software list.
        self.hardware_enforced.integer(Tag::OsVersion).filter(|version| *version != 0)
    }

    /// Security patch level of the system.
    #[must_use]
    pub(crate) fn os_patch_level(&self) -> Option<PatchLevel> {
        self.patch_level(Tag::OsPatchLevel)
    }

    /// True when the hardware states that a deleted key cannot come back (`rollbackResistance` of Keymaster 4 and KeyMint, `rollbackResistant`
    /// before).
    #[must_use]
    pub(crate) fn rollback_resistant(&self) -> bool {
        [Tag::RollbackResistance, Tag::RollbackResistant].iter().any(|tag| self.hardware_enforced.find(*tag).is_some())
    }

    /// Instant at which the key was made, as Android says it; the hardware has no clock.
    #[must_use]
    pub(crate) fn created_at(&self) -> Option<UnixSeconds> {
        let lists = [&self.software_enforced, &self.hardware_enforced];
        lists.iter().find_map(|list| list.integer(Tag::CreationDateTime)).map(|millis| UnixMillis(millis).seconds())
    }

    /// The app that made the key. The hardware learns it from Android, so it stands in the software list.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        self.software_enforced.application_id().or_else(|| self.hardware_enforced.application_id())
    }

    /// True when either list lets every app use the key.
    #[must_use]
    pub(crate) fn all_applications(&self) -> bool {
        [&self.software_enforced, &self.hardware_enforced].iter().any(|list| list.find(Tag::AllApplications).is_some())
    }

    fn patch_level(&self, tag: Tag) -> Option<PatchLevel> {
        self.hardware_enforced.integer(tag).and_then(PatchLevel::from_number)
    }

    /// The list that the place where the key is kept enforces.
    const fn enforced(&self) -> &AuthorizationList {
        match self.key_mint_security_level {
            SecurityLevel::Software => &self.software_enforced,
            SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox => &self.hardware_enforced,
        }
    }
}

fn level(reader: &mut SliceReader<'_>) -> Result<SecurityLevel, DescriptionRefusal> {
    let any = AnyRef::decode(reader).map_err(|_| DescriptionRefusal::NotDer)?;
    match (any.header().tag(), any.value()) {
        (der::Tag::Enumerated, [number]) => security_level::from_number(*number).ok_or(DescriptionRefusal::SecurityLevelUnknown),
        (der::Tag::Enumerated, _) => Err(DescriptionRefusal::SecurityLevelUnknown),
        _ => Err(DescriptionRefusal::NotDer),
    }
}
