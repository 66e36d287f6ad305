//! Reasons to refuse an attestation or assertion of App Attest: one variant per rule.

use std::fmt;

use countersign_core::{Reason, UnixSeconds};

use crate::apple::requirements::Environment;
use crate::calendar::written;
use crate::x509::{Malformed, SignatureRefusal};

/// Reason why bytes are not what App Attest sends. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FormatRefusal {
    /// The authenticator data end before their fixed part does.
    AuthenticatorDataShort,
    /// The credential's public key is not a P-256 key for ES256 in COSE (RFC 9052 section 7, RFC 9053 section 7.1.1).
    CredentialKeyMalformed,
    /// The authenticator data of an attestation hold no credential.
    CredentialMissing,
    /// A known extension has a value of another type.
    ExtensionMalformed,
    /// The authenticator data announce extensions, and none follow.
    ExtensionsMissing,
    /// A map lacks a required field.
    FieldMissing {
        /// Name of the field.
        name: &'static str,
    },
    /// A map has the same field twice.
    FieldRepeated,
    /// A map has a field that Apple does not define.
    FieldUnknown,
    /// The attestation has a format other than `apple-appattest`.
    FormatUnknown,
    /// The bytes are not CBOR with definite lengths, or an item has another type than in Apple's format.
    NotCbor,
    /// The signature is not an ECDSA signature in DER (RFC 3279 section 2.2.3).
    SignatureMalformed,
    /// The input is larger than the limit.
    TooLarge,
    /// The attestation has more certificates than the limit.
    TooManyCertificates,
    /// The authenticator data have more extensions than are read.
    TooManyExtensions,
    /// Bytes follow the end of the structure.
    TrailingBytes,
}

/// Text that completes a sentence with the name of the input as its subject.
impl fmt::Display for FormatRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthenticatorDataShort => "has authenticator data that ends too early",
            Self::CredentialKeyMalformed => "has a credential whose key is not a P-256 key in COSE",
            Self::CredentialMissing => "has authenticator data without a credential",
            Self::ExtensionMalformed => "has an extension with a value of another type than Apple's",
            Self::ExtensionsMissing => "announces extensions and has none",
            Self::FieldMissing { name } => return write!(f, "lacks the field `{name}`"),
            Self::FieldRepeated => "has a field twice",
            Self::FieldUnknown => "has a field that Apple does not define",
            Self::FormatUnknown => "is of another format than `apple-appattest`",
            Self::NotCbor => "is not CBOR of Apple's shape",
            Self::SignatureMalformed => "has a signature that is not ECDSA in DER",
            Self::TooLarge => "is larger than the limit",
            Self::TooManyCertificates => "has more certificates than the limit",
            Self::TooManyExtensions => "has more extensions than the limit",
            Self::TrailingBytes => "has bytes after its end",
        })
    }
}

/// Reason why an attestation or an assertion is refused: the first rule that is broken, in the order of [`super::verify_attestation`] and
/// [`super::verify_assertion`]. Alphabetical.
///
/// Positions of certificates count from the attested key's, which is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppleRefusal {
    /// The chain ends below an issuer that is not a trust anchor.
    AnchorUnknown {
        /// Issuer that the last certificate names.
        issuer: String,
    },
    /// The app is not one of those accepted.
    AppUnknown {
        /// SHA-256 of its App ID.
        rp_id_hash: [u8; 32],
    },
    /// The assertion does not parse.
    AssertionMalformed(FormatRefusal),
    /// The assertion's signature does not verify: it is another key's, or was made for another request.
    AssertionSignatureInvalid,
    /// The attestation does not parse.
    AttestationMalformed(FormatRefusal),
    /// A certificate has expired.
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
    /// The chain has fewer certificates than Apple sends: the key's own, and that of Apple's authority which issued it.
    ChainTooShort {
        /// Number of certificates in the chain.
        count: usize,
    },
    /// The key was used before it was attested.
    CounterNotZero {
        /// Number of assertions that the key had made.
        counter: u32,
    },
    /// The credential id in the authenticator data is not the key id.
    CredentialIdMismatch,
    /// The credential's public key is not that of the certificate.
    CredentialKeyMismatch,
    /// A certificate has a critical extension that this verifier does not know.
    CriticalExtensionUnknown {
        /// Position of the certificate.
        index: usize,
        /// Object identifier of the extension.
        oid: String,
    },
    /// The key was attested in an environment that is not accepted.
    EnvironmentMismatch {
        /// Environment in which the key was attested.
        environment: Environment,
    },
    /// The authenticator is not one of App Attest's.
    EnvironmentUnknown {
        /// Identifier of the authenticator (WebAuthn section 6.5.1).
        aaguid: [u8; 16],
    },
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
    /// The key id is not the hash of the key in the certificate.
    KeyIdMismatch,
    /// The key is not on the curve P-256.
    KeyUnsupported {
        /// Kind of the key.
        kind: String,
    },
    /// The attested key's certificate is that of a certification authority, so it could issue others.
    LeafMayIssue,
    /// The extension that holds the nonce does not parse.
    NonceMalformed,
    /// The attestation was made for another challenge, or its authenticator data were changed.
    NonceMismatch,
    /// The attested key's certificate has no nonce.
    NonceMissing,
    /// A certificate allows fewer certificates below it than there are.
    PathTooLong {
        /// Position of the certificate.
        index: usize,
    },
    /// A certificate's signature does not verify, or is made with an algorithm that is not accepted.
    SignatureInvalid {
        /// Position of the signed certificate.
        index: usize,
        /// Result of the check.
        why: SignatureRefusal,
    },
}

impl AppleRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AnchorUnknown { .. } => Reason::AnchorUnknown,
            Self::AppUnknown { .. } => Reason::AppUnknown,
            Self::AssertionSignatureInvalid => Reason::AssertionInvalid,
            Self::AttestationMalformed(FormatRefusal::TooManyCertificates)
            | Self::CertificateRepeated { .. }
            | Self::ChainTooShort { .. }
            | Self::IssuerMismatch { .. }
            | Self::IssuerNotAllowed { .. }
            | Self::LeafMayIssue
            | Self::PathTooLong { .. } => Reason::ChainBroken,
            Self::AssertionMalformed(_)
            | Self::AttestationMalformed(_)
            | Self::CounterNotZero { .. }
            | Self::CredentialKeyMismatch
            | Self::NonceMalformed
            | Self::NonceMissing => Reason::AppAttestMalformed,
            Self::CertificateExpired { .. } => Reason::CertificateExpired,
            Self::CertificateMalformed { .. } | Self::CriticalExtensionUnknown { .. } => Reason::CertificateMalformed,
            Self::CertificateNotYetValid { .. } => Reason::CertificateNotYetValid,
            Self::CredentialIdMismatch | Self::KeyIdMismatch => Reason::KeyIdMismatch,
            Self::EnvironmentMismatch { .. } | Self::EnvironmentUnknown { .. } => Reason::EnvironmentMismatch,
            Self::KeyUnsupported { .. } => Reason::KeyUnsupported,
            Self::NonceMismatch => Reason::ChallengeMismatch,
            Self::SignatureInvalid { .. } => Reason::ChainSignatureInvalid,
        }
    }
}

/// Text for operators: the finding, its place and its meaning.
impl fmt::Display for AppleRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnchorUnknown { issuer } => {
                write!(f, "the chain ends below `{issuer}`, which is not a trust anchor; add it to the anchors if you trust it")
            }
            Self::AppUnknown { rp_id_hash } => {
                write!(f, "the key is of an app that is not accepted; SHA-256 of its App ID is `{}`", hex::encode(rp_id_hash))
            }
            Self::AssertionMalformed(why) => write!(f, "the assertion {why}"),
            Self::AssertionSignatureInvalid => f.write_str("the assertion is not the key's signature over this request"),
            Self::AttestationMalformed(why) => write!(f, "the attestation {why}"),
            Self::CertificateExpired { index, not_after } => write!(f, "certificate {index} expired at {}", written(*not_after)),
            Self::CertificateMalformed { index, malformed } => write!(f, "certificate {index} {malformed}"),
            Self::CertificateNotYetValid { index, not_before } => {
                write!(f, "certificate {index} is not valid before {}; check this server's clock", written(*not_before))
            }
            Self::CertificateRepeated { index } => write!(f, "certificate {index} occurs in the chain twice"),
            Self::ChainTooShort { count } => write!(f, "the chain has {count} certificates; Apple sends two or more"),
            Self::CounterNotZero { counter } => write!(f, "the key's counter is {counter}; a key is attested before it is used"),
            Self::CredentialIdMismatch => f.write_str("the credential in the authenticator data is not the key that was named"),
            Self::CredentialKeyMismatch => f.write_str("the credential's public key is not that of the certificate"),
            Self::CriticalExtensionUnknown { index, oid } => {
                write!(f, "certificate {index} has the critical extension `{oid}`, which is not known")
            }
            Self::EnvironmentMismatch { environment } => {
                write!(f, "the key was attested in Apple's {environment} environment, which is not accepted")
            }
            Self::EnvironmentUnknown { aaguid } => {
                write!(f, "the authenticator has the id `{}`, which is not one of App Attest's", hex::encode(aaguid))
            }
            Self::IssuerMismatch { index } => write!(f, "certificate {index} names another issuer than the one that follows"),
            Self::IssuerNotAllowed { index } => write!(f, "certificate {index} issued another without being allowed to"),
            Self::KeyIdMismatch => f.write_str("the key id is not the hash of the attested key"),
            Self::KeyUnsupported { kind } => write!(f, "the attested key is {kind}, and a P-256 key is required"),
            Self::LeafMayIssue => f.write_str("the attested key's certificate is that of a certification authority"),
            Self::NonceMalformed => f.write_str("the nonce in the attested key's certificate cannot be parsed"),
            Self::NonceMismatch => f.write_str("the attestation was made for another challenge, or was changed"),
            Self::NonceMissing => f.write_str("the attested key's certificate has no nonce"),
            Self::PathTooLong { index } => write!(f, "certificate {index} allows fewer certificates below it than there are"),
            Self::SignatureInvalid { index, why: SignatureRefusal::AlgorithmRefused } => {
                write!(f, "certificate {index} is signed with an algorithm that is not accepted")
            }
            Self::SignatureInvalid { index, why: SignatureRefusal::Invalid } => {
                write!(f, "the signature of certificate {index} does not verify")
            }
        }
    }
}

impl std::error::Error for AppleRefusal {}
