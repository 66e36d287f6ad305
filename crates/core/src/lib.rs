//! The words of Countersign, used by every other room and using none of them.
//!
//! Identifiers, secrets, instants, reasons, facts and decisions: what they mean and how they are written down. This crate
//! does no I/O, reads no clock, holds no state, verifies nothing and serialises nothing: wire formats live at the edges.

mod decision;
mod facts;
mod id;
mod limit;
mod posture;
mod reason;
mod secret;
mod session;
mod signal;
mod time;

pub use decision::{Acr, Advice, Decision, MaskPath, Matched, Obligation, Outcome, Permitted, PolicyName, RateLimit, Remedy};
pub use facts::{Facts, FieldValue, RequestFacts, ResourceFacts};
pub use id::{
    Action, AppId, ClientId, ContractViolation, DecisionId, DeviceId, GrantId, IdError, KeyId, PairwiseId, ProofId, Role, SessionId,
    Thumbprint, UserId,
};
pub use limit::Limits;
pub use posture::{BootState, EvidenceTier, PatchLevel, Platform, Posture, SecurityLevel};
pub use reason::{PolicyReason, Reason, Retry, Told};
pub use secret::Secret;
pub use session::{Amr, Session, SessionState};
pub use signal::{Signal, SignalKind, SignalSink};
pub use time::{Clock, Entropy, Seconds, UnixMillis, UnixSeconds};
