//! Steps 3 to 6 and 9 of the way as the gateway sees them: who asks is noted for the record, whatever the answer, and the decision
//! is one function for a request, which goes that way once, and for an open connection, which goes it again and again.

use countersign_access::{Holder, Known, Unauthenticated};
use countersign_core::{Decision, Facts, Obligation, Reason, UnixSeconds};
use countersign_policy::Found;

use crate::{
    context::RequestContext,
    gather::{self, Proven},
    refusal::Refusal,
    state::Rules,
};

/// Notes who asks, for the record.
pub(crate) fn identified(context: &mut RequestContext, holder: &Holder) {
    context.names(holder.token());
    context.belongs_to(holder.session());
    context.is_in_session();
}

/// Notes who it was, as far as that was known.
pub(crate) fn unidentified(context: &mut RequestContext, refused: Unauthenticated) -> Refusal {
    let Unauthenticated { refusal, known: Known { token, session, speaker, .. } } = refused;
    if let Some(token) = token {
        context.names(&token);
    }
    if let Some(session) = session {
        context.belongs_to(&session);
        context.is_in_session();
    }
    Refusal::from(refusal).spoken_by(speaker)
}

/// Step 9: the decision, pure and the same for every door.
pub(crate) fn decide(
    rules: &Rules,
    operation: &Found<'_>,
    proven: Proven,
    context: &mut RequestContext,
    now: UnixSeconds,
) -> Result<(Decision, Facts), Refusal> {
    let facts = gather::facts(operation, proven, now);
    let decision = rules.policies.decide(&facts);
    context.is_decided(rules.digest, &facts, &decision);
    // Fields are hidden in an answer that is read whole, and what stays open never is.
    let masked = decision.obligations.iter().any(|obligation| matches!(obligation, Obligation::Mask(_)));
    if operation.stream().is_some() && masked {
        return Err(Reason::ResponseNotMaskable.into());
    }
    Ok((decision, facts))
}
