//! A person who speaks for themselves: their own access token, and a proof by the key that it is bound to (RFC 9449 section 7).

use countersign_core::{DeviceId, Reason, Session, SessionState, SignalKind, UnixSeconds};
use countersign_identity::Asking;
use countersign_proof::{
    access_token::TokenVerifier,
    dpop::{self, BoundTo, Expected, ProofRefusal},
    window::NonceRule,
};
use countersign_store::{LivePosture, LiveSession, UserState};
use http::header::AUTHORIZATION;

use crate::{
    house::Issuer,
    proven::{self, DPOP},
    receive::{Call, Header},
    refusal::Refusal,
    visit::Visit,
};

/// A person with an account, a live session on a device that may act, and a token whose key signed this very request.
#[derive(Debug)]
pub struct Person {
    live: LiveSession,
    in_hand: LivePosture,
}

impl Person {
    /// The session in which they ask.
    pub const fn session(&self) -> &Session {
        self.live.session()
    }

    /// The device in their hand.
    pub const fn device(&self) -> &DeviceId {
        &self.live.session().device
    }

    /// What the rules look at.
    pub const fn asking(&self) -> Asking<'_> {
        Asking { device: self.device(), auth_time: self.live.session().auth_time }
    }

    /// Limited sessions may look and change nothing: one that was opened by a stolen passkey is limited until its person stands for it.
    ///
    /// # Errors
    /// [`Reason::SessionSuspect`], which a step-up cures.
    pub fn may_change(&self) -> Result<(), Reason> {
        match self.live.session().state {
            SessionState::Limited => Err(Reason::SessionSuspect),
            SessionState::Active | SessionState::Challenged | SessionState::Revoked => Ok(()),
        }
    }

    /// A phone that the API refuses may not cut off others.
    ///
    /// # Errors
    /// The first requirement that it lacks at the stage that refuses.
    pub fn stands(&self, issuer: &Issuer, visit: &Visit) -> Result<(), Refusal> {
        let apps = issuer.apps();
        apps.of(&self.live.session().client)?.met_by(self.in_hand.posture(), &issuer.revocations.load(), visit.second())?;
        Ok(())
    }
}

/// Proves who asks. The same checks as a request to the API passes, by the same rules.
pub async fn prove(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Person, Refusal> {
    let now = visit.second();
    let token = verifier(issuer, now).verify(token(call)?, now).map_err(|why| Refusal::new(why.reason()))?;
    let proof = match call.header(&DPOP) {
        Header::Absent => return Err(Reason::ProofMissing.into()),
        Header::Repeated => return Err(Reason::ProofRepeatedHeader.into()),
        Header::Unreadable => return Err(Reason::ProofMalformed.into()),
        Header::Once(text) => dpop::read(text)?,
    };
    let target = issuer.config.public_origin.target(&call.path).map_err(|_| Refusal::new(Reason::RequestMalformed))?;
    let expected = Expected {
        method: call.method.as_str(),
        target: &target,
        bound_to: BoundTo::AccessToken { key: token.key(), hash: token.hash() },
        nonces: NonceRule::Accepted(&issuer.keys.nonces),
    };
    let signed_by = *proof.key().thumbprint();
    let bound = dpop::bind(proof, &expected, now).map_err(|why: ProofRefusal| {
        visit.learn(|known| known.session = Some(token.session().clone()));
        if signed_by != *token.key() {
            visit.signal(issuer, SignalKind::ForeignProofKey, why.reason());
        }
        Refusal::from(why)
    })?;
    visit.learn(|known| {
        known.key = Some(signed_by);
        known.client = Some(token.client().clone());
        known.session = Some(token.session().clone());
    });
    let _fresh = proven::spend(issuer, bound, visit).await?;
    let live = issuer.stores.sessions.live(token.session(), now).await?;
    visit.learn(|known| {
        known.user = Some(live.session().user.clone());
        known.device = Some(live.session().device.clone());
    });
    let user = issuer.stores.subjects.find(&live.session().user).await?;
    user.filter(|user| user.state == UserState::Active).ok_or(Reason::UserUnknown)?;
    let device = issuer.stores.devices.posture(&live.session().device).await?;
    issuer.apps().of(&live.session().client)?.enrolled(device.posture())?;
    Ok(Person { live, in_hand: device })
}

fn verifier(issuer: &Issuer, now: UnixSeconds) -> TokenVerifier {
    let origin = issuer.config.public_origin.as_str();
    TokenVerifier { issuer: origin.to_owned(), audience: origin.to_owned(), keys: issuer.keys.access.load().published(now) }
}

/// The token, which never comes as a bearer's (law 4).
fn token(call: &Call) -> Result<&str, Refusal> {
    let text = match call.header(&AUTHORIZATION) {
        Header::Absent => return Err(Reason::TokenMissing.into()),
        Header::Repeated => return Err(Reason::TokenRepeatedHeader.into()),
        Header::Unreadable => return Err(Reason::TokenMalformed.into()),
        Header::Once(text) => text,
    };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => Ok(token),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("bearer") => Err(Reason::BearerDowngrade.into()),
        Some(_) | None => Err(Reason::TokenMissing.into()),
    }
}
