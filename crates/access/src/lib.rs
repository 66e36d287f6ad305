//! Who asks, by which proof, on which phone: one function for every door.
//!
//! [`Credentials::read`] is the one grammar of credentials, [`authenticate`] the one order of checks (steps 3 to 6 of the way of a
//! request in `DESIGN.md`), and [`Authenticated`] the witness that they passed. What refusals look like on the wire, as problems
//! (RFC 9457) and challenges (RFC 9449, RFC 9470), is written in one place as well: [`problem`].
//!
//! What this crate does not do: it decides nothing about what somebody may do (that is policy's), issues no token, opens no socket,
//! reads no clock, and writes no record.

mod authenticate;
mod credentials;
pub mod problem;
mod refusal;
mod tokens;

pub use authenticate::{Access, Asked, Authenticated, Holder, NonceNeed, Stores, authenticate, recheck, unmet};
pub use credentials::{CredentialRefusal, Credentials, DPOP};
pub use refusal::{AccessRefusal, Known, Unauthenticated};
pub use tokens::Tokens;
