//! Sessions end with their refresh families: both or neither, whoever asks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{Seconds, Session, SessionState, UnixSeconds};
use countersign_identity::{RefreshFamily, RefreshState};

use crate::{
    sessions::{Ended, LiveError, Whose},
    suite::{
        fail_nth::{Faults, Lost},
        race::{abandon, departures, race},
        samples::{NOW, code, device, family, session, user},
        world::{Home, Truth},
    },
};

/// Session of one person on one phone.
fn of(number: u16, person: u16, phone: u16) -> Session {
    Session { id: session(number).id, user: user(person).id, device: device(phone).posture.device, ..session(number) }
}

/// Opens a session, and redeems the code of that number for it.
async fn sign_in(truth: &Truth, number: u16, session: &Session) {
    assert_eq!(truth.sessions.open(session.clone()).await, Ok(()), "a session");
    let (name, grant) = code(number);
    assert_eq!(truth.grants.issue_code(name, grant).await, Ok(()), "a code");
    let family = RefreshFamily { session: session.id.clone(), ..family(number) };
    assert_eq!(truth.grants.redeem(&name, family).await, Ok(()), "a family");
}

/// Tells whether the session of that number is open, and whether its family is live.
async fn halves(truth: &Truth, number: u16) -> (bool, bool) {
    let found = truth.sessions.find(&session(number).id).await.expect("an answer").expect("a session");
    let family = truth.grants.find_refresh(&family(number).token).await.expect("an answer").expect("a family");
    (found.state != SessionState::Revoked, family != RefreshState::Revoked)
}

/// Checks that session and family agree: open and live, or both ended.
async fn whole(truth: &Truth, number: u16) -> bool {
    let (session, family) = halves(truth, number).await;
    assert_eq!(session, family, "session {number} and its family");
    session
}

/// Opens nine sessions, numbered from `first` on, in every state, of two people on two phones.
fn nine(first: u16) -> Vec<(u16, Session)> {
    let (now, over) = (NOW, NOW.minus(Seconds(1)));
    let rows = [
        (1, 1, SessionState::Active, now),
        (1, 2, SessionState::Active, now),
        (2, 1, SessionState::Active, now),
        (2, 2, SessionState::Active, now),
        (1, 1, SessionState::Limited, now),
        (1, 1, SessionState::Challenged, now),
        (1, 1, SessionState::Active, over),
        (1, 1, SessionState::Revoked, now),
        (1, 1, SessionState::Active, now),
    ];
    (first..)
        .zip(rows)
        .map(|(number, (who, phone, state, expires_at))| (number, Session { state, expires_at, ..of(number, who, phone) }))
        .collect()
}

pub(crate) async fn an_end_takes_what_it_says_with_its_families(home: &dyn Home) {
    let truth = home.open().await;
    truth.settle(1).await;
    truth.settle(2).await;
    let (person, phone) = (|number| user(number).id, |number| device(number).posture.device);
    // Who ends, given the number of the first of nine, and which of them, counted from 0.
    type Row<'a> = (&'a str, &'a dyn Fn(u16) -> Whose, &'a [u16]);
    let rows: &[Row<'_>] = &[
        ("a session", &|first| Whose::Session(session(first).id), &[0]),
        ("one whose time is over", &|first| Whose::Session(session(first + 6).id), &[6]),
        ("one that has ended", &|first| Whose::Session(session(first + 7).id), &[]),
        ("one that never was", &|_| Whose::Session(session(9_999).id), &[]),
        ("a person on a device", &|_| Whose::PersonOnDevice(person(1), phone(1)), &[0, 4, 5, 8]),
        ("a person where they never were", &|_| Whose::PersonOnDevice(person(3), phone(1)), &[]),
        ("a person", &|_| Whose::Person(person(1)), &[0, 1, 4, 5, 8]),
        ("all on a device", &|_| Whose::Device(phone(1)), &[0, 2, 4, 5, 8]),
        ("somebody else", &|_| Whose::Person(person(2)), &[2, 3]),
    ];
    let mut states = Vec::new();
    for ((name, whose, expected), first) in rows.iter().zip((100..).step_by(10)) {
        // Nothing is open but what this row opens.
        for number in [1, 2] {
            assert!(truth.sessions.end(&Whose::Person(person(number)), UnixSeconds(0)).await.is_ok());
        }
        let (whose, nine) = (whose(first), nine(first));
        for (number, session) in &nine {
            sign_in(&truth, *number, session).await;
        }
        let takes = |number: &u16| expected.contains(&(number - first));
        let by_rule: Vec<u16> = nine.iter().filter(|(_, session)| whose.takes(session, NOW)).map(|(number, _)| *number).collect();
        assert!(by_rule.iter().all(takes) && by_rule.len() == expected.len(), "{name}, by the rule: {by_rule:?}");
        let ended = truth.sessions.end(&whose, NOW).await.expect("an answer").sessions;
        let before: Vec<&Session> = nine.iter().filter(|(number, _)| takes(number)).map(|(_, session)| session).collect();
        assert!(ended.len() == before.len() && ended.iter().all(|session| before.contains(&session)), "{name}: as they were: {ended:?}");
        assert_eq!(truth.sessions.end(&whose, NOW).await, Ok(Ended::default()), "{name}, again");
        for (number, session) in &nine {
            let open = session.state != SessionState::Revoked && !takes(number);
            assert_eq!(whole(&truth, *number).await, open, "{name}: session {number}");
            if takes(number) {
                assert_eq!(truth.sessions.live(&session.id, NOW).await.err(), Some(LiveError::Revoked), "{name}: session {number}");
            }
        }
        states.extend(nine.iter().map(|(number, _)| *number));
    }
    let mut before = Vec::new();
    for number in states {
        before.push((number, whole(&truth, number).await));
    }
    let truth = home.open().await;
    for (number, open) in before {
        assert_eq!(whole(&truth, number).await, open, "session {number}, after a restart");
    }
}

pub(crate) async fn of_racing_ends_each_session_ends_once(home: &dyn Home) {
    const SESSIONS: u16 = 24;
    let truth = home.open().await;
    truth.settle(1).await;
    truth.settle(2).await;
    for number in 1..=SESSIONS {
        sign_in(&truth, number, &of(number, 1, 1 + number % 2)).await;
    }
    let ended = race(8, |task| {
        let sessions = Arc::clone(&truth.sessions);
        let whose = match task % 4 {
            0 => Whose::Person(user(1).id),
            1 => Whose::Device(device(1).posture.device),
            2 => Whose::PersonOnDevice(user(1).id, device(2).posture.device),
            _ => Whose::Session(session(7).id),
        };
        async move { sessions.end(&whose, NOW).await.expect("an answer").sessions }
    })
    .await;
    let mut told: Vec<_> = ended.iter().flatten().map(|session| session.id.to_string()).collect();
    told.sort();
    let mut all: Vec<_> = (1..=SESSIONS).map(|number| session(number).id.to_string()).collect();
    all.sort();
    assert_eq!(told, all, "each was ended by one of them");
    for number in 1..=SESSIONS {
        assert!(!whole(&truth, number).await, "session {number}");
    }
}

/// Drops callers in the middle of an end. However far the call came, no session is without its family and no family without its session,
/// and asking again ends the rest.
pub(crate) async fn an_abandoned_end_leaves_nothing_half(home: &dyn Home) {
    let truth = home.open().await;
    let mut answers = Vec::new();
    for (number, polls) in departures() {
        truth.settle(number).await;
        sign_in(&truth, number, &session(number)).await;
        assert!(truth.sessions.live(&session(number).id, NOW).await.is_ok(), "at hand");
        abandon(truth.sessions.end(&Whose::Person(user(number).id), NOW), polls).await;
        answers.push((number, whole(&truth, number).await));
    }
    let truth = home.open().await;
    for (number, open) in answers {
        assert_eq!(whole(&truth, number).await, open, "what was answered before the restart is not what is kept");
        let again = truth.sessions.end(&Whose::Person(user(number).id), NOW).await.expect("an answer").sessions;
        assert_eq!(again.len(), usize::from(open), "session {number}, asked again");
        assert!(!whole(&truth, number).await);
    }
}

pub(crate) async fn a_lost_end_is_made_good_by_a_retry(home: &dyn Home) {
    let truth = home.open().await;
    for (number, lost) in [(1, Lost::Answer), (2, Lost::Call)] {
        truth.settle(number).await;
        sign_in(&truth, number, &session(number)).await;
        let whose = Whose::Device(device(number).posture.device);
        let faults = Faults::at(0, lost);
        assert!(truth.failing(&faults).sessions.end(&whose, NOW).await.is_err() && faults.happened(), "{lost:?}");
        let never_came = lost == Lost::Call;
        assert_eq!(whole(&truth, number).await, never_came, "{lost:?}");
        let again = truth.sessions.end(&whose, NOW).await.expect("an answer").sessions;
        assert_eq!(again.len(), usize::from(never_came), "{lost:?}");
        assert!(!whole(&truth, number).await, "{lost:?}");
    }
}

/// Lets phones refresh while their session is ended. Whoever asks after the end was acknowledged gets nothing, and nobody ever sees one
/// half ended without the other.
pub(crate) async fn once_ended_nothing_refreshes(home: &dyn Home) {
    const SESSIONS: u16 = 12;
    let truth = home.open().await;
    for number in 1..=SESSIONS {
        truth.settle(number).await;
        sign_in(&truth, number, &session(number)).await;
    }
    let truth = home.open().await;
    for number in 1..=SESSIONS {
        let ended = Arc::new(AtomicBool::new(false));
        race(8, |task| {
            let (truth, ended, token) = (truth.clone(), Arc::clone(&ended), family(number).token);
            async move {
                if task == 3 {
                    assert!(truth.sessions.end(&Whose::Person(user(number).id), NOW).await.is_ok());
                    ended.store(true, Ordering::SeqCst);
                }
                for _ in 0..10 {
                    let must_be_refused = ended.load(Ordering::SeqCst);
                    let family = truth.grants.find_refresh(&token).await.expect("an answer").expect("a family");
                    let live = truth.sessions.live(&session(number).id, NOW).await.is_ok();
                    let family_after = truth.grants.find_refresh(&token).await.expect("an answer");
                    assert!(!must_be_refused || (family == RefreshState::Revoked && !live), "it refreshes although it was ended before");
                    assert!(family != RefreshState::Revoked || !live, "the family ended before its session");
                    assert!(live || family_after == Some(RefreshState::Revoked), "the session ended before its family");
                }
            }
        })
        .await;
        assert!(!whole(&truth, number).await);
    }
}

/// Redeems a code while its session is ended, or after: the code is used up, and no live family comes of it.
pub(crate) async fn a_family_of_a_session_that_ended_does_not_live(home: &dyn Home) {
    let truth = home.open().await;
    for number in 1..=8 {
        let session = truth.open_session(number).await;
        let (name, grant) = code(number);
        assert_eq!(truth.grants.issue_code(name, grant).await, Ok(()));
        race(2, |task| {
            let (truth, session) = (truth.clone(), session.clone());
            async move {
                if task == 0 && number > 1 {
                    assert_eq!(truth.grants.redeem(&name, family(number)).await, Ok(()));
                } else if task == 1 {
                    assert!(truth.sessions.end(&Whose::Session(session.id), NOW).await.is_ok());
                }
            }
        })
        .await;
        if number == 1 {
            assert_eq!(truth.grants.redeem(&name, family(number)).await, Ok(()), "long after");
        }
        assert!(!whole(&truth, number).await);
    }
    let truth = home.open().await;
    for number in 1..=8 {
        assert!(!whole(&truth, number).await, "after a restart");
    }
}
