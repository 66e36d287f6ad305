//! Verification of hardware evidence about a phone: bytes, anchors and time go in; evidence or one reason comes out.
//!
//! Android Key Attestation ([`android`]): the chain that a phone's secure hardware issues for one of its keys, checked against trust
//! anchors ([`anchors`]), Google's revocation list and the operator's requirements. [`cases`] checks whole files of such chains against
//! expected results, for our tests and for an operator's own.
//!
//! Apple App Attest ([`apple`]): the attestation of a key in an Apple device's Secure Enclave, and the assertions that the key signs later.
//!
//! Google Play Integrity ([`play`]): the token in which Google states which app runs on what kind of phone.
//!
//! Reports of the SDK ([`report`]): what the app says about its phone, which can only lower trust.
//!
//! This crate fetches no revocation list and reads no file, clock or environment; all of these are arguments. It does not issue or consume
//! challenges (the store does). It does not know whether the attested key signed anything (`proof` does). It says what a phone proved,
//! never what that permits (`policy` does). It logs nothing and keeps no state.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod anchors;
pub mod android;
pub mod apple;
pub mod binding;
pub mod boot_keys;
mod calendar;
pub mod cases;
mod instant;
pub mod play;
pub mod report;
pub mod x509;
