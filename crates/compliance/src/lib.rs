//! Requirements of an app for phones, and the judgement of a posture by them: for a request, for a report of who would be refused, and for
//! a what-if.
//!
//! [`Apps`] is the registry that each of these asks: the requirements of an app, and which app a posture belongs to, are written once.
//!
//! Beside it stand the rules about the data that those judgements lean on: what an [`Outage`] of a vendor forgives, how many questions a
//! vendor is asked in a day ([`Quota`]), and when an offered version of fetched data takes the place of the held one ([`judge_offer`]).
//!
//! Postures, revocations and `now` go in, reasons and stages come out. What this crate does not do: it verifies no evidence (that is
//! `attest`), it decides about no request (that is `policy`), and it fetches, stores and logs nothing.

mod apps;
mod feed;
mod forecast;
mod judgement;
mod outage;
mod quota;
mod requirement;

pub use apps::{App, Apps};
pub use feed::{FeedKind, FeedOutcome, FeedRefusal, Summary, judge_offer};
pub use forecast::{Breakdown, Forecast, Outcomes, Survey};
pub use judgement::{Judgement, Use, UsedBy};
pub use outage::{AfterGrace, Outage, OutageRule};
pub use quota::{DailyLimit, Quota, QuotaRefusal, QuotaState};
pub use requirement::{AppRelease, Bucket, PatchRule, Requirement, Requirements, Revocations, Rollout, Rule, WhenAbsent, worst};
