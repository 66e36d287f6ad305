//! Sign-in with a passkey on an enrolled device, natively: the answer is an authorization code, or a session stepped up (RFC 9470).

use axum::response::Response;
use countersign_audit as audit;
use countersign_core::{Acr, ClientId, Limits, LoginOutcome, PublicReason, Reason, SessionState, SignalKind};
use countersign_identity::{
    Assurance, CodeChallenge, CodeGrant, DeviceBinding, LoginCeremony, LoginCredential, PasskeyRefusal, StoredPasskey, TokenHash,
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
    /// App through which the login began.
    client: ClientId,
    /// Device that began and ended the login.
    device: ProvenDevice,
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
    let shown = match aim {
        Aim::Code { .. } => LoginOutcome::Asked,
        Aim::StepUp => issuer.prompts.shown(device.id(), context.second()),
    };
    // A step-up names nobody: it is for the person who is signed in on the device, so that pestering is counted by the device.
    let account = match (&name, &aim) {
        (Some(name), _) => name.clone(),
        (None, Aim::StepUp) => device.id().to_string(),
        (None, Aim::Code { .. }) => usual_account(issuer, &device).await?,
    };
    observation::admit(issuer, Who::named(&account), device.live.posture(), shown, context)?;
    let (options, state) = issuer.config.passkeys.start_login()?;
    let begun = Begun { aim, name, state: state.as_str().to_owned() };
    let beginning = Beginning { purpose: ChallengePurpose::Login, client: &client, device: &device, options, more: begun };
    Ok(answer::json(StatusCode::OK, &ceremony::start(issuer, beginning, context)?))
}

/// Finds the account of the one person who uses the phone, so that guessing by others on it does not lock that person out; several or
/// unknown people count as the device itself.
async fn usual_account(issuer: &Issuer, device: &ProvenDevice) -> Result<String, Refusal> {
    let theirs = issuer.stores.bindings.of_device(device.id(), 2).await?;
    if let [binding] = theirs.as_slice()
        && binding.active()
        && let Some(user) = issuer.stores.subjects.find(&binding.user).await?
    {
        return Ok(user.name);
    }
    Ok(device.id().to_string())
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
    let user = match verify(issuer, &resumed.more, finish.credential.get(), context).await {
        Ok(user) => user,
        Err(refusal) => {
            // Only failures that a guess can cause are counted; a fault of the server is not held against the account.
            if refusal.reason.public() == PublicReason::SignInAgain {
                let account = resumed.more.name.as_deref().unwrap_or(device.id().as_str());
                observation::observe(issuer, Who::named(account), device.live.posture(), LoginOutcome::Failed, context);
            }
            return Err(refusal);
        }
    };
    let login = Login { user, client: resumed.client, device };
    match resumed.more.aim {
        Aim::Code { challenge } => give_code(issuer, login, CodeChallenge::from_bytes(challenge), context).await,
        Aim::StepUp => step_up(issuer, &login, context).await,
    }
}

/// Verifies the passkey and notes its use, before anything is given for it.
async fn verify(issuer: &Issuer, begun: &Begun, credential: &str, context: &RequestContext) -> Result<User, Refusal> {
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
            context.signal(issuer, SignalKind::PasskeyCloned, refusal.reason());
        }
        Refusal::from(refusal)
    })?;
    let after = login.into_stored();
    let used = Passkey { record: after.record, counter: after.counter, ..passkey };
    // SECURITY: stored with the counter it was verified against, so that of two copies of one passkey only one gets in.
    match subjects.use_passkey(used, stored.counter).await? {
        Used::Noted => Ok(user),
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
        auth_time: context.second(),
        expires_at: context.second().plus(Limits::CODE_LIFE),
    };
    record::allowed(issuer, for_what(audit::Purpose::SignIn), context).await?;
    issuer.stores.grants.issue_code(TokenHash::of(&code), grant).await?;
    Ok(answer::json(StatusCode::OK, &CodeAnswer { code: code.expose(), expires_in: Limits::CODE_LIFE.0 }))
}

/// Notes on every live session of this person, on this device, through this app that the person was authenticated again.
async fn step_up(issuer: &Issuer, login: &Login, context: &RequestContext) -> Result<Response, Refusal> {
    let Login { user, client, device } = login;
    let now = context.second();
    let filter = SessionFilter { user: Some(user.id.clone()), device: Some(device.id().clone()), live_at: Some(now) };
    let sessions = issuer.stores.sessions.list(&filter, Limits::STEP_UP_SESSIONS_MAX).await?;
    let may_act = |state: SessionState| match state {
        SessionState::Active | SessionState::Limited => true,
        SessionState::Challenged | SessionState::Revoked => false,
    };
    let fitting: Vec<_> = sessions.into_iter().filter(|s| s.client == *client && may_act(s.state) && now <= s.expires_at).collect();
    let newest = fitting.first().ok_or(Reason::SessionUnknown)?;
    context.learn(|known| known.session = Some(newest.id.clone()));
    record::allowed(issuer, for_what(audit::Purpose::StepUp), context).await?;
    issuer.prompts.answered(device.id());
    for session in &fitting {
        issuer.stores.sessions.authenticated(&session.id, now).await?;
        issuer.world.observer.stepped_up(&user.id, &session.id, context.now);
    }
    context.signal(issuer, SignalKind::SteppedUp, Reason::SessionSuspect);
    let acr: Acr = Assurance::of_passkey(device.live.posture()).acr;
    Ok(answer::json(StatusCode::OK, &StepUpAnswer { acr: acr.as_str(), auth_time: now.0 }))
}

fn for_what(purpose: audit::Purpose) -> Seen {
    Seen { purpose: Some(purpose), ..Seen::default() }
}
