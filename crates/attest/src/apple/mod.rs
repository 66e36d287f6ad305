//! Apple App Attest: what Apple says of a key in a Secure Enclave.

mod receipt;

pub use receipt::{
    BerRefusal, Environment, RECEIPT_BYTES_MAX, Receipt, ReceiptAge, ReceiptField, ReceiptKind, ReceiptOf, ReceiptRefusal, verify_receipt,
};
