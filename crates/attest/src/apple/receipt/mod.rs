//! Receipts of App Attest: Apple's signed statement about a key, with the number of keys that the device had attested lately.
//!
//! See <https://developer.apple.com/documentation/devicecheck/assessing-fraud-risk>. A receipt is signed data (RFC 5652), which Apple sends
//! in BER with indefinite lengths (X.690 section 8.1.3.6).
//!
//! [`verify_receipt`] applies all rules. Revocation is not checked: Apple publishes no list for these certificates that could be used
//! offline.

mod attributes;
mod ber;
mod chain;
mod cms;
mod content;
mod field;
mod inspect;
mod moment;
mod payload;
mod refusal;
mod verify;

pub use content::{Receipt, ReceiptEnvironment, ReceiptKind};
pub use field::ReceiptField;
pub use inspect::{ReceiptFacts, receipt_facts};
pub use refusal::{BerRefusal, ReceiptRefusal};
pub use verify::{ReceiptAge, ReceiptOf, verify_receipt};
