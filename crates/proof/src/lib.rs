//! Tokens, keys and proofs of possession: strict and pure verification, and the making of what is verified.
//!
//! One JWS reader ([`jws`]) is under everything that is signed: access tokens ([`access_token`], RFC 9068), proofs of possession ([`dpop`],
//! RFC 9449), the device key's delegation to a request key ([`delegation`]), security events ([`set`], RFC 8417), statements to upstreams.
//! Bytes and `now` go in; a witness or the one rule that failed comes out. The crate `codec` reads base64url and JSON.
//!
//! This crate keeps no state, so it cannot know whether a proof was used before (the store's replay memory spends a [`dpop::BoundProof`])
//! or whether a session is alive. It reads no clock, no file and no header, and it logs nothing. The only randomness is that of key
//! generation and of ECDSA signing, inside aws-lc-rs.

pub mod access_token;
mod bound;
pub mod challenge;
pub mod delegation;
pub mod dpop;
pub mod jwk;
pub mod jws;
pub mod key_set;
pub mod nonce;
pub mod numeric_date;
pub mod set;
pub mod target;
pub mod window;
