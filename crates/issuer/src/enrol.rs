//! Enrolment: a phone's hardware vouches for a key, and the same key signs the request (law 3).

use axum::response::Response;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{ClientId, Limits, Reason};
use countersign_store::{ChallengeId, ChallengePurpose, Device, DeviceState};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    ceremony::challenge_id,
    development::{BuildWire, Offer},
    evidence::{self, Claimant, Evidence},
    house::Issuer,
    json, name, posture,
    proven::prove_key,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    visit::Visit,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    client_id: String,
    purpose: Option<Purpose>,
    /// Said by iPhones, so that Apple is not asked for a key that would not be taken today.
    platform: Option<evidence::PlatformWire>,
}

/// What a challenge is asked for.
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    client_id: String,
    challenge: String,
    name: Option<String>,
    model: Option<String>,
    platform: evidence::PlatformWire,
    chain: Option<Vec<String>>,
    key_id: Option<String>,
    attestation: Option<String>,
    /// Android: a token of Play Integrity besides.
    integrity: Option<String>,
    /// An emulator or test machine: a development token, instead of everything else.
    dev_token: Option<String>,
    /// How the app was built; only together with a development token.
    build: Option<BuildWire>,
}

/// What speaks for a phone.
enum Speaks<'a> {
    /// A development token.
    Development(Offer<'a>),
    /// Its hardware.
    Evidence(Evidence),
}

impl Enrolment {
    /// Exactly one of the two.
    fn speaks<'a>(&'a self, call: &Call, client: &'a ClientId) -> Result<Speaks<'a>, Refusal> {
        let apple = (self.key_id.as_deref(), self.attestation.as_deref());
        match (&self.dev_token, self.build) {
            (None, None) => Evidence::read(self.platform, self.chain.as_deref(), apple).map(Speaks::Evidence),
            (Some(token), Some(build)) if self.chain.is_none() && apple == (None, None) && self.integrity.is_none() => {
                Offer::read(call, token, build, client, self.platform.platform()).map(Speaks::Development)
            }
            (None | Some(_), None | Some(_)) => Err(Reason::BodyFieldInvalid.into()),
        }
    }
}

#[derive(Serialize)]
struct Enrolled<'a> {
    device_id: &'a str,
    posture: posture::PostureWire,
}

/// Gives a challenge to be attested.
pub async fn challenge(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    let ask: Ask = json::parse(&call.body)?;
    let client = known_client(issuer, &ask.client_id, visit)?;
    let purpose = match ask.purpose {
        None | Some(Purpose::Enrol) => ChallengePurpose::Enrolment,
        Some(Purpose::Attest) => ChallengePurpose::Attestation,
    };
    if let (ChallengePurpose::Enrolment, Some(evidence::PlatformWire::Ios)) = (purpose, ask.platform) {
        issuer.app(&client).ok_or(Reason::ClientUnknown)?.app_attest_pace.room(visit.second())?;
    }
    let id = issuer.random::<32>();
    let recall = client.as_str().as_bytes().to_vec();
    let expires_at = visit.second().plus(Limits::CHALLENGE_LIFE);
    issuer.stores.challenges.issue(ChallengeId(id), purpose, recall, expires_at).await?;
    Ok(answer::json(StatusCode::OK, &Given { challenge: URL_SAFE_NO_PAD.encode(id), expires_in: Limits::CHALLENGE_LIFE.0 }))
}

/// Enrols the device whose key signed the request, if its hardware vouches for that key.
pub async fn enrol(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    let proven = prove_key(issuer, call, visit).await?;
    let enrolment: Enrolment = json::parse(&call.body)?;
    let client = known_client(issuer, &enrolment.client_id, visit)?;
    let app = issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    let model = enrolment.model.as_deref().map(name::parse).transpose()?;
    let name = match (&enrolment.name, &model) {
        (Some(name), _) => name::parse(name)?,
        (None, Some(model)) => model.clone(),
        (None, None) => enrolment.platform.name().to_owned(),
    };
    let speaks = enrolment.speaks(call, &client)?;
    let challenge = take_challenge(issuer, &enrolment.challenge, ChallengePurpose::Enrolment, &client, visit).await?;
    let key = proven.key().thumbprint();
    let id = match issuer.stores.devices.find_by_key(key).await? {
        Some(Device { state: DeviceState::Revoked, .. }) => return Err(Reason::DeviceRevoked.into()),
        Some(Device { state: DeviceState::Active, posture, .. }) => posture.device,
        None => issuer.new_device_id(),
    };
    let claimant = Claimant { id, key, app };
    let (mut vouched, development) = match speaks {
        Speaks::Evidence(evidence) => (evidence.verify(&issuer.trust.load(), claimant.clone(), &challenge, visit.second())?, None),
        Speaks::Development(offer) => {
            let admitted = offer.admit(issuer, &claimant, visit.second()).await?;
            (admitted.vouched(&claimant, visit.second())?, Some(admitted))
        }
    };
    // After the hardware has spoken: whoever has none must not use up the vendor's quota for everybody.
    if let Some(token) = &enrolment.integrity {
        vouched.posture.verdict = Some(evidence::verdict(app, token, key, &challenge, visit.second()).await?);
    }
    visit.learn(|known| known.device = Some(claimant.id.clone()));
    let lacks = app.met_by(&vouched.posture, &issuer.revocations.load(), visit.second())?;
    let dev_token = development.as_ref().map(|admitted| admitted.id().clone());
    let seen = Seen { device: Some(posture::seen(&vouched.posture, &lacks)), dev_token, ..Seen::default() };
    record::allowed(issuer, seen, visit).await?;
    if let Some(admitted) = &development {
        admitted.spend(issuer, &claimant, visit.second()).await?;
    }
    let device = Device {
        posture: vouched.posture,
        key_jwk: proven.key().to_jwk(),
        name,
        model,
        vouching: vouched.vouching,
        enrolled_at: visit.second(),
        state: DeviceState::Active,
    };
    let enrolled = issuer.stores.devices.enrol(device).await?;
    if let Some(admitted) = &development {
        admitted.confirm(issuer, &enrolled.posture.device).await?;
    }
    match enrolled.state {
        DeviceState::Active => {
            let posture = posture::wire(&enrolled.posture, &lacks);
            Ok(answer::json(StatusCode::CREATED, &Enrolled { device_id: enrolled.posture.device.as_str(), posture }))
        }
        DeviceState::Revoked => Err(Reason::DeviceRevoked.into()),
    }
}

/// The client that a text names, noted.
pub fn known_client(issuer: &Issuer, text: &str, visit: &Visit) -> Result<ClientId, Refusal> {
    let client = ClientId::parse(text).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    visit.learn(|known| known.client = Some(client.clone()));
    Ok(client)
}

/// Uses the challenge up before any evidence is looked at, so that no evidence can be tried twice on one (law 5).
pub async fn take_challenge(
    issuer: &Issuer,
    text: &str,
    purpose: ChallengePurpose,
    client: &ClientId,
    visit: &Visit,
) -> Result<ChallengeId, Refusal> {
    let id = challenge_id(text)?;
    let recalled = issuer.stores.challenges.take(&id, purpose, visit.second()).await?;
    if recalled.as_deref() == Some(client.as_str().as_bytes()) { Ok(id) } else { Err(Reason::ChallengeUnknown.into()) }
}
