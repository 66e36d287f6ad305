//! The authorization server: enrolment of devices, sign-in with passkeys, tokens (RFC 6749, RFC 9449).
//!
//! Every endpoint receives one strict request, has a key proved by it, asks a pure rule (`identity`, `proof`, `attest`), records
//! the answer and gives it. What leaves is coarse; what the log keeps is exact.
//!
//! What this crate does not do: it opens no socket and ends no TLS (the listener does), it decides nothing about the protected
//! API (that is the gateway's), it keeps no state of its own (the store does), and it reads no clock and no generator but those
//! it is given.

mod answer;
mod attest;
mod ceremony;
mod development;
mod discovery;
mod endpoint;
mod endpoints;
mod enrol;
mod evidence;
mod form;
mod house;
mod json;
mod login;
mod me;
mod name;
mod pace;
mod paths;
mod person;
mod posture;
mod prompts;
mod proven;
mod receive;
mod record;
mod refusal;
mod registration;
mod report;
mod revoke;
mod routes;
mod strangers;
mod theft;
mod token;
mod visit;
mod watching;

pub use endpoint::{BodyKind, Endpoint, ErrorFormat};
pub use endpoints::endpoints;
pub use form::{Form, FormRefusal};
pub use house::{
    App, DecodesPlay, DeviceTrust, Issuer, IssuerConfig, IssuerKeys, PlayApp, PlayReader, RefreshKey, SignUp, Stores, VendorSilent, World,
};
pub use json::parse as parse_json;
pub use pace::Pace;
pub use prompts::Prompts;
pub use receive::Origin;
pub use routes::router;
pub use strangers::Strangers;
