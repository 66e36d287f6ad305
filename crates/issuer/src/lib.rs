//! Authorization server: enrolment of devices, sign-in with passkeys, tokens (RFC 6749, RFC 9449).
//!
//! Every endpoint receives one strict request, has a key proved by it, asks a pure rule (`identity`, `proof`, `attest`), records the answer
//! and sends it. Clients get coarse answers; the log keeps the exact ones.
//!
//! What this crate does not do: it opens no socket and ends no TLS (the listener does), it has no authorization endpoint and no redirect
//! URIs (native apps sign in by passkey), it decides nothing about the protected API (that is the gateway's), it keeps sessions, devices
//! and grants in the store only, and it reads no clock and no generator but those that it is given.

mod allowances;
mod answer;
mod attest;
mod ceremony;
mod challenger;
mod challenges;
mod context;
mod development;
mod discovery;
mod endpoint;
mod endpoints;
mod enrol;
mod enrolment;
mod evidence;
mod form;
mod head_proof;
mod json;
mod login;
mod me;
mod name;
mod named_keys;
mod observation;
mod paths;
mod person;
mod posture;
mod prompts;
mod proven;
mod public_client;
mod receive;
mod record;
mod refusal;
mod registration;
mod report;
mod revoke;
mod routes;
mod state;
mod theft;
mod token;
mod vendor_quota;
mod world;

pub use allowances::Allowances;
pub use challenger::Challenger;
pub use endpoint::{BodyKind, Endpoint, ErrorFormat};
pub use endpoints::endpoints;
pub use form::{Form, FormRefusal};
pub use json::parse as parse_json;
pub use named_keys::NamedKeys;
pub use prompts::Prompts;
pub use receive::Origin;
pub use routes::router;
pub use state::{
    App, DecodesPlay, DeviceTrust, Issuer, IssuerConfig, IssuerKeys, PlayApp, PlayReader, RefreshKey, SignUp, Stores, VendorSilent,
};
pub use vendor_quota::VendorQuota;
pub use world::World;
