//! A challenge counts once, in its time, for what it was made for.

use std::sync::Arc;

use countersign_core::{Limits, Seconds};

use crate::{
    challenges::{ChallengeId, ChallengePurpose, IssueError},
    suite::{
        race::race,
        samples::{NOW, bytes},
        world::Fast,
    },
};

const PURPOSES: [ChallengePurpose; 4] =
    [ChallengePurpose::Attestation, ChallengePurpose::Enrolment, ChallengePurpose::Login, ChallengePurpose::Registration];

fn id(number: u16) -> ChallengeId {
    ChallengeId(bytes(number))
}

pub(crate) async fn a_challenge_counts_once(fast: &Fast) {
    assert_eq!(fast.challenges.issue(id(1), ChallengePurpose::Login, b"recall".to_vec(), NOW).await, Ok(()));
    let taken = race(16, |_| {
        let challenges = Arc::clone(&fast.challenges);
        async move { challenges.take(&id(1), ChallengePurpose::Login, NOW).await.expect("an answer") }
    })
    .await;
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [b"recall".to_vec()]);
    assert_eq!(fast.challenges.take(&id(1), ChallengePurpose::Login, NOW).await, Ok(None));
}

pub(crate) async fn a_challenge_counts_in_its_time_for_its_purpose(fast: &Fast) {
    let late = NOW.plus(Seconds(1));
    for (number, made_for) in (0..).zip(PURPOSES) {
        assert_eq!(fast.challenges.issue(id(number), made_for, vec![], NOW).await, Ok(()));
        for other in PURPOSES.into_iter().filter(|other| *other != made_for) {
            assert_eq!(fast.challenges.take(&id(number), other, NOW).await, Ok(None), "{made_for:?} used for {other:?}");
        }
        let taken = fast.challenges.take(&id(number), made_for, NOW).await;
        assert_eq!(taken, Ok(Some(vec![])), "{made_for:?}, which stayed, in its last second");
        assert_eq!(fast.challenges.issue(id(10 + number), made_for, vec![], NOW).await, Ok(()));
        assert_eq!(fast.challenges.take(&id(10 + number), made_for, late).await, Ok(None), "{made_for:?}, one second late");
    }
    assert_eq!(fast.challenges.take(&id(99), ChallengePurpose::Login, NOW).await, Ok(None), "never issued");
}

/// Fills a purpose up; `room` is the number of challenges that fit.
pub(crate) async fn a_full_memory_forgets_nothing_that_counts(fast: &Fast, room: u16) {
    let issue = async |number: u16, expires_at| fast.challenges.issue(id(number), ChallengePurpose::Login, vec![], expires_at).await;
    let end = NOW.plus(Limits::CHALLENGE_LIFE);
    for number in 0..room {
        assert_eq!(issue(number, end).await, Ok(()));
    }
    assert_eq!(issue(room, end).await, Err(IssueError::Full));
    let other = fast.challenges.issue(id(9_999), ChallengePurpose::Enrolment, vec![], end).await;
    assert_eq!(other, Ok(()), "a full room of one purpose is not another's");
    let last = end.plus(Limits::CHALLENGE_LIFE);
    assert_eq!(issue(room, last).await, Err(IssueError::Full), "asked for in the last second of the others");
    assert_eq!(fast.challenges.take(&id(0), ChallengePurpose::Login, end).await, Ok(Some(vec![])), "nothing was forgotten");
    assert_eq!(issue(room, last).await, Ok(()), "what was taken makes room");
    for number in 1..room {
        let late = last.plus(Seconds(1));
        assert_eq!(issue(room + number, late).await, Ok(()), "what has lapsed makes room");
    }
    assert_eq!(issue(2 * room, last).await, Err(IssueError::Full), "and no more than that");
}
