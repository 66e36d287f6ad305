//! Why a receipt is refused: one variant per rule.

use std::fmt;

use countersign_core::{Reason, UnixMillis, UnixSeconds};

use crate::apple::receipt::field::ReceiptField;
use crate::calendar::written;
use crate::x509::{Malformed, SignatureRefusal};

/// Why bytes are not the BER that we read (X.690 section 8.1). Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BerRefusal {
    /// More elements of indefinite length inside each other than are followed.
    DepthExceeded,
    /// End-of-contents octets with a length.
    EndMalformed,
    /// A primitive element of indefinite length.
    IndefinitePrimitive,
    /// A length of more than four octets.
    LengthTooLong,
    /// A tag of more than one octet.
    TagTooLong,
    /// Fewer bytes than a length says, or no end-of-contents octets.
    Truncated,
}

/// Why a receipt is refused. The first that applies, in the order of [`super::verify_receipt`]. Alphabetical.
///
/// Certificates are counted as they stand in the receipt, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptRefusal {
    /// No certificate of the receipt and no trust anchor is of the issuer that a certificate names.
    AnchorUnknown {
        /// That issuer.
        issuer: String,
    },
    /// It is about another app.
    AppMismatch {
        /// Which.
        app_id: String,
    },
    /// The signed attributes are no DER, or content type or message digest are missing, repeated or of another type (RFC 5652
    /// sections 11.1 and 11.2).
    AttributesInvalid,
    /// A certificate of the chain has expired.
    CertificateExpired {
        /// Which.
        index: usize,
        /// When.
        not_after: UnixSeconds,
    },
    /// A certificate does not parse.
    CertificateMalformed {
        /// Which.
        index: usize,
        /// What is wrong with it.
        malformed: Malformed,
    },
    /// A certificate of the chain is not valid yet.
    CertificateNotYetValid {
        /// Which.
        index: usize,
        /// When it will be.
        not_before: UnixSeconds,
    },
    /// The same certificate stands in it twice.
    CertificateRepeated {
        /// The second one.
        index: usize,
    },
    /// The signature of a certificate does not verify.
    ChainSignatureInvalid {
        /// The certificate that is signed with it.
        index: usize,
        /// Why.
        why: SignatureRefusal,
    },
    /// More certificates from signer to anchor than are followed.
    ChainTooLong,
    /// The content is no set of numbered fields in DER.
    ContentMalformed,
    /// The signed content type is another one than that of the content.
    ContentTypeMismatch,
    /// It was made later than now.
    CreatedInFuture {
        /// When.
        created_at: UnixMillis,
    },
    /// A certificate of the chain restricts itself in a way that we do not understand.
    CriticalExtensionUnknown {
        /// Which.
        index: usize,
        /// The extension's identifier.
        oid: String,
    },
    /// The signed digest is not that of the content.
    DigestMismatch,
    /// A digest that is not SHA-256.
    DigestRefused,
    /// It has expired.
    Expired {
        /// When.
        expires_at: UnixMillis,
    },
    /// A field whose value is not of the field's type.
    FieldMalformed {
        /// Which.
        field: ReceiptField,
    },
    /// A field that every receipt has is not there.
    FieldMissing {
        /// Which.
        field: ReceiptField,
    },
    /// The same field twice: its meaning would depend on the reader.
    FieldRepeated {
        /// Which.
        field: ReceiptField,
    },
    /// A certificate that is no certification authority issued another.
    IssuerNotAllowed {
        /// Which.
        index: usize,
    },
    /// It is about another key.
    KeyMismatch,
    /// Not BER.
    NotBer(BerRefusal),
    /// Not the signed data that Apple makes, or bytes after it.
    NotSignedData,
    /// A certificate allows fewer certificates below it than there are.
    PathTooLong {
        /// Which.
        index: usize,
    },
    /// The receipt's own signature does not verify.
    SignatureInvalid {
        /// Why.
        why: SignatureRefusal,
    },
    /// The signer's certificate is none of those in the receipt, or more than one is.
    SignerMissing,
    /// The signer's certificate is not one with which Apple signs receipts.
    SignerNotForReceipts,
    /// More bytes than [`super::RECEIPT_BYTES_MAX`].
    TooLarge,
    /// More certificates than are read.
    TooManyCertificates,
    /// More fields than are read.
    TooManyFields,
    /// It is older than was asked for.
    TooOld {
        /// When it was made.
        created_at: UnixMillis,
    },
    /// No signer, or more than one.
    WrongSignerCount {
        /// How many.
        count: usize,
    },
}

impl ReceiptRefusal {
    /// The stable code. What is only a matter of time has one of its own, because a newer receipt helps.
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

/// For operators: what was found, where, and what it means.
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
                write!(f, "the receipt was made at {}, which is still to come; check this server's clock", written(created_at.seconds()))
            }
            Self::CriticalExtensionUnknown { index, oid } => {
                write!(f, "certificate {index} of the receipt has the unknown critical extension `{oid}`")
            }
            Self::DigestMismatch => f.write_str("the receipt's signed digest is not that of its content"),
            Self::DigestRefused => f.write_str("the receipt names a digest that is not SHA-256"),
            Self::Expired { expires_at } => {
                write!(f, "the receipt expired at {}; ask Apple for a new one", written(expires_at.seconds()))
            }
            Self::FieldMalformed { field } => write!(f, "the receipt's field `{}` does not parse", field.text()),
            Self::FieldMissing { field } => write!(f, "the receipt has no field `{}`", field.text()),
            Self::FieldRepeated { field } => write!(f, "the receipt has the field `{}` twice", field.text()),
            Self::IssuerNotAllowed { index } => {
                write!(f, "certificate {index} of the receipt issued another and is no certification authority")
            }
            Self::KeyMismatch => f.write_str("the receipt is about another key"),
            Self::NotBer(why) => write!(f, "the receipt {}", ber_text(*why)),
            Self::NotSignedData => f.write_str("the receipt is not the signed data that Apple makes; was it decoded from base64?"),
            Self::PathTooLong { index } => {
                write!(f, "certificate {index} of the receipt allows fewer certificates below it than there are")
            }
            Self::SignatureInvalid { why } => write!(f, "the receipt's signature {}", signed(*why)),
            Self::SignerMissing => f.write_str("the receipt does not hold its signer's certificate exactly once"),
            Self::SignerNotForReceipts => f.write_str("the receipt is signed with a certificate that is not for signing receipts"),
            Self::TooLarge => f.write_str("the receipt is larger than is read"),
            Self::TooManyCertificates => f.write_str("the receipt has more certificates than are read"),
            Self::TooManyFields => f.write_str("the receipt has more fields than are read"),
            Self::TooOld { created_at } => {
                write!(f, "the receipt was made at {}, which is too long ago", written(created_at.seconds()))
            }
            Self::WrongSignerCount { count } => write!(f, "the receipt has {count} signers and has to have one"),
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
