//! Every answer to somebody who proved a key is written down before it is given (law 8).

use countersign_audit::{
    Actor, AtEndpoint, CutOff, DeviceAttested, DeviceEnrolled, DeviceName, DeviceReported, DeviceRevoked, DeviceSeen, Entry, Event,
    EventKind, Evidence, Identity, Purpose, Recorded, SessionChanged, SignedIn,
};
use countersign_core::{DevTokenId, Outcome, Reason, Session, SessionState, Site};
use countersign_store::{Counted, NotLive, Receipt, Stranger, StrangerRefusal};
use metrics::counter;

use crate::{
    context::{RequestContext, Theft},
    refusal::Refusal,
    state::Issuer,
};

/// What an answer looked at and identifies nobody, beside the app that asked. Which of these an endpoint's record has is said in
/// [`recorded`].
#[derive(Debug, Default)]
pub struct Seen {
    /// What is known of the device.
    pub device: Option<DeviceSeen>,
    /// The development token that vouches for it.
    pub dev_token: Option<DevTokenId>,
    /// What a device proved itself by.
    pub evidence: Option<Evidence>,
    /// How a device was cut off.
    pub how: Option<CutOff>,
    /// What a sign-in was for.
    pub purpose: Option<Purpose>,
}

/// Records that what was asked for is done. Nothing may come of it unless this succeeds.
pub async fn allowed(issuer: &Issuer, seen: Seen, context: &RequestContext) -> Result<(), Refusal> {
    let Some(kind) = context.endpoint.event else { return Ok(()) };
    let of = recorded(kind, at(context, None), seen)?;
    write(issuer, Event::allowed(of), context).await
}

/// Records a refusal to whoever had proved a key or was a thief, or counts it, where the caller has no live session and the budget is
/// spent. What comes before a proof is noise that anybody can make without end: it is only counted.
pub async fn refused(issuer: &Issuer, refusal: &Refusal, context: &RequestContext) -> Result<(), Refusal> {
    let cause = Some(refusal.cause.clone()).filter(|cause| !cause.is_empty());
    let of = match context.endpoint.event {
        Some(kind) => recorded(kind, at(context, cause), Seen::default())?,
        // Where nothing is decided about anybody, a theft is recorded all the same.
        None => Recorded::Request(Box::default()),
    };
    let noise = context.theft() == Theft::None && (context.known().key.is_none() || context.endpoint.event.is_none());
    let entry = entry(Event { outcome: Outcome::Deny, reasons: vec![refusal.reason.clone()], of }, context);
    let recorder = &issuer.stores.recorder;
    if noise {
        let caller = Stranger { site: Site::of(context.address), theft: None, session: None };
        if let Ok(stranger) = StrangerRefusal::of(entry, &caller) {
            counted(recorder.count(stranger), context);
        }
        return Ok(());
    }
    let entry = match stranger(issuer, context).await? {
        None => Err(Box::new(entry)),
        Some(caller) => StrangerRefusal::of(entry, &caller),
    };
    let done = match entry {
        Err(entry) => recorder.record(*entry).await.map(Receipt::Recorded),
        Ok(stranger) => recorder.refuse(stranger).await,
    };
    match done {
        Ok(Receipt::Recorded(_)) => Ok(()),
        Ok(Receipt::Counted(receipt)) => {
            counted(receipt, context);
            Ok(())
        }
        Err(fault) => Err(Refusal::because(Reason::AuditUnavailable, fault.what)),
    }
}

fn counted(receipt: Counted, context: &RequestContext) {
    let _counted = receipt;
    counter!("countersign_refusals_unrecorded_total", "door" => context.endpoint.path).increment(1);
}

/// Judges what a caller without a live session had shown; `None` for one who is in a session, or who stole from one.
async fn stranger(issuer: &Issuer, context: &RequestContext) -> Result<Option<Stranger>, Refusal> {
    let theft = match context.theft() {
        Theft::FromLiveSession(_) => return Ok(None),
        Theft::Noticed(theft) => Some(theft),
        Theft::None => None,
    };
    let session = match context.known().session {
        None => None,
        Some(id) => match NotLive::ask(&*issuer.stores.sessions, &id, context.second()).await? {
            None => return Ok(None),
            over => over,
        },
    };
    Ok(Some(Stranger { site: Site::of(context.address), theft, session }))
}

fn at(context: &RequestContext, cause: Option<String>) -> AtEndpoint {
    AtEndpoint { endpoint: context.endpoint.path.to_owned(), client: context.known().client, cause }
}

/// Records that a session ends because its person opened another one on the same device.
pub(crate) async fn session_replaced(issuer: &Issuer, session: &Session, context: &RequestContext) -> Result<(), Refusal> {
    let changed = SessionChanged { by: Actor::Person, from: Some(session.state), to: SessionState::Revoked, incident: None };
    let identity = Identity {
        device: Some(DeviceName::Enrolled(session.device.clone())),
        session: Some(session.id.clone()),
        user: Some(session.user.clone()),
        ..Identity::default()
    };
    let event = Event::allowed(Recorded::SessionChanged(changed));
    let entry = Entry { at: context.now, decision: issuer.new_decision_id(), event, person: Some(session.user.clone()), identity };
    match issuer.stores.recorder.record(entry).await {
        Ok(_receipt) => Ok(()),
        Err(fault) => Err(Refusal::because(Reason::AuditUnavailable, fault.what)),
    }
}

async fn write(issuer: &Issuer, event: Event, context: &RequestContext) -> Result<(), Refusal> {
    match issuer.stores.recorder.record(entry(event, context)).await {
        Ok(_written) => Ok(()),
        Err(fault) => Err(Refusal::because(Reason::AuditUnavailable, fault.what)),
    }
}

fn entry(event: Event, context: &RequestContext) -> Entry {
    let known = context.known();
    // A key that is no device's is all that is known of a thief's tool.
    let device = known.device.map(DeviceName::Enrolled).or(known.key.map(DeviceName::Key));
    let identity = Identity { device, session: known.session, user: known.user.clone(), ..Identity::default() };
    Entry { at: context.now, decision: context.number.clone(), event, person: known.user, identity }
}

/// The record of an endpoint's answer: `kind` is the endpoint's column in the table, and each kind takes of `seen` what belongs to it.
///
/// # Errors
/// For a kind that is no endpoint's: nothing is answered that cannot be recorded.
fn recorded(kind: EventKind, at: AtEndpoint, seen: Seen) -> Result<Recorded, Refusal> {
    let Seen { device, dev_token, evidence, how, purpose } = seen;
    Ok(match kind {
        EventKind::DeviceAttested => Recorded::DeviceAttested(DeviceAttested { at, evidence }),
        EventKind::DeviceEnrolled => Recorded::DeviceEnrolled(DeviceEnrolled { at, device, dev_token }),
        EventKind::DeviceRenamed => Recorded::DeviceRenamed(at),
        EventKind::DeviceReported => Recorded::DeviceReported(DeviceReported { at, device }),
        EventKind::DeviceRevoked => Recorded::DeviceRevoked(DeviceRevoked { at: Some(at), by: None, how }),
        EventKind::PasskeyRegistered => Recorded::PasskeyRegistered(at),
        EventKind::SignedIn => Recorded::SignedIn(SignedIn { at, purpose }),
        EventKind::TokensIssued => Recorded::TokensIssued(at),
        EventKind::TokensRevoked => Recorded::TokensRevoked(at),
        EventKind::ConfigActivated
        | EventKind::ConnectionCut
        | EventKind::DevTokenCreated
        | EventKind::DevTokenRevoked
        | EventKind::IncidentJudged
        | EventKind::LogInterrupted
        | EventKind::PersonErased
        | EventKind::RefusalsCounted
        | EventKind::Request
        | EventKind::SessionChanged
        | EventKind::UserChanged
        | EventKind::UserInvited => return Err(Refusal::because(Reason::Internal, format!("`{}` is no endpoint's event", kind.as_str()))),
    })
}
