//! The suite over memory, and what only memory can do wrong.

use std::sync::Arc;

use super::*;
use countersign_core::Seconds;

use crate::{
    challenges::{ChallengeId, ChallengePurpose, Challenges, IssueError},
    replay::ReplayMemory,
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

#[tokio::test]
async fn a_challenge_that_waits_is_not_replaced() {
    let (challenges, id) = (MemoryChallenges::new(), ChallengeId([1; 32]));
    let issue = async |purpose| challenges.issue(id, purpose, vec![], NOW).await;
    assert_eq!(issue(ChallengePurpose::Enrolment).await, Ok(()));
    assert!(matches!(issue(ChallengePurpose::Login).await, Err(IssueError::Unavailable(_))));
    assert_eq!(challenges.take(&id, ChallengePurpose::Login, NOW).await, Ok(None));
    assert_eq!(challenges.take(&id, ChallengePurpose::Enrolment, NOW).await, Ok(Some(vec![])));
}

/// A second comes twice, and the node goes on without a restart: what was used then is remembered for as long as a proof can count, what
/// was forgotten no longer stands against everybody, and nothing waits for a day that was never to be.
#[tokio::test]
async fn a_memory_that_begins_again_takes_new_proofs_and_remembers_the_old() {
    let (replay, phone) = (MemoryReplay::new(), suite::Phone::new());
    let ahead = NOW.plus(Seconds(400 * 86_400));
    assert!(replay.spend(phone.proof(0, NOW), NOW).await.is_ok());
    for number in 1..200 {
        assert!(replay.spend(phone.proof(number, ahead), ahead).await.is_ok());
    }
    assert_eq!(replay.latest(), ahead);
    let after = NOW.plus(Seconds(1));
    assert!(replay.spend(phone.proof(200, after), after).await.is_err(), "nothing counts before it began again");
    replay.begin_again(after);
    assert_eq!(replay.latest(), after);
    for number in 200..400 {
        assert!(replay.spend(phone.proof(number, after), after).await.is_ok(), "{number}");
        assert!(replay.spend(phone.proof(number, after), after).await.is_err(), "{number} again");
    }
    assert!(replay.spend(phone.proof(1, ahead), after).await.is_err(), "still remembered");
    let later = after.plus(Seconds(500));
    for number in 400..600 {
        assert!(replay.spend(phone.proof(number, later), later).await.is_ok());
    }
    assert!(replay.len() <= 200, "{} are remembered", replay.len());
}
