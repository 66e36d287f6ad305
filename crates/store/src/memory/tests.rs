//! The suite over memory, and what only memory can do wrong.

use std::sync::Arc;

use countersign_core::{ClientId, Seconds, Secret};
use countersign_proof::challenge::{Asker, ChallengeKeys, ChallengePurpose, Place};

use super::*;
use crate::{
    challenges::{ChallengeError, Challenges},
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
        keys.check(&made, ChallengePurpose::Enrolment, &asker, era, at).expect("a challenge")
    };
    let before = NOW.minus(Seconds(3_600));
    assert_eq!(challenges.spend(open(1, NOW), Spender::Stranger, NOW).await, Ok(()));
    assert_eq!(challenges.spend(open(2, before), Spender::Stranger, before).await, Ok(()), "a new one, an hour earlier");
    assert_eq!(challenges.spend(open(2, before), Spender::Stranger, before).await, Err(ChallengeError::AlreadySpent));
    assert_eq!(challenges.spend(open(1, NOW), Spender::Stranger, NOW).await, Err(ChallengeError::CrowdedOut), "an old one never again");
}
