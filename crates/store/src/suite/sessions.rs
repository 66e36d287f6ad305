//! What a session may do at this moment.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{Acr, Amr, ClientId, Role, Seconds, Session, SessionId, SessionState, UnixSeconds};

use crate::{
    sessions::{LiveError, OpenState, Presence, SessionFilter, Sessions, StateChange, Whose},
    suite::{
        race::{abandon, departures, race},
        samples::{NOW, session},
        world::Home,
    },
    unavailable::Unavailable,
};

const STATES: [SessionState; 4] = [SessionState::Active, SessionState::Limited, SessionState::Challenged, SessionState::Revoked];

async fn live(sessions: &dyn Sessions, id: &SessionId, now: UnixSeconds) -> Result<Session, LiveError> {
    sessions.live(id, now).await.map(|live| live.into_session())
}

/// Gives a session a state, or ends it, and reports the outcome of both in the same words.
async fn turn(sessions: &dyn Sessions, id: &SessionId, state: SessionState) -> Result<StateChange, Unavailable> {
    if let Some(state) = OpenState::of(state) {
        return sessions.set_state(id, state).await;
    }
    let ended = sessions.end(&Whose::Session(id.clone()), NOW).await?;
    match ended.sessions.first() {
        Some(session) => Ok(StateChange::Changed { from: session.state }),
        None if sessions.find(id).await?.is_none() => Ok(StateChange::Unknown),
        None => Ok(StateChange::Final),
    }
}

/// Expected answer for a session in that state while its time lasts.
fn in_time(session: &Session) -> Result<Session, LiveError> {
    match session.state {
        SessionState::Active | SessionState::Limited => Ok(session.clone()),
        SessionState::Challenged => Err(LiveError::Challenged),
        SessionState::Revoked => Err(LiveError::Revoked),
    }
}

pub(crate) async fn what_was_opened_is_found_after_a_restart(home: &dyn Home) {
    let truth = home.open().await;
    let mut opened = Vec::new();
    for (number, state) in (0..).zip(STATES) {
        truth.settle(number).await;
        let roles = ["admin", "customer"].map(|role| Role::parse(role).expect("an id"));
        let session = Session {
            state,
            roles: roles.into_iter().take(number.into()).collect(),
            acr: if number.is_multiple_of(2) { Acr::Basic } else { Acr::Presence },
            amr: [Amr::HardwareKey, Amr::MultiFactor, Amr::SoftwareKey, Amr::UserVerified].into_iter().take(number.into()).collect(),
            ..session(number)
        };
        assert_eq!(truth.sessions.open(session.clone()).await, Ok(()));
        assert_eq!(truth.sessions.find(&session.id).await, Ok(Some(session.clone())), "as it was opened");
        opened.push(session);
    }
    assert!(truth.sessions.open(session(0)).await.is_err(), "one id is one session");
    let truth = home.open().await;
    for session in opened {
        assert_eq!(truth.sessions.find(&session.id).await, Ok(Some(session.clone())), "after a restart");
        assert_eq!(live(&*truth.sessions, &session.id, NOW).await, in_time(&session), "after a restart");
    }
    assert_eq!(truth.sessions.find(&session(99).id).await, Ok(None));
    assert_eq!(live(&*truth.sessions, &session(99).id, NOW).await, Err(LiveError::Unknown));
}

pub(crate) async fn state_and_time_decide(home: &dyn Home) {
    let sessions = home.open().await;
    let opened = sessions.open_session(1).await;
    let (last, late) = (opened.expires_at, opened.expires_at.plus(Seconds(1)));
    for state in [SessionState::Limited, SessionState::Challenged, SessionState::Active, SessionState::Revoked] {
        let change = turn(&*sessions.sessions, &opened.id, state).await;
        assert!(matches!(change, Ok(StateChange::Changed { .. })), "{state:?}: {change:?}");
        let now_is = Session { state, ..opened.clone() };
        assert_eq!(live(&*sessions.sessions, &opened.id, last).await, in_time(&now_is), "{state:?}, in the last second");
        let expected = match state {
            SessionState::Active | SessionState::Limited => Err(LiveError::Expired),
            SessionState::Challenged => Err(LiveError::Challenged),
            SessionState::Revoked => Err(LiveError::Revoked),
        };
        assert_eq!(live(&*sessions.sessions, &opened.id, late).await, expected, "{state:?}, one second late");
    }
}

pub(crate) async fn an_end_is_put_off_and_never_brought_forward(home: &dyn Home) {
    let truth = home.open().await;
    let opened = truth.open_session(1).await;
    let (end, later) = (opened.expires_at, opened.expires_at.plus(Seconds(100)));
    assert_eq!(truth.sessions.prolong(&opened.id, end.minus(Seconds(1))).await, Ok(()));
    assert!(live(&*truth.sessions, &opened.id, end).await.is_ok(), "not brought forward");
    assert_eq!(truth.sessions.prolong(&opened.id, later).await, Ok(()));
    for truth in [truth, home.open().await] {
        assert!(matches!(live(&*truth.sessions, &opened.id, later).await, Ok(_) | Err(LiveError::Unavailable(_))));
    }
    let truth = home.open().await;
    assert_eq!(live(&*truth.sessions, &opened.id, later.plus(Seconds(1))).await, Err(LiveError::Expired));
    let change = turn(&*truth.sessions, &opened.id, SessionState::Revoked).await;
    assert!(matches!(change, Ok(StateChange::Changed { .. })), "{change:?}");
    assert_eq!(truth.sessions.prolong(&opened.id, later.plus(Seconds(100))).await, Ok(()));
    assert_eq!(live(&*truth.sessions, &opened.id, NOW).await, Err(LiveError::Revoked));
    assert_eq!(truth.sessions.prolong(&session(99).id, later).await, Ok(()), "nobody is there");
}

pub(crate) async fn revoked_is_final(home: &dyn Home) {
    let truth = home.open().await;
    let id = truth.open_session(1).await.id;
    assert_eq!(turn(&*truth.sessions, &session(2).id, SessionState::Revoked).await, Ok(StateChange::Unknown));
    let change = turn(&*truth.sessions, &id, SessionState::Revoked).await;
    assert_eq!(change, Ok(StateChange::Changed { from: SessionState::Active }));
    for truth in [truth, home.open().await] {
        for state in STATES {
            let change = turn(&*truth.sessions, &id, state).await;
            // A store that was closed by the restart does not answer at all.
            assert!(matches!(change, Ok(StateChange::Final) | Err(_)), "{state:?}: {change:?}");
            let answer = live(&*truth.sessions, &id, NOW).await;
            assert!(matches!(answer, Err(LiveError::Revoked | LiveError::Unavailable(_))), "{state:?}: {answer:?}");
        }
    }
    assert_eq!(live(&*home.open().await.sessions, &id, NOW).await, Err(LiveError::Revoked));
}

pub(crate) async fn of_racing_revocations_one_revokes(home: &dyn Home) {
    let truth = home.open().await;
    let id = truth.open_session(1).await.id;
    let changes = race(16, |_| {
        let (sessions, id) = (Arc::clone(&truth.sessions), id.clone());
        async move { turn(&*sessions, &id, SessionState::Revoked).await.expect("an answer") }
    })
    .await;
    let won = changes.iter().filter(|change| matches!(change, StateChange::Changed { .. })).count();
    let lost = changes.iter().filter(|change| **change == StateChange::Final).count();
    assert_eq!((won, lost), (1, 15));
}

/// Lets readers that find nothing in memory race with a revocation. One thing must not happen: a reader who looked before puts what it saw
/// into memory after.
pub(crate) async fn a_race_leaves_nothing_stale(home: &dyn Home) {
    const SESSIONS: u16 = 24;
    let truth = home.open().await;
    for number in 0..SESSIONS {
        truth.open_session(number).await;
    }
    let sessions = home.open().await.sessions;
    for number in 0..SESSIONS {
        let (id, revoked) = (session(number).id, Arc::new(AtomicBool::new(false)));
        race(12, |task| {
            let (sessions, id, revoked) = (Arc::clone(&sessions), id.clone(), Arc::clone(&revoked));
            async move {
                if task == 5 {
                    assert!(turn(&*sessions, &id, SessionState::Revoked).await.is_ok());
                    revoked.store(true, Ordering::SeqCst);
                }
                for _ in 0..20 {
                    let must_be_refused = revoked.load(Ordering::SeqCst);
                    let answer = sessions.live(&id, NOW).await;
                    assert!(answer.is_err() || !must_be_refused, "it lives although it was revoked before the question");
                }
            }
        })
        .await;
        assert_eq!(live(&*sessions, &id, NOW).await, Err(LiveError::Revoked));
    }
}

/// Drops callers in the middle of a change. However far the call came, the store answers what it keeps, and asking again makes the change.
pub(crate) async fn an_abandoned_change_leaves_nothing_stale(home: &dyn Home) {
    let truth = home.open().await;
    let (mut answers, mut done) = (Vec::new(), 0);
    for (number, polls) in departures() {
        let id = truth.open_session(number).await.id;
        assert!(live(&*truth.sessions, &id, NOW).await.is_ok(), "at hand");
        done += abandon(turn(&*truth.sessions, &id, SessionState::Revoked), polls).await.iter().count();
        // The moment in which an old row could be taken for the present one.
        drop(live(&*truth.sessions, &id, NOW).await);
        // What was abandoned has come to its end when a later change is acknowledged.
        truth.settle(1000 + number).await;
        answers.push((id.clone(), live(&*truth.sessions, &id, NOW).await.is_ok()));
    }
    assert!((1..answers.len()).contains(&done), "{done} of {} were done: none was abandoned, or all", answers.len());
    let truth = home.open().await;
    for (id, lived) in answers {
        assert_eq!(live(&*truth.sessions, &id, NOW).await.is_ok(), lived, "what was answered before the restart is not what is kept");
    }
    for (number, polls) in departures() {
        let id = truth.open_session(2000 + number).await.id;
        abandon(turn(&*truth.sessions, &id, SessionState::Revoked), polls).await;
        drop(live(&*truth.sessions, &id, NOW).await);
        let again = turn(&*truth.sessions, &id, SessionState::Revoked).await;
        assert!(matches!(again, Ok(StateChange::Changed { .. } | StateChange::Final)), "{again:?}");
        assert_eq!(live(&*truth.sessions, &id, NOW).await, Err(LiveError::Revoked), "abandoned after {polls} polls, and asked again");
    }
}

pub(crate) async fn an_authentication_is_noted_and_nothing_else(home: &dyn Home) {
    let truth = home.open().await;
    let opened = truth.open_session(1).await;
    let (earlier, later) = (opened.auth_time.minus(Seconds(1)), opened.auth_time.plus(Seconds(1)));
    assert_eq!(truth.sessions.authenticated(&opened.id, later).await, Ok(()));
    let noted = Session { auth_time: later, ..opened.clone() };
    assert_eq!(live(&*truth.sessions, &opened.id, NOW).await, Ok(noted.clone()));
    assert_eq!(truth.sessions.authenticated(&opened.id, earlier).await, Ok(()));
    assert_eq!(live(&*truth.sessions, &opened.id, NOW).await, Ok(noted), "it does not become older");
    for state in [SessionState::Challenged, SessionState::Revoked] {
        assert!(turn(&*truth.sessions, &opened.id, state).await.is_ok());
        assert_eq!(truth.sessions.authenticated(&opened.id, later.plus(Seconds(1))).await, Ok(()));
        let found = truth.sessions.find(&opened.id).await;
        assert_eq!(found.map(|found| found.map(|session| session.state)), Ok(Some(state)), "an authentication opens no session");
    }
    assert_eq!(truth.sessions.authenticated(&session(2).id, NOW).await, Ok(()), "nobody to note it for");
    let found = home.open().await.sessions.find(&opened.id).await.expect("an answer").expect("a session");
    assert_eq!(found.auth_time, later.plus(Seconds(1)));
}

pub(crate) async fn lists_are_newest_first_and_fit(home: &dyn Home) {
    let truth = home.open().await;
    for number in [3, 1, 2] {
        truth.open_session(number).await;
    }
    // The same person on another's device, opened in the same second as the newest.
    let visit = Session { id: session(4).id, user: session(1).user, ..session(3) };
    assert_eq!(truth.sessions.open(visit.clone()).await, Ok(()));
    let all = [visit.clone(), session(3), session(2), session(1)];
    let of = |user: Option<u16>, device: Option<u16>| SessionFilter {
        user: user.map(|number| session(number).user),
        device: device.map(|number| session(number).device),
        live_at: None,
    };
    let rows: &[(&str, SessionFilter, u32, &[Session])] = &[
        ("all", of(None, None), 10, &all),
        ("as many as there are", of(None, None), 4, &all),
        ("one fewer", of(None, None), 3, &all[..3]),
        ("none", of(None, None), 0, &[]),
        ("of a person", of(Some(1), None), 10, &[visit.clone(), session(1)]),
        ("on a device", of(None, Some(3)), 10, &[visit.clone(), session(3)]),
        ("of a person on a device", of(Some(1), Some(3)), 10, std::slice::from_ref(&visit)),
        ("of a person who was never there", of(Some(2), Some(3)), 10, &[]),
    ];
    for (name, filter, count_max, expected) in rows {
        assert_eq!(truth.sessions.list(filter, *count_max).await.as_deref(), Ok(*expected), "{name}");
    }
    assert!(turn(&*truth.sessions, &visit.id, SessionState::Revoked).await.is_ok());
    let newest = truth.sessions.list(&of(None, None), 1).await.expect("a list");
    assert_eq!(newest.first().map(|session| session.state), Some(SessionState::Revoked), "the list is as new as the answer");
    let live = |at: UnixSeconds| SessionFilter { live_at: Some(at), ..SessionFilter::default() };
    let left = [session(3), session(2), session(1)];
    let end = left.iter().map(|session| session.expires_at).min().expect("sessions");
    assert_eq!(truth.sessions.list(&live(end), 10).await.as_deref(), Ok(&left[..]), "in their last second");
    let later = truth.sessions.list(&live(end.plus(Seconds(1))), 10).await.expect("a list");
    assert!(later.iter().all(|session| session.expires_at > end) && later.len() < 3, "one second after: {later:?}");
}

pub(crate) async fn a_walk_meets_everybody_who_is_signed_in_once(home: &dyn Home) {
    let truth = home.open().await;
    let sessions = &*truth.sessions;
    assert_eq!(sessions.walk(None, 10, NOW).await, Ok(Vec::new()));
    for number in 1..=9 {
        truth.open_session(number).await;
    }
    let also = |number: u16, like: Session| Session { id: session(number).id, ..like };
    let extra = [
        also(20, session(3)),
        also(21, Session { user: session(1).user, ..session(3) }),
        also(22, Session { client: ClientId::parse("com.example.shop").expect("an id"), ..session(3) }),
        also(23, Session { user: session(2).user, state: SessionState::Revoked, ..session(3) }),
        also(24, Session { user: session(4).user, expires_at: NOW.minus(Seconds(1)), ..session(3) }),
        also(25, Session { user: session(5).user, expires_at: NOW, state: SessionState::Limited, ..session(3) }),
        also(26, Session { user: session(6).user, state: SessionState::Challenged, ..session(3) }),
    ];
    for session in &extra {
        assert_eq!(sessions.open(session.clone()).await, Ok(()));
    }
    assert!(turn(sessions, &session(9).id, SessionState::Revoked).await.is_ok());
    let of = |session: &Session| Presence { device: session.device.clone(), user: session.user.clone(), client: session.client.clone() };
    let counted = extra.iter().filter(|open| open.state != SessionState::Revoked && open.expires_at >= NOW);
    let mut expected: Vec<_> = (1..=8).map(session).collect::<Vec<_>>().iter().chain(counted).map(of).collect();
    expected.sort();
    expected.dedup();
    assert_eq!(expected.len(), 12, "two sessions of one kind are one");
    for count_max in [1, 2, 5, 11, 12, 13] {
        let (mut met, mut after) = (Vec::new(), None);
        loop {
            let page = sessions.walk(after.as_ref(), count_max, NOW).await.expect("a page");
            assert!(page.len() <= count_max as usize, "at most {count_max}");
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            met.extend(page);
        }
        assert_eq!(met, expected, "by {count_max}");
    }
    assert_eq!(sessions.walk(None, 0, NOW).await, Ok(Vec::new()));
}
