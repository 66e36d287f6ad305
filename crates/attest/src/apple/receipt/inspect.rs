//! What a receipt says, told to a person before anybody verified it.

use countersign_core::UnixMillis;

use crate::apple::receipt::chain;
use crate::apple::receipt::cms;
use crate::apple::receipt::content::{ReceiptEnvironment, ReceiptKind};
use crate::apple::receipt::payload;
use crate::apple::receipt::refusal::ReceiptRefusal;
use crate::apple::receipt::verify::RECEIPT_BYTES_MAX;
use crate::x509::Certificate;

/// What a receipt says, whoever made it. Nothing takes this for evidence; the fields are those of [`super::Receipt`].
#[derive(Clone, Debug)]
pub struct ReceiptFacts {
    /// The certificates, in the order in which they came.
    pub certificates: Vec<Certificate>,
    /// The app, as `TEAM.bundle`.
    pub app_id: String,
    /// The attested key, as `SubjectPublicKeyInfo` in DER.
    pub key_spki: Vec<u8>,
    /// What occasioned it.
    pub kind: ReceiptKind,
    /// Which of Apple's servers made it.
    pub environment: Option<ReceiptEnvironment>,
    /// How many keys the device had attested for the app.
    pub risk_metric: Option<u32>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Before when there is no newer one.
    pub not_before: Option<UnixMillis>,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// What the app had signed when it asked for the attestation.
    pub client_hash: Option<Vec<u8>>,
    /// How many fields it has that are not read.
    pub fields_unknown: usize,
}

/// Reads a receipt without asking who signed it.
///
/// # Errors
/// The first rule of the format that it breaks.
pub fn receipt_facts(bytes: &[u8]) -> Result<ReceiptFacts, ReceiptRefusal> {
    if bytes.len() > RECEIPT_BYTES_MAX {
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
