//! Stores that fail: whichever call it is, nobody gets anything, and a second try succeeds or is refused for its own reason.

use countersign_core::SessionState;
use countersign_issuer::SignUp;
use http::{Request, StatusCode};
use serde_json::json;

use crate::{
    development, paths,
    phone::{Phone, Says, code_form, enrolment, refresh_form},
    stores::Blow,
    world::{APP, World},
};

/// A scene: what must have happened before, and the request whose calls fail one after the other.
#[derive(Clone, Copy, Debug)]
enum Scene {
    Enrol,
    Disown,
    EnrolByToken,
    Freeze,
    LoginFinish,
    LoginStart,
    Redeem,
    RedeemAgain,
    RedeemStolen,
    Refresh,
    RegistrationFinish,
    RegistrationStart,
    Revoke,
    StepUp,
}

const SCENES: &[Scene] = &[
    Scene::Enrol,
    Scene::Disown,
    Scene::EnrolByToken,
    Scene::Freeze,
    Scene::LoginFinish,
    Scene::LoginStart,
    Scene::Redeem,
    Scene::RedeemAgain,
    Scene::RedeemStolen,
    Scene::Refresh,
    Scene::RegistrationFinish,
    Scene::RegistrationStart,
    Scene::Revoke,
    Scene::StepUp,
];

async fn request(scene: Scene, world: &World) -> Request<axum::body::Body> {
    match scene {
        Scene::Enrol => {
            let phone = Phone::new();
            let challenge = phone.challenge(world).await;
            let chain = world.maker.attest(&Says::truth(), &phone.hardware, &challenge);
            phone.json(world, paths::DEVICES, &enrolment(&chain, &challenge))
        }
        Scene::EnrolByToken => {
            development::keep(world, development::token());
            development::request(world, &Phone::new()).await
        }
        Scene::RegistrationStart => {
            let phone = Phone::new();
            phone.enrol(world, &Says::truth()).await;
            phone.json(world, paths::REGISTRATION_START, &json!({ "client_id": APP, "name": "alice" }))
        }
        Scene::RegistrationFinish => {
            let mut phone = Phone::new();
            phone.enrol(world, &Says::truth()).await;
            let started = phone.start_registration(world, "alice", None).await;
            let body = phone.make_passkey(&started).await;
            phone.json(world, paths::REGISTRATION_FINISH, &body)
        }
        Scene::LoginStart => Phone::registered(world).await.json(world, paths::LOGIN_START, &crate::phone::login()),
        Scene::LoginFinish => {
            let mut phone = Phone::registered(world).await;
            let started = phone.start_login(world).await;
            let body = phone.use_passkey(&started).await;
            phone.json(world, paths::LOGIN_FINISH, &body)
        }
        Scene::Redeem | Scene::RedeemAgain | Scene::RedeemStolen => {
            let mut phone = Phone::registered(world).await;
            let code = phone.log_in(world).await.text("code");
            if !matches!(scene, Scene::Redeem) {
                phone.redeem(world, &code).await;
            }
            let whose = if matches!(scene, Scene::RedeemStolen) { Phone::new() } else { phone };
            whose.token_request(world, &code_form(&code))
        }
        Scene::Refresh | Scene::Freeze => {
            let (phone, tokens) = Phone::signed_in(world).await;
            let whose = if matches!(scene, Scene::Freeze) { Phone::new() } else { phone };
            whose.token_request(world, &refresh_form(&tokens.text("refresh_token")))
        }
        Scene::Disown => {
            let (mut owner, tokens) = Phone::signed_in(world).await;
            let (thief, _) = owner.second(world).await;
            owner.person(world, (&tokens, "POST"), &format!("{}/not-me", thief.path(world)), "{}")
        }
        Scene::Revoke => {
            let (phone, tokens) = Phone::signed_in(world).await;
            phone.revocation(world, &tokens.text("refresh_token"))
        }
        Scene::StepUp => {
            let (mut phone, _) = Phone::signed_in(world).await;
            let started = phone.ask(world, paths::LOGIN_START, &json!({ "client_id": APP, "purpose": "step_up" })).await;
            let body = phone.use_passkey(&started).await;
            phone.json(world, paths::LOGIN_FINISH, &body)
        }
    }
}

#[tokio::test]
async fn whichever_call_fails_nothing_is_given() {
    for scene in SCENES {
        let world = World::new(SignUp::Open);
        let asked = request(*scene, &world).await;
        world.memory.fuse(None);
        let whole = world.send(asked).await.status;
        let calls = world.memory.fuse(None);
        assert!(calls > 0, "{scene:?}");
        for n in 1..=calls {
            let world = World::new(SignUp::Open);
            let asked = request(*scene, &world).await;
            world.memory.fuse(Some(Blow::Fails(n)));
            let answer = world.send(asked).await;
            world.memory.fuse(None);
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{scene:?}, call {n} of {calls}: {answer:?}");
            assert_eq!(answer.headers["retry-after"], "5");
            for given in ["access_token", "refresh_token", "code", "device_id", "ceremony", "challenge", "auth_time"] {
                let ours = given != "code" || !answer.body.contains("\"code\":\"unavailable\"");
                assert!(!ours || answer.json().get(given).is_none(), "{scene:?}, call {n}: {answer:?}");
            }
        }
        println!("{scene:?}: {whole}, {calls} calls");
    }
}

/// A code whose redeeming failed half-way is not lost: the same phone asks again and is signed in once.
#[tokio::test]
async fn a_fault_while_redeeming_signs_nobody_out() {
    for n in 1.. {
        let world = World::new(SignUp::Open);
        let mut phone = Phone::registered(&world).await;
        let code = phone.log_in(&world).await.text("code");
        world.memory.fuse(Some(Blow::Fails(n)));
        let first = phone.redeem(&world, &code).await;
        world.memory.fuse(None);
        assert_eq!(phone.redeem(&world, &code).await.verdict(), "200", "after call {n} failed");
        if first.status.is_success() {
            break;
        }
    }
}

/// Whatever failed half-way, a person who says it again is heard whole.
#[tokio::test]
async fn a_fault_while_disowning_is_made_good_by_a_retry() {
    for n in 1.. {
        let world = World::new(SignUp::Open);
        let (mut owner, tokens) = Phone::signed_in(&world).await;
        let (thief, _) = owner.second(&world).await;
        let (_third, _) = owner.second(&world).await;
        let path = format!("{}/not-me", thief.path(&world));
        let say = || world.send(owner.person(&world, (&tokens, "POST"), &path, "{}"));
        world.memory.fuse(Some(Blow::Fails(n)));
        let first = say().await;
        world.memory.fuse(None);
        assert_eq!(say().await.verdict(), "200", "after call {n} failed");
        let states: Vec<_> = world.memory.shelf().sessions.iter().map(|session| session.state).collect();
        assert_eq!(states, [SessionState::Active, SessionState::Revoked, SessionState::Challenged], "after call {n} failed");
        if first.status.is_success() {
            break;
        }
    }
}

/// Somebody ends the session in the middle of a refresh, or of its repetition. Whichever call the end comes before: whoever ended it
/// was told that it is done, so that no tokens are given.
#[tokio::test]
async fn a_refresh_that_races_with_an_end_gives_nothing() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    world.memory.fuse(None);
    assert_eq!(phone.refresh(&world, &tokens.text("refresh_token")).await.verdict(), "200");
    let calls = world.memory.fuse(None);
    assert!(calls > 5, "{calls}");
    for (n, repeated) in (1..=calls).flat_map(|n| [(n, false), (n, true)]) {
        let world = World::new(SignUp::Open);
        let (phone, tokens) = Phone::signed_in(&world).await;
        let token = tokens.text("refresh_token");
        if repeated {
            assert_eq!(phone.refresh(&world, &token).await.verdict(), "200");
        }
        world.memory.fuse(Some(Blow::SessionsEnd(n)));
        let answer = phone.refresh(&world, &token).await;
        world.memory.fuse(None);
        assert!(answer.status.is_client_error(), "ended before call {n} of {calls}: {answer:?}");
        assert!(answer.json().get("access_token").is_none(), "ended before call {n} of {calls}: {answer:?}");
        let again = phone.refresh(&world, &token).await;
        assert!(again.status.is_client_error(), "and stays so: {again:?}");
    }
}

/// Nothing should panic. If something does, one request is refused and the next is served.
#[tokio::test]
async fn a_panic_refuses_one_request() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    world.memory.fuse(Some(Blow::Panics(3)));
    let answer = phone.refresh(&world, &tokens.text("refresh_token")).await;
    assert_eq!(answer.verdict(), "503 temporarily_unavailable");
    assert_eq!(answer.headers["cache-control"], "no-store");
    world.memory.fuse(None);
    assert_eq!(phone.refresh(&world, &tokens.text("refresh_token")).await.verdict(), "200");
}
