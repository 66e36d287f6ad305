//! The suite over memory, and what only memory can do wrong.

use std::sync::Arc;

use countersign_core::{ClientId, DeviceId, Seconds, Secret};
use countersign_proof::challenge::{Asker, ChallengeKeys, ChallengePurpose, Expected, Place};

use super::*;
use crate::{
    challenges::{ChallengeError, Challenges},
    replay::ReplayMemory,
    spender::Spender,
    suite::{self, Fast, NOW},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_is_kept() {
    suite::fast(|room| Fast {
        challenges: Arc::new(MemoryChallenges::with_room(room)),
        counters: Arc::new(MemoryCounters::with_room(room)),
        replay: Arc::new(MemoryReplay::with_room(room)),
    })
    .await;
}

/// A clock that was set back ends every challenge from before, and the memory of them does not stand in the way of new ones.
#[tokio::test]
async fn an_era_ends_with_its_challenges() {
    let (challenges, keys, client) =
        (MemoryChallenges::new(), ChallengeKeys::new(&Secret::new([1; 32])), ClientId::parse("org.example.app").expect("an id"));
    let asker = Asker { client: &client, key: None };
    let open = |era, at| {
        let made = keys.make(&Place { purpose: ChallengePurpose::Enrolment, room: 0, era }, &asker, [0; 10], at);
        keys.check(&made, Expected { purpose: ChallengePurpose::Enrolment, era }, &asker, at).expect("a challenge")
    };
    let before = NOW.minus(Seconds(3_600));
    assert_eq!(challenges.spend(open(1, NOW), Spender::Stranger, NOW).await, Ok(()));
    assert_eq!(challenges.spend(open(2, before), Spender::Stranger, before).await, Ok(()), "a new one, an hour earlier");
    assert_eq!(challenges.spend(open(2, before), Spender::Stranger, before).await, Err(ChallengeError::AlreadySpent));
    assert_eq!(challenges.spend(open(1, NOW), Spender::Stranger, NOW).await, Err(ChallengeError::CrowdedOut), "an old one never again");
}

/// A second comes twice, and the node goes on without a restart: what was used then is remembered for as long as a proof can count, what
/// was forgotten no longer stands against everybody, and nothing waits for a day that was never to be.
#[tokio::test]
async fn a_memory_that_begins_again_takes_new_proofs_and_remembers_the_old() {
    let (replay, phone) = (MemoryReplay::new(), suite::Phone::new());
    let device = DeviceId::parse("d_1").expect("an id");
    let (soon, ahead) = (NOW.plus(Seconds(2)), NOW.plus(Seconds(400 * 86_400)));
    assert!(replay.spend(phone.proof(0, soon), Spender::Device(&device), soon).await.is_ok());
    for number in 1..200 {
        assert!(replay.spend(phone.proof(number, ahead), Spender::Device(&device), ahead).await.is_ok());
    }
    assert_eq!(replay.latest(), ahead);
    let after = NOW.plus(Seconds(1));
    assert!(replay.spend(phone.proof(200, after), Spender::Device(&device), after).await.is_err(), "nothing counts before it began again");
    replay.begin_again(after);
    assert_eq!(replay.latest(), after);
    for number in 200..400 {
        assert!(replay.spend(phone.proof(number, after), Spender::Device(&device), after).await.is_ok(), "{number}");
        assert!(replay.spend(phone.proof(number, after), Spender::Device(&device), after).await.is_err(), "{number} again");
    }
    assert!(replay.spend(phone.proof(1, ahead), Spender::Device(&device), after).await.is_err(), "still remembered");
    let later = after.plus(Seconds(500));
    for number in 400..600 {
        assert!(replay.spend(phone.proof(number, later), Spender::Device(&device), later).await.is_ok());
    }
    assert!(replay.len() <= 200, "{} are remembered", replay.len());
}

/// Whoever asks whether the node is ready hears of a full memory before phones do.
#[test]
fn the_memory_of_proofs_says_how_much_it_takes() {
    let rows = [(0, 0), (1, 1), (160, 160)];
    for (room, left) in rows {
        assert_eq!(MemoryReplay::with_room(room).left(NOW), left);
    }
}
