//! Every answer to somebody who proved a key is written down before it is given (law 8).

use std::collections::BTreeMap;

use countersign_audit::{Entry, Event, PersonalField, PersonalName};
use countersign_core::{Outcome, Reason};
use metrics::counter;

use crate::{context::RequestContext, refusal::Refusal, state::Issuer};

/// What an answer looked at and identifies nobody, by name.
pub type Facts = BTreeMap<String, String>;

/// Records that what was asked for is done. Nothing may come of it unless this succeeds.
pub async fn allowed(issuer: &Issuer, facts: Facts, context: &RequestContext) -> Result<(), Refusal> {
    let Some(kind) = context.endpoint.event else { return Ok(()) };
    write(issuer, Event { facts, ..Event::new(kind, Outcome::Allow) }, context).await
}

/// Records a refusal, if whoever is refused had proved a key: a decision about somebody. What comes before is noise that
/// anybody can make without end, and is counted instead; and so is what keys do beyond a measure that are nobody's, because anybody
/// makes keys.
pub async fn refused(issuer: &Issuer, refusal: &Refusal, context: &RequestContext) -> Result<(), Refusal> {
    let known = context.known();
    let (Some(kind), Some(_)) = (context.endpoint.event, known.key) else { return Ok(()) };
    let stranger = known.device.is_none() && known.user.is_none() && known.session.is_none();
    if stranger && !issuer.anonymous_log_budget.room(context.second()) {
        counter!("countersign_refusals_unrecorded_total", "door" => context.endpoint.path).increment(1);
        return Ok(());
    }
    let mut facts = Facts::new();
    if !refusal.cause.is_empty() {
        facts.insert("cause".to_owned(), refusal.cause.clone());
    }
    let event = Event { facts, reasons: vec![refusal.reason.clone()], ..Event::new(kind, Outcome::Deny) };
    write(issuer, event, context).await
}

async fn write(issuer: &Issuer, mut event: Event, context: &RequestContext) -> Result<(), Refusal> {
    let known = context.known();
    event.facts.insert("door".to_owned(), context.endpoint.path.to_owned());
    event.facts.extend(known.client.map(|client| ("client".to_owned(), client.to_string())));
    let field = |name: PersonalName, value: Option<String>| value.map(|value| PersonalField { name, value });
    // A key that is no device's is all that is known of a thief's tool.
    let device = known.device.map(|device| device.to_string()).or(known.key.map(|key| key.to_string()));
    let personal = [
        field(PersonalName::Device, device),
        field(PersonalName::Session, known.session.map(|session| session.to_string())),
        field(PersonalName::User, known.user.as_ref().map(ToString::to_string)),
    ];
    let entry = Entry {
        at: context.now,
        decision: context.number.clone(),
        event,
        person: known.user,
        personal: personal.into_iter().flatten().collect(),
    };
    match issuer.stores.recorder.record(entry).await {
        Ok(_receipt) => Ok(()),
        Err(fault) => Err(Refusal::because(Reason::AuditUnavailable, fault.what)),
    }
}
