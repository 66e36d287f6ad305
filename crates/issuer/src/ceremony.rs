//! A passkey ceremony between its two halves: begun by a device, finished by the same device, once.

use countersign_codec::base64url;
use countersign_core::{ClientId, DeviceId, Limits, Reason, Thumbprint};
use countersign_identity::CeremonyOptions;
use countersign_store::{ChallengeId, ChallengePurpose};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{context::RequestContext, json, proven::ProvenDevice, refusal::Refusal, state::Issuer};

/// What begins a ceremony's answer.
#[derive(Serialize)]
pub struct Started {
    ceremony: String,
    options: Value,
}

/// What ends a ceremony.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finish {
    ceremony: String,
    /// The platform's answer, in the platform's own words.
    pub credential: Box<RawValue>,
}

/// What is recalled: who began, and what the kind of ceremony adds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall<T> {
    client: String,
    device: String,
    key: String,
    more: T,
}

/// A ceremony that is to begin.
pub struct Beginning<'a, T> {
    /// Purpose of the challenge that stands for it.
    pub purpose: ChallengePurpose,
    /// App through which it begins.
    pub client: &'a ClientId,
    /// Device that begins it, and alone may end it.
    pub device: &'a ProvenDevice,
    /// Options for the platform's call, with the challenge to be signed.
    pub options: CeremonyOptions,
    /// Whatever the kind of ceremony wants to recall at its end.
    pub more: T,
}

/// A ceremony that this device began through this app, and that nobody can finish again.
#[derive(Debug)]
pub(crate) struct Resumed<T> {
    /// The app through which it began.
    pub client: ClientId,
    /// What was to be recalled.
    pub more: T,
}

/// Remembers a ceremony for the device that begins it.
pub async fn start<T: Serialize>(issuer: &Issuer, beginning: Beginning<'_, T>, context: &RequestContext) -> Result<Started, Refusal> {
    let Beginning { purpose, client, device, options, more } = beginning;
    let posture = device.live.posture();
    let recall = Recall { client: client.to_string(), device: posture.device.to_string(), key: posture.key.to_string(), more };
    let recall = serde_json::to_vec(&recall).map_err(|_| broken())?;
    let id = issuer.random::<32>();
    issuer.stores.challenges.issue(ChallengeId(id), purpose, recall, context.second().plus(Limits::CHALLENGE_LIFE)).await?;
    Ok(Started { ceremony: base64url::encode(id), options: options.into_json() })
}

/// Takes the ceremony back, before anything in its answer is looked at: a wrong answer uses it up too (law 5).
pub(crate) async fn resume<T: DeserializeOwned>(
    issuer: &Issuer,
    purpose: ChallengePurpose,
    finish: &Finish,
    device: &ProvenDevice,
    context: &RequestContext,
) -> Result<Resumed<T>, Refusal> {
    let id = challenge_id(&finish.ceremony)?;
    let found = issuer.stores.challenges.take(&id, purpose, context.second()).await?;
    let recall: Recall<T> = json::parse(&found.ok_or(Reason::ChallengeUnknown)?).map_err(|_| broken())?;
    let posture = device.live.posture();
    let begun_by = (DeviceId::parse(&recall.device), Thumbprint::parse(&recall.key));
    if begun_by != (Ok(posture.device.clone()), Ok(posture.key)) {
        return Err(Reason::CeremonyForeignKey.into());
    }
    let client = ClientId::parse(&recall.client).map_err(|_| broken())?;
    context.learn(|known| known.client = Some(client.clone()));
    Ok(Resumed { client, more: recall.more })
}

/// Reads a challenge's name back. One that we did not write is as good as one that lapsed.
pub(crate) fn challenge_id(text: &str) -> Result<ChallengeId, Refusal> {
    let bytes = base64url::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(ChallengeId).ok_or(Refusal::new(Reason::ChallengeUnknown))
}

/// What we stored ourselves does not read back.
pub fn broken() -> Refusal {
    Refusal::because(Reason::Internal, "a ceremony is recalled as it was remembered".to_owned())
}
