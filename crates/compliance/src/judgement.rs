//! What becomes of the requests from one device, whoever makes them.
//!
//! A device is judged by what judges its requests ([`Requirements::lacks`]), so that a forecast and the enforcement cannot differ.
//! Its tests stand beside the forecast that counts it.

use std::collections::BTreeMap;

use countersign_core::{Lack, Posture, Reason, Stage, UnixSeconds};

use crate::requirement::{Requirements, Revocations, Share, worst};

/// Someone's requests from a device through an app.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// What is required of the app's devices. `None`: the app is not configured, and all of its requests are refused.
    pub requirements: Option<&'a Requirements>,
    /// To which share the person belongs; `None` while nobody is signed in.
    pub share: Option<Share>,
}

/// Whether it is known who uses a device, and so which share of the people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedBy {
    /// Nobody is signed in on it.
    Nobody,
    /// Somebody is.
    Somebody,
}

/// What becomes of the requests from one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is known who uses it.
    pub by: UsedBy,
    /// The stage of each reason: the worst of all uses.
    pub reasons: BTreeMap<Reason, Stage>,
    /// What the worst use would meet if each requirement were enforced for everybody; what is in grace stays so.
    pub enforced: Option<Stage>,
}

impl Judgement {
    /// Judges a device by everybody's use of it.
    #[must_use]
    pub fn of(posture: &Posture, uses: &[Use<'_>], revocations: &Revocations, now: UnixSeconds) -> Self {
        let by = if uses.iter().any(|one| one.share.is_some()) { UsedBy::Somebody } else { UsedBy::Nobody };
        let mut judgement = Self { by, reasons: BTreeMap::new(), enforced: None };
        for Use { requirements, share } in uses {
            let (lacks, enforced) = match requirements {
                Some(requirements) => {
                    (requirements.lacks(posture, revocations, *share, now), worst(&requirements.lacks_enforced(posture, revocations, now)))
                }
                None => {
                    let lack = Lack { reason: Reason::ClientUnknown, stage: Stage::Enforce, update: None };
                    (vec![lack], Some(Stage::Enforce))
                }
            };
            judgement.enforced = judgement.enforced.max(enforced);
            for lack in lacks {
                let stage = judgement.reasons.entry(lack.reason).or_insert(lack.stage);
                *stage = lack.stage.max(*stage);
            }
        }
        judgement
    }

    /// The worst stage; `None` when nothing is lacking.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.reasons.values().max().copied()
    }
}
