//! Steps 5, 6 and 9 of the way, which a request goes once and an open connection again and again. One function for both, so
//! that a connection never stays open on an answer that a new request would not get.

use countersign_core::{Decision, Facts, Lack, Obligation, Reason, UnixSeconds};
use countersign_policy::Found;
use countersign_proof::access_token::VerifiedToken;
use countersign_store::{LivePosture, LiveSession};

use crate::{
    case::Case,
    gather::{self, Proven},
    house::{House, Rules},
    refusal::Refusal,
};

/// Step 5: a session that may act. Step 6: a device that may act, what is known of it, and what it lacks.
pub(crate) async fn standing(
    house: &House,
    rules: &Rules,
    token: &VerifiedToken,
    case: &mut Case,
    now: UnixSeconds,
) -> Result<(LiveSession, LivePosture, Vec<Lack>), Refusal> {
    let session = house.stores.sessions.live(token.session(), now).await?;
    case.belongs_to(session.session());
    let posture = house.stores.devices.posture(&session.session().device).await?;
    let lacks = rules.lacks(session.session(), posture.posture(), &house.revocations.load(), now)?;
    Ok((session, posture, lacks))
}

/// Step 9: the decision, pure and the same for every door.
pub(crate) fn decide(
    rules: &Rules,
    operation: &Found<'_>,
    token: &VerifiedToken,
    (proven, case): (Proven, &mut Case),
    now: UnixSeconds,
) -> Result<(Decision, Facts), Refusal> {
    let facts = gather::facts(operation, token, proven, now)?;
    let decision = rules.policies.decide(&facts);
    case.is_decided(rules.digest, &facts, &decision);
    // Fields are hidden in an answer that is read whole, and what stays open never is.
    let masked = decision.obligations.iter().any(|obligation| matches!(obligation, Obligation::Mask(_)));
    if operation.stream().is_some() && masked {
        return Err(Reason::ResponseNotMaskable.into());
    }
    Ok((decision, facts))
}
