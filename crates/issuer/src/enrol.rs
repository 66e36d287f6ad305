//! Enrolment: a phone's hardware vouches for a key, and the same key signs the request (law 3).

use axum::response::Response;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use countersign_attest::android::{Chain, RawChain, verify};
use countersign_core::{BootState, ClientId, EvidenceTier, Limits, Platform, Posture, Reason, SecurityLevel};
use countersign_store::{ChallengeId, ChallengePurpose, Device, DeviceState};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    ceremony::challenge_id,
    house::Issuer,
    json, name,
    proven::{ProvenKey, prove_key},
    receive::Call,
    record::{self, Facts},
    refusal::Refusal,
    visit::Visit,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    client_id: String,
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
    platform: PlatformWire,
    chain: Vec<String>,
    challenge: String,
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlatformWire {
    Android,
}

#[derive(Serialize)]
struct Enrolled<'a> {
    device_id: &'a str,
    posture: PostureWire,
}

/// What the phone may know of what we know of it.
#[derive(Serialize)]
struct PostureWire {
    platform: &'static str,
    tier: &'static str,
    trust: u8,
    security_level: &'static str,
    bootloader_locked: Option<bool>,
    boot_state: Option<&'static str>,
    os_version: Option<u64>,
    patch_level: Option<String>,
    app: Option<String>,
    app_version: Option<u64>,
}

/// Gives a challenge to be attested.
pub async fn challenge(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    let ask: Ask = json::parse(&call.body)?;
    let client = known_client(issuer, &ask.client_id, visit)?;
    let id = issuer.random::<32>();
    let recall = client.as_str().as_bytes().to_vec();
    let expires_at = visit.second().plus(Limits::CHALLENGE_LIFE);
    issuer.stores.challenges.issue(ChallengeId(id), ChallengePurpose::Enrolment, recall, expires_at).await?;
    Ok(answer::json(StatusCode::OK, &Given { challenge: URL_SAFE_NO_PAD.encode(id), expires_in: Limits::CHALLENGE_LIFE.0 }))
}

/// Enrols the device whose key signed the request, if its hardware vouches for that key.
pub async fn enrol(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    let proven = prove_key(issuer, call, visit).await?;
    let enrolment: Enrolment = json::parse(&call.body)?;
    let PlatformWire::Android = enrolment.platform;
    let client = known_client(issuer, &enrolment.client_id, visit)?;
    let name = enrolment.name.as_deref().map_or(Ok("Android".to_owned()), name::parse)?;
    let chain = read_chain(&enrolment.chain)?;
    let challenge = take_challenge(issuer, &enrolment.challenge, &client, visit).await?;
    let device = vouched_for(issuer, (&client, &proven), &chain, &challenge, visit).await?;
    visit.learn(|known| known.device = Some(device.device.clone()));
    record::allowed(issuer, facts(&device), visit).await?;
    let enrolled = issuer
        .stores
        .devices
        .enrol(Device { posture: device, key_jwk: proven.key().to_jwk(), name, enrolled_at: visit.second(), state: DeviceState::Active })
        .await?;
    match enrolled.state {
        DeviceState::Active => {
            let posture = wire(&enrolled.posture);
            Ok(answer::json(StatusCode::CREATED, &Enrolled { device_id: enrolled.posture.device.as_str(), posture }))
        }
        DeviceState::Revoked => Err(Reason::DeviceRevoked.into()),
    }
}

fn known_client(issuer: &Issuer, text: &str, visit: &Visit) -> Result<ClientId, Refusal> {
    let client = ClientId::parse(text).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    visit.learn(|known| known.client = Some(client.clone()));
    Ok(client)
}

/// Decodes the chain within its limits. Standard base64, as every platform's own tools write certificates.
fn read_chain(texts: &[String]) -> Result<RawChain, Refusal> {
    if texts.len() > Limits::CHAIN_CERTIFICATES_MAX {
        return Err(Reason::ChainBroken.into());
    }
    let mut ders = Vec::with_capacity(texts.len());
    for text in texts {
        let der = STANDARD.decode(text).map_err(|_| Refusal::new(Reason::BodyFieldInvalid))?;
        if der.len() > Limits::CERTIFICATE_BYTES_MAX {
            return Err(Reason::CertificateMalformed.into());
        }
        ders.push(der);
    }
    Ok(RawChain::from_der_list(ders)?)
}

/// Uses the challenge up before any evidence is looked at, so that no evidence can be tried twice on one (law 5).
async fn take_challenge(issuer: &Issuer, text: &str, client: &ClientId, visit: &Visit) -> Result<ChallengeId, Refusal> {
    let id = challenge_id(text)?;
    let recalled = issuer.stores.challenges.take(&id, ChallengePurpose::Enrolment, visit.second()).await?;
    if recalled.as_deref() == Some(client.as_str().as_bytes()) { Ok(id) } else { Err(Reason::ChallengeUnknown.into()) }
}

/// The posture of the device, by evidence for the very key that signed this request.
async fn vouched_for(
    issuer: &Issuer,
    (client, proven): (&ClientId, &ProvenKey),
    chain: &RawChain,
    challenge: &ChallengeId,
    visit: &Visit,
) -> Result<Posture, Refusal> {
    let app = issuer.app(client).ok_or(Reason::ClientUnknown)?;
    let chain = Chain::parse(chain)?;
    let evidence = verify(&chain, &issuer.trust.load(), &app.requirements, &challenge.0, visit.second())?;
    let key = proven.key().thumbprint();
    if evidence.device_key()?.thumbprint() != key {
        return Err(Reason::AttestationKeyMismatch.into());
    }
    let known = issuer.stores.devices.find_by_key(key).await?;
    let id = match known {
        Some(Device { state: DeviceState::Revoked, .. }) => return Err(Reason::DeviceRevoked.into()),
        Some(Device { state: DeviceState::Active, posture, .. }) => posture.device,
        None => issuer.new_device_id(),
    };
    Ok(evidence.posture(id, *key, visit.second()))
}

fn facts(posture: &Posture) -> Facts {
    let mut facts = Facts::new();
    let mut say = |name: &str, value: Option<String>| facts.extend(value.map(|value| (format!("device.{name}"), value)));
    say("tier", Some(tier(posture.tier).to_owned()));
    say("trust", Some(posture.trust().to_string()));
    say("security_level", Some(security_level(posture.security_level).to_owned()));
    say("boot_state", posture.boot_state.map(|state| boot_state(state).to_owned()));
    say("bootloader_locked", posture.bootloader_locked.map(|locked| locked.to_string()));
    say("os_version", posture.os_version.map(|version| version.to_string()));
    say("patch_level", posture.patch_level.map(|level| level.to_string()));
    say("app", posture.app.as_ref().map(ToString::to_string));
    say("app_version", posture.app_version.map(|version| version.to_string()));
    facts
}

fn wire(posture: &Posture) -> PostureWire {
    PostureWire {
        platform: match posture.platform {
            Platform::Android => "android",
            Platform::Ios => "ios",
        },
        tier: tier(posture.tier),
        trust: posture.trust(),
        security_level: security_level(posture.security_level),
        bootloader_locked: posture.bootloader_locked,
        boot_state: posture.boot_state.map(boot_state),
        os_version: posture.os_version,
        patch_level: posture.patch_level.map(|level| level.to_string()),
        app: posture.app.as_ref().map(ToString::to_string),
        app_version: posture.app_version,
    }
}

const fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::None => "none",
        EvidenceTier::SelfReported => "self_reported",
        EvidenceTier::Platform => "platform",
        EvidenceTier::Hardware => "hardware",
    }
}

const fn security_level(level: SecurityLevel) -> &'static str {
    match level {
        SecurityLevel::Software => "software",
        SecurityLevel::TrustedEnvironment => "trusted_environment",
        SecurityLevel::StrongBox => "strong_box",
    }
}

const fn boot_state(state: BootState) -> &'static str {
    match state {
        BootState::Failed => "failed",
        BootState::SelfSigned => "self_signed",
        BootState::Unverified => "unverified",
        BootState::Verified => "verified",
    }
}
