//! An enrolled device proves itself again, without its person: fresh evidence for the same device key.

use axum::response::Response;
use countersign_audit::Evidence;
use countersign_core::{Posture, Provenance, Reason};
use countersign_proof::challenge::{Asker, ChallengePurpose};
use countersign_store::{DeviceChange, Spender};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer, challenges,
    context::RequestContext,
    enrol::known_client,
    evidence::{self, Claimant},
    json, posture,
    proven::prove_device,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
};

/// Body of the request: exactly one kind of evidence at a time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewal {
    client_id: String,
    challenge: String,
    /// Android: the certificate chain of a key that was made for this challenge and this device key.
    chain: Option<Vec<String>>,
    /// iOS: an assertion of the App Attest key that vouches for the device key.
    assertion: Option<String>,
    /// Android: a token of Play Integrity.
    integrity: Option<String>,
}

#[derive(Serialize)]
struct Renewed {
    posture: posture::PostureWire,
}

/// Takes fresh evidence about the device whose key signed the request.
pub async fn attest(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let proven = prove_device(issuer, call, context).await?;
    let renewal: Renewal = json::parse(&call.body)?;
    let client = known_client(issuer, &renewal.client_id, context)?;
    let app = issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    let apps = issuer.apps();
    let required = apps.of(&client)?;
    required.enrolled(proven.live.posture())?;
    // SECURITY: what a development token enrolled stays marked as that; a phone with evidence of its own enrols with it.
    if proven.live.posture().by == Provenance::DevelopmentToken {
        return Err(Reason::DevelopmentDevice.into());
    }
    let now = context.second();
    let device = issuer.stores.devices.find(proven.id()).await?.ok_or(Reason::DeviceUnknown)?;
    let key = device.posture.key;
    let asker = Asker { client: &client, key: Some(&key) };
    let (challenge, open) = challenges::recognise(issuer, &renewal.challenge, ChallengePurpose::Attestation, &asker, context)?;
    // Used up before any evidence is looked at, so that no two pieces of evidence can be tried on one challenge (law 5).
    issuer.stores.challenges.spend(open, Spender::Device(proven.id()), now).await?;
    let change = match (&renewal.chain, &renewal.assertion, &renewal.integrity) {
        (Some(chain), None, None) => {
            let _work = issuer.allowances.check(Some(&device.posture.key), context)?;
            let claimant = Claimant { id: device.posture.device.clone(), key: &device.posture.key, app, required };
            let renewed = evidence::attested_again(&issuer.trust.load(), claimant, chain, &challenge, now)?;
            // The device key lives where it was attested to live, wherever the new one was made.
            DeviceChange::Evidence(Box::new(Posture { security_level: device.posture.security_level, ..renewed }), None)
        }
        (None, Some(assertion), None) => {
            let (posture, counter) = evidence::asserted(app, &device, assertion, &challenge, now)?;
            DeviceChange::Evidence(Box::new(posture), Some(counter))
        }
        (None, None, Some(token)) => DeviceChange::Verdict(evidence::verdict(app, token, &device.posture.key, &challenge, now).await?),
        (None | Some(_), None | Some(_), None | Some(_)) => return Err(Reason::BodyFieldInvalid.into()),
    };
    // Taken in whatever it shows: evidence that is worse than before must count, and each request is judged by it.
    record::allowed(issuer, Seen { evidence: Some(named(&change)), ..Seen::default() }, context).await?;
    let changed = issuer.stores.devices.change(proven.id(), change).await;
    let changed = changed.map_err(|error| {
        context.signal_of_change(&issuer.world, &error);
        Refusal::from(error)
    })?;
    let unmet = required.unmet(&changed.posture, &issuer.revocations.load(), None, now);
    Ok(answer::json(StatusCode::OK, &Renewed { posture: posture::wire(&changed.posture, &unmet) }))
}

/// What the log calls a change.
const fn named(change: &DeviceChange) -> Evidence {
    match change {
        DeviceChange::Evidence(..) => Evidence::Hardware,
        DeviceChange::Name(_) => Evidence::Name,
        DeviceChange::Report(_) => Evidence::Report,
        DeviceChange::RiskMetric(..) => Evidence::RiskMetric,
        DeviceChange::Verdict(_) => Evidence::Verdict,
    }
}
