//! Tokens, keys and proofs of possession: strict, pure verification, and the making of what is verified.
//!
//! One JWS reader ([`jws`]) under everything that is signed: access tokens ([`access_token`], RFC 9068), proofs of
//! possession ([`dpop`], RFC 9449), the device key's naming of a request key ([`delegation`]), statements to upstreams. Bytes
//! go in with `now`, a witness or the one rule that failed comes out. Base64url and JSON are read by `codec`.
//!
//! What this crate does not do: it keeps no state, so it cannot know whether a proof was seen before (the store's replay
//! memory spends a [`dpop::BoundProof`]); it does not know whether a session is alive; it reads no clock, no file and no
//! header; it logs nothing. The only randomness is that of key generation and of ECDSA's signing, inside aws-lc-rs.

pub mod access_token;
mod bound;
pub mod delegation;
pub mod dpop;
pub mod jwk;
pub mod jws;
pub mod key_set;
pub mod nonce;
pub mod set;
pub mod target;
pub mod window;
