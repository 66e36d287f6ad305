//! Apple App Attest: Apple's statement about a key in a device's Secure Enclave and the app that made it, and the signatures of that key.
//!
//! See <https://developer.apple.com/documentation/devicecheck/validating-apps-that-connect-to-your-server> for format and rules.
//!
//! [`verify_attestation`] checks the one attestation of a key, [`verify_assertion`] each later signature with it. The caller stores a
//! [`countersign_core::CounterWindow`] with the key; without it, one assertion could be sent twice. [`verify_receipt`] checks Apple's
//! receipts, and [`cases`] whole files of samples. [`attestation_refusals`] and the functions whose names end in `_facts` explain the same
//! data to a person.

mod app;
mod assertion;
mod attestation;
mod authenticator_data;
pub mod cases;
mod cbor;
mod chain;
mod inspect;
mod leaf;
mod posture;
mod receipt;
mod refusal;
mod requirements;
mod rule;
mod tolerance;

pub use app::{AppleApp, AppleAppRefusal};
pub use assertion::{Asserted, AssertionFacts, assertion_facts, verify_assertion};
pub use attestation::{Attestation, Attested, Claim, verify_attestation};
pub use authenticator_data::Launch;
pub use inspect::{Asked, AttestationFacts, attestation_refusals};
pub use leaf::NONCE_EXTENSION;
pub use posture::{os_version, posture};
pub use receipt::{
    BerRefusal, Receipt, ReceiptAge, ReceiptEnvironment, ReceiptFacts, ReceiptField, ReceiptKind, ReceiptOf, ReceiptRefusal, receipt_facts,
    verify_receipt,
};
pub use refusal::{AppleRefusal, FormatRefusal};
pub use requirements::{Environment, Requirements};
