//! Requirements of an app for phones, and the judgement of a posture by them: for a request, for a report of who would be refused, and for
//! a what-if.
//!
//! [`Apps`] is the registry that each of these asks: the requirements of an app, and which app a posture belongs to, are written once.
//!
//! Beside it stand the rules about the data that those judgements lean on: what an [`Outage`] of a vendor forgives, how many questions a
//! vendor is asked in a day ([`Quota`]), how much each of many may take ([`Shares`]) and whose failure counts against whom ([`blamed`]), and when an offered version of fetched data takes the place of the held one ([`judge_offer`]).
//!
//! Postures, revocations and `now` go in, reasons and stages come out. What this crate does not do: it verifies no evidence (that is
//! `attest`), it decides about no request (that is `policy`), and it fetches, stores and logs nothing.

mod apps;
mod blame;
mod feed;
mod forecast;
mod judgement;
mod outage;
mod quota;
mod requirement;
mod shares;

pub use apps::{App, Apps};
pub use blame::{Blamed, CredentialOwner, Enroller, Guess, Guesser, Standing, Voucher, Worker, blamed, checked, enrolled, guessed};
pub use feed::{FeedKind, FeedOutcome, FeedRefusal, Summary, judge_offer};
pub use forecast::{Breakdown, Forecast, Outcomes, Survey};
pub use judgement::{Judgement, Use, UsedBy};
pub use outage::{AfterGrace, Outage, OutageRule};
pub use quota::{DailyLimit, Quota, QuotaRefusal, QuotaState};
pub use requirement::{AppRelease, Bucket, PatchRule, Requirement, Requirements, Revocations, Rollout, Rule, WhenAbsent, worst};
pub use shares::{Shares, Taking};
