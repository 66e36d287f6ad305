//! HTTP client for everything that a node asks of others: vendors, sources of feeds, receivers of webhooks and of shared signals.
//!
//! There is one set of rules: every answer is bounded in size and time, servers are verified by the operator's authorities, `http` goes to
//! loopback alone, and no redirect is followed. What this crate does not do: it keeps no connection open, tries nothing again, and judges
//! no answer. Requests to the protected API are sent by the gateway; mail goes through `notify`.

mod answer;
mod caller;
mod silence;
mod trust;

pub use answer::{Answer, CallError, exchange};
pub use caller::{Caller, Patience};
pub use silence::Silence;
pub use trust::{TrustError, trust, trust_as};
