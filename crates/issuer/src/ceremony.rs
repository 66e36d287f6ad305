//! A passkey ceremony between its two halves: begun by a device, finished by the same device, once.
//!
//! Nothing is remembered of a ceremony that only began: its state goes to the phone, sealed, and comes back with the answer.

use countersign_core::{ClientId, DeviceId, Reason, Thumbprint};
use countersign_identity::CeremonyOptions;
use countersign_proof::challenge::ChallengePurpose;
use countersign_store::Spender;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{challenges, context::RequestContext, json, proven::ProvenDevice, refusal::Refusal, state::Issuer};

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

/// Data that is sealed between the halves: the device that began, and whatever the kind of ceremony adds.
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

/// Seals a ceremony for the device that begins it.
pub fn start<T: Serialize>(issuer: &Issuer, beginning: Beginning<'_, T>, context: &RequestContext) -> Result<Started, Refusal> {
    let Beginning { purpose, client, device, options, more } = beginning;
    let posture = device.live.posture();
    let recall = Recall { client: client.to_string(), device: posture.device.to_string(), key: posture.key.to_string(), more };
    let recall = serde_json::to_vec(&recall).map_err(|_| broken())?;
    let ceremony = challenges::seal(issuer, purpose, &posture.key, &recall, context)?;
    Ok(Started { ceremony, options: options.into_json() })
}

/// Uses the ceremony up, before anything in its answer is looked at: a wrong answer uses it up too (law 5).
pub(crate) async fn resume<T: DeserializeOwned>(
    issuer: &Issuer,
    purpose: ChallengePurpose,
    finish: &Finish,
    device: &ProvenDevice,
    context: &RequestContext,
) -> Result<Resumed<T>, Refusal> {
    let (open, sealed) = challenges::open(issuer, &finish.ceremony, purpose, context)?;
    issuer.stores.challenges.spend(open, Spender::Device(device.id()), context.second()).await?;
    let recall: Recall<T> = json::parse(&sealed).map_err(|_| broken())?;
    let posture = device.live.posture();
    let begun_by = (DeviceId::parse(&recall.device), Thumbprint::parse(&recall.key));
    if begun_by != (Ok(posture.device.clone()), Ok(posture.key)) {
        return Err(Reason::CeremonyForeignKey.into());
    }
    let client = ClientId::parse(&recall.client).map_err(|_| broken())?;
    context.learn(|known| known.client = Some(client.clone()));
    Ok(Resumed { client, more: recall.more })
}

/// Refusal for sealed data that do not read back: a fault of this server.
fn broken() -> Refusal {
    Refusal::because(Reason::Internal, "a ceremony is recalled as it was remembered".to_owned())
}
