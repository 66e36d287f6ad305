//! Codes and refresh families.

use std::sync::Arc;

use countersign_core::{Seconds, Secret, Thumbprint, UnixSeconds};
use countersign_identity::{CodeState, RefreshFamily, RefreshState};

use crate::{
    grants::{GivenToken, RedeemError, Renewed},
    sessions::{Ended, Whose},
    suite::{
        race::{abandon, departures, race},
        samples::{NOW, bytes, code, family, hash},
        world::{Home, Truth},
    },
};

pub(crate) async fn a_code_is_redeemed_once(home: &dyn Home) {
    let grants = home.open().await.grants;
    let (name, grant) = code(1);
    assert_eq!(grants.find_code(&name).await, Ok(None));
    assert_eq!(grants.redeem(&name, family(1)).await, Err(RedeemError::AlreadyExchanged), "no such code: the rule says which it is");
    assert_eq!(grants.issue_code(name, grant.clone()).await, Ok(()));
    assert!(grants.issue_code(name, grant.clone()).await.is_err(), "one hash is one code");
    let grants = home.open().await.grants;
    assert_eq!(grants.find_code(&name).await, Ok(Some(CodeState::Issued(grant.clone()))));
    let redeemed = race(16, |task| {
        let grants = Arc::clone(&grants);
        async move { grants.redeem(&code(1).0, family(u16::try_from(task).expect("few"))).await }
    })
    .await;
    let winner = redeemed.iter().position(Result::is_ok).expect("a winner");
    assert_eq!(redeemed.iter().filter(|lost| **lost == Err(RedeemError::AlreadyExchanged)).count(), 15);
    let winner = family(u16::try_from(winner).expect("few"));
    for grants in [Arc::clone(&grants), home.open().await.grants] {
        // The store that was closed by the restart does not answer.
        let Ok(found) = grants.find_code(&name).await else { continue };
        let exchanged = CodeState::Exchanged { grant: grant.clone(), family: winner.id.clone(), session: winner.session.clone() };
        assert_eq!(found, Some(exchanged));
        for number in 0..16 {
            let expected = (family(number) == winner).then(|| RefreshState::Live(winner.clone()));
            assert_eq!(grants.find_refresh(&family(number).token).await, Ok(expected), "only the winner's family lives");
        }
    }
}

/// Drops a redeemer in the middle, or makes the family impossible to store: no code is used up without a family, and no family lives
/// without its code.
pub(crate) async fn a_code_and_its_family_go_together(home: &dyn Home) {
    let grants = home.open().await.grants;
    for (number, polls) in departures() {
        assert_eq!(grants.issue_code(code(number).0, code(number).1).await, Ok(()));
        abandon(grants.redeem(&code(number).0, family(number)), polls).await;
    }
    // The refresh token of another family, which cannot be kept twice.
    let (name, grant) = code(1001);
    let twice = RefreshFamily { token: family(1000).token, ..family(1001) };
    assert_eq!(grants.issue_code(code(1000).0, code(1000).1).await, Ok(()));
    assert_eq!(grants.redeem(&code(1000).0, family(1000)).await, Ok(()));
    assert_eq!(grants.issue_code(name, grant.clone()).await, Ok(()));
    assert!(matches!(grants.redeem(&name, twice).await, Err(RedeemError::Unavailable(_))));
    assert_eq!(grants.find_code(&name).await, Ok(Some(CodeState::Issued(grant))), "the code can be redeemed yet");
    let grants = home.open().await.grants;
    for (number, polls) in departures() {
        let spent = matches!(grants.find_code(&code(number).0).await, Ok(Some(CodeState::Exchanged { .. })));
        let lives = matches!(grants.find_refresh(&family(number).token).await, Ok(Some(RefreshState::Live(_))));
        assert_eq!(spent, lives, "abandoned after {polls} polls");
    }
}

pub(crate) async fn what_was_revoked_stays_revoked(home: &dyn Home) {
    let Truth { grants, sessions, .. } = home.open().await;
    for number in 1..=3 {
        assert_eq!(grants.issue_code(code(number).0, code(number).1).await, Ok(()));
    }
    let second = RefreshFamily { session: family(1).session, ..family(2) };
    for (number, family) in [(1, family(1)), (2, second.clone()), (3, family(3))] {
        assert_eq!(grants.redeem(&code(number).0, family.clone()).await, Ok(()));
        assert_eq!(grants.find_refresh(&family.token).await, Ok(Some(RefreshState::Live(family))));
    }
    for _ in 0..2 {
        assert_eq!(sessions.end(&Whose::Session(family(1).session), NOW).await, Ok(Ended::default()), "no session is left");
    }
    assert_eq!(sessions.end(&Whose::Session(family(9).session), NOW).await, Ok(Ended::default()), "nothing to revoke");
    let grants = home.open().await.grants;
    let rows = [
        ("of the session", family(1), Some(RefreshState::Revoked)),
        ("of the session, too", second, Some(RefreshState::Revoked)),
        ("of another session", family(3), Some(RefreshState::Live(family(3)))),
        ("of nobody", family(9), None),
    ];
    for (name, family, expected) in rows {
        assert_eq!(grants.find_refresh(&family.token).await, Ok(expected), "{name}");
    }
    assert_eq!(grants.redeem(&code(1).0, family(9)).await, Err(RedeemError::AlreadyExchanged), "a code does not come back");
}

/// Marks of a refresh with the token and the key of those numbers.
fn asked(token: u16, key: u16) -> Renewed {
    Renewed { token: hash(token), key: Thumbprint::from_bytes(bytes(key)) }
}

pub(crate) async fn a_refresh_answered_twice_is_answered_the_same(home: &dyn Home) {
    let grants = home.open().await.grants;
    let token = |text: &str, expires_at| GivenToken { token: Secret::new(text.to_owned()), expires_at };
    let answers = race(16, |task| {
        let (grants, proposed) = (Arc::clone(&grants), token(&format!("token {task}"), NOW.plus(Seconds(task.try_into().expect("few")))));
        async move { grants.answer_once(asked(1, 1), proposed, NOW, NOW).await.expect("an answer") }
    })
    .await;
    let first = answers.first().expect("sixteen");
    assert!(answers.iter().all(|answer| answer == first), "several answers to one request");
    let later = NOW.plus(Seconds(1));
    let rows = [
        ("in the last second", asked(1, 1), NOW, first.clone()),
        ("with another key", asked(1, 2), NOW, token("new", later)),
        ("another token", asked(2, 1), NOW, token("new", later)),
        ("one second late", asked(1, 1), later, token("new", later)),
    ];
    for (name, asked, now, expected) in rows {
        let answer = grants.answer_once(asked, token("new", later), later, now).await;
        assert_eq!(answer, Ok(expected), "{name}");
    }
    // The clock is an hour ahead, and then right again: the token of the hour to come is worth nothing, and is not given again.
    let ahead = NOW.plus(Seconds(3_600));
    let given = async |word: &str, now: UnixSeconds| grants.answer_once(asked(3, 3), token(word, now), now, now).await;
    assert_eq!(given("ahead", ahead).await, Ok(token("ahead", ahead)));
    assert_eq!(given("right", NOW).await, Ok(token("right", NOW)));
    assert_eq!(given("again", NOW).await, Ok(token("right", NOW)));
}
