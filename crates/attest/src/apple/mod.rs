//! Apple App Attest: what Apple says about a key in a device's Secure Enclave and the app that made it, and what the key signs.
//!
//! See <https://developer.apple.com/documentation/devicecheck/validating-apps-that-connect-to-your-server> for format and rules.
//!
//! [`verify_attestation`] judges the one attestation of a key, [`verify_assertion`] each later signature by it; whoever keeps the
//! key keeps a [`countersign_core::CounterWindow`] beside it, without which an assertion could be sent twice. [`verify_receipt`]
//! judges what Apple counts of it, and [`cases`] whole files of samples.

mod app;
mod assertion;
mod attestation;
mod authenticator_data;
pub mod cases;
mod cbor;
mod chain;
mod leaf;
mod receipt;
mod refusal;
mod requirements;

pub use app::{AppleApp, AppleAppRefusal};
pub use assertion::{Asserted, verify_assertion};
pub use attestation::{Attestation, Attested, Claim, verify_attestation};
pub use authenticator_data::Launch;
pub use leaf::NONCE_EXTENSION;
pub use receipt::{
    BerRefusal, RECEIPT_BYTES_MAX, Receipt, ReceiptAge, ReceiptEnvironment, ReceiptField, ReceiptKind, ReceiptOf, ReceiptRefusal,
    verify_receipt,
};
pub use refusal::{AppleRefusal, FormatRefusal};
pub use requirements::{Environment, Requirements};
