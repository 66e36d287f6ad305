//! Whose doing counts against whom, at the doors: handsets that make many keys, codes that are guessed, sessions without end, and passkeys
//! that were copied.

use countersign_audit::EventKind;
use countersign_core::{Reason, SessionState};
use countersign_issuer::SignUp;
use countersign_store::SessionFilter;
use serde_json::json;

use crate::{
    phone::{Phone, Says},
    world::{APP, World},
};

#[tokio::test]
async fn one_handset_does_not_enrol_150_keys() {
    let world = World::new(SignUp::Open);
    let mut taken = 0;
    for _ in 0..150 {
        let answer = Phone::new().enrol(&world, &Says::truth()).await;
        match answer.verdict().as_str() {
            "201" => taken += 1,
            refused => {
                assert_eq!(refused, "429 too_many");
                assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            }
        }
    }
    assert_eq!(taken, 20);
    let last = world.memory.shelf().entries.last().map(|entry| entry.event.reasons.clone());
    assert_eq!(last, Some(vec![Reason::EnrolmentsTooMany]));
    world.pass(30);
    assert_eq!(Phone::new().enrol(&world, &Says::truth()).await.verdict(), "201", "one more after a while");
}

#[tokio::test]
async fn a_lost_answer_to_an_enrolment_costs_no_share() {
    let world = World::new(SignUp::Open);
    let phone = Phone::new();
    for _ in 0..40 {
        assert_eq!(phone.enrol(&world, &Says::truth()).await.verdict(), "201");
        world.pass(1);
    }
}

#[tokio::test]
async fn wrong_invitations_count_against_whoever_guesses() {
    let world = World::new(SignUp::Invite);
    let (guesser, honest) = (Phone::new(), Phone::new());
    for phone in [&guesser, &honest] {
        assert_eq!(phone.enrol(&world, &Says::truth()).await.verdict(), "201");
    }
    for guess in 0..5 {
        let answer = guesser.start_registration(&world, &format!("name{guess}"), Some("csi_wrong")).await;
        assert_eq!(answer.verdict(), "403 policy");
    }
    let answer = guesser.start_registration(&world, "name", Some("csi_wrong")).await;
    assert_eq!(answer.verdict(), "429 too_many");
    assert_eq!(honest.start_registration(&world, "alice", Some("csi_typo")).await.verdict(), "403 policy", "another phone is not refused");
}

#[tokio::test]
async fn the_oldest_session_makes_room_on_a_device() {
    let world = World::new(SignUp::Open);
    let (mut phone, _) = Phone::signed_in(&world).await;
    for _ in 0..60 {
        world.pass(2);
        let code = phone.log_in(&world).await.text("code");
        assert_eq!(phone.redeem(&world, &code).await.verdict(), "200");
    }
    let sessions = world.issuer.stores.sessions.list(&SessionFilter::default(), 1000).await.expect("an answer");
    let open: Vec<_> = sessions.iter().filter(|session| session.state != SessionState::Revoked).collect();
    assert_eq!((sessions.len(), open.len()), (61, 8));
    let oldest_open = open.iter().map(|session| session.created_at).min();
    let ended = sessions.iter().filter(|session| session.state == SessionState::Revoked);
    assert!(ended.map(|session| Some(session.created_at)).max() < Some(oldest_open), "the oldest end");
    let recorded = world.memory.shelf().entries.iter().filter(|entry| entry.event.kind() == EventKind::SessionChanged).count();
    assert_eq!(recorded, 53);
}

/// A passkey that was stolen from the person's keychain binds a phone, which is new for a day: it neither cuts off the owner's, nor lifts its
/// own limit.
#[tokio::test]
async fn a_copied_passkey_does_not_lift_the_limit_of_its_phone() {
    let world = World::new(SignUp::Open);
    let (mut owner, owners) = Phone::signed_in(&world).await;
    let old = owner.path(&world);
    world.pass(60);
    let (mut thief, thiefs) = owner.second(&world).await;
    assert_eq!(state_of_newest(&world).await, SessionState::Limited);
    let disown = thief.person(&world, (&thiefs, "POST"), &format!("{old}/not-me"), "{}");
    assert_eq!(world.send(disown).await.verdict(), "401 step_up");
    let step_up = thief.step_up(&world).await;
    assert_eq!(step_up.verdict(), "403 limited", "{step_up:?}");
    assert_eq!(world.memory.shelf().entries.last().map(|entry| entry.event.reasons.clone()), Some(vec![Reason::BindingCoolingDown]));
    assert_eq!(state_of_newest(&world).await, SessionState::Limited);
    // The owner's phone is older, and acts at once.
    let gone = owner.person(&world, (&owners, "POST"), &format!("{}/not-me", thief.path(&world)), "{}");
    assert_eq!(world.send(gone).await.verdict(), "200");
    // Both hold the passkey of one keychain, with its count of uses.
    owner.passkey.clone_from(&thief.passkey);
    assert_eq!(owner.step_up(&world).await.verdict(), "200");
}

#[tokio::test]
async fn after_a_day_the_same_passkey_lifts_the_limit() {
    let world = World::new(SignUp::Open);
    let (mut owner, _) = Phone::signed_in(&world).await;
    world.pass(60);
    let (mut new, _) = owner.second(&world).await;
    world.pass(86_399);
    assert_eq!(new.step_up(&world).await.verdict(), "403 limited");
    world.pass(1);
    // The session of the world's issuer lasts a day, so the phone signs in again.
    let code = new.log_in(&world).await.text("code");
    assert_eq!(new.redeem(&world, &code).await.verdict(), "200");
    assert_eq!(state_of_newest(&world).await, SessionState::Active);
}

async fn state_of_newest(world: &World) -> SessionState {
    let sessions = world.issuer.stores.sessions.list(&SessionFilter::default(), 1).await.expect("an answer");
    sessions.first().expect("a session").state
}

impl Phone {
    /// Shows the passkey again for the sessions on this phone.
    async fn step_up(&mut self, world: &World) -> crate::world::Answer {
        let started = self.ask(world, "/countersign/v1/login/start", &json!({ "client_id": APP, "purpose": "step_up" })).await;
        let body = self.use_passkey(&started).await;
        self.ask(world, "/countersign/v1/login/finish", &body).await
    }
}
