//! Steps 3 to 6 of the way of a request, in order: token, proof, session, phone. The order is the argument.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_compliance::{Apps, Bucket, Revocations};
use countersign_core::{Posture, Session, UnixSeconds, Unmet};
use countersign_proof::{
    access_token::VerifiedToken,
    dpop::{self, BoundTo, Expected},
    nonce::NonceKeys,
    target::Target,
    window::NonceRule,
};
use countersign_store::{Devices, FreshProof, LivePosture, LiveSession, ReplayMemory, Sessions, Spender, Subjects, UserState};
use http::Method;

use crate::{
    credentials::Credentials,
    refusal::{AccessRefusal, Unauthenticated},
    tokens::Tokens,
};

/// Everything that says who asks. One for all servers of a node, so that no two of them can answer differently.
pub struct Access {
    /// Verifier of access tokens, with those that it has verified.
    pub tokens: Tokens,
    /// Makes and recognises nonces, the same on every node.
    pub nonces: NonceKeys,
    /// The registry of apps; replaced whole when what they require changes.
    pub apps: Arc<ArcSwap<Apps>>,
    /// Revoked certificates of devices; replaced whole when the list changes.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Promises about proofs, sessions, devices and accounts.
    pub stores: Stores,
}

/// The promises of the store that say who asks.
#[derive(Clone)]
pub struct Stores {
    /// Memory of used proofs.
    pub replay: Arc<dyn ReplayMemory>,
    /// Sessions and their state.
    pub sessions: Arc<dyn Sessions>,
    /// Devices and their postures.
    pub devices: Arc<dyn Devices>,
    /// Accounts and their state.
    pub subjects: Arc<dyn Subjects>,
}

/// Somebody who holds a token and proved by its key that this very request is theirs, in a live session of an active account, on a
/// device that may act and that the session's app enrolled. Only [`authenticate`] makes one.
#[derive(Debug)]
#[must_use]
pub struct Authenticated {
    fresh: FreshProof,
    holder: Holder,
}

impl Authenticated {
    /// The proof, which counts this once.
    pub const fn fresh(&self) -> &FreshProof {
        &self.fresh
    }

    /// The caller, as things stand.
    pub const fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The caller, for the facts of a decision.
    pub fn into_holder(self) -> Holder {
        self.holder
    }

    /// Asks again for all that time can change: a request may take long to arrive, and what ended meanwhile has ended.
    ///
    /// # Errors
    /// The first rule that does not hold any more.
    pub async fn recheck(self, access: &Access, now: UnixSeconds) -> Result<Self, Unauthenticated> {
        let key = *self.fresh.key();
        let holder = recheck(access, &self.holder.token, now).await.map_err(|refused| refused.proved_by(key))?;
        Ok(Self { holder, ..self })
    }
}

/// The holder of a token, as things stand: session, device, and what the device lacks. Only [`authenticate`] and [`recheck`] make one.
#[derive(Debug)]
#[must_use]
pub struct Holder {
    token: Arc<VerifiedToken>,
    session: LiveSession,
    posture: LivePosture,
    unmet: Vec<Unmet>,
}

impl Holder {
    /// The access token, verified.
    pub const fn token(&self) -> &Arc<VerifiedToken> {
        &self.token
    }

    /// The session, which may act.
    #[must_use]
    pub const fn session(&self) -> &Session {
        self.session.session()
    }

    /// Posture of the device, which may act.
    #[must_use]
    pub const fn posture(&self) -> &Posture {
        self.posture.posture()
    }

    /// Requirements of the app that the device does not meet, at any stage.
    #[must_use]
    pub fn unmet(&self) -> &[Unmet] {
        &self.unmet
    }

    /// All of it, for the facts of a decision.
    #[must_use]
    pub fn into_facts(self) -> (Session, Posture, Vec<Unmet>) {
        (self.session.into_session(), self.posture.into_posture(), self.unmet)
    }
}

/// Request as its proof has to name it, and whether the proof needs a nonce.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Method of the request.
    pub method: &'a Method,
    /// URL of the request.
    pub target: &'a Target,
    /// Need for a nonce of ours, made for the key of the proof.
    pub nonce: NonceNeed,
}

/// Need of a proof for a nonce (RFC 9449 sections 8 and 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceNeed {
    /// The proof may do without one, as at the API: a nonce for each request would cost a round trip.
    Accepted,
    /// The proof must have one, as at the issuer's doors.
    Required,
}

/// Finds out who asks. The same for every door: the API's, the issuer's own, and those of other proxies.
///
/// # Errors
/// The first rule that is broken, with what is known by then.
pub async fn authenticate(
    access: &Access,
    credentials: Credentials<'_>,
    asked: &Asked<'_>,
    now: UnixSeconds,
) -> Result<Authenticated, Unauthenticated> {
    // 3. A token of ours, for us, that has not expired.
    let token = access.tokens.verify(credentials.token()?, now)?;

    // 4. A proof by the token's key, for this very request, now.
    let proof = credentials.proof().map_err(|why| Unauthenticated::with_token(&token, why))?;
    let signed = dpop::read(proof).map_err(|why| Unauthenticated::with_token(&token, AccessRefusal::Proof(why)))?;
    let key = *signed.key().thumbprint();
    let expected = Expected {
        method: asked.method.as_str(),
        target: asked.target,
        bound_to: BoundTo::AccessToken { key: token.key(), hash: token.hash() },
        nonces: match asked.nonce {
            NonceNeed::Accepted => NonceRule::Accepted(&access.nonces),
            NonceNeed::Required => NonceRule::Required(&access.nonces),
        },
    };
    let bound = dpop::bind(signed, &expected, now).map_err(|why| {
        let refusal = if key == *token.key() { AccessRefusal::Proof(why) } else { AccessRefusal::ProofByForeignKey(why) };
        Unauthenticated::with_token(&token, refusal).spoken_by(key)
    })?;

    // 5 and 6. A session and a phone that may act.
    let holder = holder(access, &token, now).await.map_err(|refused| refused.proved_by(key))?;

    // 4 again: never seen before. Asked last, when it is known whose the proof is: what is remembered counts for that device, and for
    // nobody else. A proof that is refused above has no effect, so it need not be remembered.
    let by = Spender::Device(&holder.session().device);
    match access.stores.replay.spend(bound, by, now).await {
        Ok(fresh) => Ok(Authenticated { fresh, holder }),
        Err(why) => Err(Unauthenticated::with_token(&token, why).proved_by(key).in_session(holder.session.into_session())),
    }
}

/// Asks again for all of a token's holder that time can change, without a proof: for what was proved when it began and goes on.
///
/// # Errors
/// The first rule that does not hold any more.
pub async fn recheck(access: &Access, token: &Arc<VerifiedToken>, now: UnixSeconds) -> Result<Holder, Unauthenticated> {
    token.fresh(now).map_err(|why| Unauthenticated::with_token(token, why))?;
    holder(access, token, now).await
}

async fn holder(access: &Access, token: &Arc<VerifiedToken>, now: UnixSeconds) -> Result<Holder, Unauthenticated> {
    // 5. A session that may act.
    let session = access.stores.sessions.live(token.session(), now).await.map_err(|why| Unauthenticated::with_token(token, why))?;
    match on_a_phone(access, token, session.session(), now).await {
        Ok((posture, unmet)) => Ok(Holder { token: Arc::clone(token), session, posture, unmet }),
        Err(refusal) => Err(Unauthenticated::with_token(token, refusal).in_session(session.into_session())),
    }
}

/// 5, of an active account; 6, a device that may act, of the app that token and session were made for, and what it lacks.
async fn on_a_phone(
    access: &Access,
    token: &VerifiedToken,
    session: &Session,
    now: UnixSeconds,
) -> Result<(LivePosture, Vec<Unmet>), AccessRefusal> {
    match access.stores.subjects.state(&session.user).await {
        Ok(Some(UserState::Active)) => {}
        Ok(Some(UserState::Closed) | None) => return Err(AccessRefusal::AccountNotActive),
        Err(fault) => return Err(AccessRefusal::AccountUnavailable(fault)),
    }
    let posture = access.stores.devices.posture(&session.device).await?;
    let apps = access.apps.load();
    let unmet = unmet(&apps, session, posture.posture(), &access.revocations.load(), now)?;
    if session.client != *token.client() {
        return Err(AccessRefusal::ClientMismatch);
    }
    let app = apps.of(&session.client).map_err(|_| AccessRefusal::AppUnknown)?;
    app.enrolled(posture.posture()).map_err(|_| AccessRefusal::DeviceOfAnotherApp)?;
    Ok((posture, unmet))
}

/// Finds the requirements of a session's app that its device does not meet, for its person.
///
/// # Errors
/// [`AccessRefusal::AppUnknown`].
pub fn unmet(
    apps: &Apps,
    session: &Session,
    posture: &Posture,
    revocations: &Revocations,
    now: UnixSeconds,
) -> Result<Vec<Unmet>, AccessRefusal> {
    let app = apps.of(&session.client).map_err(|_| AccessRefusal::AppUnknown)?;
    Ok(app.unmet(posture, revocations, Some(Bucket::of(&session.user)), now))
}
