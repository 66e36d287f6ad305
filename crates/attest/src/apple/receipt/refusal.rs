//! Reasons to refuse a receipt: one variant per rule.

use std::fmt;

use countersign_core::{Reason, UnixMillis, UnixSeconds};

use crate::apple::receipt::field::ReceiptField;
use crate::calendar::written;
use crate::x509::{Malformed, SignatureRefusal};

/// Reason why bytes are not the subset of BER that this parser reads (X.690 section 8.1). Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BerRefusal {
    /// Elements of indefinite length are nested too deeply.
    DepthExceeded,
    /// End-of-contents octets have a length other than zero.
    EndMalformed,
    /// A primitive element has an indefinite length.
    IndefinitePrimitive,
    /// A length has more than four octets.
    LengthTooLong,
    /// A tag has more than one octet.
    TagTooLong,
    /// There are fewer bytes than a length states, or the end-of-contents octets are missing.
    Truncated,
}

/// Reason why a receipt is refused: the first rule that is broken, in the order of [`super::verify_receipt`]. Alphabetical.
///
/// Positions of certificates count from 0, in the order in which they stand in the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptRefusal {
    /// No certificate of the receipt and no trust anchor has the name that a certificate gives as its issuer's.
    AnchorUnknown {
        /// Name of that issuer.
        issuer: String,
    },
    /// The receipt is about another app.
    AppMismatch {
        /// App in the receipt, as `TEAM.bundle`.
        app_id: String,
    },
    /// The signed attributes are not DER, or content type or message digest are missing, repeated or of another type (RFC 5652 sections
    /// 11.1 and 11.2).
    AttributesInvalid,
    /// A certificate of the chain has expired.
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
    /// A certificate of the chain is not valid yet.
    CertificateNotYetValid {
        /// Position of the certificate.
        index: usize,
        /// First second of its validity.
        not_before: UnixSeconds,
    },
    /// The same certificate stands in the receipt twice.
    CertificateRepeated {
        /// Position of the second one.
        index: usize,
    },
    /// The signature of a certificate does not verify.
    ChainSignatureInvalid {
        /// Position of the signed certificate.
        index: usize,
        /// Result of the check.
        why: SignatureRefusal,
    },
    /// There are more certificates from the signer to an anchor than are followed.
    ChainTooLong,
    /// The content is not a set of numbered fields in DER.
    ContentMalformed,
    /// The content type in the signed attributes is not that of the content.
    ContentTypeMismatch,
    /// The receipt was made in the future, beyond the allowed clock difference.
    CreatedInFuture {
        /// Time at which it was made.
        created_at: UnixMillis,
    },
    /// A certificate of the chain has a critical extension that this verifier does not know.
    CriticalExtensionUnknown {
        /// Position of the certificate.
        index: usize,
        /// Object identifier of the extension.
        oid: String,
    },
    /// The digest in the signed attributes is not that of the content.
    DigestMismatch,
    /// A digest algorithm is not SHA-256.
    DigestRefused,
    /// The receipt has expired.
    Expired {
        /// Time at which it expired.
        expires_at: UnixMillis,
    },
    /// The value of a field is not of the field's type.
    FieldMalformed {
        /// Field with the malformed value.
        field: ReceiptField,
    },
    /// A required field is missing.
    FieldMissing {
        /// Field that is missing.
        field: ReceiptField,
    },
    /// The same field stands there twice, so its meaning would depend on the reader.
    FieldRepeated {
        /// Field that is repeated.
        field: ReceiptField,
    },
    /// A certificate that is not a certification authority issued another.
    IssuerNotAllowed {
        /// Position of the issuing certificate.
        index: usize,
    },
    /// The receipt is about another key.
    KeyMismatch,
    /// The bytes are not BER as this parser reads it.
    NotBer(BerRefusal),
    /// The bytes are not signed data as Apple makes it, or something follows it.
    NotSignedData,
    /// A certificate allows fewer certificates below it than there are.
    PathTooLong {
        /// Position of the certificate.
        index: usize,
    },
    /// The signature of the receipt itself does not verify.
    SignatureInvalid {
        /// Result of the check.
        why: SignatureRefusal,
    },
    /// The receipt does not hold the signer's certificate exactly once.
    SignerMissing,
    /// The signer's certificate is not one with which Apple signs receipts.
    SignerNotForReceipts,
    /// The receipt has more bytes than [`countersign_core::Limits::RECEIPT_BYTES_MAX`].
    TooLarge,
    /// The receipt has more certificates than the limit.
    TooManyCertificates,
    /// The receipt has more fields than are read.
    TooManyFields,
    /// The receipt is older than the caller accepts.
    TooOld {
        /// Time at which it was made.
        created_at: UnixMillis,
    },
    /// The receipt has no signer, or more than one.
    WrongSignerCount {
        /// Number of signers that were counted.
        count: usize,
    },
}

impl ReceiptRefusal {
    /// Stable reason code of the refusal. Refusals that pass with a newer receipt have a code of their own.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AnchorUnknown { .. } => Reason::AnchorUnknown,
            Self::Expired { .. } | Self::TooOld { .. } => Reason::ReceiptExpired,
            Self::AppMismatch { .. }
            | Self::AttributesInvalid
            | Self::CertificateExpired { .. }
            | Self::CertificateMalformed { .. }
            | Self::CertificateNotYetValid { .. }
            | Self::CertificateRepeated { .. }
            | Self::ChainSignatureInvalid { .. }
            | Self::ChainTooLong
            | Self::ContentMalformed
            | Self::ContentTypeMismatch
            | Self::CreatedInFuture { .. }
            | Self::CriticalExtensionUnknown { .. }
            | Self::DigestMismatch
            | Self::DigestRefused
            | Self::FieldMalformed { .. }
            | Self::FieldMissing { .. }
            | Self::FieldRepeated { .. }
            | Self::IssuerNotAllowed { .. }
            | Self::KeyMismatch
            | Self::NotBer(_)
            | Self::NotSignedData
            | Self::PathTooLong { .. }
            | Self::SignatureInvalid { .. }
            | Self::SignerMissing
            | Self::SignerNotForReceipts
            | Self::TooLarge
            | Self::TooManyCertificates
            | Self::TooManyFields
            | Self::WrongSignerCount { .. } => Reason::ReceiptInvalid,
        }
    }
}

/// Text for operators: the finding, its place and its meaning.
impl fmt::Display for ReceiptRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnchorUnknown { issuer } => {
                write!(f, "the receipt's chain ends at `{issuer}`, which is no trust anchor for receipts; add the anchor if you trust it")
            }
            Self::AppMismatch { app_id } => write!(f, "the receipt is about the app `{app_id}`"),
            Self::AttributesInvalid => f.write_str("the receipt's signed attributes are not those of signed data"),
            Self::CertificateExpired { index, not_after } => {
                write!(f, "certificate {index} of the receipt expired at {}; ask Apple for a new receipt", written(*not_after))
            }
            Self::CertificateMalformed { index, malformed } => write!(f, "certificate {index} of the receipt {malformed}"),
            Self::CertificateNotYetValid { index, not_before } => {
                write!(f, "certificate {index} of the receipt is not valid before {}; check this server's clock", written(*not_before))
            }
            Self::CertificateRepeated { index } => write!(f, "certificate {index} stands in the receipt a second time"),
            Self::ChainSignatureInvalid { index, why } => write!(f, "the signature of certificate {index} of the receipt {}", signed(*why)),
            Self::ChainTooLong => f.write_str("the receipt's chain has more certificates than are followed"),
            Self::ContentMalformed => f.write_str("the receipt's content is not a set of numbered fields"),
            Self::ContentTypeMismatch => f.write_str("the receipt's signed content type is not that of its content"),
            Self::CreatedInFuture { created_at } => {
                write!(f, "the receipt was made at {}, which is in the future; check this server's clock", written(created_at.seconds()))
            }
            Self::CriticalExtensionUnknown { index, oid } => {
                write!(f, "certificate {index} of the receipt has the unknown critical extension `{oid}`")
            }
            Self::DigestMismatch => f.write_str("the receipt's signed digest is not that of its content"),
            Self::DigestRefused => f.write_str("the receipt uses a digest other than SHA-256"),
            Self::Expired { expires_at } => {
                write!(f, "the receipt expired at {}; ask Apple for a new one", written(expires_at.seconds()))
            }
            Self::FieldMalformed { field } => write!(f, "the receipt's field `{}` cannot be parsed", field.text()),
            Self::FieldMissing { field } => write!(f, "the receipt has no field `{}`", field.text()),
            Self::FieldRepeated { field } => write!(f, "the receipt has the field `{}` twice", field.text()),
            Self::IssuerNotAllowed { index } => {
                write!(f, "certificate {index} of the receipt issued another certificate but is not a certification authority")
            }
            Self::KeyMismatch => f.write_str("the receipt is about another key"),
            Self::NotBer(why) => write!(f, "the receipt {}", ber_text(*why)),
            Self::NotSignedData => f.write_str("the receipt is not signed data from Apple; check that it was decoded from base64"),
            Self::PathTooLong { index } => {
                write!(f, "certificate {index} of the receipt allows fewer certificates below it than there are")
            }
            Self::SignatureInvalid { why } => write!(f, "the receipt's signature {}", signed(*why)),
            Self::SignerMissing => f.write_str("the receipt must contain its signer's certificate exactly once"),
            Self::SignerNotForReceipts => f.write_str("the receipt is signed with a certificate that is not for signing receipts"),
            Self::TooLarge => f.write_str("the receipt is larger than the limit"),
            Self::TooManyCertificates => f.write_str("the receipt has more certificates than the limit"),
            Self::TooManyFields => f.write_str("the receipt has more fields than the limit"),
            Self::TooOld { created_at } => {
                write!(f, "the receipt was made at {}, which is too long ago", written(created_at.seconds()))
            }
            Self::WrongSignerCount { count } => write!(f, "the receipt has {count} signers, but must have one"),
        }
    }
}

impl std::error::Error for ReceiptRefusal {}

const fn signed(why: SignatureRefusal) -> &'static str {
    match why {
        SignatureRefusal::AlgorithmRefused => "is of an algorithm that is not taken, or that its key cannot make",
        SignatureRefusal::Invalid => "does not verify",
    }
}

const fn ber_text(why: BerRefusal) -> &'static str {
    match why {
        BerRefusal::DepthExceeded => "is nested more deeply than is followed",
        BerRefusal::EndMalformed => "ends an element with something else than two zeros",
        BerRefusal::IndefinitePrimitive => "has a primitive element without a length",
        BerRefusal::LengthTooLong => "has a length of more than four octets",
        BerRefusal::TagTooLong => "has a tag of more than one octet",
        BerRefusal::Truncated => "ends before it is complete",
    }
}
