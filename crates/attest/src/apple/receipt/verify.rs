//! The verification of a receipt, in one function.

use const_oid::ObjectIdentifier;
use countersign_core::{Limits, Seconds, UnixSeconds};

use crate::anchors::Anchors;
use crate::apple::receipt::attributes::signed_bytes;
use crate::apple::receipt::chain;
use crate::apple::receipt::cms::{self, Signer};
use crate::apple::receipt::content::Receipt;
use crate::apple::receipt::payload;
use crate::apple::receipt::refusal::ReceiptRefusal;
use crate::x509::{Certificate, SignatureRefusal};

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// Rule for the age of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptAge {
    /// Any age, as long as the receipt has not expired: for one that is stored here.
    Any,
    /// No older than this: for a receipt that has just arrived. Apple's page recommends five minutes for that of an attestation.
    FreshWithin(Seconds),
}

/// Expected content of a receipt.
#[derive(Clone, Copy, Debug)]
pub struct ReceiptOf<'a> {
    /// The app, as `TEAM.bundle`.
    pub app_id: &'a str,
    /// The attested key, as `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7).
    pub key_spki: &'a [u8],
    /// Accepted age of the receipt.
    pub age: ReceiptAge,
}

/// Verifies a receipt, given as its bytes and not as base64.
///
/// The steps, in this order: one signer, whose certificate Apple issued for this purpose below one of the `anchors` for receipts and which
/// is valid at `now`; the signature over the content; the content's app, key and time against `expected`.
///
/// The caller judges the environment and the risk metric; they are not rules here.
///
/// # Errors
/// The first rule that is broken, in this order.
pub fn verify_receipt(bytes: &[u8], expected: &ReceiptOf<'_>, anchors: &Anchors, now: UnixSeconds) -> Result<Receipt, ReceiptRefusal> {
    // Checked before parsing, so that a stranger's bytes cost little.
    if bytes.len() > Limits::RECEIPT_BYTES_MAX {
        return Err(ReceiptRefusal::TooLarge);
    }
    let data = cms::read(bytes)?;
    let certificates = chain::parse(&data.certificates)?;
    let signer = chain::signer(&certificates, &data.signer, anchors, now)?;
    // SECURITY: the content is parsed only after its signature was verified.
    verify_signature(&signed_bytes(&data)?, &data.signer, signer)?;
    let payload = payload::read(&data.content)?;
    if payload.app_id != expected.app_id {
        return Err(ReceiptRefusal::AppMismatch { app_id: payload.app_id });
    }
    if payload.key != expected.key_spki {
        return Err(ReceiptRefusal::KeyMismatch);
    }
    timely(&payload.receipt, expected.age, now)?;
    Ok(payload.receipt)
}

/// Checks that the signer's key signed these bytes, with SHA-256 as stated (RFC 5754 section 3). For RSA, the identifier of the bare key
/// algorithm means the same (section 3.2).
fn verify_signature(signed: &[u8], signer: &Signer<'_>, certificate: &Certificate) -> Result<(), ReceiptRefusal> {
    let algorithm = match signer.algorithm {
        ECDSA_SHA256 => ECDSA_SHA256,
        RSA_ENCRYPTION | RSA_SHA256 => RSA_SHA256,
        _ => return Err(ReceiptRefusal::SignatureInvalid { why: SignatureRefusal::AlgorithmRefused }),
    };
    certificate.key().verify(algorithm, signed, signer.signature).map_err(|why| ReceiptRefusal::SignatureInvalid { why })
}

fn timely(receipt: &Receipt, age: ReceiptAge, now: UnixSeconds) -> Result<(), ReceiptRefusal> {
    let (created_at, expires_at) = (receipt.created_at(), receipt.expires_at());
    if created_at.seconds() > now.plus(Limits::VENDOR_CLOCK_AHEAD_MAX) {
        return Err(ReceiptRefusal::CreatedInFuture { created_at });
    }
    match age {
        ReceiptAge::FreshWithin(span) if now.since(created_at.seconds()) > span => return Err(ReceiptRefusal::TooOld { created_at }),
        ReceiptAge::FreshWithin(_) | ReceiptAge::Any => {}
    }
    if now > expires_at.seconds() { Err(ReceiptRefusal::Expired { expires_at }) } else { Ok(()) }
}
