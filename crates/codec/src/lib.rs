//! Strict readings of what everybody writes: JSON with one meaning ([`json`]), canonical base64url ([`base64url`]), SHA-256
//! ([`sha256()`]) and the calendar ([`calendar`]).
//!
//! Every room reads these formats here, so that no text has one meaning at one door and another at the next. This crate knows
//! no word of ours: instants are plain seconds and limits are arguments, and callers turn its refusals into their own. It reads
//! no clock, holds no state and logs nothing.

pub mod base64url;
pub mod calendar;
pub mod json;
mod sha256;

pub use sha256::sha256;
