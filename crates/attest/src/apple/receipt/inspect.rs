//! Inspection of a receipt for a person, before anybody verified it.

use countersign_core::{Limits, UnixMillis};

use crate::apple::receipt::chain;
use crate::apple::receipt::cms;
use crate::apple::receipt::content::{ReceiptEnvironment, ReceiptKind};
use crate::apple::receipt::payload;
use crate::apple::receipt::refusal::ReceiptRefusal;
use crate::x509::Certificate;

/// Content of a receipt that nobody verified. No function takes it for evidence; the fields are those of [`super::Receipt`].
#[derive(Clone, Debug)]
pub struct ReceiptFacts {
    /// The certificates, in the order in which they came.
    pub certificates: Vec<Certificate>,
    /// The app, as `TEAM.bundle`.
    pub app_id: String,
    /// The attested key, as `SubjectPublicKeyInfo` in DER.
    pub key_spki: Vec<u8>,
    /// Event for which the receipt was made.
    pub kind: ReceiptKind,
    /// Environment of the server that made the receipt, when it is stated.
    pub environment: Option<ReceiptEnvironment>,
    /// Number of keys that the device had attested for the app in the last thirty days.
    pub risk_metric: Option<u32>,
    /// Time at which Apple made the receipt.
    pub created_at: UnixMillis,
    /// Time before which Apple gives no newer receipt.
    pub not_before: Option<UnixMillis>,
    /// Time at which the receipt expires.
    pub expires_at: UnixMillis,
    /// Client data hash that the app passed when it asked for the attestation.
    pub client_hash: Option<Vec<u8>>,
    /// Number of fields that this version does not read.
    pub fields_unknown: usize,
}

/// Parses a receipt without checking who signed it.
///
/// # Errors
/// The first rule of the format that it breaks.
pub fn receipt_facts(bytes: &[u8]) -> Result<ReceiptFacts, ReceiptRefusal> {
    if bytes.len() > Limits::RECEIPT_BYTES_MAX {
        return Err(ReceiptRefusal::TooLarge);
    }
    let data = cms::read(bytes)?;
    let certificates = chain::parse(&data.certificates)?;
    let payload::Payload { app_id, key, receipt } = payload::read(&data.content)?;
    Ok(ReceiptFacts {
        certificates,
        app_id,
        key_spki: key,
        kind: receipt.kind(),
        environment: receipt.environment(),
        risk_metric: receipt.risk_metric(),
        created_at: receipt.created_at(),
        not_before: receipt.not_before(),
        expires_at: receipt.expires_at(),
        client_hash: receipt.client_hash().map(<[u8]>::to_vec),
        fields_unknown: receipt.fields_unknown(),
    })
}
