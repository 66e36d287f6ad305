//! Google Play Integrity: Google's statement about an app and the phone on which it runs.
//!
//! See <https://developer.android.com/google/play/integrity/overview>. A phone asks Google for a token over [`request_hash`]. Either
//! [`decrypt_and_verify`] opens the token with the keys from the Play Console, or Google decodes it and [`Verdict::from_decoded`] parses
//! the answer. [`verify()`] checks the [`Verdict`] against [`Requirements`], and [`refusals`] lists everything that is wrong with it.
//!
//! Google gives out the keys for classic requests only; a token of a standard request has to be decoded by Google.
//!
//! This evidence is weaker than a key attestation: it names no key, and it is Google's statement, not the hardware's.

mod binding;
mod facts;
mod keys;
mod label;
mod payload;
mod refusal;
mod requirements;
mod token;
mod verdict;
mod verify;
mod wire;

pub use binding::request_hash;
pub use keys::{DecryptionKeys, PlayKeyFault};
pub use label::{Activity, AppAccess, DeviceIntegrity, DeviceLevel, Label, Labels, Licensing, ProtectRisk, Recognition};
pub use refusal::{PlayRefusal, TokenRefusal, VerdictRefusal};
pub use requirements::{
    App, AppAccessRule, AppRule, DeviceRule, LicensingRule, PlayProtectRule, RecognitionRule, Requirements, TestingRule,
};
pub use token::{PayloadJson, decrypt_and_verify};
pub use verdict::{AppIntegrity, Binding, Device, DeviceRecall, RecallBit, Request, Verdict};
pub use verify::{refusals, verify};
