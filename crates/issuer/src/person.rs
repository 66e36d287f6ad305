//! A person who speaks for themselves: their own access token, and a proof by the key that it is bound to (RFC 9449 section 7).

use countersign_access::{Asked, Authenticated, Known, NonceNeed, Unauthenticated, authenticate};
use countersign_core::{DeviceId, Reason, Session, SessionState, Stage};
use countersign_identity::Asking;

use crate::{context::RequestContext, receive::Call, refusal::Refusal, state::Issuer, theft};

/// A person with an account, a live session on a device that may act, and a token whose key signed this very request.
#[derive(Debug)]
pub struct Person(Authenticated);

impl Person {
    /// The session in which they ask.
    pub const fn session(&self) -> &Session {
        self.0.holder().session()
    }

    /// The device in their hand.
    pub const fn device(&self) -> &DeviceId {
        &self.session().device
    }

    /// What the rules look at.
    pub const fn asking(&self) -> Asking<'_> {
        Asking { device: self.device(), auth_time: self.session().auth_time }
    }

    /// Limited sessions may look and change nothing: one that was opened by a stolen passkey is limited until its person stands for it.
    ///
    /// # Errors
    /// [`Reason::SessionSuspect`], which a step-up cures.
    pub fn may_change(&self) -> Result<(), Reason> {
        match self.session().state {
            SessionState::Limited => Err(Reason::SessionSuspect),
            SessionState::Active | SessionState::Challenged | SessionState::Revoked => Ok(()),
        }
    }

    /// A phone that the API refuses may not cut off others.
    ///
    /// # Errors
    /// The first requirement that it lacks at the stage that refuses.
    pub fn stands(&self) -> Result<(), Refusal> {
        match self.0.holder().unmet().iter().find(|unmet| unmet.stage == Stage::Enforce) {
            Some(unmet) => Err(unmet.clone().into()),
            None => Ok(()),
        }
    }
}

/// Proves who asks. The same checks as a request to the API passes, by the same function.
pub async fn prove(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Person, Refusal> {
    let target = issuer.config.public_origin.target(&call.path).map_err(|_| Refusal::new(Reason::RequestMalformed))?;
    let asked = Asked { method: &call.method, target: &target, nonce: NonceNeed::Required };
    match authenticate(&issuer.access, call.credentials(), &asked, context.second()).await {
        Ok(authenticated) => {
            let (holder, key) = (authenticated.holder(), *authenticated.fresh().key());
            context.speaks_for(key);
            context.learn(|known| {
                known.key = Some(key);
                known.client = Some(holder.token().client().clone());
                known.session = Some(holder.token().session().clone());
                known.user = Some(holder.session().user.clone());
                known.device = Some(holder.session().device.clone());
            });
            Ok(Person(authenticated))
        }
        Err(refused) => Err(unproven(issuer, refused, context).await),
    }
}

/// Notes who it was, as far as that was known, and reports what no honest app does.
async fn unproven(issuer: &Issuer, refused: Unauthenticated, context: &RequestContext) -> Refusal {
    let Unauthenticated { refusal, known: Known { token, proved_by, speaker, session } } = refused;
    if let Some(key) = speaker {
        context.speaks_for(key);
    }
    context.learn(|known| {
        known.key = proved_by;
        known.session = token.as_ref().map(|token| token.session().clone());
        // Without a proof, nobody has said that they use the token.
        known.client = token.filter(|_| proved_by.is_some()).map(|token| token.client().clone());
        known.user = session.as_ref().map(|session| session.user.clone());
        known.device = session.map(|session| session.device);
    });
    if let Some(kind) = refusal.signal() {
        if let Some(session) = context.known().session {
            // Without its person, the record about the session would be sealed with nobody's key.
            let noted = theft::note(issuer, &session, kind, context).await;
            let known = noted.and(theft::resolve_user(issuer, &session, context).await);
            if let Err(fault) = known {
                context.signal(&issuer.world, kind, refusal.reason());
                return fault;
            }
        }
        context.signal(&issuer.world, kind, refusal.reason());
    }
    refusal.into()
}
