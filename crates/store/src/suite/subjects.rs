//! Who the people are and which passkeys speak for them.

use std::sync::Arc;

use countersign_core::{Role, Seconds};

use crate::{
    subjects::{Created, Invitation, Passkey, Used, User, UserState},
    suite::{
        race::race,
        samples::{NOW, hash, passkey, user},
        world::Home,
    },
};

pub async fn what_was_made_is_found_after_a_restart(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    assert_eq!(subjects.create(user(1), passkey(1)).await, Ok(Created::Done));
    let second = Passkey { user: user(1).id, ..passkey(2) };
    assert_eq!(subjects.add_passkey(second.clone()).await, Ok(Created::Done));
    assert_eq!(subjects.add_passkey(second.clone()).await, Ok(Created::CredentialTaken));
    let roles = ["admin", "customer"].map(|role| Role::parse(role).expect("an id"));
    assert_eq!(subjects.state(&user(1).id).await, Ok(Some(UserState::Active)));
    for (state, roles) in [(UserState::Closed, &roles[..0]), (UserState::Active, &roles[..])] {
        let changed = User { state, roles: roles.to_vec(), ..user(1) };
        assert_eq!(subjects.update(&user(1).id, state, roles).await, Ok(Some(changed)));
        assert_eq!(subjects.state(&user(1).id).await, Ok(Some(state)), "not what it was before");
    }
    assert_eq!(subjects.update(&user(9).id, UserState::Closed, &[]).await, Ok(None));
    let subjects = home.open().await.subjects;
    let kept = User { roles: roles.to_vec(), ..user(1) };
    assert_eq!(subjects.find(&user(1).id).await, Ok(Some(kept.clone())));
    assert_eq!(subjects.find_by_name(&user(1).name).await, Ok(Some(kept)));
    assert_eq!(subjects.passkeys(&user(1).id).await, Ok(vec![passkey(1), second.clone()]));
    assert_eq!(subjects.find_passkey(&second.credential).await, Ok(Some(second)));
    assert_eq!(subjects.find(&user(9).id).await, Ok(None));
    assert_eq!(subjects.state(&user(9).id).await, Ok(None));
    assert_eq!(subjects.find_by_name("Person 1").await, Ok(None), "a name is the name as it is written");
    assert_eq!(subjects.find_passkey(&passkey(9).credential).await, Ok(None));
    assert_eq!(subjects.passkeys(&user(9).id).await, Ok(vec![]));
    assert!(subjects.add_passkey(passkey(9)).await.is_err(), "a passkey for nobody");
}

pub async fn an_account_comes_with_its_passkey_or_not_at_all(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    assert_eq!(subjects.create(user(1), passkey(1)).await, Ok(Created::Done));
    let namesake = User { name: user(1).name, ..user(2) };
    assert_eq!(subjects.create(namesake, passkey(2)).await, Ok(Created::NameTaken));
    let borrowed = Passkey { credential: passkey(1).credential, ..passkey(2) };
    assert_eq!(subjects.create(user(2), borrowed).await, Ok(Created::CredentialTaken));
    assert!(subjects.create(user(2), Passkey { user: user(1).id, ..passkey(2) }).await.is_err(), "the passkey of another");
    let subjects = home.open().await.subjects;
    assert_eq!(subjects.find(&user(2).id).await, Ok(None));
    assert_eq!(subjects.find_passkey(&passkey(2).credential).await, Ok(None));
    assert_eq!(subjects.find_passkey(&passkey(1).credential).await, Ok(Some(passkey(1))));
    assert_eq!(subjects.create(user(2), passkey(2)).await, Ok(Created::Done), "nothing of it was left behind");
}

/// Whoever asks while an account is being closed may hear either; whoever asks after it was closed hears that.
pub async fn a_closed_account_is_never_remembered_as_active(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    for number in 1..=20 {
        assert_eq!(subjects.create(user(number), passkey(number)).await, Ok(Created::Done));
        race(8, |task| {
            let subjects = Arc::clone(&subjects);
            async move {
                if task == 4 {
                    subjects.update(&user(number).id, UserState::Closed, &[]).await.map(|_| ()).expect("an answer");
                } else {
                    subjects.state(&user(number).id).await.map(|_| ()).expect("an answer");
                }
            }
        })
        .await;
        assert_eq!(subjects.state(&user(number).id).await, Ok(Some(UserState::Closed)));
    }
}

pub async fn of_racing_accounts_one_is_made(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    let named = race(12, |task| {
        let (subjects, number) = (Arc::clone(&subjects), u16::try_from(task).expect("few"));
        async move { subjects.create(User { name: "alice".to_owned(), ..user(number) }, passkey(number)).await.expect("an answer") }
    })
    .await;
    assert_eq!(named.iter().filter(|made| **made == Created::Done).count(), 1);
    assert_eq!(named.iter().filter(|made| **made == Created::NameTaken).count(), 11);
    let keyed = race(12, |task| {
        let (subjects, number) = (Arc::clone(&subjects), 100 + u16::try_from(task).expect("few"));
        let shared = Passkey { credential: passkey(100).credential, ..passkey(number) };
        async move { subjects.create(user(number), shared).await.expect("an answer") }
    })
    .await;
    assert_eq!(keyed.iter().filter(|made| **made == Created::Done).count(), 1);
    assert_eq!(keyed.iter().filter(|made| **made == Created::CredentialTaken).count(), 11);
    assert_eq!(subjects.list(100).await.map(|all| all.len()), Ok(2));
}

pub async fn a_counter_is_used_once(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    assert_eq!(subjects.create(user(1), passkey(1)).await, Ok(Created::Done));
    let used = race(16, |task| {
        let subjects = Arc::clone(&subjects);
        let record = format!("use {task}");
        async move { subjects.use_passkey(Passkey { counter: 7, record, ..passkey(1) }, 0).await.expect("an answer") }
    })
    .await;
    let winner = used.iter().position(|used| *used == Used::Noted).expect("a winner");
    assert_eq!(used.iter().filter(|used| **used == Used::Raced).count(), 15);
    let subjects = home.open().await.subjects;
    let kept = Passkey { counter: 7, record: format!("use {winner}"), ..passkey(1) };
    assert_eq!(subjects.find_passkey(&passkey(1).credential).await, Ok(Some(kept)), "what the winner noted");
    let last = Passkey { counter: u32::MAX, ..passkey(1) };
    assert_eq!(subjects.use_passkey(last.clone(), 6).await, Ok(Used::Raced), "a counter that was never there");
    assert_eq!(subjects.use_passkey(last.clone(), 7).await, Ok(Used::Noted));
    assert_eq!(subjects.find_passkey(&passkey(1).credential).await, Ok(Some(last)));
    assert_eq!(subjects.use_passkey(passkey(9), 0).await, Ok(Used::Raced), "a passkey that was never there");
}

fn invitation(number: u16) -> Invitation {
    Invitation {
        code: hash(number),
        name: number.is_multiple_of(2).then(|| "alice".to_owned()),
        roles: vec![Role::parse("admin").expect("an id")],
        expires_at: NOW,
    }
}

pub async fn an_invitation_is_taken_once_in_its_time(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    let late = NOW.plus(Seconds(1));
    for number in 0..3 {
        assert_eq!(subjects.invite(invitation(number)).await, Ok(()));
    }
    let subjects = home.open().await.subjects;
    for number in 0..3 {
        assert_eq!(subjects.find_invitation(&hash(number), NOW).await, Ok(Some(invitation(number))), "in its last second");
        assert_eq!(subjects.find_invitation(&hash(number), late).await, Ok(None), "one second late");
        assert_eq!(subjects.take_invitation(&hash(number), late).await, Ok(None), "one second late");
    }
    assert_eq!(subjects.take_invitation(&hash(9), NOW).await, Ok(None), "never made");
    let taken = race(16, |_| {
        let subjects = Arc::clone(&subjects);
        async move { subjects.take_invitation(&hash(0), NOW).await.expect("an answer") }
    })
    .await;
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [invitation(0)]);
    let subjects = home.open().await.subjects;
    assert_eq!(subjects.find_invitation(&hash(0), NOW).await, Ok(None));
    assert_eq!(subjects.take_invitation(&hash(0), NOW).await, Ok(None));
    assert_eq!(subjects.take_invitation(&hash(1), NOW).await, Ok(Some(invitation(1))));
}

pub async fn lists_are_newest_first(home: &dyn Home) {
    let subjects = home.open().await.subjects;
    for number in [2, 3, 1] {
        assert_eq!(subjects.create(user(number), passkey(number)).await, Ok(Created::Done));
    }
    let all = [user(3), user(2), user(1)];
    for (count_max, expected) in [(10, &all[..]), (3, &all[..]), (2, &all[..2]), (0, &[])] {
        assert_eq!(subjects.list(count_max).await.as_deref(), Ok(expected), "at most {count_max}");
    }
}
