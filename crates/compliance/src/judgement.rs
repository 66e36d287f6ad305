//! Judgement of the requests from one device, whoever makes them.
//!
//! The rules that judge a device here are those that judge its requests ([`Requirements::lacks`]), so that a forecast and the enforcement
//! cannot differ. The tests of this file stand beside the forecast that counts its judgements.

use std::collections::BTreeMap;

use countersign_core::{Posture, Reason, Stage, UnixSeconds, Unmet};

use crate::requirement::{Bucket, Requirements, Revocations, worst};

/// One person's requests from a device through one app, or those that come before a person is known.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// Requirements of the app for its devices; `None` when the app is not configured, so that all of its requests are refused.
    pub requirements: Option<&'a Requirements>,
    /// Share that the person belongs to; `None` while nobody is signed in.
    pub bucket: Option<Bucket>,
}

/// Answer to the question whether the people who use a device, and so their shares, are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedBy {
    /// Nobody is signed in on the device.
    Nobody,
    /// At least one person is signed in on the device.
    Somebody,
}

/// Judgement of the requests from one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Answer whether anybody is signed in on the device.
    pub by: UsedBy,
    /// Reasons of all unmet requirements, each with its most severe stage among all uses.
    pub reasons: BTreeMap<Reason, Stage>,
    /// Most severe stage of all uses if each requirement were enforced for everybody; a requirement in its grace period stays observed.
    /// `None` when nothing is lacking.
    pub enforced: Option<Stage>,
}

impl Judgement {
    /// Judges a device by everybody's use of it. Without uses nothing is asked of the device, so nothing is lacking.
    #[must_use]
    pub fn of(posture: &Posture, uses: &[Use<'_>], revocations: &Revocations, now: UnixSeconds) -> Self {
        let by = if uses.iter().any(|one| one.bucket.is_some()) { UsedBy::Somebody } else { UsedBy::Nobody };
        let mut judgement = Self { by, reasons: BTreeMap::new(), enforced: None };
        for Use { requirements, bucket } in uses {
            let (unmet, enforced) = match requirements {
                Some(requirements) => {
                    (requirements.unmet(posture, revocations, *bucket, now), worst(&requirements.unmet_enforced(posture, revocations, now)))
                }
                None => {
                    // SECURITY: an app that is not in the configuration has no requirements to meet, which must not read as meeting all.
                    let unmet = Unmet { reason: Reason::ClientUnknown, stage: Stage::Enforce, update: None };
                    (vec![unmet], Some(Stage::Enforce))
                }
            };
            judgement.enforced = judgement.enforced.max(enforced);
            for unmet in unmet {
                let stage = judgement.reasons.entry(unmet.reason).or_insert(unmet.stage);
                // Two apps may ask the same of one phone at different stages.
                *stage = unmet.stage.max(*stage);
            }
        }
        judgement
    }

    /// Most severe stage of all reasons; `None` when nothing is lacking.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.reasons.values().max().copied()
    }
}
