//! A person's own devices: which there are, what they are called, and how one is cut off.
//!
//! Answers are coarse where that is enough: days, not seconds, for the first and the last time that a device was seen.

use axum::response::Response;
use countersign_audit::CutOff;
use countersign_core::{DeviceId, Limits, Platform, Provenance, Reason, Session, SessionState, SignalKind, UnixSeconds};
use countersign_identity::{self as identity, Binding, BindingState};
use countersign_store::{Device, DeviceChange, DeviceState, OpenState, SessionFilter, Whose};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    context::RequestContext,
    endpoint::BodyKind,
    json, name, paths,
    person::{self, Person},
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
};

const DAY: u64 = 86_400;

/// Beginning of the day, in UTC, in which an instant lies.
pub const fn day(at: UnixSeconds) -> UnixSeconds {
    UnixSeconds(at.0.saturating_sub(at.0 % DAY))
}

#[derive(Serialize)]
struct DevicesWire {
    devices: Vec<DeviceWire>,
}

#[derive(Serialize)]
struct DeviceWire {
    id: String,
    name: String,
    platform: &'static str,
    model: Option<String>,
    app: Option<String>,
    /// Day of the first sign-in, in seconds since 1970.
    first_seen_on: u64,
    last_seen_on: u64,
    /// State: `active`, `disowned` or `removed` by the person, or `revoked` by an operator.
    state: &'static str,
    this_device: bool,
    /// Whether the person's other devices are told of this one: it is not the first, and it is recent.
    new_device: bool,
    cooling_down: bool,
    /// Whether a development token vouches for the device, so that it may be no real phone.
    development: bool,
    sessions: Vec<SessionWire>,
}

#[derive(Serialize)]
struct SessionWire {
    client: String,
    state: &'static str,
    signed_in_on: u64,
    this_session: bool,
}

#[derive(Serialize)]
struct NoticesWire {
    notices: Vec<NoticeWire>,
}

#[derive(Serialize)]
struct NoticeWire {
    /// Kind of the notice: `device_bound`, `device_removed` or `device_disowned`.
    kind: &'static str,
    device_id: String,
    name: String,
    on: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    name: String,
}

/// Empty body: the path says everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize)]
struct Done {
    device_id: String,
    state: &'static str,
    sessions_ended: usize,
    /// Number of sessions on the person's other devices that wait for the person to sign in again.
    sessions_frozen: usize,
    /// Whether somebody else is signed in on the device too, so that it is cut off for this person only.
    shared: bool,
}

/// Lists the person's devices.
pub async fn devices(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let person = person::prove(issuer, call, context).await?;
    let theirs = theirs(issuer, &person).await?;
    let sessions = sessions(issuer, &person, None).await?;
    let mut devices = Vec::with_capacity(theirs.len());
    for binding in &theirs {
        if let Some(device) = shown(issuer, binding, context.second()).await? {
            let shown = Shown { binding, device: &device, theirs: &theirs, sessions: &sessions, asking: &person };
            devices.push(wire(issuer, &shown, context.second()));
        }
    }
    Ok(answer::json(StatusCode::OK, &DevicesWire { devices }))
}

/// Lists what happened to the person's devices lately, newest first.
pub async fn notices(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let person = person::prove(issuer, call, context).await?;
    let theirs = theirs(issuer, &person).await?;
    let since = context.second().minus(Limits::NOTICE_LIFE);
    let mut notices = Vec::new();
    for binding in &theirs {
        let bound = newer_than_the_first(&theirs, binding).then_some(("device_bound", binding.bound_at));
        let cut = match binding.state {
            BindingState::Active => None,
            BindingState::Disowned { at } => Some(("device_disowned", at)),
            BindingState::Removed { at } => Some(("device_removed", at)),
        };
        let recent: Vec<_> = [cut, bound].into_iter().flatten().filter(|(_, at)| *at >= since).collect();
        if recent.is_empty() {
            continue;
        }
        let Some(device) = issuer.stores.devices.find(&binding.device).await? else { continue };
        for (kind, at) in recent {
            notices.push((at, NoticeWire { kind, device_id: binding.device.to_string(), name: device.name.clone(), on: day(at).0 }));
        }
    }
    notices.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Ok(answer::json(StatusCode::OK, &NoticesWire { notices: notices.into_iter().map(|(_, notice)| notice).collect() }))
}

/// Gives a device another name.
pub async fn rename(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let person = person::prove(issuer, call, context).await?;
    person.may_change()?;
    let rename: Rename = json::parse(&call.body)?;
    let name = name::parse(&rename.name)?;
    let id = target(call)?;
    let theirs = theirs(issuer, &person).await?;
    let binding = theirs.iter().find(|binding| binding.device == id && binding.active()).ok_or(Reason::DeviceNotYours)?;
    context.learn(|known| known.device = Some(id.clone()));
    record::allowed(issuer, Seen::default(), context).await?;
    let device = issuer.stores.devices.change(&id, DeviceChange::Name(name)).await?;
    let sessions = sessions(issuer, &person, Some(&id)).await?;
    let shown = Shown { binding, device: &device, theirs: &theirs, sessions: &sessions, asking: &person };
    Ok(answer::json(StatusCode::OK, &wire(issuer, &shown, context.second())))
}

/// Removes a device that the person does not use any more.
pub async fn remove(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    cut(issuer, call, BindingState::Removed { at: context.second() }, context).await
}

/// Disowns a device: the person says that its sign-in was not theirs. Whoever made it may hold more sessions, so every other session waits
/// until the person signs in again, except the one in which they ask, where they just did.
pub async fn disown(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    cut(issuer, call, BindingState::Disowned { at: context.second() }, context).await
}

async fn cut(issuer: &Issuer, call: &Call, state: BindingState, context: &RequestContext) -> Result<Response, Refusal> {
    let person = person::prove(issuer, call, context).await?;
    person.may_change()?;
    person.stands()?;
    if context.endpoint.body == BodyKind::Json {
        let Nothing {} = json::parse(&call.body)?;
    }
    let id = target(call)?;
    let theirs = theirs(issuer, &person).await?;
    let found = identity::cut(&theirs, person.asking(), &id, issuer.config.bindings, context.second());
    let found = found.map_err(|why| Refusal::new(why.reason()))?;
    // The record and the signal are about the device that is cut off; the session tells who asked.
    context.learn(|known| known.device = Some(id.clone()));
    record::allowed(issuer, Seen { how: cut_off(state), ..Seen::default() }, context).await?;
    // The binding goes first: once it is cut, this person can neither sign in nor renew tokens on that device.
    issuer.stores.bindings.cut(&found.user, &id, state).await?;
    let ended = issuer.stores.sessions.end(&Whose::PersonOnDevice(found.user.clone(), id.clone()), context.second()).await?.sessions;
    let others = issuer.stores.bindings.of_device(&id, Limits::DEVICES_LISTED_MAX).await?;
    let shared = others.iter().any(Binding::active);
    if !shared {
        issuer.stores.devices.revoke(&id).await?;
    }
    let sessions_frozen = match state {
        BindingState::Active | BindingState::Removed { .. } => 0,
        BindingState::Disowned { .. } => {
            context.signal(&issuer.world, SignalKind::DeviceDisowned, Reason::DeviceRevoked);
            freeze_others(issuer, &person).await?
        }
    };
    let done = Done { device_id: id.to_string(), state: word(state), sessions_ended: ended.len(), sessions_frozen, shared };
    Ok(answer::json(StatusCode::OK, &done))
}

async fn freeze_others(issuer: &Issuer, person: &Person) -> Result<usize, Refusal> {
    let may_act = |state| matches!(state, SessionState::Active | SessionState::Limited);
    let mut frozen = 0_usize;
    for session in sessions(issuer, person, None).await? {
        if session.id != person.session().id && may_act(session.state) {
            issuer.stores.sessions.set_state(&session.id, OpenState::Challenged).await?;
            frozen = frozen.saturating_add(1);
        }
    }
    Ok(frozen)
}

/// Reads the device that the path names.
fn target(call: &Call) -> Result<DeviceId, Refusal> {
    let rest = call.path.strip_prefix(paths::MY_DEVICES).unwrap_or_default().trim_start_matches('/');
    let id = rest.split('/').next().unwrap_or_default();
    // A text that can be no id is answered like the id of somebody else's device.
    DeviceId::parse(id).map_err(|_| Reason::DeviceNotYours.into())
}

async fn theirs(issuer: &Issuer, person: &Person) -> Result<Vec<Binding>, Refusal> {
    Ok(issuer.stores.bindings.of_user(&person.session().user, Limits::DEVICES_LISTED_MAX).await?)
}

/// Lists the person's sessions that have not ended.
async fn sessions(issuer: &Issuer, person: &Person, device: Option<&DeviceId>) -> Result<Vec<Session>, Refusal> {
    let live_at = Some(issuer.now().seconds());
    let filter = SessionFilter { user: Some(person.session().user.clone()), device: device.cloned(), live_at };
    Ok(issuer.stores.sessions.list(&filter, Limits::PERSON_SESSIONS_MAX).await?)
}

/// Finds the device of a binding that the list shows: every active one, and those that were cut lately.
async fn shown(issuer: &Issuer, binding: &Binding, now: UnixSeconds) -> Result<Option<Device>, Refusal> {
    let kept = match binding.state {
        BindingState::Active => true,
        BindingState::Disowned { at } | BindingState::Removed { at } => at >= now.minus(Limits::NOTICE_LIFE),
    };
    if kept { Ok(issuer.stores.devices.find(&binding.device).await?) } else { Ok(None) }
}

fn newer_than_the_first(theirs: &[Binding], binding: &Binding) -> bool {
    theirs.iter().any(|other| other.device != binding.device && other.bound_at <= binding.bound_at)
}

/// How the log calls it that a binding was cut.
const fn cut_off(state: BindingState) -> Option<CutOff> {
    match state {
        BindingState::Active => None,
        BindingState::Disowned { .. } => Some(CutOff::Disowned),
        BindingState::Removed { .. } => Some(CutOff::Removed),
    }
}

const fn word(state: BindingState) -> &'static str {
    match state {
        BindingState::Active => "active",
        BindingState::Disowned { .. } => "disowned",
        BindingState::Removed { .. } => "removed",
    }
}

/// Device as its person sees it: beside their other devices, with the sessions on it.
struct Shown<'a> {
    binding: &'a Binding,
    device: &'a Device,
    /// All bindings of the person.
    theirs: &'a [Binding],
    /// Sessions of the person, at least those on this device.
    sessions: &'a [Session],
    /// Person, in the session in which they ask.
    asking: &'a Person,
}

fn wire(issuer: &Issuer, shown: &Shown<'_>, now: UnixSeconds) -> DeviceWire {
    let Shown { binding, device, theirs, sessions, asking } = *shown;
    let posture = &device.posture;
    let here = |session: &&Session| session.device == binding.device;
    DeviceWire {
        id: binding.device.to_string(),
        name: device.name.clone(),
        platform: match posture.platform {
            Platform::Android => "android",
            Platform::Ios => "ios",
        },
        model: device.model.clone(),
        app: posture.app.as_ref().map(ToString::to_string),
        first_seen_on: day(binding.bound_at).0,
        last_seen_on: binding.seen_on.0,
        state: match (binding.state, device.state) {
            // An operator may have cut the device off for everybody.
            (BindingState::Active, DeviceState::Revoked) => "revoked",
            (state, DeviceState::Active | DeviceState::Revoked) => word(state),
        },
        this_device: binding.device == *asking.device(),
        new_device: newer_than_the_first(theirs, binding) && binding.bound_at >= now.minus(Limits::NOTICE_LIFE),
        cooling_down: identity::cooling_down(theirs, binding, issuer.config.bindings, now),
        development: posture.by == Provenance::DevelopmentToken,
        sessions: sessions.iter().filter(here).map(|session| session_wire(session, asking)).collect(),
    }
}

fn session_wire(session: &Session, person: &Person) -> SessionWire {
    SessionWire {
        client: session.client.to_string(),
        state: session.state.as_str(),
        signed_in_on: day(session.created_at).0,
        this_session: session.id == person.session().id,
    }
}
