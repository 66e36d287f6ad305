//! Shared signals (OpenID SSF 1.0): events about people, sessions and devices, received from others and sent to others.
//!
//! `proof::set` verifies the SETs. Here are their content (CAEP 1.0, RISC 1.0), their subjects (RFC 9493), the consequences, and the
//! delivery (push, RFC 8935; poll, RFC 8936).

mod bearer;
mod event;
mod outbox;
mod receive;
mod subject;
mod transport;

pub use event::{Direction, Event, EventRefusal, Initiator};
pub use outbox::{PollAsk, PollRefusal};
pub use receive::{Answer, InStream, Receiver, ReceiverStores};
pub use subject::{Simple, SubjectId, SubjectRefusal};
pub use transport::{News, Others, OutStream, SessionEnded, Sharing, SignalSubject, router, transmit};
