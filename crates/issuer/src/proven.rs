//! Whoever speaks to an endpoint proves a key first (RFC 9449 section 4.3), and mostly a device with it.

use countersign_access::{AccessRefusal, DPOP};
use countersign_core::{DeviceId, Reason, SignalKind};
use countersign_proof::{
    dpop::{self, BoundProof, BoundTo, Expected, SignedProof},
    jwk::PublicKey,
    target::Target,
    window::NonceRule,
};
use countersign_store::{FreshProof, LivePosture, PostureError, SpendError, Spender};

use crate::{
    context::RequestContext,
    endpoint::{Asks, Endpoint},
    head_proof::{HeadProof, ProvedKey},
    receive::{Call, Header},
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
pub(crate) fn worth_reading(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<(), Refusal> {
    match context.endpoint.asks() {
        Asks::Key => call.keep_proof(HeadProof::Bound(bound(issuer, call, context)?)),
        Asks::Nothing => {}
        // The rest of what a person proves is looked at with the token, when the body is there.
        Asks::Token => {
            let token = call.credentials().token().map_err(AccessRefusal::from)?;
            issuer.access.tokens.verify(token, context.second()).map_err(AccessRefusal::from)?;
        }
        // What names the request key says by whose nonce the proof is judged, and stands with the grant in the body.
        Asks::TokenRequest => call.keep_proof(HeadProof::Signed(signed(call, context)?)),
    }
    Ok(())
}

/// Takes the request's one proof, and notes its key: the answer's nonce is for that key.
pub(crate) fn signed(call: &Call, context: &RequestContext) -> Result<SignedProof, Refusal> {
    if let Some(HeadProof::Signed(proof)) = call.take_proof() {
        return Ok(proof);
    }
    let proof = match call.header(&DPOP) {
        Header::Absent => return Err(Reason::ProofMissing.into()),
        Header::Repeated => return Err(Reason::ProofRepeatedHeader.into()),
        Header::Unreadable => return Err(Reason::ProofMalformed.into()),
        Header::Once(text) => dpop::read(text)?,
    };
    context.speaks_for(*proof.key().thumbprint());
    Ok(proof)
}

/// Binds a proof to this endpoint and moment. Not yet fresh.
pub fn bind(issuer: &Issuer, proof: SignedProof, nonces: NonceRule<'_>, context: &RequestContext) -> Result<ProvedKey, Refusal> {
    let key = proof.key().clone();
    let target = target(issuer, context.endpoint)?;
    let expected = Expected { method: context.endpoint.method.as_str(), target: &target, bound_to: BoundTo::TokenRequest, nonces };
    let proof = dpop::bind(proof, &expected, context.second())?;
    Ok(ProvedKey { key, proof })
}

/// Takes the request's one proof, bound to this endpoint and moment by a nonce of its key's own. Not yet fresh.
pub fn bound(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<ProvedKey, Refusal> {
    if let Some(HeadProof::Bound(proved)) = call.take_proof() {
        return Ok(proved);
    }
    let proved = bind(issuer, signed(call, context)?, NonceRule::Required(&issuer.access.nonces), context)?;
    context.learn(|known| known.key = Some(*proved.key.thumbprint()));
    Ok(proved)
}

/// Uses a proof up. A proof that was used before is reported: either a client that retries without making a new one, or a
/// thief with a recording.
pub async fn spend(issuer: &Issuer, proof: BoundProof, by: Spender<'_>, context: &RequestContext) -> Result<FreshProof, Refusal> {
    issuer.stores.replay.spend(proof, by, context.second()).await.map_err(|error| {
        if error == SpendError::AlreadySpent {
            context.signal(&issuer.world, SignalKind::ProofReplayed, Reason::ProofReplayed);
        }
        error.into()
    })
}

/// Uses up the proof of a key.
pub(crate) async fn spend_key(issuer: &Issuer, proved: ProvedKey, by: Spender<'_>, context: &RequestContext) -> Result<ProvenKey, Refusal> {
    let fresh = spend(issuer, proved.proof, by, context).await?;
    Ok(ProvenKey { key: proved.key, _fresh: fresh })
}

/// Uses up the proof of a request that opens nothing here, so that it is told apart from a replay of it. That nobody can tell any more, when
/// strangers come too fast, is no reason to answer otherwise: the request has no effect that could be repeated.
pub(crate) async fn spend_for_nothing(issuer: &Issuer, proved: ProvedKey, context: &RequestContext) -> Result<(), Refusal> {
    match spend(issuer, proved.proof, Spender::Stranger, context).await {
        Err(refusal) if refusal.reason == Reason::ProofCrowdedOut => Ok(()),
        spent => spent.map(drop),
    }
}

/// Proves the request's key, and that it is the device key of a device that may act.
pub async fn prove_device(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<ProvenDevice, Refusal> {
    prove_device_key(issuer, call, context).await.map(|(device, _)| device)
}

/// As [`prove_device`], with the key, for what else it signed.
pub async fn prove_device_key(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<(ProvenDevice, ProvenKey), Refusal> {
    let proved = bound(issuer, call, context)?;
    // A key that is no device's is mostly an app that was restored without it: the app is told to enrol again. Asked before the proof is
    // spent: anybody makes keys, and the memory of spent proofs is for devices.
    match issuer.stores.devices.posture_by_key(proved.key.thumbprint()).await {
        Err(PostureError::Unknown) => Err(Reason::KeyLost.into()),
        Err(PostureError::Unavailable(fault)) => Err(fault.into()),
        // That it was revoked is told to whoever holds the key, and so only once the proof is known to be new.
        Err(PostureError::Revoked) => {
            spend_key(issuer, proved, Spender::Stranger, context).await?;
            Err(PostureError::Revoked.into())
        }
        Ok(live) => {
            let device = live.posture().device.clone();
            let proven = spend_key(issuer, proved, Spender::Device(&device), context).await?;
            context.learn(|known| known.device = Some(device));
            Ok((ProvenDevice { live }, proven))
        }
    }
}
