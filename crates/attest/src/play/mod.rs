//! Google Play Integrity: what Google says of an app and of the phone that it runs on.
//!
//! See <https://developer.android.com/google/play/integrity/overview>. A phone asks Google for a token over [`request_hash`];
//! [`decrypt_and_verify`] opens it with the keys of the Play Console, or Google does and [`Verdict::from_decoded`] reads the answer;
//! [`verify`] judges the [`Verdict`] against [`Requirements`], and [`refusals`] tells everything that is wrong with it.
//!
//! Google gives out the keys for classic requests; a token for a standard request is Google's to decode.
//!
//! It is weaker evidence than a key attestation: it names no key, and it is Google's word, not the hardware's.

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
