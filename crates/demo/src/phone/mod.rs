//! A software phone: for trying, for continuous integration, and for the demo's honest customers and thieves.
//!
//! It does what the SDK will do: keeps a device key, has it attested, signs in by passkey, proves every request with a
//! short-lived request key, renews once for all callers, and recovers from a wrong clock. Its "hardware" is a certificate
//! authority of its own, which only a development node or the demo trusts.

mod apple;
mod chain;
mod description;
mod google;
mod http;
mod live;
mod passkey;
mod wallet;

pub use apple::{DemoApple, EnclaveKey};
pub use chain::{Asked, DemoCa, Handset, Tamper};
pub use countersign_outbound::Answer;
pub use description::SIGNER;
pub use google::{DemoGoogle, Verdict};
pub use http::{Call, Http};
pub use live::{Closed, Live, handshake};
pub use passkey::SoftAuthenticator;
pub use wallet::{Phone, PhoneError, Surroundings, TEAM, code_of};
