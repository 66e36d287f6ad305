//! The words of Countersign, used by every other room and using none of them.
//!
//! Identifiers, secrets, instants, reasons, facts and decisions: what they mean and how they are written down. This crate
//! does no I/O, reads no clock, holds no state, verifies nothing and serialises nothing: wire formats live at the edges.

mod app_report;
mod challenge;
mod coarse;
mod counter;
mod decision;
mod facts;
mod id;
mod limit;
mod oauth_error;
mod observer;
mod posture;
mod reason;
mod remedy;
mod risk;
mod secret;
mod session;
mod signal;
mod time;
mod unmet;
mod vendor_verdict;

pub use app_report::{AppFinding, AppReport};
pub use challenge::Challenge;
pub use coarse::CoarsePlace;
pub use counter::{CounterRefusal, CounterWindow};
pub use decision::{Acr, Advice, Decision, MaskPath, Matched, Obligation, Outcome, Permitted, PolicyName, RateLimit};
pub use facts::{Facts, FieldValue, OperationRules, RequestFacts, ResourceFacts, WhenLimited};
pub use id::{
    Action, AppId, ClientId, ContractViolation, DecisionId, DevTokenId, DeviceId, GrantId, IdError, IncidentId, KeyId, OperatorName,
    PairwiseId, ProofId, Role, SessionId, Thumbprint, UserId,
};
pub use limit::Limits;
pub use oauth_error::OAuthError;
pub use observer::{AnswerSeen, LoginDevice, LoginOutcome, LoginSeen, NoObserver, Observer, RequestSeen};
pub use posture::{
    BootKey, BootState, EvidenceTier, PatchLevel, Platform, Posture, Provenance, RiskMetric, SecurityLevel, SerialDigest, Sourced,
};
pub use reason::{PolicyReason, PublicReason, Reason, Retry};
pub use remedy::Remedy;
pub use risk::{RiskBar, RiskFacts, RiskReason, RiskView};
pub use secret::Secret;
pub use session::{Amr, Session, SessionState};
pub use signal::{Signal, SignalKind, SignalSink};
pub use time::{Clock, Entropy, Seconds, UnixMillis, UnixSeconds};
pub use unmet::{Stage, Unmet, Update};
pub use vendor_verdict::{AppAccess, Integrity, Licensing, PlayProtect, Recognition, VendorVerdict};
