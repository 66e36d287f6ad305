//! Shared signals (OpenID SSF 1.0): events about people, sessions and devices, from others and to others.
//!
//! SETs are read by `proof::set`; here stands what they say (CAEP 1.0, RISC 1.0), about whom (RFC 9493), what follows from it, and how
//! they are delivered (push, RFC 8935; poll, RFC 8936).

mod event;
mod outbox;
mod receive;
mod subject;
mod transport;

pub use event::{Direction, Event, EventRefusal, Initiator};
pub use outbox::{Outbox, PollAnswer, PollAsk, PollRefusal};
pub use receive::{Answer, InStream, Receiver};
pub use subject::{Simple, SubjectId, SubjectRefusal};
pub use transport::{News, Others, OutStream, Sharing, SignalSubject, router, transmit};
