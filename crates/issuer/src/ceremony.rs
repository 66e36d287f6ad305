//! A passkey ceremony between its two halves: begun by a device, finished by the same device, once.

use countersign_codec::base64url;
use countersign_core::{ClientId, DeviceId, Limits, Reason, Thumbprint};
use countersign_identity::CeremonyOptions;
use countersign_store::{ChallengeId, ChallengePurpose};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{context::RequestContext, json, proven::ProvenDevice, refusal::Refusal, state::Issuer};

/// Answer to the beginning of a ceremony.
#[derive(Serialize)]
pub struct Started {
    ceremony: String,
    options: Value,
}

/// Body of the request that ends a ceremony.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finish {
    ceremony: String,
    /// Credential as the platform wrote it, unread.
    pub credential: Box<RawValue>,
}

/// Data that is remembered between the halves: the device that began, and whatever the kind of ceremony adds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall<T> {
    client: String,
    device: String,
    key: String,
    more: T,
}

/// Ceremony that is to begin.
pub struct Beginning<'a, T> {
    /// Purpose of the challenge that stands for the ceremony.
    pub purpose: ChallengePurpose,
    /// App through which the ceremony begins.
    pub client: &'a ClientId,
    /// Device that begins the ceremony; no other may end it.
    pub device: &'a ProvenDevice,
    /// Options for the platform's call, with the challenge to be signed.
    pub options: CeremonyOptions,
    /// Data that the kind of ceremony needs again at its end.
    pub more: T,
}

/// A ceremony that this device began through this app, and that nobody can finish again.
#[derive(Debug)]
pub(crate) struct Resumed<T> {
    /// App through which the ceremony began.
    pub client: ClientId,
    /// Data that the kind of ceremony remembered.
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

/// Takes the ceremony out of the store, before anything in its answer is looked at: a wrong answer uses it up too (law 5).
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

/// Reads a challenge's id. A text that this server did not write is as good as a challenge that expired.
pub(crate) fn challenge_id(text: &str) -> Result<ChallengeId, Refusal> {
    let bytes = base64url::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(ChallengeId).ok_or(Refusal::new(Reason::ChallengeUnknown))
}

/// Refusal for remembered data that do not read back: a fault of this server.
pub fn broken() -> Refusal {
    Refusal::because(Reason::Internal, "a ceremony is recalled as it was remembered".to_owned())
}
