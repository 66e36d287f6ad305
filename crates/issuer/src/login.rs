//! Sign-in with a passkey on an enrolled device, natively: the answer is an authorization code, or a session stepped up (RFC 9470).

use axum::response::Response;
use countersign_audit as audit;
use countersign_codec::sha256;
use countersign_compliance::{Blamed, CredentialOwner, blamed};
use countersign_core::{Acr, ClientId, Limits, LoginOutcome, PublicReason, Reason, Session, SessionState, SignalKind, UnixSeconds};
use countersign_identity::{
    self as identity, Assurance, BindingRefusal, CodeChallenge, CodeGrant, DeviceBinding, LoginCeremony, LoginCredential, OpenedBy,
    PasskeyRefusal, ShownPasskey, StoredPasskey, TokenHash, place,
};
use countersign_proof::challenge::ChallengePurpose;
use countersign_store::{Passkey, SessionFilter, Used, User, UserState};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    ceremony::{self, Beginning, Finish},
    context::RequestContext,
    json, name,
    observation::{self, Who},
    proven::{ProvenDevice, prove_device},
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    client_id: String,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    name: Option<String>,
    purpose: Option<Purpose>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    SignIn,
    StepUp,
}

/// Data that is remembered until the passkey has answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    aim: Aim,
    name: Option<String>,
    state: String,
}

/// Aim of the login.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Aim {
    /// An authorization code that is redeemed with the verifier of this challenge (RFC 7636).
    Code { challenge: [u8; 32] },
    /// Fresh authentication for the sessions of this person on this device.
    StepUp,
}

/// Login whose passkey has answered.
struct Login {
    user: User,
    /// Passkey that answered the challenge.
    passkey: Answered,
    /// App through which the login began.
    client: ClientId,
    /// Device that began and ended the login.
    device: ProvenDevice,
}

/// Passkey that answered the challenge.
#[derive(Clone, Copy)]
struct Answered {
    /// The passkey as a binding remembers it.
    opened_by: OpenedBy,
    /// Time of its registration.
    created_at: UnixSeconds,
}

/// Person whose passkey verified.
struct Verified {
    user: User,
    passkey: Answered,
}

#[derive(Serialize)]
struct CodeAnswer<'a> {
    code: &'a str,
    expires_in: u64,
}

#[derive(Serialize)]
struct StepUpAnswer {
    acr: &'static str,
    auth_time: u64,
}

/// Begins a login. An account that does not exist shows only when the login is finished, and then it looks like any other failure.
pub async fn start(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let device = prove_device(issuer, call, context).await?;
    let start: Start = json::parse(&call.body)?;
    let client = ClientId::parse(&start.client_id).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.apps().of(&client)?.enrolled(device.live.posture())?;
    context.learn(|known| known.client = Some(client.clone()));
    let aim = aim(&start)?;
    let name = start.name.as_deref().map(name::parse).transpose()?;
    // SECURITY: a step-up is for the person who is signed in here. With a name, a stranger's phone would count as pestering that person.
    if matches!(aim, Aim::StepUp) && name.is_some() {
        return Err(Reason::BodyFieldInvalid.into());
    }
    match (&aim, &name) {
        // SECURITY: nothing about the account or the site refuses a sign-in by passkey, which nobody can guess. Otherwise strangers who fail
        // would lock a person out.
        (Aim::Code { .. }, Some(name)) => {
            observation::observe(issuer, Who::named(name), device.live.posture(), LoginOutcome::Asked, context);
        }
        (Aim::Code { .. }, None) => {}
        // A step-up names nobody: it is for the person who is signed in on the device, so that pestering is counted by the device.
        (Aim::StepUp, _) => {
            let shown = issuer.prompts.shown(device.id(), context.second());
            observation::admit(issuer, Who::named(device.id().as_str()), device.live.posture(), shown, context)?;
        }
    }
    let (options, state) = issuer.config.passkeys.start_login()?;
    let begun = Begun { aim, name, state: state.as_str().to_owned() };
    let beginning = Beginning { purpose: ChallengePurpose::Login, client: &client, device: &device, options, more: begun };
    Ok(answer::json(StatusCode::OK, &ceremony::start(issuer, beginning, context)?))
}

fn aim(start: &Start) -> Result<Aim, Refusal> {
    match (start.purpose.unwrap_or(Purpose::SignIn), &start.code_challenge, &start.code_challenge_method) {
        (Purpose::SignIn, Some(challenge), Some(method)) => {
            // SECURITY: `plain` would hand the verifier to whoever reads the request (RFC 7636 section 7.2).
            if method != "S256" {
                return Err(Reason::PkceMismatch.into());
            }
            let challenge = CodeChallenge::parse(challenge).map_err(|_| Refusal::new(Reason::BodyFieldInvalid))?;
            Ok(Aim::Code { challenge: *challenge.as_bytes() })
        }
        (Purpose::StepUp, None, None) => Ok(Aim::StepUp),
        (Purpose::SignIn, None, _) | (Purpose::SignIn, _, None) | (Purpose::StepUp, Some(_), _) | (Purpose::StepUp, _, Some(_)) => {
            Err(Reason::BodyFieldInvalid.into())
        }
    }
}

/// Takes the passkey's answer and gives the code, or steps the sessions up.
pub async fn finish(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let device = prove_device(issuer, call, context).await?;
    let finish: Finish = json::parse(&call.body)?;
    let resumed = ceremony::resume::<Begun>(issuer, ChallengePurpose::Login, &finish, &device, context).await?;
    let _work = issuer.allowances.check(Some(&device.live.posture().key), context)?;
    let Verified { user, passkey } = match verify(issuer, &resumed.more, finish.credential.get(), context).await {
        Ok(verified) => verified,
        Err(refusal) => {
            // Only failures that whoever tried can cause are counted; a fault of the server is not held against anybody.
            if refusal.reason.public() == PublicReason::SignInAgain {
                count(issuer, &resumed.more, finish.credential.get(), &device, context).await?;
            }
            return Err(refusal);
        }
    };
    let login = Login { user, passkey, client: resumed.client, device };
    match resumed.more.aim {
        Aim::Code { challenge } => give_code(issuer, login, CodeChallenge::from_bytes(challenge), context).await,
        Aim::StepUp => step_up(issuer, &login, context).await,
    }
}

/// Tells the watcher of a failed passkey, against whom [`blamed`] says.
async fn count(issuer: &Issuer, begun: &Begun, credential: &str, device: &ProvenDevice, context: &RequestContext) -> Result<(), Refusal> {
    let owner = match LoginCredential::parse(credential) {
        Err(_) => None,
        Ok(credential) => match issuer.stores.subjects.find_passkey(credential.credential()).await? {
            None => None,
            Some(passkey) => issuer.stores.subjects.find(&passkey.user).await?,
        },
    };
    let (account, owner) = match (&begun.name, owner) {
        (Some(name), Some(owner)) if owner.name != *name => (name.clone(), CredentialOwner::Another),
        (Some(_) | None, Some(owner)) => (owner.name, CredentialOwner::Themselves),
        (Some(name), None) => (name.clone(), CredentialOwner::Nobody),
        (None, None) => (device.id().to_string(), CredentialOwner::Nobody),
    };
    let outcome = match blamed(owner) {
        Blamed::Account => LoginOutcome::Failed,
        Blamed::Visitor => LoginOutcome::Strayed,
    };
    observation::observe(issuer, Who::named(&account), device.live.posture(), outcome, context);
    Ok(())
}

/// Verifies the passkey and notes its use, before anything is given for it.
async fn verify(issuer: &Issuer, begun: &Begun, credential: &str, context: &RequestContext) -> Result<Verified, Refusal> {
    let credential = LoginCredential::parse(credential)?;
    let subjects = &issuer.stores.subjects;
    let passkey = subjects.find_passkey(credential.credential()).await?.ok_or(Reason::LoginRefused)?;
    let user = subjects.find(&passkey.user).await?.filter(|user| user.state == UserState::Active).ok_or(Reason::UserUnknown)?;
    context.learn(|known| known.user = Some(user.id.clone()));
    // SECURITY: a passkey of another account must not answer for the named one.
    if begun.name.as_ref().is_some_and(|name| *name != user.name) {
        return Err(Reason::LoginRefused.into());
    }
    let stored = StoredPasskey { credential: passkey.credential.clone(), record: passkey.record.clone(), counter: passkey.counter };
    let ceremony = LoginCeremony::recall(begun.state.clone());
    let login = issuer.config.passkeys.finish_login(&ceremony, &credential, &stored, &user.id).map_err(|refusal| {
        if refusal == PasskeyRefusal::Cloned {
            context.signal(&issuer.world, SignalKind::PasskeyCloned, refusal.reason());
        }
        Refusal::from(refusal)
    })?;
    let after = login.into_stored();
    let opened_by = OpenedBy { credential: sha256(&[&passkey.credential]), place: place(&after) };
    let answered = Answered { opened_by, created_at: passkey.created_at };
    let used = Passkey { record: after.record, counter: after.counter, ..passkey };
    // SECURITY: stored with the counter it was verified against, so that of two copies of one passkey only one gets in.
    match subjects.use_passkey(used, stored.counter).await? {
        Used::Noted => Ok(Verified { user, passkey: answered }),
        Used::Raced => Err(Refusal::because(Reason::LoginRefused, "another login used the same counter".to_owned())),
    }
}

async fn give_code(issuer: &Issuer, login: Login, challenge: CodeChallenge, context: &RequestContext) -> Result<Response, Refusal> {
    let posture = login.device.live.posture();
    let code = issuer.new_code();
    let grant = CodeGrant {
        user: login.user.id,
        client: login.client,
        binding: DeviceBinding { device: posture.device.clone(), key: posture.key },
        challenge,
        opened_by: Some(login.passkey.opened_by),
        auth_time: context.second(),
        expires_at: context.second().plus(Limits::CODE_LIFE),
    };
    record::allowed(issuer, for_what(audit::Purpose::SignIn), context).await?;
    issuer.stores.grants.issue_code(TokenHash::of(&code), grant).await?;
    Ok(answer::json(StatusCode::OK, &CodeAnswer { code: code.expose(), expires_in: Limits::CODE_LIFE.0 }))
}

/// Notes on every live session of this person, on this device, through this app that the person was authenticated again.
async fn step_up(issuer: &Issuer, login: &Login, context: &RequestContext) -> Result<Response, Refusal> {
    let Login { user, client, device, passkey } = login;
    let now = context.second();
    let filter = SessionFilter { user: Some(user.id.clone()), device: Some(device.id().clone()), live_at: Some(now) };
    let sessions = issuer.stores.sessions.list(&filter, Limits::STEP_UP_SESSIONS_MAX).await?;
    let may_act = |state: SessionState| match state {
        SessionState::Active | SessionState::Limited => true,
        SessionState::Challenged | SessionState::Revoked => false,
    };
    let mut fitting: Vec<_> = sessions.into_iter().filter(|s| s.client == *client && may_act(s.state) && now <= s.expires_at).collect();
    let limited = |session: &Session| session.state == SessionState::Limited;
    if fitting.iter().any(limited)
        && let Err(refused) = lifts(issuer, login, passkey, now).await?
    {
        // SECURITY: a passkey that was stolen binds a device, and must not lift by itself what the theft was met with.
        fitting.retain(|session| !limited(session));
        if fitting.is_empty() {
            return Err(refused.reason().into());
        }
    }
    let newest = fitting.first().ok_or(Reason::SessionUnknown)?;
    context.learn(|known| known.session = Some(newest.id.clone()));
    record::allowed(issuer, for_what(audit::Purpose::StepUp), context).await?;
    issuer.prompts.answered(device.id());
    for session in &fitting {
        issuer.stores.sessions.authenticated(&session.id, now).await?;
        issuer.world.observer.stepped_up(&user.id, &session.id, context.now);
    }
    context.signal(&issuer.world, SignalKind::SteppedUp, Reason::SessionSuspect);
    let acr: Acr = Assurance::of_passkey(device.live.posture()).acr;
    Ok(answer::json(StatusCode::OK, &StepUpAnswer { acr: acr.as_str(), auth_time: now.0 }))
}

/// Asks whether the passkey may lift the limit of sessions on the device.
async fn lifts(issuer: &Issuer, login: &Login, passkey: &Answered, now: UnixSeconds) -> Result<Result<(), BindingRefusal>, Refusal> {
    let theirs = issuer.stores.bindings.of_user(&login.user.id, Limits::DEVICES_LISTED_MAX).await?;
    let Some(binding) = theirs.iter().find(|binding| binding.device == *login.device.id()) else {
        return Ok(Err(BindingRefusal::NotYours));
    };
    let shown = ShownPasskey { credential: passkey.opened_by.credential, created_at: passkey.created_at };
    Ok(identity::lift(&theirs, binding, &shown, issuer.config.bindings, now))
}

fn for_what(purpose: audit::Purpose) -> Seen {
    Seen { purpose: Some(purpose), ..Seen::default() }
}
