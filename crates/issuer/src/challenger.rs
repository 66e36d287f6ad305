//! Gives challenges without remembering them, and takes each answer once.

use std::sync::{Mutex, PoisonError};

use countersign_codec::base64url;
use countersign_core::{ClientId, Clock, Limits, Reason, Secret, Thumbprint, UnixSeconds};
use countersign_proof::challenge::{Asker, ChallengeKeys, ChallengePurpose, ChallengeRefusal, OpenChallenge, Place};
use countersign_store::ChallengeId;

use crate::{context::RequestContext, refusal::Refusal, state::Issuer};

/// Maker and reader of challenges. Its keys live as long as the process, as the memory of spent challenges does.
pub struct Challenger {
    keys: ChallengeKeys,
    era: Mutex<Era>,
}

/// Time between two steps back of the clock. In an earlier one, challenges were spent whose names are forgotten, so none of it counts.
struct Era {
    number: u32,
    latest: UnixSeconds,
}

impl Challenger {
    /// Makes a challenger with keys derived from 32 unpredictable bytes.
    #[must_use]
    pub fn new(secret: &Secret<[u8; 32]>) -> Self {
        Self { keys: ChallengeKeys::new(secret), era: Mutex::new(Era { number: 0, latest: UnixSeconds(0) }) }
    }

    /// Number of the present era.
    fn era(&self, clock: &dyn Clock) -> u32 {
        let mut era = self.era.lock().unwrap_or_else(PoisonError::into_inner);
        // SECURITY: read here, under the lock. A request that took long brings an older time, which is no step of the clock.
        let now = clock.now().seconds();
        if now.plus(Limits::PROOF_SKEW_MAX) < era.latest {
            *era = Era { number: era.number.saturating_add(1), latest: now };
        }
        era.latest = era.latest.max(now);
        era.number
    }
}

/// Makes a challenge for evidence. It is remembered, once it is answered, in the room of the key that asks, or of the network.
pub fn challenge(issuer: &Issuer, purpose: ChallengePurpose, asker: &Asker<'_>, context: &RequestContext) -> String {
    let challenger = &issuer.challenger;
    let room = match asker.key {
        Some(key) => challenger.keys.room(key.as_bytes()),
        None => challenger.keys.room(&site(context)),
    };
    let place = Place { purpose, room, era: challenger.era(&*issuer.world.clock) };
    base64url::encode(challenger.keys.make(&place, asker, issuer.random(), context.second()))
}

/// Recognises a challenge for evidence, which the key that proved the request answers. It is not used up yet.
pub fn recognise(
    issuer: &Issuer,
    text: &str,
    purpose: ChallengePurpose,
    client: &ClientId,
    key: &Thumbprint,
    context: &RequestContext,
) -> Result<(ChallengeId, OpenChallenge), Refusal> {
    let bytes: [u8; 32] = base64url::decode_array(text).map_err(|_| Refusal::new(Reason::ChallengeUnknown))?;
    let challenger = &issuer.challenger;
    let asker = Asker { client, key: Some(key) };
    let open = challenger.keys.check(&bytes, purpose, &asker, challenger.era(&*issuer.world.clock), context.second())?;
    Ok((ChallengeId(bytes), open))
}

/// Seals what a ceremony needs again at its end, for the device with this key.
pub fn seal(
    issuer: &Issuer,
    purpose: ChallengePurpose,
    key: &Thumbprint,
    content: &[u8],
    context: &RequestContext,
) -> Result<String, Refusal> {
    let challenger = &issuer.challenger;
    let place = Place { purpose, room: challenger.keys.room(key.as_bytes()), era: challenger.era(&*issuer.world.clock) };
    Ok(challenger.keys.seal(&place, issuer.random(), content, context.second())?)
}

/// Opens what was sealed for `purpose`. It is not used up yet.
pub fn open(issuer: &Issuer, text: &str, purpose: ChallengePurpose, context: &RequestContext) -> Result<(OpenChallenge, Vec<u8>), Refusal> {
    let challenger = &issuer.challenger;
    Ok(challenger.keys.open(text, purpose, challenger.era(&*issuer.world.clock), context.second())?)
}

/// Network that a request comes from, as coarsely as one customer of a provider has addresses: a /24 of IPv4, a /56 of IPv6.
fn site(context: &RequestContext) -> Vec<u8> {
    match context.address.to_canonical() {
        std::net::IpAddr::V4(address) => address.octets().into_iter().take(3).collect(),
        std::net::IpAddr::V6(address) => address.octets().into_iter().take(7).collect(),
    }
}

impl From<ChallengeRefusal> for Refusal {
    fn from(refusal: ChallengeRefusal) -> Self {
        Self::because(Reason::ChallengeUnknown, format!("{refusal:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::UnixMillis;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn an_era_ends_when_the_clock_is_set_back_and_not_before() {
        let (challenger, clock) = (Challenger::new(&Secret::new([1; 32])), Hand(AtomicU64::new(0)));
        let rows = [
            ("the start", 1_000_000, 0),
            ("later", 2_000_000, 0),
            ("far ahead", 9_000_000, 0),
            ("back by what clocks differ", 8_995_000, 0),
            ("right again", 2_000_000, 1),
            ("later", 2_001_000, 1),
            ("set back once more", 1_000_000, 2),
        ];
        for (name, at, expected) in rows {
            clock.0.store(at, Ordering::Relaxed);
            assert_eq!(challenger.era(&clock), expected, "{name}");
        }
    }
}
