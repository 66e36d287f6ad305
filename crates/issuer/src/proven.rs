//! Whoever speaks to an endpoint proves a key first (RFC 9449 section 4.3), and mostly a device with it.

use countersign_access::{AccessRefusal, DPOP};
use countersign_core::{DeviceId, Reason, SignalKind};
use countersign_proof::{
    dpop::{self, BoundProof, BoundTo, Expected},
    jwk::PublicKey,
    target::Target,
    window::NonceRule,
};
use countersign_store::{FreshProof, LivePosture, PostureError, SpendError};

use crate::{
    context::RequestContext,
    endpoint::{Asks, Endpoint},
    receive::{Call, Header, ProofOfKey},
    refusal::Refusal,
    state::Issuer,
};

/// A key that signed this very request, now, for the first time.
#[derive(Debug)]
pub struct ProvenKey {
    key: PublicKey,
    // Kept so that nobody makes a `ProvenKey` without having spent the proof.
    _fresh: FreshProof,
}

impl ProvenKey {
    /// The key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// A device that may act, and that signed this very request with its device key.
#[derive(Debug)]
pub struct ProvenDevice {
    /// What is known of it.
    pub live: LivePosture,
}

impl ProvenDevice {
    /// Its id.
    pub const fn id(&self) -> &DeviceId {
        &self.live.posture().device
    }
}

/// Target that the proofs at an endpoint name.
pub fn target(issuer: &Issuer, endpoint: &Endpoint) -> Result<Target, Refusal> {
    issuer
        .config
        .public_origin
        .target(endpoint.path)
        .map_err(|error| Refusal::because(Reason::Internal, format!("{error:?} for {}", endpoint.path)))
}

/// Looks at the proof in a head before the body is read, so that who proves nothing is read nothing from. Where an endpoint asks for a
/// token, the token is what is looked at.
pub fn worth_reading(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<(), Refusal> {
    match context.endpoint.asks() {
        Asks::Key => {
            let (key, proof) = bind(issuer, call, context)?;
            call.proved_by(ProofOfKey { key, proof });
            Ok(())
        }
        Asks::Nothing => Ok(()),
        Asks::Token => {
            // The rest of what a person proves is looked at with the token, when the body is there.
            let token = call.credentials().token().map_err(AccessRefusal::from)?;
            issuer.access.tokens.verify(token, context.second()).map_err(AccessRefusal::from)?;
            Ok(())
        }
    }
}

/// Takes the request's one proof, bound to this endpoint and moment. Not yet fresh.
pub fn bound(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<(PublicKey, BoundProof), Refusal> {
    match call.take_proof() {
        Some(ProofOfKey { key, proof }) => Ok((key, proof)),
        None => bind(issuer, call, context),
    }
}

fn bind(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<(PublicKey, BoundProof), Refusal> {
    let proof = match call.header(&DPOP) {
        Header::Absent => return Err(Reason::ProofMissing.into()),
        Header::Repeated => return Err(Reason::ProofRepeatedHeader.into()),
        Header::Unreadable => return Err(Reason::ProofMalformed.into()),
        Header::Once(text) => dpop::read(text)?,
    };
    let key = proof.key().clone();
    let target = target(issuer, context.endpoint)?;
    let expected = Expected {
        method: context.endpoint.method.as_str(),
        target: &target,
        bound_to: BoundTo::TokenRequest,
        nonces: NonceRule::Accepted(&issuer.access.nonces),
    };
    let bound = dpop::bind(proof, &expected, context.second())?;
    Ok((key, bound))
}

/// Uses the proof up. A proof that was used before is reported: either a client that retries without making a new one, or a
/// thief with a recording.
pub async fn spend(issuer: &Issuer, proof: BoundProof, context: &RequestContext) -> Result<FreshProof, Refusal> {
    issuer.stores.replay.spend(proof, context.second()).await.map_err(|error| {
        if error == SpendError::AlreadySpent {
            context.signal(issuer, SignalKind::ProofReplayed, Reason::ProofReplayed);
        }
        error.into()
    })
}

/// Proves the request's key.
pub async fn prove_key(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<ProvenKey, Refusal> {
    let (key, proof) = bound(issuer, call, context)?;
    context.learn(|known| known.key = Some(*key.thumbprint()));
    let fresh = spend(issuer, proof, context).await?;
    Ok(ProvenKey { key, _fresh: fresh })
}

/// Proves the request's key, and that it is the device key of a device that may act.
pub async fn prove_device(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<ProvenDevice, Refusal> {
    prove_device_key(issuer, call, context).await.map(|(device, _)| device)
}

/// As [`prove_device`], with the key, for what else it signed.
pub async fn prove_device_key(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<(ProvenDevice, ProvenKey), Refusal> {
    let (key, proof) = bound(issuer, call, context)?;
    context.learn(|known| known.key = Some(*key.thumbprint()));
    // A key that is no device's is mostly an app that was restored without it: the app is told to enrol again. Asked before the proof is
    // spent: anybody makes keys, and the memory of spent proofs is for devices.
    let found = match issuer.stores.devices.posture_by_key(key.thumbprint()).await {
        Err(PostureError::Unknown) => return Err(Reason::KeyLost.into()),
        Err(PostureError::Unavailable(fault)) => return Err(fault.into()),
        // That it was revoked is told to whoever holds the key, and so only once the proof is known to be new.
        found @ (Ok(_) | Err(PostureError::Revoked)) => found,
    };
    let fresh = spend(issuer, proof, context).await?;
    let proven = ProvenKey { key, _fresh: fresh };
    let live = found?;
    context.learn(|known| known.device = Some(live.posture().device.clone()));
    Ok((ProvenDevice { live }, proven))
}
