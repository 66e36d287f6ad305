//! A small bank: accounts, transfers, exchange rates. What Countersign protects in the demo.
//!
//! It knows nothing about authentication. Who asks, it reads in `Countersign-User`, because behind Countersign nobody else can
//! write that header: whatever a client sends under that name is taken away. An upstream that can be reached by other ways
//! verifies `Countersign-Identity` instead, a JWT (`typ` `csign-statement+jwt`, ES256) signed by a key at
//! `/.well-known/jwks.json` of the gateway: `iss` is the gateway's public URL, `aud` is the upstream's origin, `sub` is the
//! customer, `exp` is a minute away. Any JWT library does it.
//!
//! What this crate does not do: it decides nothing about who may do what, keeps nothing beyond its process, and moves no money.

mod api;
mod iban;
mod ledger;
mod live;

pub use api::{router, serve};

/// Apps, operations and device rules of the bank: what stands in its `csign.toml` below `public_url` and `upstream`.
///
/// `{SIGNER}` stands for the SHA-256 of the certificate that signs the bank's app, in hexadecimal.
pub const CONFIG: &str = include_str!("../operations.toml");

/// The bank's policies and their tests, by file name.
pub const POLICIES: &[(&str, &str)] =
    &[("bank.cedar", include_str!("../policies/bank.cedar")), ("bank_test.json", include_str!("../policies/bank_test.json"))];
