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
mod feed;
mod forecast;
mod id;
mod judgement;
mod limit;
mod oauth_error;
mod outage;
mod posture;
mod quota;
mod reason;
mod remedy;
mod requirement;
mod risk;
mod secret;
mod session;
mod signal;
mod time;
mod vendor_verdict;
mod watch;

pub use app_report::{AppFinding, AppReport};
pub use challenge::Challenge;
pub use coarse::CoarsePlace;
pub use counter::{CounterRefusal, CounterWindow};
pub use decision::{Acr, Advice, Decision, MaskPath, Matched, Obligation, Outcome, Permitted, PolicyName, RateLimit};
pub use facts::{Facts, FieldValue, OperationRules, RequestFacts, ResourceFacts, WhenLimited};
pub use feed::{FeedKind, FeedOutcome, FeedRefusal, Measure, judge_offer};
pub use forecast::{Breakdown, Forecast, GROUPS_HELD_MAX, GROUPS_MAX, Outcomes, Survey};
pub use id::{
    Action, AppId, ClientId, ContractViolation, DecisionId, DevTokenId, DeviceId, GrantId, IdError, IncidentId, KeyId, PairwiseId, ProofId,
    Role, SessionId, Thumbprint, UserId,
};
pub use judgement::{Judgement, Use, UsedBy};
pub use limit::Limits;
pub use oauth_error::OAuthError;
pub use outage::{AfterGrace, Forgiven, Outage, OutageRule};
pub use posture::{
    BootKey, BootState, EvidenceTier, Known, PatchLevel, Platform, Posture, Provenance, RiskMetric, SecurityLevel, SerialDigest,
};
pub use quota::{DailyLimit, Quota, QuotaRefusal, QuotaState};
pub use reason::{PolicyReason, Reason, Retry, Told};
pub use remedy::Remedy;
pub use requirement::{
    AppRelease, Lack, PatchRule, Requirement, Requirements, Revocations, Rollout, Rule, Share, Stage, Update, WhenAbsent, worst,
};
pub use risk::{RiskBar, RiskFacts, RiskReason, RiskView};
pub use secret::Secret;
pub use session::{Amr, Session, SessionState};
pub use signal::{Signal, SignalKind, SignalSink};
pub use time::{Clock, Entropy, Seconds, UnixMillis, UnixSeconds};
pub use vendor_verdict::{AppAccess, Integrity, Licensing, PlayProtect, Recognition, VendorVerdict};
pub use watch::{AnswerSeen, LoginDevice, LoginOutcome, LoginSeen, NoWatch, RequestSeen, Watch};
