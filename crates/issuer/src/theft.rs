//! What happens when a code or a refresh token turns up in the wrong hands.
//!
//! The protection comes first and its record with the refusal: a log that is slow must not give a thief time.

use countersign_core::{Reason, SessionId, SignalKind};
use countersign_identity::GrantRefusal;
use countersign_store::{NotLive, OpenState, Whose};

use crate::{context::RequestContext, refusal::Refusal, state::Issuer};

/// Freezes the session when another key than the device key asks for a refresh or an end: the session waits until its person signs in
/// again.
pub(crate) async fn freeze(issuer: &Issuer, session: &SessionId, context: &RequestContext) -> Refusal {
    context.learn(|known| known.session = Some(session.clone()));
    let noted = note(issuer, session, SignalKind::ForeignRefreshKey, context).await;
    context.signal(&issuer.world, SignalKind::ForeignRefreshKey, Reason::RefreshForeignKey);
    let frozen = issuer.stores.sessions.set_state(session, OpenState::Challenged).await;
    match noted.and(frozen.map_err(Refusal::from).map(drop)).and(resolve_user(issuer, session, context).await) {
        Ok(()) => GrantRefusal::ForeignKey.into(),
        Err(refusal) => refusal,
    }
}

/// Ends the session of a code that was redeemed before with other keys (RFC 6749 section 4.1.2).
pub async fn revoke(issuer: &Issuer, session: &SessionId, context: &RequestContext) -> Refusal {
    context.learn(|known| known.session = Some(session.clone()));
    let noted = note(issuer, session, SignalKind::CodeReused, context).await;
    context.signal(&issuer.world, SignalKind::CodeReused, Reason::CodeReused);
    let ended = issuer.stores.sessions.end(&Whose::Session(session.clone()), context.second()).await;
    match noted.and(ended.map_err(Refusal::from).map(drop)).and(resolve_user(issuer, session, context).await) {
        Ok(()) => GrantRefusal::CodeReused.into(),
        Err(refusal) => refusal,
    }
}

/// Notes whether the session was live until now: then this is a theft that is recorded, whatever the budget of strangers.
pub async fn note(issuer: &Issuer, session: &SessionId, kind: SignalKind, context: &RequestContext) -> Result<(), Refusal> {
    match NotLive::ask(&*issuer.stores.sessions, session, context.second()).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            context.is_theft_from_live_session(kind);
            Ok(())
        }
        Err(fault) => {
            context.is_theft_from_live_session(kind);
            Err(fault.into())
        }
    }
}

/// Finds the session's person, so that the record about the session is sealed with that person's key.
pub async fn resolve_user(issuer: &Issuer, session: &SessionId, context: &RequestContext) -> Result<(), Refusal> {
    let found = issuer.stores.sessions.find(session).await?;
    context.learn(|known| {
        known.session = Some(session.clone());
        known.user = found.as_ref().map(|session| session.user.clone());
        known.device = found.map(|session| session.device).or(known.device.take());
    });
    Ok(())
}
