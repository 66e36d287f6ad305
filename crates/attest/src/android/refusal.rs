//! Reasons to refuse an attestation: one variant per rule.

use std::fmt;

use countersign_core::{BootState, PatchLevel, Reason, SecurityLevel, UnixSeconds};

use crate::calendar::written;
use crate::x509::{Malformed, SignatureRefusal};

/// Reason why the content of the attestation extension is not a key description. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DescriptionRefusal {
    /// The bytes are not the DER of the structure, or something follows it.
    NotDer,
    /// A security level is one that no version defines.
    SecurityLevelUnknown,
    /// The value of a tag is not of the tag's type.
    TagMalformed {
        /// Number of the tag.
        number: u32,
    },
    /// The same tag stands twice in one list, so its meaning would depend on the reader.
    TagRepeated {
        /// Number of the tag.
        number: u32,
    },
    /// A list has more tags than [`countersign_core::Limits::AUTHORIZATION_TAGS_MAX`].
    TooManyTags,
    /// The version is unknown, so the meaning of the content is unknown as well.
    VersionUnknown {
        /// Version that the content claims.
        version: u32,
    },
}

/// Reason why an attestation is refused: the first rule that is broken, in the order of [`super::verify()`]. Alphabetical.
///
/// Positions count from the attested key's certificate, which is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestRefusal {
    /// A certificate before the last has the key of a trust anchor, so the chain goes on beyond its end.
    AnchorInside {
        /// Position of the certificate.
        index: usize,
    },
    /// The chain ends at a key that is not a trust anchor.
    AnchorUnknown {
        /// Issuer that the last certificate names.
        issuer: String,
    },
    /// The app that made the key is signed by somebody other than its makers.
    AppSignerUnknown {
        /// Name of the package.
        package: String,
        /// SHA-256 of the certificates that signed the package.
        signers: Vec<Vec<u8>>,
    },
    /// The app that made the key is not an accepted one, or no app is named.
    AppUnknown {
        /// Names of the packages in the attestation.
        packages: Vec<String>,
    },
    /// No certificate of the chain has an attestation extension.
    AttestationMissing,
    /// The attestation was made below the required security level.
    AttestationNotHardware {
        /// Security level that is required.
        level_min: SecurityLevel,
        /// Security level at which the attestation was made.
        level: SecurityLevel,
    },
    /// The key was made longer ago than accepted, or in the future, or nothing states when.
    AttestationStale {
        /// Instant at which the phone says that it made the key, when it does.
        created_at: Option<UnixSeconds>,
    },
    /// The format of the attestation is older than required.
    AttestationVersionTooOld {
        /// Version that is required.
        version_min: u32,
        /// Version of the attestation.
        version: u32,
    },
    /// The system was verified with a key that the phone's owner installed and that is not accepted here.
    BootKeyUnknown {
        /// Digest of the key, as the bootloader gives it.
        key: Vec<u8>,
    },
    /// The system was not verified as required.
    BootNotVerified {
        /// State of verification that the bootloader reports.
        state: BootState,
    },
    /// The bootloader is unlocked, so it starts any system.
    BootloaderUnlocked,
    /// A certificate of a remotely provisioned chain has expired.
    CertificateExpired {
        /// Position of the certificate.
        index: usize,
        /// Last second of its validity.
        not_after: UnixSeconds,
    },
    /// A certificate does not parse.
    CertificateMalformed {
        /// Position of the certificate.
        index: usize,
        /// Rule that it breaks.
        malformed: Malformed,
    },
    /// A certificate is not valid yet.
    CertificateNotYetValid {
        /// Position of the certificate.
        index: usize,
        /// First second of its validity.
        not_before: UnixSeconds,
    },
    /// The same certificate stands in the chain twice.
    CertificateRepeated {
        /// Position of the second one.
        index: usize,
    },
    /// A certificate is on the vendor's revocation list.
    CertificateRevoked {
        /// Position of the certificate.
        index: usize,
        /// Serial number of the certificate in lower-case hexadecimal.
        serial: String,
    },
    /// Certificates were appended below the attested one.
    ChainExtended {
        /// Position of the attested certificate, the one nearest to the root.
        attested: usize,
    },
    /// The chain has more certificates than [`countersign_core::Limits::CHAIN_CERTIFICATES_MAX`].
    ChainTooLong,
    /// The chain has fewer certificates than any phone sends: the key's own, that of the attesting key, and the root.
    ChainTooShort {
        /// Number of certificates in the chain.
        count: usize,
    },
    /// The attestation was made for another challenge.
    ChallengeMismatch,
    /// A certificate has a critical extension that this verifier does not know.
    CriticalExtensionUnknown {
        /// Position of the certificate.
        index: usize,
        /// Object identifier of the extension.
        oid: String,
    },
    /// The key description does not parse.
    DescriptionMalformed(DescriptionRefusal),
    /// A certificate names an issuer other than the certificate after it.
    IssuerMismatch {
        /// Position of the certificate.
        index: usize,
    },
    /// A certificate that is not a certification authority issued another.
    IssuerNotAllowed {
        /// Position of the issuing certificate.
        index: usize,
    },
    /// The keystore's hardware interface is older than required.
    KeyMintVersionTooOld {
        /// Version that is required.
        version_min: u32,
        /// Version of the interface.
        version: u32,
    },
    /// The key was not generated where it is kept, or nothing states that it was.
    KeyNotGenerated,
    /// The key is kept below the required security level.
    KeyNotHardware {
        /// Security level that is required.
        level_min: SecurityLevel,
        /// Security level at which the key is kept.
        level: SecurityLevel,
    },
    /// Every app on the phone can use the key.
    KeyOpenToAllApplications,
    /// The key may do something other than sign, or nothing states what it may do.
    KeyPurposeWrong {
        /// Uses that the key is allowed, by Keymaster's numbers.
        purposes: Vec<u64>,
    },
    /// The key is not on the curve P-256.
    KeyUnsupported {
        /// Kind of the key.
        kind: String,
    },
    /// The chain has another number of certificates than its way of provisioning makes.
    LengthWrong {
        /// Number of certificates in the chain.
        count: usize,
        /// Numbers that are possible.
        allowed: &'static [usize],
    },
    /// The system's security patches are older than required, or nothing states how old they are.
    PatchLevelTooOld {
        /// Patch level that is required.
        level_min: PatchLevel,
        /// Patch level of the phone, when it is stated.
        level: Option<PatchLevel>,
    },
    /// A certificate allows fewer certificates below it than there are.
    PathTooLong {
        /// Position of the certificate.
        index: usize,
    },
    /// A block of the PEM text, or an element of the list, is not a certificate.
    PemMalformed {
        /// Position of the block or element.
        index: usize,
    },
    /// Nothing states that the key is gone for good once it is deleted.
    RollbackResistanceMissing,
    /// The hardware does not state how the phone booted.
    RootOfTrustMissing,
    /// The level that the key states is not the one that the certificate which vouches for it states.
    SecurityLevelContradicted {
        /// Level that key and attestation state.
        level: SecurityLevel,
        /// Level that the certificate claims, when it claims one.
        claimed: Option<SecurityLevel>,
    },
    /// Key and attestation state two levels, so one place vouches for another.
    SecurityLevelsDiffer {
        /// Security level at which the attestation was made.
        attestation: SecurityLevel,
        /// Security level at which the key is kept.
        key: SecurityLevel,
    },
    /// The security level is not exactly the required one.
    SecurityLevelWrong {
        /// Security level that is required.
        required: SecurityLevel,
        /// Security level of key and attestation.
        level: SecurityLevel,
    },
    /// A signature does not verify, or is made with an algorithm that is not accepted.
    SignatureInvalid {
        /// Position of the signed certificate.
        index: usize,
        /// Result of the check.
        why: SignatureRefusal,
    },
    /// A revocation list is required and none has been loaded.
    StatusListMissing,
    /// The revocation list is older than allowed.
    StatusListStale {
        /// Time at which the list was fetched.
        fetched_at: UnixSeconds,
    },
}

impl AttestRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AnchorUnknown { .. } => Reason::AnchorUnknown,
            Self::AttestationStale { .. } => Reason::AttestationStale,
            Self::AttestationVersionTooOld { .. } | Self::KeyMintVersionTooOld { .. } => Reason::AttestationVersionTooOld,
            Self::AppSignerUnknown { .. } => Reason::AppSignerUnknown,
            Self::AppUnknown { .. } => Reason::AppUnknown,
            Self::AttestationMissing | Self::DescriptionMalformed(_) => Reason::DescriptionMalformed,
            Self::AttestationNotHardware { .. } | Self::KeyNotHardware { .. } => Reason::KeyNotHardware,
            Self::BootKeyUnknown { .. } | Self::BootNotVerified { .. } => Reason::BootNotVerified,
            Self::BootloaderUnlocked => Reason::BootloaderUnlocked,
            Self::CertificateExpired { .. } => Reason::CertificateExpired,
            Self::CertificateMalformed { .. } | Self::CriticalExtensionUnknown { .. } | Self::PemMalformed { .. } => {
                Reason::CertificateMalformed
            }
            Self::CertificateNotYetValid { .. } => Reason::CertificateNotYetValid,
            Self::CertificateRevoked { .. } => Reason::CertificateRevoked,
            Self::AnchorInside { .. }
            | Self::CertificateRepeated { .. }
            | Self::ChainTooLong
            | Self::ChainTooShort { .. }
            | Self::IssuerMismatch { .. }
            | Self::IssuerNotAllowed { .. }
            | Self::LengthWrong { .. }
            | Self::PathTooLong { .. } => Reason::ChainBroken,
            Self::ChainExtended { .. } => Reason::ChainExtended,
            Self::ChallengeMismatch => Reason::ChallengeMismatch,
            Self::KeyNotGenerated => Reason::KeyNotGenerated,
            Self::KeyOpenToAllApplications => Reason::KeyOpenToAllApplications,
            Self::KeyPurposeWrong { .. } => Reason::KeyPurposeWrong,
            Self::KeyUnsupported { .. } => Reason::KeyUnsupported,
            Self::PatchLevelTooOld { .. } => Reason::PatchLevelTooOld,
            Self::RollbackResistanceMissing => Reason::RollbackResistanceMissing,
            Self::RootOfTrustMissing => Reason::RootOfTrustMissing,
            Self::SecurityLevelContradicted { .. } | Self::SecurityLevelsDiffer { .. } | Self::SecurityLevelWrong { .. } => {
                Reason::SecurityLevelWrong
            }
            Self::SignatureInvalid { .. } => Reason::ChainSignatureInvalid,
            Self::StatusListMissing => Reason::StatusListMissing,
            Self::StatusListStale { .. } => Reason::StatusListStale,
        }
    }
}

/// Text for operators: the finding, its place and its meaning.
impl fmt::Display for AttestRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnchorInside { index } => {
                write!(f, "certificate {index} has a trust anchor's key, but the chain goes on after it; a chain ends at its anchor")
            }
            Self::AnchorUnknown { issuer } => {
                write!(f, "the chain ends at `{issuer}`, which is not a trust anchor; add it to the anchors if you trust it")
            }
            Self::AppSignerUnknown { package, signers } => {
                let signers: Vec<_> = signers.iter().map(hex::encode).collect();
                write!(
                    f,
                    "the app `{package}` is signed by `{}`, which is not accepted; the app may have been repackaged",
                    signers.join(", ")
                )
            }
            Self::AppUnknown { packages } if packages.is_empty() => f.write_str("the attestation names no app"),
            Self::AppUnknown { packages } => write!(f, "the key was made by `{}`, which is not accepted", packages.join(", ")),
            Self::AttestationMissing => {
                f.write_str("no certificate of the chain has the attestation extension; check that the key was made with a challenge")
            }
            Self::AttestationNotHardware { level_min, level } => {
                write!(f, "the attestation was made by {}, and {} is required", level_text(*level), level_text(*level_min))
            }
            Self::AttestationStale { created_at: Some(at) } => {
                write!(f, "the phone says that it made the key at {}, which is not in the accepted span", written(*at))
            }
            Self::AttestationStale { created_at: None } => f.write_str("nothing says when the key was made, and its age is limited"),
            Self::AttestationVersionTooOld { version_min, version } => {
                write!(f, "the attestation is of version {version}, and {version_min} is required")
            }
            Self::BootKeyUnknown { key } => {
                write!(
                    f,
                    "the system was verified with the owner's key `{}`, which is not accepted; add it if you trust that system",
                    hex::encode(key)
                )
            }
            Self::BootNotVerified { state } => write!(f, "the bootloader says that the system is {}", boot_text(*state)),
            Self::BootloaderUnlocked => f.write_str("the phone's bootloader is unlocked"),
            Self::CertificateExpired { index, not_after } => write!(f, "certificate {index} expired at {}", written(*not_after)),
            Self::CertificateMalformed { index, malformed } => write!(f, "certificate {index} {malformed}"),
            Self::CertificateNotYetValid { index, not_before } => {
                write!(f, "certificate {index} is not valid before {}; check this server's clock", written(*not_before))
            }
            Self::CertificateRepeated { index } => write!(f, "certificate {index} occurs in the chain a second time"),
            Self::CertificateRevoked { index, serial } => {
                write!(f, "certificate {index} (serial `{serial}`) is on the vendor's revocation list")
            }
            Self::ChainExtended { attested } => {
                write!(
                    f,
                    "certificate {attested} is the attested one, but more certificates were appended after it; this is an attempt to pass off another key as attested"
                )
            }
            Self::ChainTooLong => f.write_str("the chain has more certificates than the limit"),
            Self::ChainTooShort { count } => {
                write!(f, "the chain has {count} certificates; the whole chain, root included, has at least three")
            }
            Self::ChallengeMismatch => f.write_str("the attestation was made for another challenge"),
            Self::CriticalExtensionUnknown { index, oid } => write!(f, "certificate {index} has the unknown critical extension `{oid}`"),
            Self::DescriptionMalformed(why) => write!(f, "the key description {}", description_text(*why)),
            Self::IssuerMismatch { index } => write!(f, "certificate {index} names another issuer than the certificate after it"),
            Self::IssuerNotAllowed { index } => {
                write!(f, "certificate {index} issued another certificate but is not a certification authority")
            }
            Self::KeyMintVersionTooOld { version_min, version } => {
                write!(f, "the keystore's interface is of version {version}, and {version_min} is required")
            }
            Self::KeyNotGenerated => f.write_str("the attestation does not say that the key was generated in the hardware"),
            Self::KeyNotHardware { level_min, level } => {
                write!(f, "the key lives in {}, and {} is required", level_text(*level), level_text(*level_min))
            }
            Self::KeyOpenToAllApplications => f.write_str("every app on the phone can use the key"),
            Self::KeyPurposeWrong { purposes } => write!(f, "the key has the purposes {purposes:?}, but only signing (2) is allowed"),
            Self::KeyUnsupported { kind } => write!(f, "the key is of the kind `{kind}`, but must be EC P-256"),
            Self::LengthWrong { count, allowed } => {
                write!(f, "the chain has {count} certificates, but a chain of its kind has {allowed:?}")
            }
            Self::PatchLevelTooOld { level_min, level: Some(level) } => {
                write!(f, "the system's patches are of {level}, and {level_min} is required")
            }
            Self::PatchLevelTooOld { level_min, level: None } => {
                write!(f, "nothing believable says how old the patches are, and {level_min} is required")
            }
            Self::PathTooLong { index } => write!(f, "certificate {index} allows fewer certificates below it than there are"),
            Self::PemMalformed { index } => write!(f, "certificate {index} is not a readable PEM block"),
            Self::RollbackResistanceMissing => f.write_str("nothing says that the key is gone for good once it is deleted"),
            Self::RootOfTrustMissing => f.write_str("the attestation contains no information about how the phone booted"),
            Self::SecurityLevelContradicted { level, claimed: Some(claimed) } => {
                write!(f, "the key claims {}, but the certificate that vouches for it is of {}", level_text(*level), level_text(*claimed))
            }
            Self::SecurityLevelContradicted { level, claimed: None } => {
                write!(f, "the key claims {}, but the certificate that vouches for it does not", level_text(*level))
            }
            Self::SecurityLevelsDiffer { attestation, key } => {
                write!(f, "the key lives in {}, but {} attests it; both must be one place", level_text(*key), level_text(*attestation))
            }
            Self::SecurityLevelWrong { required, level } => {
                write!(f, "the key lives in {}, and exactly {} is required", level_text(*level), level_text(*required))
            }
            Self::SignatureInvalid { index, why: SignatureRefusal::Invalid } => {
                write!(f, "the signature of certificate {index} does not verify")
            }
            Self::SignatureInvalid { index, why: SignatureRefusal::AlgorithmRefused } => {
                write!(
                    f,
                    "certificate {index} is signed with an algorithm that is not accepted, or its issuer's key is of another kind or too short for it"
                )
            }
            Self::StatusListMissing => f.write_str("no revocation list is loaded, and the configuration requires one"),
            Self::StatusListStale { fetched_at } => {
                write!(f, "the revocation list was fetched at {}, which is too long ago", written(*fetched_at))
            }
        }
    }
}

impl std::error::Error for AttestRefusal {}

const fn level_text(level: SecurityLevel) -> &'static str {
    match level {
        SecurityLevel::Software => "software",
        SecurityLevel::TrustedEnvironment => "the trusted environment",
        SecurityLevel::StrongBox => "a StrongBox",
    }
}

const fn boot_text(state: BootState) -> &'static str {
    match state {
        BootState::Failed => "one whose verification failed",
        BootState::SelfSigned => "verified with a key of the owner's",
        BootState::Unverified => "not verified",
        BootState::Verified => "verified",
    }
}

fn description_text(why: DescriptionRefusal) -> String {
    match why {
        DescriptionRefusal::NotDer => String::from("is not its structure in DER"),
        DescriptionRefusal::SecurityLevelUnknown => String::from("has a security level that no version defines"),
        DescriptionRefusal::TagMalformed { number } => format!("has a value of another type in tag {number}"),
        DescriptionRefusal::TagRepeated { number } => format!("has tag {number} twice in one list"),
        DescriptionRefusal::TooManyTags => String::from("has more tags than the limit"),
        DescriptionRefusal::VersionUnknown { version } => format!("is of version {version}, which is not known"),
    }
}
