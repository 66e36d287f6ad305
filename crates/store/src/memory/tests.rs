//! The suite over memory, and what only memory can do wrong.

use std::sync::Arc;

use super::*;
use crate::{
    challenges::{ChallengeId, ChallengePurpose, Challenges, IssueError},
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

/// Whoever asks whether the node is ready hears of a full memory before phones do.
#[test]
fn the_memory_of_proofs_says_how_much_it_takes() {
    let rows = [(0, 0), (1, 1), (160, 10)];
    for (room, left) in rows {
        assert_eq!(MemoryReplay::with_room(room).left(NOW), left);
    }
}
