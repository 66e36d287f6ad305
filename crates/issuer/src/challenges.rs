//! Gives challenges without remembering them, and takes each answer once.

use countersign_codec::base64url;
use countersign_core::{Reason, Thumbprint};
use countersign_proof::challenge::{Asker, ChallengePurpose, Expected, OpenChallenge, Place};
use countersign_store::ChallengeId;

use crate::{context::RequestContext, refusal::Refusal, state::Issuer};

/// Makes a challenge for evidence. It is remembered, once it is answered, in the room of the key that asks, or of the network.
pub(crate) fn challenge(issuer: &Issuer, purpose: ChallengePurpose, asker: &Asker<'_>, context: &RequestContext) -> String {
    let challenger = &issuer.challenger;
    let room = match asker.key {
        Some(key) => challenger.keys().room(key.as_bytes()),
        None => challenger.keys().room(&site(context)),
    };
    let place = Place { purpose, room, era: challenger.era(&*issuer.world.clock) };
    base64url::encode(challenger.keys().make(&place, asker, issuer.random(), context.second()))
}

/// Recognises a challenge for evidence, which the key that proved the request answers. It is not used up yet.
pub(crate) fn recognise(
    issuer: &Issuer,
    text: &str,
    purpose: ChallengePurpose,
    asker: &Asker<'_>,
    context: &RequestContext,
) -> Result<(ChallengeId, OpenChallenge), Refusal> {
    let bytes: [u8; 32] = base64url::decode_array(text).map_err(|_| Refusal::new(Reason::ChallengeUnknown))?;
    let challenger = &issuer.challenger;
    let expected = Expected { purpose, era: challenger.era(&*issuer.world.clock) };
    let open = challenger.keys().check(&bytes, expected, asker, context.second())?;
    Ok((ChallengeId(bytes), open))
}

/// Seals what a ceremony needs again at its end, for the device with this key.
pub(crate) fn seal(
    issuer: &Issuer,
    purpose: ChallengePurpose,
    key: &Thumbprint,
    content: &[u8],
    context: &RequestContext,
) -> Result<String, Refusal> {
    let challenger = &issuer.challenger;
    let place = Place { purpose, room: challenger.keys().room(key.as_bytes()), era: challenger.era(&*issuer.world.clock) };
    Ok(challenger.keys().seal(&place, issuer.random(), content, context.second())?)
}

/// Opens what was sealed for `purpose`. It is not used up yet.
pub(crate) fn open(
    issuer: &Issuer,
    text: &str,
    purpose: ChallengePurpose,
    context: &RequestContext,
) -> Result<(OpenChallenge, Vec<u8>), Refusal> {
    let challenger = &issuer.challenger;
    Ok(challenger.keys().open(text, purpose, challenger.era(&*issuer.world.clock), context.second())?)
}

/// Network that a request comes from, as coarsely as one customer of a provider has addresses: a /24 of IPv4, a /56 of IPv6.
fn site(context: &RequestContext) -> Vec<u8> {
    match context.address.to_canonical() {
        std::net::IpAddr::V4(address) => address.octets().into_iter().take(3).collect(),
        std::net::IpAddr::V6(address) => address.octets().into_iter().take(7).collect(),
    }
}
