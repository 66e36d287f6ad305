//! A person's own devices: listed, renamed, removed, disowned; shared phones, several phones, a phone that was passed on.

use countersign_core::{SessionState, SignalKind};
use countersign_issuer::{SignUp, endpoints};
use countersign_store::DeviceState;
use insta::assert_snapshot;

use crate::{
    phone::{Phone, Says},
    world::{Answer, World},
};

const DEVICES: &str = "/countersign/v1/me/devices";
const NOTICES: &str = "/countersign/v1/me/notices";

async fn get(world: &World, phone: &Phone, tokens: &Answer, path: &str) -> Answer {
    world.send(phone.person(world, (tokens, "GET"), path, "")).await
}

async fn not_me(world: &World, (phone, tokens): (&Phone, &Answer), path: &str) -> Answer {
    world.send(phone.person(world, (tokens, "POST"), &format!("{path}/not-me"), "{}")).await
}

async fn remove(world: &World, (phone, tokens): (&Phone, &Answer), path: &str) -> Answer {
    world.send(phone.person(world, (tokens, "DELETE"), path, "")).await
}

async fn rename(world: &World, (phone, tokens): (&Phone, &Answer), path: &str, body: &str) -> Answer {
    world.send(phone.person(world, (tokens, "PATCH"), path, body)).await
}

#[tokio::test]
async fn a_life_of_devices_in_whole_messages() {
    let world = World::new(SignUp::Open);
    let (mut owner, tokens) = Phone::signed_in(&world).await;
    world.pass(60);
    let (thief, thiefs) = owner.second(&world).await;
    let renamed = rename(&world, (&owner, &tokens), &owner.path(&world), r#"{"name":"Anna's phone"}"#).await;
    assert_snapshot!("device_renamed", renamed.message(&[]));
    assert_snapshot!("devices_listed", get(&world, &owner, &tokens, DEVICES).await.message(&[]));
    assert_snapshot!("devices_noticed", get(&world, &owner, &tokens, NOTICES).await.message(&[]));
    assert_snapshot!("device_disowned", not_me(&world, (&owner, &tokens), &thief.path(&world)).await.message(&[]));
    // The very next request of the thief, with a token that has minutes to live.
    assert_eq!(get(&world, &thief, &thiefs, DEVICES).await.verdict(), "401 revoked");
    assert_eq!(thief.refresh(&world, &thiefs.text("refresh_token")).await.status, 400);
    assert_snapshot!("devices_noticed_after", get(&world, &owner, &tokens, NOTICES).await.message(&[]));
    let kinds: Vec<_> = world.memory.shelf().signals.iter().map(|signal| signal.kind).collect();
    assert_eq!(kinds, [SignalKind::DeviceDisowned]);
    let shelf = world.memory.shelf();
    let last = shelf.entries.iter().rev().find(|entry| entry.event.kind().as_str() == "device_revoked").expect("an entry");
    assert_eq!(last.words()["state"], "disowned");
    assert!(
        last.identity.identifying().iter().any(|field| field.value == shelf.devices[1].posture.device.to_string()),
        "about the thief's phone"
    );
}

#[tokio::test]
async fn a_disowned_device_never_comes_back() {
    let world = World::new(SignUp::Open);
    let (mut owner, tokens) = Phone::signed_in(&world).await;
    let (thief, _) = owner.second(&world).await;
    let (_third, _) = owner.second(&world).await;
    let done = not_me(&world, (&owner, &tokens), &thief.path(&world)).await.json();
    assert_eq!((done["sessions_ended"].as_u64(), done["sessions_frozen"].as_u64()), (Some(1), Some(1)));
    let states: Vec<_> = world.memory.shelf().sessions.iter().map(|session| session.state).collect();
    assert_eq!(states, [SessionState::Active, SessionState::Revoked, SessionState::Challenged]);
    assert_eq!(thief.start_login(&world).await.verdict(), "401 revoked");
    assert_eq!(thief.enrol(&world, &Says::truth()).await.verdict(), "401 revoked");
    let again = not_me(&world, (&owner, &tokens), &thief.path(&world)).await.json();
    assert_eq!(again["sessions_ended"].as_u64(), Some(0), "a retry is answered, too");
}

#[tokio::test]
async fn cutting_off_is_refused_for_one_thing_each() {
    let world = World::new(SignUp::Open);
    let (mut owner, tokens) = Phone::signed_in(&world).await;
    let (other, _) = owner.second(&world).await;
    let (own, others) = (owner.path(&world), other.path(&world));
    assert_eq!(remove(&world, (&owner, &tokens), &own).await.verdict(), "409 device_in_hand");
    assert_eq!(not_me(&world, (&owner, &tokens), &own).await.verdict(), "409 device_in_hand");
    for nobodys in ["d_AAAAAAAAAAAAAAAAAAAAAA", "x", "%2e%2e"] {
        let path = format!("{DEVICES}/{nobodys}");
        assert_eq!(remove(&world, (&owner, &tokens), &path).await.verdict(), "403 policy", "{nobodys}");
    }
    assert_eq!(not_me(&world, (&owner, &tokens), &others).await.verdict(), "200");
    let (mut third, thirds) = owner.second(&world).await;
    world.pass(300);
    let renewed = third.refresh(&world, &thirds.text("refresh_token")).await;
    assert_eq!(remove(&world, (&third, &renewed), &own).await.verdict(), "200", "the last second");
    let (fourth, fourths) = third.second_of_yesterday(&world).await;
    world.pass(301);
    let renewed = fourth.refresh(&world, &fourths.text("refresh_token")).await;
    let stale = remove(&world, (&fourth, &renewed), &third.path(&world)).await;
    assert_snapshot!("authentication_stale", stale.message(&[]));
    assert!(world.recorded().ends_with("deny authentication_stale"));
}

/// A sign-in that looked like somebody else's, or a phone that the API refuses, may look and cut nobody off.
#[tokio::test]
async fn who_has_to_confirm_first_changes_nothing() {
    let world = World::new(SignUp::Open);
    let (mut owner, tokens) = Phone::signed_in(&world).await;
    let (thief, thiefs) = owner.second(&world).await;
    let owners = owner.path(&world);
    world.memory.shelf().sessions[1].state = SessionState::Limited;
    assert_eq!(get(&world, &thief, &thiefs, DEVICES).await.status, 200, "limited sessions may look");
    for tried in [
        not_me(&world, (&thief, &thiefs), &owners).await,
        remove(&world, (&thief, &thiefs), &owners).await,
        rename(&world, (&thief, &thiefs), &owners, r#"{"name":"mine"}"#).await,
    ] {
        assert_eq!(tried.verdict(), "401 step_up");
    }
    world.memory.shelf().sessions[1].state = SessionState::Active;
    world.memory.shelf().devices[1].posture.bootloader_locked = Some(false);
    assert_eq!(not_me(&world, (&thief, &thiefs), &owners).await.verdict(), "403 device_unproven");
    let states: Vec<_> = world.memory.shelf().devices.iter().map(|device| device.state).collect();
    assert_eq!(states, [DeviceState::Active, DeviceState::Active]);
    assert_eq!(not_me(&world, (&owner, &tokens), &thief.path(&world)).await.status, 200);
}

#[tokio::test]
async fn names_are_strict() {
    let world = World::new(SignUp::Open);
    let (owner, tokens) = Phone::signed_in(&world).await;
    let path = owner.path(&world);
    for bad in [r#"{"name":""}"#, r#"{"name":" a"}"#, r#"{"name":"a\u0000"}"#, r#"{"name":"a\u202eb"}"#, r#"{"name":1}"#, "{}", "["] {
        assert_eq!(rename(&world, (&owner, &tokens), &path, bad).await.verdict(), "400 request_invalid", "{bad}");
    }
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(129));
    assert_eq!(rename(&world, (&owner, &tokens), &path, &long).await.verdict(), "400 request_invalid");
    assert_eq!(world.memory.shelf().devices[0].name, "Pixel 10");
}

/// A token that is stolen, sent as a bearer's, or proved for something else opens nothing.
#[tokio::test]
async fn a_token_alone_opens_nothing() {
    let world = World::new(SignUp::Open);
    let (owner, tokens) = Phone::signed_in(&world).await;
    let good = || owner.person(&world, (&tokens, "GET"), DEVICES, "");
    assert_eq!(world.send(good()).await.verdict(), "200");
    let mut bearer = good();
    let text = format!("Bearer {}", tokens.text("access_token"));
    bearer.headers_mut().insert("authorization", text.parse().expect("a value"));
    assert_eq!(world.send(bearer).await.verdict(), "401 token_missing");
    for header in ["authorization", "dpop"] {
        let mut without = good();
        without.headers_mut().remove(header);
        let told = if header == "dpop" { "401 proof_invalid" } else { "401 token_missing" };
        assert_eq!(world.send(without).await.verdict(), told);
    }
    let thief = Phone::new();
    assert_eq!(world.send(thief.person(&world, (&tokens, "GET"), DEVICES, "")).await.verdict(), "401 proof_invalid");
    assert_eq!(world.memory.shelf().signals.last().map(|signal| signal.kind), Some(SignalKind::ForeignProofKey));
    let mut elsewhere = owner.person(&world, (&tokens, "GET"), NOTICES, "");
    *elsewhere.uri_mut() = DEVICES.parse().expect("a path");
    assert_eq!(world.send(elsewhere).await.verdict(), "401 proof_invalid");
    let proof = good().headers()["dpop"].clone();
    for told in ["200", "401 proof_invalid"] {
        let mut again = good();
        again.headers_mut().insert("dpop", proof.clone());
        assert_eq!(world.send(again).await.verdict(), told);
    }
    world.memory.shelf().sessions[0].state = SessionState::Challenged;
    assert_eq!(world.send(good()).await.verdict(), "401 reauth");
}

/// Two people on one phone: each sees themselves only, and cutting the phone off for one leaves the other.
#[tokio::test]
async fn a_shared_phone_is_cut_off_for_one_person() {
    let world = World::new(SignUp::Open);
    let (mut alice, _) = Phone::signed_in(&world).await;
    let (elsewhere, alices) = alice.second(&world).await;
    let mut shared = alice;
    shared.passkey = None;
    assert_eq!(shared.register(&world, "bob", None).await.verdict(), "201");
    let code = shared.log_in(&world).await.text("code");
    let bobs = shared.redeem(&world, &code).await;
    let seen = get(&world, &shared, &bobs, DEVICES).await.json();
    assert_eq!(seen["devices"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["devices"][0]["sessions"].as_array().map(Vec::len), Some(1), "not alice's");
    let done = not_me(&world, (&elsewhere, &alices), &shared.path(&world)).await.json();
    assert_eq!((done["sessions_ended"].as_u64(), done["shared"].as_bool()), (Some(1), Some(true)));
    assert_eq!(get(&world, &shared, &bobs, DEVICES).await.verdict(), "200", "bob stays");
    assert_eq!(world.memory.shelf().devices[0].state, DeviceState::Active);
    assert_eq!(not_me(&world, (&shared, &bobs), &elsewhere.path(&world)).await.verdict(), "403 policy", "alice's is not bob's");
}

/// A phone that was reset has a new key: for its new owner it is a device of its own, and the old owner's record opens nothing.
#[tokio::test]
async fn a_phone_that_is_passed_on_begins_anew() {
    let world = World::new(SignUp::Open);
    let (alices, _) = Phone::signed_in(&world).await;
    let mut reset = Phone::new();
    let lost = reset.start_login(&world).await;
    assert_snapshot!("key_lost", lost.message(&[]));
    assert_eq!(reset.enrol(&world, &Says::truth()).await.verdict(), "201");
    assert_eq!(reset.register(&world, "bob", None).await.verdict(), "201");
    let code = reset.log_in(&world).await.text("code");
    let bobs = reset.redeem(&world, &code).await;
    let seen = get(&world, &reset, &bobs, DEVICES).await.json();
    assert_eq!(seen["devices"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["devices"][0]["new_device"].as_bool(), Some(false), "the first of its person");
    assert_ne!(alices.path(&world), reset.path(&world));
}

#[tokio::test]
async fn a_person_has_so_many_devices() {
    let world = World::new(SignUp::Open);
    let (mut owner, tokens) = Phone::signed_in(&world).await;
    let (second, _) = owner.second(&world).await;
    owner.second(&world).await;
    let mut fourth = Phone { passkey: owner.passkey.clone(), ..Phone::new() };
    fourth.enrol(&world, &Says::truth()).await;
    let code = fourth.log_in(&world).await.text("code");
    let refused = fourth.redeem(&world, &code).await;
    assert_snapshot!("devices_too_many", refused.message(&[]));
    assert_eq!(remove(&world, (&owner, &tokens), &second.path(&world)).await.verdict(), "200");
    assert_eq!(fourth.redeem(&world, &code).await.verdict(), "200", "there is room now");
    assert!(endpoints().any(|endpoint| endpoint.path == DEVICES));
}
