//! The token endpoint (RFC 6749 sections 4.1.3 and 6, RFC 9449 section 5): load, judge, act.
//!
//! The rules are `identity::exchange` and `identity::renew`; the store decides races. A repeated request gets the answer again that was
//! lost, so that no retry signs anybody out.

use axum::response::Response;
use countersign_core::{
    Acr, ClientId, DeviceId, GrantId, Limits, LoginOutcome, Outcome, Reason, Secret, Session, SessionState, Thumbprint, UnixSeconds,
};
use countersign_identity::{
    self as identity, Assurance, Binding, BindingState, CodeGrant, CodeRequest, Exchange, RefreshFamily, RefreshRequest, Renewal,
    TokenHash, exchange, renew,
};
use countersign_proof::{
    access_token::{self, Claims},
    delegation::{self, BoundDelegation, Expected, GrantHash},
    window::NonceRule,
};
use countersign_store::{GivenToken, LiveSession, RedeemError, Renewed, SessionFilter, Spender, User, UserState, Whose};
use http::{HeaderName, StatusCode};
use serde::Serialize;

use crate::{
    answer,
    context::RequestContext,
    form::Form,
    head_proof::ProvedKey,
    me,
    observation::{self, Who},
    proven::{self, target},
    public_client::public_client,
    receive::{Call, Header},
    record::{self, Seen},
    refusal::Refusal,
    state::{App, Issuer},
    theft,
};

const DELEGATION: HeaderName = HeaderName::from_static("countersign-delegation");

/// Number of times that the rule is asked about a code: a caller who loses the race asks once more, and is then told that the code was
/// redeemed.
const TURNS: usize = 2;

/// Token request that is well-formed.
struct Asked {
    client: ClientId,
    grant: Grant,
}

enum Grant {
    Code { code: Secret<String>, verifier: Secret<String> },
    Refresh { token: Secret<String> },
}

impl Grant {
    /// Hash by which the store and the delegation know the grant.
    fn hash(&self) -> TokenHash {
        match self {
            Self::Code { code, .. } => TokenHash::of(code),
            Self::Refresh { token } => TokenHash::of(token),
        }
    }
}

/// Keys that proved a token request, by proofs that are not spent yet.
struct BoundKeys {
    /// Key that the access token is bound to, with the request's proof.
    request: ProvedKey,
    /// The device key's delegation to the request key; absent where one key is both.
    delegation: Option<BoundDelegation>,
}

impl BoundKeys {
    /// Device key, which named the request key or is the same key.
    fn device(&self) -> &Thumbprint {
        self.delegation.as_ref().map_or(self.request.key().thumbprint(), BoundDelegation::device_key)
    }

    /// Uses the proofs up, for the device that the grant was given to.
    async fn spend(self, issuer: &Issuer, device: &DeviceId, context: &RequestContext) -> Result<(), Refusal> {
        let by = Spender::Device(device);
        proven::spend_key(issuer, self.request, by, context).await?;
        if let Some(delegation) = self.delegation {
            let _device_fresh = proven::spend(issuer, delegation.into_proof(), by, context).await?;
        }
        Ok(())
    }
}

/// Successful answer (RFC 6749 section 5.1).
#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// Answers a token request.
pub async fn issue(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let asked = read(public_client(call, Form::parse(&call.body)?)?)?;
    let app = issuer.app(&asked.client).ok_or(Reason::ClientUnknown)?;
    context.learn(|known| known.client = Some(asked.client.clone()));
    let keys = prove(issuer, call, &asked.grant.hash(), context)?;
    let request_key = *keys.request.key().thumbprint();
    let granted = match asked.grant {
        Grant::Code { code, verifier } => {
            let request = CodeRequest { client: asked.client, key: *keys.device(), verifier };
            redeem(issuer, &TokenHash::of(&code), &request, keys, context).await?
        }
        Grant::Refresh { token } => {
            let request = RefreshRequest { client: asked.client, key: *keys.device() };
            refresh(issuer, &TokenHash::of(&token), &request, keys, context).await?
        }
    };
    give(issuer, app, &granted, &request_key, context).await
}

fn read(mut form: Form) -> Result<Asked, Refusal> {
    // SECURITY: no token here has a scope. Left out in silence, it would be believed to be granted (RFC 6749 sections 5.1 and 6).
    if form.take("scope").is_some() {
        return Err(Reason::ScopeUnknown.into());
    }
    let mut take = |name: &str| form.take(name).ok_or(Refusal::new(Reason::BodyFieldInvalid));
    let grant = match take("grant_type")?.expose().as_str() {
        "authorization_code" => Grant::Code { code: take("code")?, verifier: take("code_verifier")? },
        "refresh_token" => Grant::Refresh { token: take("refresh_token")? },
        _ => return Err(Reason::GrantTypeUnknown.into()),
    };
    let client = ClientId::parse(take("client_id")?.expose()).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    Ok(Asked { client, grant })
}

/// Binds the request key's proof, and the device key's own proof or the delegation with which it names the request key. Both carry a nonce
/// that was given to the device key: a request key is new and has none, and what a device key signed ahead ends with its nonce.
fn prove(issuer: &Issuer, call: &Call, grant: &TokenHash, context: &RequestContext) -> Result<BoundKeys, Refusal> {
    let (keys, proof) = (&issuer.access.nonces, proven::signed(call, context)?);
    let signed = match call.header(&DELEGATION) {
        Header::Absent => None,
        Header::Repeated | Header::Unreadable => return Err(Reason::DelegationInvalid.into()),
        Header::Once(text) => Some(delegation::read(text)?),
    };
    let Some(signed) = signed else {
        let request = proven::bind(issuer, proof, NonceRule::Required(keys), context)?;
        context.learn(|known| known.key = Some(*request.key().thumbprint()));
        return Ok(BoundKeys { request, delegation: None });
    };
    let device = *signed.key().thumbprint();
    context.speaks_for(device);
    let request_key = *proof.key().thumbprint();
    let (target, grant) = (target(issuer, context.endpoint)?, GrantHash::from_bytes(*grant.as_bytes()));
    let expected = Expected { target: &target, grant: &grant, request_key: &request_key, nonces: NonceRule::Required(keys) };
    let delegation = Some(delegation::bind(signed, &expected, context.second())?);
    let request = proven::bind(issuer, proof, NonceRule::RequiredOf { keys, namer: &device }, context)?;
    context.learn(|known| known.key = Some(device));
    Ok(BoundKeys { request, delegation })
}

/// Session for which a token request is granted.
struct Granted {
    session: LiveSession,
    /// Refresh family that keeps the session alive.
    family: GrantId,
}

/// Finds or opens the session and refresh family of a code, also when an earlier answer was lost.
///
/// The proofs are spent once it is known whose they are: those of a code or token that opens nothing here count as strangers'.
async fn redeem(
    issuer: &Issuer,
    code: &TokenHash,
    request: &CodeRequest,
    keys: BoundKeys,
    context: &RequestContext,
) -> Result<Granted, Refusal> {
    let mut unspent = Some(keys);
    for _ in 0..TURNS {
        let state = issuer.stores.grants.find_code(code).await?;
        let decided = exchange(state.as_ref(), request, context.second());
        match (&decided, &state, unspent.take()) {
            (Exchange::Issue(_) | Exchange::Repeat { .. }, Some(state), Some(keys)) => {
                keys.spend(issuer, &state.grant().binding.device, context).await?;
            }
            (_, _, Some(keys)) => proven::spend_for_nothing(issuer, keys.request, context).await?,
            (_, _, None) => {}
        }
        match decided {
            Exchange::Issue(grant) => match open(issuer, code, grant, context).await? {
                Opened::First { family, session } => {
                    return Ok(Granted { session: issuer.stores.sessions.live(&session, context.second()).await?, family });
                }
                Opened::SomebodyWasFaster => {}
            },
            Exchange::Repeat { family, session } => {
                return Ok(Granted { session: issuer.stores.sessions.live(&session, context.second()).await?, family });
            }
            Exchange::Refuse(why) => return Err(why.into()),
            Exchange::RevokeAndRefuse { session } => return Err(theft::revoke(issuer, &session, context).await),
        }
    }
    Err(Refusal::because(Reason::Internal, "a code is redeemed at most once".to_owned()))
}

enum Opened {
    First { family: GrantId, session: countersign_core::SessionId },
    SomebodyWasFaster,
}

/// Opens the session that `grant` stands for, then redeems the code. In the other order, a fault between the two would leave a used code
/// and no session.
async fn open(issuer: &Issuer, code: &TokenHash, grant: CodeGrant, context: &RequestContext) -> Result<Opened, Refusal> {
    let now = context.second();
    let user = active_user(issuer, &grant.user).await?;
    let device = issuer.stores.devices.posture(&grant.binding.device).await?;
    let assurance = Assurance::of_passkey(device.posture());
    let (state, bound_at) = bind(issuer, &grant, assurance.acr, now).await?;
    let id = issuer.new_session_id();
    let who = Who { account: &user.name, user: Some(&user.id), session: Some(&id) };
    // A login that looks like somebody else's opens a limited session, which its person has to confirm before it may change anything.
    let state = match observation::observe(issuer, who, device.posture(), LoginOutcome::Passed, context) {
        Outcome::Allow | Outcome::Limit => state,
        Outcome::StepUp | Outcome::Deny => SessionState::Limited,
    };
    let session = Session {
        id,
        user: user.id,
        roles: user.roles,
        device: grant.binding.device.clone(),
        client: grant.client.clone(),
        state,
        acr: assurance.acr,
        amr: assurance.amr,
        auth_time: grant.auth_time,
        bound_at,
        created_at: now,
        expires_at: issuer.config.session_life.first_end(now),
    };
    let id = issuer.new_family_id();
    let family = RefreshFamily {
        token: TokenHash::of(&issuer.keys.refresh.token(&id)),
        id: id.clone(),
        session: session.id.clone(),
        client: grant.client,
        binding: grant.binding,
        // Longer than the session may live without use: while it lives it is asked at every renewal, too.
        expires_at: issuer.config.session_life.last_end(now),
    };
    let opened = session.id.clone();
    let whose = SessionFilter { user: Some(session.user.clone()), device: Some(session.device.clone()), live_at: Some(now) };
    issuer.stores.sessions.open(session).await?;
    match issuer.stores.grants.redeem(code, family).await {
        Ok(()) => {
            replace_oldest(issuer, &whose, context).await?;
            Ok(Opened::First { family: id, session: opened })
        }
        Err(RedeemError::AlreadyExchanged) => {
            // Nobody ever got a token of this session, and nobody may get one later.
            issuer.stores.sessions.end(&Whose::Session(opened), now).await?;
            Ok(Opened::SomebodyWasFaster)
        }
        Err(RedeemError::Unavailable(fault)) => Err(fault.into()),
    }
}

/// Ends the oldest sessions of a person on a device beyond as many as may be open. The new one is among the newest.
async fn replace_oldest(issuer: &Issuer, whose: &SessionFilter, context: &RequestContext) -> Result<(), Refusal> {
    let open = issuer.stores.sessions.list(whose, Limits::PERSON_SESSIONS_MAX).await?;
    for session in open.iter().skip(Limits::SESSIONS_OF_A_BINDING_MAX) {
        record::session_replaced(issuer, session, context).await?;
        issuer.stores.sessions.end(&Whose::Session(session.id.clone()), context.second()).await?;
    }
    Ok(())
}

/// Binds the person to the device. Returns the state in which a session is opened there, and the instant since which the two are bound.
async fn bind(issuer: &Issuer, grant: &CodeGrant, acr: Acr, now: UnixSeconds) -> Result<(SessionState, UnixSeconds), Refusal> {
    let new = Binding {
        user: grant.user.clone(),
        device: grant.binding.device.clone(),
        acr,
        opened_by: grant.opened_by,
        bound_at: now,
        seen_on: me::day(now),
        state: BindingState::Active,
    };
    let rules = issuer.config.bindings;
    let bound = issuer.stores.bindings.bind(new, rules).await?;
    let theirs = issuer.stores.bindings.of_user(&grant.user, Limits::DEVICES_LISTED_MAX).await?;
    Ok((identity::session_state(&theirs, &bound, rules, now), bound.bound_at))
}

/// Finds the session and family that a refresh token keeps alive.
async fn refresh(
    issuer: &Issuer,
    token: &TokenHash,
    request: &RefreshRequest,
    keys: BoundKeys,
    context: &RequestContext,
) -> Result<Granted, Refusal> {
    let state = issuer.stores.grants.find_refresh(token).await?;
    match renew(state.as_ref(), request, context.second()) {
        Renewal::Issue(family) => {
            keys.spend(issuer, &family.binding.device, context).await?;
            theft::resolve_user(issuer, &family.session, context).await?;
            Ok(Granted { session: issuer.stores.sessions.live(&family.session, context.second()).await?, family: family.id })
        }
        Renewal::Refuse(why) => {
            proven::spend_for_nothing(issuer, keys.request, context).await?;
            Err(why.into())
        }
        Renewal::FreezeAndRefuse { session } => {
            proven::spend_for_nothing(issuer, keys.request, context).await?;
            Err(theft::freeze(issuer, &session, context).await)
        }
    }
}

async fn active_user(issuer: &Issuer, user: &countersign_core::UserId) -> Result<User, Refusal> {
    let found = issuer.stores.subjects.find(user).await?;
    found.filter(|user| user.state == UserState::Active).ok_or(Refusal::new(Reason::UserUnknown))
}

/// Gives the tokens of a live session: the access token bound to the request key, and the family's refresh token.
async fn give(
    issuer: &Issuer,
    app: &App,
    granted: &Granted,
    request_key: &Thumbprint,
    context: &RequestContext,
) -> Result<Response, Refusal> {
    let (session, now) = (granted.session.session(), context.second());
    context.learn(|known| {
        known.session = Some(session.id.clone());
        known.device = Some(session.device.clone());
        known.user = Some(session.user.clone());
    });
    // SECURITY: both are asked again at every renewal, so that closing an account or revoking a device ends the sessions, too.
    let user = active_user(issuer, &session.user).await?;
    let device = issuer.stores.devices.posture(&session.device).await?;
    issuer.apps().of(&session.client)?.enrolled(device.posture())?;
    // A sign-in that raced with the end of its device opened a session, and gets no tokens.
    let bound = issuer.stores.bindings.seen(&session.user, &session.device, me::day(now)).await?;
    bound.filter(Binding::active).ok_or(Reason::DeviceRevoked)?;
    let expires_at = now.plus(issuer.access_token_life());
    let claims = Claims {
        issuer: issuer.config.public_origin.as_str().to_owned(),
        audience: issuer.config.public_origin.as_str().to_owned(),
        subject: issuer.subject(&user.id, app)?,
        client: session.client.clone(),
        session: session.id.clone(),
        id: issuer.new_token_id()?,
        issued_at: now,
        expires_at,
        auth_time: session.auth_time,
        acr: session.acr,
        amr: session.amr.clone(),
        key: *request_key,
    };
    let ring = issuer.keys.access.load();
    let key = ring.current(now).ok_or(Refusal::because(Reason::Internal, "no signing key is due; make one".to_owned()))?;
    let fresh = access_token::issue(&key.key, &key.id, &claims)?;
    let refresh = issuer.keys.refresh.token(&granted.family);
    issuer.named_keys.note(&session.id, request_key);
    record::allowed(issuer, Seen::default(), context).await?;
    let until = expires_at.minus(Limits::REPEATED_TOKEN_LIFE_MIN).max(now);
    let asked = Renewed { token: TokenHash::of(&refresh), key: *request_key };
    let given = issuer.stores.grants.answer_once(asked, GivenToken { token: fresh, expires_at }, until, now).await?;
    // SECURITY: asked once more after everything that was waited for: a caller who ended or froze the session meanwhile was told that it is
    // done.
    let _still_live = issuer.stores.sessions.live(&session.id, now).await?;
    if let Some(end) = issuer.config.session_life.put_off(session.created_at, session.expires_at, now) {
        issuer.stores.sessions.prolong(&session.id, end).await?;
    }
    let tokens = Tokens {
        access_token: given.token.expose(),
        token_type: "DPoP",
        expires_in: given.expires_at.since(now).0,
        refresh_token: refresh.expose(),
    };
    Ok(answer::json(StatusCode::OK, &tokens))
}
