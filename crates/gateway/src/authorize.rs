//! Steps 3 to 6 and 9 of the way as the gateway sees them: who asks is noted for the record, whatever the answer, and the decision
//! is one function for a request, which goes that way once, and for an open connection, which goes it again and again.

use countersign_access::{Holder, Known, Unauthenticated};
use countersign_core::{Decision, Facts, Obligation, Reason, UnixSeconds};
use countersign_policy::Found;

use crate::{
    case::Case,
    gather::{self, Proven},
    house::Rules,
    refusal::Refusal,
};

/// Notes who asks.
pub(crate) fn identified(case: &mut Case, holder: &Holder) {
    case.names(holder.token());
    case.belongs_to(holder.session());
}

/// Notes who it was, as far as that was known.
pub(crate) fn unidentified(case: &mut Case, refused: Unauthenticated) -> Refusal {
    let Unauthenticated { refusal, known: Known { token, session, .. } } = refused;
    if let Some(token) = token {
        case.names(&token);
    }
    if let Some(session) = session {
        case.belongs_to(&session);
    }
    Refusal::from(refusal)
}

/// Step 9: the decision, pure and the same for every door.
pub(crate) fn decide(
    rules: &Rules,
    operation: &Found<'_>,
    proven: Proven,
    case: &mut Case,
    now: UnixSeconds,
) -> Result<(Decision, Facts), Refusal> {
    let facts = gather::facts(operation, proven, now);
    let decision = rules.policies.decide(&facts);
    case.is_decided(rules.digest, &facts, &decision);
    // Fields are hidden in an answer that is read whole, and what stays open never is.
    let masked = decision.obligations.iter().any(|obligation| matches!(obligation, Obligation::Mask(_)));
    if operation.stream().is_some() && masked {
        return Err(Reason::ResponseNotMaskable.into());
    }
    Ok((decision, facts))
}
