//! Hardware evidence about a phone, verified: bytes, anchors and time in, evidence or one reason out.
//!
//! Android Key Attestation ([`android`]): the chain that a phone's secure hardware issues for one of its keys, judged against
//! trust anchors ([`anchors`]), Google's revocation list and an operator's requirements at a given time. [`cases`] judges whole
//! files of such chains against what is expected of them, for our tests and for an operator's own.
//!
//! Apple App Attest ([`apple`]): the attestation of a key in an Apple device's Secure Enclave, the assertions that the key signs
//! later, and the window over their counters.
//! Google Play Integrity ([`play`]): the token in which Google says which app runs on what phone, opened, read and judged.
//!
//! What this crate does not do: it fetches no revocation list and reads no file, no clock and no environment (all are
//! arguments); it issues and spends no challenge (the store does); it does not know whether the attested key signed anything
//! (`proof` does); it says what a phone proved, never what that permits (policy does). It logs nothing and keeps nothing.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod anchors;
pub mod android;
pub mod apple;
pub mod binding;
pub mod boot_keys;
mod calendar;
pub mod cases;
pub mod play;
pub mod report;
pub mod x509;
