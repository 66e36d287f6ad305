//! Connections that stay open: WebSockets, Server-Sent Events, calls of gRPC, and answers that go on; and exchanges that last without
//! being declared ([`exchange`]).
//!
//! Opening one is a request like any other. What it proved is kept ([`open`]) and weighed again by the same function
//! whenever something changed that concerns it, and after an interval in any case ([`recheck`]). When the answer is no longer yes,
//! nothing passes from that moment; the cut is recorded, and the client is told why in a form that it understands: a close code
//! ([`relay`]), a status ([`call`]), a last event, or a stream that visibly breaks off ([`stream`]).

pub(crate) mod call;
pub mod events;
pub(crate) mod exchange;
pub mod frame;
pub(crate) mod notice;
pub(crate) mod open;
mod pace;
pub(crate) mod recheck;
pub(crate) mod relay;
pub(crate) mod socket;
pub(crate) mod stream;
pub(crate) mod upward;
