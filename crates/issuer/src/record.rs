//! Every answer to somebody who proved a key is written down before it is given (law 8).

use countersign_audit::{
    AtEndpoint, CutOff, DeviceAttested, DeviceEnrolled, DeviceName, DeviceReported, DeviceRevoked, DeviceSeen, Entry, Event, Evidence,
    Identity, Purpose, Recorded, SignedIn,
};
use countersign_core::{DevTokenId, Outcome, Reason};
use metrics::counter;

use crate::{door::Door, house::Issuer, refusal::Refusal, visit::Visit};

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
pub async fn allowed(issuer: &Issuer, seen: Seen, visit: &Visit) -> Result<(), Refusal> {
    let Some(of) = recorded(visit.door, at(visit, None), seen) else { return Ok(()) };
    write(issuer, Event::allowed(of), visit).await
}

/// Records a refusal, if whoever is refused had proved a key: a decision about somebody. What comes before is noise that
/// anybody can make without end, and is counted instead; and so is what keys do beyond a measure that are nobody's, because anybody
/// makes keys.
pub async fn refused(issuer: &Issuer, refusal: &Refusal, visit: &Visit) -> Result<(), Refusal> {
    let known = visit.known();
    let cause = Some(refusal.cause.clone()).filter(|cause| !cause.is_empty());
    let (Some(of), Some(_)) = (recorded(visit.door, at(visit, cause), Seen::default()), known.key) else { return Ok(()) };
    let stranger = known.device.is_none() && known.user.is_none() && known.session.is_none();
    if stranger && !issuer.strangers.room(visit.second()) {
        counter!("countersign_refusals_unrecorded_total", "door" => visit.door.path()).increment(1);
        return Ok(());
    }
    write(issuer, Event { outcome: Outcome::Deny, reasons: vec![refusal.reason.clone()], of }, visit).await
}

fn at(visit: &Visit, cause: Option<String>) -> AtEndpoint {
    AtEndpoint { endpoint: visit.door.path().to_owned(), client: visit.known().client, cause }
}

async fn write(issuer: &Issuer, event: Event, visit: &Visit) -> Result<(), Refusal> {
    let known = visit.known();
    // A key that is no device's is all that is known of a thief's tool.
    let device = known.device.map(DeviceName::Enrolled).or(known.key.map(DeviceName::Key));
    let identity = Identity { device, session: known.session, user: known.user.clone(), ..Identity::default() };
    let entry = Entry { at: visit.now, decision: visit.number.clone(), event, person: known.user, identity };
    match issuer.stores.recorder.record(entry).await {
        Ok(_receipt) => Ok(()),
        Err(fault) => Err(Refusal::because(Reason::AuditUnavailable, fault.what)),
    }
}

/// What an endpoint's answers are called in the log, and what of `seen` they say. `None`: nothing is decided about anybody there.
fn recorded(door: Door, at: AtEndpoint, seen: Seen) -> Option<Recorded> {
    let Seen { device, dev_token, evidence, how, purpose } = seen;
    Some(match door {
        Door::Challenge | Door::Jwks | Door::Metadata | Door::MyDevices | Door::MyNotices => return None,
        Door::Attest => Recorded::DeviceAttested(DeviceAttested { at, evidence }),
        Door::Devices => Recorded::DeviceEnrolled(DeviceEnrolled { at, device, dev_token }),
        Door::LoginFinish | Door::LoginStart => Recorded::SignedIn(SignedIn { at, purpose }),
        Door::MyDevice => Recorded::DeviceRenamed(at),
        Door::MyDeviceNotMe | Door::MyDeviceRemove => Recorded::DeviceRevoked(DeviceRevoked { at: Some(at), by: None, how }),
        Door::RegistrationFinish | Door::RegistrationStart => Recorded::PasskeyRegistered(at),
        Door::Report => Recorded::DeviceReported(DeviceReported { at, device }),
        Door::Revoke => Recorded::TokensRevoked(at),
        Door::Token => Recorded::TokensIssued(at),
    })
}
