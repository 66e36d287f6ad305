//! A challenge counts once, and nobody's flood refuses somebody else.

use std::sync::Arc;

use countersign_core::{ClientId, DeviceId, Limits, Seconds, Secret, UnixSeconds};
use countersign_proof::challenge::{Asker, ChallengeKeys, ChallengePurpose, Expected, OpenChallenge, Place};

use crate::{
    challenges::ChallengeError,
    spender::Spender,
    suite::{race::race, samples::NOW, world::Fast},
};

const PURPOSES: [ChallengePurpose; 4] =
    [ChallengePurpose::Attestation, ChallengePurpose::Enrolment, ChallengePurpose::Login, ChallengePurpose::Registration];

/// The challenge of that number, for a purpose, in a room, made at an instant. The same arguments give the same challenge.
fn challenge(number: u32, purpose: ChallengePurpose, room: u8, at: UnixSeconds) -> OpenChallenge {
    let (keys, client) = (ChallengeKeys::new(&Secret::new([1; 32])), ClientId::parse("org.example.app").expect("an id"));
    let (place, asker) = (Place { purpose, room, era: 1 }, Asker { client: &client, key: None });
    let mut random = [0; 10];
    random.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    let made = keys.make(&place, &asker, random, at);
    keys.check(&made, Expected { purpose, era: 1 }, &asker, at).expect("a challenge of ours")
}

fn device(number: u8) -> DeviceId {
    DeviceId::from_random([number; 16])
}

pub(crate) async fn a_challenge_counts_once(fast: &Fast) {
    for purpose in PURPOSES {
        let spent = race(16, |_| {
            let challenges = Arc::clone(&fast.challenges);
            async move { challenges.spend(challenge(1, purpose, 0, NOW), Spender::Stranger, NOW).await }
        })
        .await;
        assert_eq!(spent.iter().filter(|spent| spent.is_ok()).count(), 1, "{purpose:?}: one wins");
        assert_eq!(spent.iter().filter(|spent| **spent == Err(ChallengeError::AlreadySpent)).count(), 15, "{purpose:?}");
        let end = challenge(1, purpose, 0, NOW).remember_until();
        for now in [NOW, end.minus(Seconds(1)), end] {
            let again = fast.challenges.spend(challenge(1, purpose, 0, NOW), Spender::Stranger, now).await;
            assert_eq!(again, Err(ChallengeError::AlreadySpent), "{purpose:?}, {} seconds later", now.since(NOW).0);
        }
    }
}

/// A flood through one room drops the oldest of it, counts nothing twice, and leaves the other rooms and purposes alone. `room` is about
/// the number of challenges of one purpose that fit.
pub(crate) async fn a_flood_shortens_its_own_time_only(fast: &Fast, room: u32) {
    let spend = async |number, purpose, of, at| fast.challenges.spend(challenge(number, purpose, of, at), Spender::Stranger, at).await;
    let (flooded, old) = (ChallengePurpose::Enrolment, NOW);
    assert_eq!(spend(0, flooded, 1, old).await, Ok(()), "the honest one, before");
    let later = NOW.plus(Seconds(10));
    for number in 1..=room * 2 {
        let at = later.plus(Seconds(u64::from(number)));
        assert_eq!(spend(number, flooded, 1, at).await, Ok(()), "a flood is not refused either");
    }
    assert_eq!(spend(0, flooded, 1, old).await, Err(ChallengeError::CrowdedOut), "what was dropped does not count again");
    assert_eq!(spend(room * 9, flooded, 1, old).await, Err(ChallengeError::CrowdedOut), "as old, and never used: ask again");
    let newest = later.plus(Seconds(u64::from(room * 2)));
    assert_eq!(spend(room * 10, flooded, 1, newest).await, Ok(()), "a new one counts in the flooded room");
    assert_eq!(spend(room * 2, flooded, 1, newest).await, Err(ChallengeError::AlreadySpent), "what is remembered is refused");
    assert_eq!(spend(room * 11, flooded, 2, old).await, Ok(()), "an old one of another room");
    assert_eq!(spend(room * 11, ChallengePurpose::Login, 1, old).await, Ok(()), "an old one for something else");
}

pub(crate) async fn a_device_has_its_share_of_challenges(fast: &Fast) {
    let (greedy, honest) = (device(1), device(2));
    let purpose = ChallengePurpose::Login;
    let spend =
        async |number, by: &DeviceId, now| fast.challenges.spend(challenge(number, purpose, 0, now), Spender::Device(by), now).await;
    for number in 0..Limits::CHALLENGES_PER_DEVICE_MAX {
        assert_eq!(spend(number, &greedy, NOW).await, Ok(()));
    }
    assert_eq!(spend(1_000, &greedy, NOW).await, Err(ChallengeError::ShareUsed(Limits::CHALLENGE_LIFE)));
    assert_eq!(spend(1_001, &honest, NOW).await, Ok(()), "the others are served");
    let other = fast.challenges.spend(challenge(1_002, ChallengePurpose::Attestation, 0, NOW), Spender::Device(&greedy), NOW).await;
    assert_eq!(other, Ok(()), "sign-ins do not use up attestations");
    let last = NOW.plus(Limits::CHALLENGE_LIFE);
    assert_eq!(spend(1_003, &greedy, last).await, Err(ChallengeError::ShareUsed(Seconds(0))), "the last second of its window");
    assert_eq!(spend(1_003, &greedy, last.plus(Seconds(1))).await, Ok(()), "the next window");
}
