//! Enrolment: a phone's hardware vouches for a key, and the same key signs the request (law 3).

use axum::response::Response;
use countersign_core::{ClientId, Limits, Reason, Thumbprint};
use countersign_proof::challenge::{Asker, ChallengePurpose};
use countersign_store::{Device, DeviceState, Spender};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer, challenges,
    context::RequestContext,
    development::Offer,
    enrolment::{EnrolmentWire, Voucher},
    evidence::{self, Claimant, Evidence, PlatformWire},
    json, name, posture, proven,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    client_id: String,
    purpose: Option<Purpose>,
    /// Thumbprint of the key that will answer, where the app knows it already: the challenge then counts for that key alone.
    jkt: Option<String>,
    /// Platform, as iPhones state it, so that Apple is not asked for a key that would not be taken today.
    platform: Option<PlatformWire>,
}

/// Purpose of the requested challenge.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    Attest,
    Enrol,
}

#[derive(Serialize)]
struct Given {
    challenge: String,
    expires_in: u64,
}

/// Voucher that was read within its limits and is not verified yet.
enum Read<'a> {
    DevToken(Offer<'a>),
    Evidence(Evidence),
}

#[derive(Serialize)]
struct Enrolled<'a> {
    device_id: &'a str,
    posture: posture::PostureWire,
}

/// Gives a challenge for the platform's evidence.
pub async fn challenge(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let ask: Ask = json::parse(&call.body)?;
    let client = known_client(issuer, &ask.client_id, context)?;
    let purpose = match ask.purpose {
        None | Some(Purpose::Enrol) => ChallengePurpose::Enrolment,
        Some(Purpose::Attest) => ChallengePurpose::Attestation,
    };
    if let (ChallengePurpose::Enrolment, Some(PlatformWire::Ios)) = (purpose, ask.platform) {
        issuer.app(&client).ok_or(Reason::ClientUnknown)?.app_attest_quota.room(context.second())?;
    }
    let key = ask.jkt.as_deref().map(Thumbprint::parse).transpose().map_err(|_| Refusal::new(Reason::BodyFieldInvalid))?;
    // Who names the key that will answer gets a nonce for it as well, and saves a round trip.
    if let Some(key) = key {
        context.speaks_for(key);
    }
    let challenge = challenges::challenge(issuer, purpose, &Asker { client: &client, key: key.as_ref() }, context);
    Ok(answer::json(StatusCode::OK, &Given { challenge, expires_in: Limits::CHALLENGE_LIFE.0 }))
}

/// Enrols the device whose key signed the request, if its hardware or a development token vouches for that key.
pub async fn enrol(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    // Whose key it is will be known only when hardware has vouched for it; until then it is a stranger's.
    let proven = proven::spend_key(issuer, proven::bound(issuer, call, context)?, Spender::Stranger, context).await?;
    let enrolment = json::parse::<EnrolmentWire>(&call.body)?.read()?;
    let client = known_client(issuer, &enrolment.client_id, context)?;
    let app = issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    let apps = issuer.apps();
    let required = apps.of(&client)?;
    let model = enrolment.model.as_deref().map(name::parse).transpose()?;
    let name = match (&enrolment.name, &model) {
        (Some(name), _) => name::parse(name)?,
        (None, Some(model)) => model.clone(),
        (None, None) => enrolment.platform.name().to_owned(),
    };
    let voucher = match &enrolment.voucher {
        Voucher::DevToken { token, build } => Read::DevToken(Offer::read(call, token, *build, &client, enrolment.platform.platform())?),
        Voucher::Evidence(evidence) => Read::Evidence(evidence.decode()?),
    };
    let key = *proven.key().thumbprint();
    let asker = Asker { client: &client, key: Some(&key) };
    let (challenge, open) = challenges::recognise(issuer, &enrolment.challenge, ChallengePurpose::Enrolment, &asker, context)?;
    // Used up before any evidence is looked at, so that no two pieces of evidence can be tried on one challenge (law 5).
    issuer.stores.challenges.spend(open, Spender::Stranger, context.second()).await?;
    let key = proven.key().thumbprint();
    let known = issuer.stores.devices.find_by_key(key).await?;
    let id = match &known {
        Some(Device { state: DeviceState::Revoked, .. }) => return Err(Reason::DeviceRevoked.into()),
        Some(Device { state: DeviceState::Active, posture, .. }) => posture.device.clone(),
        None => issuer.new_device_id(),
    };
    let claimant = Claimant { id, key, app, required };
    let (mut vouched, development) = match voucher {
        Read::Evidence(evidence) => {
            let work = issuer.allowances.check(None, context)?;
            let vouched = evidence.verify(&issuer.trust.load(), claimant.clone(), &challenge, context.second())?;
            issuer.allowances.good(&work);
            (vouched, None)
        }
        Read::DevToken(offer) => {
            let admitted = offer.admit(issuer, &claimant, context.second()).await?;
            (admitted.vouched(&claimant, context.second())?, Some(admitted))
        }
    };
    // A key that is enrolled already comes again when an answer was lost, and makes nothing new. A development token has a count of its own.
    if known.is_none() && development.is_none() {
        issuer.allowances.enrol(vouched.voucher, context)?;
    }
    // After the hardware evidence: a phone that has none must not use up the vendor's quota for everybody.
    if let Some(token) = &enrolment.integrity {
        vouched.posture.verdict = Some(evidence::verdict(app, token, key, &challenge, context.second()).await?);
    }
    context.learn(|known| known.device = Some(claimant.id.clone()));
    let unmet = required.met_by(&vouched.posture, &issuer.revocations.load(), context.second())?;
    let dev_token = development.as_ref().map(|admitted| admitted.id().clone());
    let seen = Seen { device: Some(posture::seen(&vouched.posture, &unmet)), dev_token, ..Seen::default() };
    record::allowed(issuer, seen, context).await?;
    if let Some(admitted) = &development {
        admitted.spend(issuer, &claimant, context.second()).await?;
    }
    let device = Device {
        posture: vouched.posture,
        key_jwk: proven.key().to_jwk(),
        name,
        model,
        vouching: vouched.vouching,
        enrolled_at: context.second(),
        state: DeviceState::Active,
    };
    let enrolled = issuer.stores.devices.enrol(device).await?;
    if let Some(admitted) = &development {
        admitted.confirm(issuer, &enrolled.posture.device).await?;
    }
    match enrolled.state {
        DeviceState::Active => {
            let posture = posture::wire(&enrolled.posture, &unmet);
            Ok(answer::json(StatusCode::CREATED, &Enrolled { device_id: enrolled.posture.device.as_str(), posture }))
        }
        DeviceState::Revoked => Err(Reason::DeviceRevoked.into()),
    }
}

/// Finds the client that a text names, and notes it for the log.
pub fn known_client(issuer: &Issuer, text: &str, context: &RequestContext) -> Result<ClientId, Refusal> {
    let client = ClientId::parse(text).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    context.learn(|known| known.client = Some(client.clone()));
    Ok(client)
}
