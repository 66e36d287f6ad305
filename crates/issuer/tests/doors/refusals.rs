//! Every door's refusals: the one thing that is wrong, what the client is told, and what the log keeps.

use axum::body::Body;
use countersign_core::{BootState, Limits, Reason, Secret, SecurityLevel, SessionState, SignalKind, UserId};
use countersign_identity::TokenHash;
use countersign_issuer::{BodyKind, Endpoint, SignUp, endpoints};
use countersign_proof::jwk::SigningKey;
use countersign_store::{DeviceState, Invitation, Passkey, UserState};
use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    paths,
    phone::{Phone, Says, VERIFIER, code_form, encoded, enrolment, login, post, refresh_form},
    world::{APP, World},
};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn kind(door: &Endpoint) -> &'static str {
    match door.body {
        BodyKind::Form => FORM,
        BodyKind::Json | BodyKind::Nothing => JSON,
    }
}

fn doors(kinds: &[BodyKind]) -> impl Iterator<Item = &'static Endpoint> {
    // The doors of people who hold a token have tests of their own.
    endpoints().filter(move |door| kinds.contains(&door.body) && !door.path.contains("/me/"))
}

#[tokio::test]
async fn every_door_has_one_method_type_and_size() {
    let world = World::new(SignUp::Open);
    for door in endpoints() {
        let put = world.send(Request::put(door.path).header("content-type", kind(door)).body(Body::empty()).expect("a request")).await;
        assert_eq!(put.status, 405, "{door:?}");
        let allowed = if door.path == "/countersign/v1/me/devices/{id}" {
            "PATCH, DELETE"
        } else if [paths::MY_DEVICES, paths::MY_NOTICES].contains(&door.path) {
            "GET"
        } else if door.body == BodyKind::Nothing {
            "GET, HEAD"
        } else {
            "POST"
        };
        assert_eq!(put.headers["allow"], allowed, "{door:?}");
    }
    for door in doors(&[BodyKind::Form, BodyKind::Json]) {
        let send = |request: http::request::Builder, body: String| world.send(request.body(Body::from(body)).expect("a request"));
        assert_eq!(send(post(door.path, "text/plain"), "{}".to_owned()).await.status, 415, "{door:?}");
        assert_eq!(send(Request::post(door.path), "{}".to_owned()).await.status, 415, "{door:?}");
        let large = "x".repeat(Limits::DOOR_JSON_BYTES_MAX + 1);
        assert_eq!(send(post(door.path, kind(door)), large).await.status, 413, "{door:?}");
        let query = format!("{}?a=b", door.path);
        assert_eq!(send(post(&query, kind(door)), String::new()).await.status, 400, "{door:?}");
    }
    for path in ["/countersign/v1/", "/countersign/v1/tokens", "/countersign/v2/token", "/.well-known/openid-configuration"] {
        let answer = world.send(Request::get(path).body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.verdict(), "404 policy", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn every_answer_carries_time_and_number() {
    let world = World::new(SignUp::Open);
    for door in endpoints() {
        let request = Request::builder().method(&door.method).uri(door.path).body(Body::empty()).expect("a request");
        let answer = world.send(request).await;
        for header in ["date", "countersign-decision", "cache-control", "content-type"] {
            assert!(answer.headers.contains_key(header), "{door:?}: {header}");
        }
    }
}

/// What is wrong with a proof, at any door that asks for one.
#[tokio::test]
async fn proofs_are_taken_once_and_for_one_door() {
    for door in doors(&[BodyKind::Form, BodyKind::Json]).filter(|door| door.path != paths::CHALLENGE) {
        let world = World::new(SignUp::Open);
        let phone = Phone::registered(&world).await;
        let body = match door.body {
            BodyKind::Form => {
                encoded(&[("grant_type", "refresh_token"), ("refresh_token", "csr_x"), ("token", "csr_x"), ("client_id", APP)])
            }
            BodyKind::Json | BodyKind::Nothing => "{}".to_owned(),
        };
        let told =
            |code: &str| if door.body == BodyKind::Form { format!("400 invalid_dpop_{code}") } else { format!("401 {code}_invalid") };
        let good = || phone.proof(&world, &phone.device_key, door.path);
        let used = good();
        let first = post(door.path, kind(door)).header("dpop", &used).body(Body::from(body.clone())).expect("a request");
        let first = world.send(first).await.verdict();
        assert_ne!(first, told("proof"), "{door:?}");
        let rows: Vec<(&str, Vec<String>)> = vec![
            ("no proof", vec![]),
            ("no JWS", vec!["proof".to_owned()]),
            ("for another door", vec![phone.proof(&world, &phone.device_key, "/countersign/v1/challenge")]),
            ("used before", vec![used]),
            ("two proofs", vec![good(), good()]),
            ("cut short", vec![good().split_at(50).0.to_owned()]),
        ];
        for (name, proofs) in rows {
            let mut request = post(door.path, kind(door));
            for proof in &proofs {
                request = request.header("dpop", proof);
            }
            let answer = world.send(request.body(Body::from(body.clone())).expect("a request")).await;
            assert_eq!(answer.verdict(), told("proof"), "{door:?}, {name}: {answer:?}");
        }
        assert!(world.memory.shelf().entries.iter().any(|entry| entry.event.reasons == [Reason::ProofReplayed]), "{door:?}");
        let kinds: Vec<_> = world.memory.shelf().signals.iter().map(|signal| signal.kind).collect();
        assert_eq!(kinds, [SignalKind::ProofReplayed], "{door:?}");
    }
}

#[tokio::test]
async fn json_is_read_strictly_at_every_door() {
    for door in doors(&[BodyKind::Json]) {
        let world = World::new(SignUp::Open);
        let phone = Phone::registered(&world).await;
        let long = format!("{{\"client_id\":{}1{}}}", "[".repeat(65), "]".repeat(65));
        for (name, body) in [
            ("nothing", ""),
            ("no JSON", "{"),
            ("a member twice", r#"{"client_id":"a","client_id":"b"}"#),
            ("an unknown member", r#"{"client_id":"org.example.shop","ceremony":"AA","more":1}"#),
            ("another type", r#"{"client_id":7,"ceremony":7}"#),
            ("too deep", &long),
            ("two documents", "{}{}"),
        ] {
            let request = post(door.path, JSON).header("dpop", phone.proof(&world, &phone.device_key, door.path));
            let answer = world.send(request.body(Body::from(body.to_owned())).expect("a request")).await;
            assert_eq!(answer.verdict(), "400 request_invalid", "{door:?}, {name}");
        }
    }
}

#[tokio::test]
async fn devices_that_may_not_act_open_no_door() {
    for path in
        [paths::ATTEST, paths::LOGIN_FINISH, paths::LOGIN_START, paths::REGISTRATION_FINISH, paths::REGISTRATION_START, paths::REPORT]
    {
        let world = World::new(SignUp::Open);
        let phone = Phone::registered(&world).await;
        assert_eq!(Phone::new().ask(&world, path, &json!({})).await.verdict(), "401 key_lost", "{path}");
        assert!(world.recorded().ends_with("deny key_lost"), "{path}");
        world.memory.shelf().devices[0].state = DeviceState::Revoked;
        assert_eq!(phone.ask(&world, path, &json!({})).await.verdict(), "401 revoked", "{path}");
        assert!(world.recorded().ends_with("deny device_revoked"), "{path}");
    }
}

#[tokio::test]
async fn enrolments_are_refused_for_one_thing_each() {
    type Lie = fn(&mut Says);
    type Twist = fn(&mut Value);
    let rows: &[(&str, Lie, Twist, &str, &str)] = &[
        ("all fits", |_| {}, |_| {}, "201", "device_enrolled allow"),
        ("an unlocked bootloader", |s| s.locked = false, |_| {}, "403 device_unproven", "device_enrolled deny bootloader_unlocked"),
        (
            "a system of its own",
            |s| s.boot = BootState::SelfSigned,
            |_| {},
            "403 device_unproven",
            "device_enrolled deny boot_not_verified",
        ),
        ("a software key", |s| s.level = SecurityLevel::Software, |_| {}, "403 device_unproven", "device_enrolled deny key_not_hardware"),
        ("another app", |s| s.package = "org.evil".to_owned(), |_| {}, "403 device_unproven", "device_enrolled deny app_unknown"),
        (
            "a chain cut short",
            |_| {},
            |b| {
                b["chain"].as_array_mut().expect("a chain").pop();
            },
            "403 device_unproven",
            "device_enrolled deny chain_broken",
        ),
        ("no chain", |_| {}, |b| b["chain"] = json!([]), "403 device_unproven", "device_enrolled deny chain_broken"),
        (
            "too many certificates",
            |_| {},
            |b| b["chain"] = json!(vec!["AAAA"; 11]),
            "403 device_unproven",
            "device_enrolled deny chain_broken",
        ),
        ("no certificate", |_| {}, |b| b["chain"][0] = json!("AAAA"), "403 device_unproven", "device_enrolled deny certificate_malformed"),
        (
            "a huge certificate",
            |_| {},
            |b| b["chain"][0] = json!("AAAA".repeat(6000)),
            "403 device_unproven",
            "device_enrolled deny certificate_malformed",
        ),
        ("no base64", |_| {}, |b| b["chain"][0] = json!("!"), "400 request_invalid", "device_enrolled deny body_field_invalid"),
        (
            "a challenge never issued",
            |_| {},
            |b| b["challenge"] = json!("A".repeat(43)),
            "400 try_again",
            "device_enrolled deny challenge_unknown",
        ),
        ("no challenge", |_| {}, |b| b["challenge"] = json!(""), "400 try_again", "device_enrolled deny challenge_unknown"),
        (
            "another app's challenge",
            |_| {},
            |b| b["client_id"] = json!("org.example.bank"),
            "400 try_again",
            "device_enrolled deny challenge_unknown",
        ),
        ("an unknown client", |_| {}, |b| b["client_id"] = json!("org.evil"), "400 request_invalid", "device_enrolled deny client_unknown"),
        ("another platform", |_| {}, |b| b["platform"] = json!("ios"), "400 request_invalid", "device_enrolled deny body_field_invalid"),
        ("the other platform's members, empty", |_| {}, |b| b["key_id"] = json!(null), "201", "device_enrolled allow"),
        ("a key of iOS besides", |_| {}, |b| b["key_id"] = json!("AA=="), "400 request_invalid", "device_enrolled deny body_field_invalid"),
        ("an unknown member", |_| {}, |b| b["more"] = json!(1), "400 request_invalid", "device_enrolled deny body_field_invalid"),
        ("an unknown platform", |_| {}, |b| b["platform"] = json!("bsd"), "400 request_invalid", "device_enrolled deny body_field_invalid"),
        (
            "no platform",
            |_| {},
            |b| {
                b.as_object_mut().expect("an object").remove("platform");
            },
            "400 request_invalid",
            "device_enrolled deny body_field_invalid",
        ),
        ("a name that hides", |_| {}, |b| b["name"] = json!("a\u{202e}"), "400 request_invalid", "device_enrolled deny body_field_invalid"),
    ];
    for (name, lie, twist, told, recorded) in rows {
        let world = World::new(SignUp::Open);
        let phone = Phone::new();
        let mut says = Says::truth();
        lie(&mut says);
        let challenge = phone.challenge(&world).await;
        let mut body = enrolment(&world.maker.attest(&says, &phone.hardware, &challenge), &challenge);
        twist(&mut body);
        assert_eq!(phone.ask(&world, paths::DEVICES, &body).await.verdict(), *told, "{name}");
        assert_eq!(world.recorded(), *recorded, "{name}");
        assert_eq!(world.memory.shelf().devices.len(), usize::from(*told == "201"), "{name}");
    }
}

#[tokio::test]
async fn a_challenge_counts_once_and_for_the_key_that_signs() {
    let world = World::new(SignUp::Open);
    let (phone, other) = (Phone::new(), Phone::new());
    let challenge = phone.challenge(&world).await;
    let body = enrolment(&world.maker.attest(&Says::truth(), &phone.hardware, &challenge), &challenge);
    assert_eq!(other.ask(&world, paths::DEVICES, &body).await.verdict(), "403 device_unproven");
    assert_eq!(world.recorded(), "device_enrolled deny attestation_key_mismatch");
    assert_eq!(phone.ask(&world, paths::DEVICES, &body).await.verdict(), "400 try_again", "a refused try uses it up");
    let challenge = phone.challenge(&world).await;
    world.pass(301);
    let body = enrolment(&world.maker.attest(&Says::truth(), &phone.hardware, &challenge), &challenge);
    assert_eq!(phone.ask(&world, paths::DEVICES, &body).await.verdict(), "400 try_again", "too late");
    let (old, new) = (phone.challenge(&world).await, phone.challenge(&world).await);
    let body = enrolment(&world.maker.attest(&Says::truth(), &phone.hardware, &old), &new);
    assert_eq!(phone.ask(&world, paths::DEVICES, &body).await.verdict(), "403 device_unproven");
    assert_eq!(world.recorded(), "device_enrolled deny challenge_mismatch");
    phone.enrol(&world, &Says::truth()).await;
    world.memory.shelf().devices[0].state = DeviceState::Revoked;
    assert_eq!(phone.enrol(&world, &Says::truth()).await.verdict(), "401 revoked");
    let unknown = phone.json(&world, paths::CHALLENGE, &json!({ "client_id": "org.evil" }));
    assert_eq!(world.send(unknown).await.verdict(), "400 request_invalid");
}

#[tokio::test]
async fn registrations_are_refused_for_one_thing_each() {
    let rows: &[(&str, SignUp, Value, &str, &str)] = &[
        ("without an invitation", SignUp::Invite, json!({ "name": "bob" }), "403 policy", "sign_up_closed"),
        ("with an unknown one", SignUp::Invite, json!({ "name": "bob", "invitation": "X" }), "403 policy", "sign_up_closed"),
        (
            "with an unknown one where none is needed",
            SignUp::Open,
            json!({ "name": "bob", "invitation": "X" }),
            "403 policy",
            "sign_up_closed",
        ),
        ("a name that is taken", SignUp::Open, json!({ "name": "alice" }), "409 name_taken", "name_taken"),
        ("no name", SignUp::Open, json!({ "name": "" }), "400 request_invalid", "body_field_invalid"),
        (
            "another app's device",
            SignUp::Open,
            json!({ "name": "bob", "client_id": "org.example.bank" }),
            "403 device_unproven",
            "app_unknown",
        ),
        ("an unknown client", SignUp::Open, json!({ "name": "bob", "client_id": "org.evil" }), "400 request_invalid", "client_unknown"),
    ];
    for (name, sign_up, ask, told, reason) in rows {
        let world = World::new(*sign_up);
        let phone = Phone::new();
        phone.enrol(&world, &Says::truth()).await;
        if *sign_up == SignUp::Open {
            Phone::registered(&world).await;
        }
        let mut body = json!({ "client_id": APP });
        ask.as_object().expect("an object").iter().for_each(|(name, value)| body[name] = value.clone());
        assert_eq!(phone.ask(&world, paths::REGISTRATION_START, &body).await.verdict(), *told, "{name}");
        assert_eq!(world.recorded(), format!("passkey_registered deny {reason}"), "{name}");
    }
}

#[tokio::test]
async fn an_invitation_for_somebody_else_is_none() {
    let world = World::new(SignUp::Invite);
    world.memory.shelf().invitations.push(Invitation {
        code: TokenHash::of(&Secret::new("FOR-CAROL".to_owned())),
        name: Some("carol".to_owned()),
        roles: Vec::new(),
        expires_at: world.now(),
    });
    let phone = Phone::new();
    phone.enrol(&world, &Says::truth()).await;
    assert_eq!(phone.start_registration(&world, "bob", Some("FOR-CAROL")).await.verdict(), "403 policy");
    assert_eq!(phone.start_registration(&world, "carol", Some("FOR-CAROL")).await.verdict(), "200");
    world.pass(1);
    assert_eq!(phone.start_registration(&world, "carol", Some("FOR-CAROL")).await.verdict(), "403 policy", "too late");
}

#[tokio::test]
async fn a_passkey_belongs_to_one_account() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::new();
    phone.enrol(&world, &Says::truth()).await;
    let started = phone.start_registration(&world, "alice", None).await;
    let body = phone.make_passkey(&started).await;
    let credential = phone.passkey.as_ref().expect("a passkey").credential_id.to_vec();
    world.memory.shelf().passkeys.push(Passkey {
        credential,
        user: UserId::from_random([9; 16]),
        record: String::new(),
        counter: 0,
        created_at: world.now(),
    });
    assert_eq!(phone.ask(&world, paths::REGISTRATION_FINISH, &body).await.verdict(), "401 reauth");
    assert!(world.memory.shelf().users.is_empty());
}

/// Two copies of a passkey race with the same counter: one of them at most is let in.
#[tokio::test]
async fn one_counter_value_counts_once() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::registered(&world).await;
    let original = phone.passkey.clone();
    let mut bodies = Vec::new();
    for _ in 0..2 {
        phone.passkey.clone_from(&original);
        let started = phone.start_login(&world).await;
        bodies.push(phone.use_passkey(&started).await);
    }
    let finish = |body| phone.ask(&world, paths::LOGIN_FINISH, body);
    let (one, other) = tokio::join!(finish(&bodies[0]), finish(&bodies[1]));
    let mut verdicts = [one.verdict(), other.verdict()];
    verdicts.sort();
    assert_eq!(verdicts, ["200", "401 reauth"]);
}

#[tokio::test]
async fn ceremonies_are_finished_once_by_who_began_them() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::registered(&world).await;
    let other = Phone::new();
    other.enrol(&world, &Says::truth()).await;
    let finish = paths::LOGIN_FINISH;

    let started = phone.start_login(&world).await;
    let body = phone.use_passkey(&started).await;
    assert_eq!(other.ask(&world, finish, &body).await.verdict(), "401 proof_invalid");
    assert_eq!(world.recorded(), "signed_in deny ceremony_foreign_key");
    assert_eq!(phone.ask(&world, finish, &body).await.verdict(), "400 try_again", "the foreign try used it up");

    let started = phone.start_login(&world).await;
    let body = phone.use_passkey(&started).await;
    assert_eq!(phone.ask(&world, paths::REGISTRATION_FINISH, &body).await.verdict(), "400 try_again", "it was begun as a login");
    assert_eq!(phone.ask(&world, finish, &body).await.verdict(), "200");
    assert_eq!(phone.ask(&world, finish, &body).await.verdict(), "400 try_again", "once");

    let started = phone.start_login(&world).await;
    let body = phone.use_passkey(&started).await;
    world.pass(301);
    assert_eq!(phone.ask(&world, finish, &body).await.verdict(), "400 try_again", "too late");

    let kept = phone.passkey.clone();
    let started = phone.start_login(&world).await;
    let body = phone.use_passkey(&started).await;
    assert_eq!(phone.ask(&world, finish, &body).await.verdict(), "200");
    phone.passkey = kept;
    let started = phone.start_login(&world).await;
    let body = phone.use_passkey(&started).await;
    assert_eq!(phone.ask(&world, finish, &body).await.verdict(), "401 reauth");
    assert_eq!(world.memory.shelf().signals.last().expect("a signal").kind, SignalKind::PasskeyCloned);
}

#[tokio::test]
async fn logins_are_refused_for_one_thing_each() {
    type Ask = fn(&mut Value);
    let start: &[(&str, Ask, &str, &str)] = &[
        ("PKCE's plain method", |b| b["code_challenge_method"] = json!("plain"), "401 reauth", "pkce_mismatch"),
        ("no method", |b| b["code_challenge_method"] = Value::Null, "400 request_invalid", "body_field_invalid"),
        ("no challenge", |b| b["code_challenge"] = Value::Null, "400 request_invalid", "body_field_invalid"),
        ("half a challenge", |b| b["code_challenge"] = json!("abc"), "400 request_invalid", "body_field_invalid"),
        ("a challenge for a step-up", |b| b["purpose"] = json!("step_up"), "400 request_invalid", "body_field_invalid"),
        (
            "a step-up in somebody's name",
            |b| *b = json!({ "client_id": b["client_id"], "purpose": "step_up", "name": "alice" }),
            "400 request_invalid",
            "body_field_invalid",
        ),
        ("another purpose", |b| b["purpose"] = json!("admin"), "400 request_invalid", "body_field_invalid"),
        ("another app's device", |b| b["client_id"] = json!("org.example.bank"), "403 device_unproven", "app_unknown"),
        ("an unknown client", |b| b["client_id"] = json!("org.evil"), "400 request_invalid", "client_unknown"),
    ];
    for (name, ask, told, reason) in start {
        let world = World::new(SignUp::Open);
        let phone = Phone::registered(&world).await;
        let mut body = login();
        ask(&mut body);
        assert_eq!(phone.ask(&world, paths::LOGIN_START, &body).await.verdict(), *told, "{name}");
        assert_eq!(world.recorded(), format!("signed_in deny {reason}"), "{name}");
    }
    type Before = fn(&World);
    let finish: &[(&str, Option<&str>, Before, Ask, &str)] = &[
        ("another account's name", Some("bob"), |_| {}, |_| {}, "login_refused"),
        ("an unknown passkey", None, |w| w.memory.shelf().passkeys.clear(), |_| {}, "login_refused"),
        ("an unknown account", None, |w| w.memory.shelf().users.clear(), |_| {}, "user_unknown"),
        ("a closed account", None, |w| w.memory.shelf().users[0].state = UserState::Closed, |_| {}, "user_unknown"),
        ("another answer", None, |_| {}, |b| b["credential"]["response"]["signature"] = json!("AAAA"), "login_refused"),
    ];
    for (name, account, before, twist, reason) in finish {
        let world = World::new(SignUp::Open);
        let mut phone = Phone::registered(&world).await;
        let mut ask = login();
        if let Some(account) = account {
            ask["name"] = json!(account);
        }
        let started = phone.ask(&world, paths::LOGIN_START, &ask).await;
        let mut body = phone.use_passkey(&started).await;
        before(&world);
        twist(&mut body);
        let answer = phone.ask(&world, paths::LOGIN_FINISH, &body).await;
        assert_eq!(answer.verdict(), "401 reauth", "{name}: {answer:?}");
        assert_eq!(world.recorded(), format!("signed_in deny {reason}"), "{name}");
    }
}

/// Whoever names an account sees the same thing, whether it exists or not.
#[tokio::test]
async fn no_door_tells_which_accounts_exist() {
    let world = World::new(SignUp::Open);
    let phone = Phone::registered(&world).await;
    let mut seen = Vec::new();
    for name in ["alice", "nobody"] {
        let mut body = login();
        body["name"] = json!(name);
        let started = phone.ask(&world, paths::LOGIN_START, &body).await;
        let mut body = started.json();
        body["ceremony"] = Value::Null;
        body["options"]["challenge"] = Value::Null;
        seen.push((started.status, body.to_string()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_step_up_needs_a_live_session_of_its_own() {
    type Before = fn(&World);
    let rows: &[(&str, Before)] = &[
        ("none", |w| w.memory.shelf().sessions.clear()),
        ("revoked", |w| w.memory.shelf().sessions[0].state = SessionState::Revoked),
        ("frozen", |w| w.memory.shelf().sessions[0].state = SessionState::Challenged),
        ("over", |w| w.memory.shelf().sessions[0].expires_at = w.now().minus(countersign_core::Seconds(1))),
        ("of another app", |w| {
            w.memory.shelf().sessions[0].client = countersign_core::ClientId::parse("org.example.bank").expect("a client")
        }),
    ];
    for (name, before) in rows {
        let world = World::new(SignUp::Open);
        let (mut phone, _) = Phone::signed_in(&world).await;
        before(&world);
        let started = phone.ask(&world, paths::LOGIN_START, &json!({ "client_id": APP, "purpose": "step_up" })).await;
        let body = phone.use_passkey(&started).await;
        assert_eq!(phone.ask(&world, paths::LOGIN_FINISH, &body).await.verdict(), "401 reauth", "{name}");
        assert_eq!(world.recorded(), "signed_in deny session_unknown", "{name}");
    }
}

#[tokio::test]
async fn codes_are_refused_for_one_thing_each() {
    type Form<'a> = Vec<(&'static str, &'a str)>;
    type Twist = fn(&mut Form<'_>);
    let rows: &[(&str, Twist, u64, &str, &str)] = &[
        ("another verifier", |f| f[3].1 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 0, "400 invalid_grant", "pkce_mismatch"),
        ("half a verifier", |f| f[3].1 = "b", 0, "400 invalid_grant", "pkce_mismatch"),
        ("too late", |_| {}, 61, "400 invalid_grant", "code_unknown"),
        ("another client", |f| f[1].1 = "org.example.bank", 0, "400 invalid_grant", "grant_of_another_app"),
    ];
    for (name, twist, seconds, told, reason) in rows {
        let world = World::new(SignUp::Open);
        let mut phone = Phone::registered(&world).await;
        let code = phone.log_in(&world).await.text("code");
        let mut form: Form<'_> = code_form(&code).to_vec();
        twist(&mut form);
        world.pass(*seconds);
        assert_eq!(world.send(phone.token_request(&world, &form)).await.verdict(), *told, "{name}");
        assert_eq!(world.recorded(), format!("tokens_issued deny {reason}"), "{name}");
        assert!(world.memory.shelf().sessions.is_empty(), "{name}");
    }
    let world = World::new(SignUp::Open);
    let phone = Phone::registered(&world).await;
    let malformed: &[(&str, &[(&str, &str)], &str)] = &[
        (
            "no such code",
            &[("grant_type", "authorization_code"), ("client_id", APP), ("code", "x"), ("code_verifier", VERIFIER)],
            "400 invalid_grant",
        ),
        ("no grant type", &[("client_id", APP), ("code", "x")], "400 invalid_request"),
        ("another grant type", &[("grant_type", "password"), ("client_id", APP)], "400 unsupported_grant_type"),
        ("no code", &[("grant_type", "authorization_code"), ("client_id", APP), ("code_verifier", VERIFIER)], "400 invalid_request"),
        ("no verifier", &[("grant_type", "authorization_code"), ("client_id", APP), ("code", "x")], "400 invalid_request"),
        ("no client", &[("grant_type", "refresh_token"), ("refresh_token", "x")], "400 invalid_request"),
        ("an unknown client", &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "org.evil")], "400 invalid_client"),
        (
            "twice",
            &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("refresh_token", "y"), ("client_id", APP)],
            "400 invalid_request",
        ),
        ("no such refresh token", &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", APP)], "400 invalid_grant"),
    ];
    for (name, form, told) in malformed {
        assert_eq!(world.send(phone.token_request(&world, form)).await.verdict(), *told, "{name}");
    }
}

#[tokio::test]
async fn refreshes_are_refused_for_one_thing_each() {
    type Before = fn(&World);
    let rows: &[(&str, Before, &str, &str)] = &[
        ("revoked session", |w| w.memory.shelf().sessions[0].state = SessionState::Revoked, "revoked", "session_revoked"),
        ("frozen session", |w| w.memory.shelf().sessions[0].state = SessionState::Challenged, "reauth", "session_challenged"),
        ("lost session", |w| w.memory.shelf().sessions.clear(), "reauth", "session_unknown"),
        ("revoked device", |w| w.memory.shelf().devices[0].state = DeviceState::Revoked, "revoked", "device_revoked"),
        ("lost device", |w| w.memory.shelf().devices.clear(), "revoked", "device_unknown"),
        ("closed account", |w| w.memory.shelf().users[0].state = UserState::Closed, "reauth", "user_unknown"),
        ("the end of the session", |w| w.pass(86_401), "reauth", "refresh_unknown"),
    ];
    for (name, before, told, reason) in rows {
        let world = World::new(SignUp::Open);
        let (phone, tokens) = Phone::signed_in(&world).await;
        before(&world);
        let answer = phone.refresh(&world, &tokens.text("refresh_token")).await;
        assert_eq!((answer.verdict().as_str(), answer.text("reason").as_str()), ("400 invalid_grant", *told), "{name}");
        assert_eq!(world.recorded(), format!("tokens_issued deny {reason}"), "{name}");
    }
}

#[tokio::test]
async fn delegations_are_refused_for_one_thing_each() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let refresh = tokens.text("refresh_token");
    let form = refresh_form(&refresh);
    let thief = Phone::new();
    let used = phone.delegation(&world, &refresh);
    let rows: Vec<(&str, Vec<String>, &str)> = vec![
        ("the first time", vec![used.clone()], "200"),
        ("used before", vec![used], "400 invalid_dpop_proof"),
        ("for another grant", vec![phone.delegation(&world, "another")], "400 invalid_dpop_proof"),
        ("for another request key", vec![thief.delegation(&world, &refresh)], "400 invalid_dpop_proof"),
        ("no JWS", vec!["x".to_owned()], "400 invalid_dpop_proof"),
        ("two", vec![phone.delegation(&world, &refresh), phone.delegation(&world, &refresh)], "400 invalid_dpop_proof"),
    ];
    for (name, delegations, told) in rows {
        let mut request = phone.token_request(&world, &form);
        request.headers_mut().remove("countersign-delegation");
        for delegation in delegations {
            request.headers_mut().append("countersign-delegation", delegation.parse().expect("a value"));
        }
        assert_eq!(world.send(request).await.verdict(), told, "{name}");
    }
    // A request key alone is a thief's: the phone's memory was read, its hardware was not. The hardware's nonce is none of the thief's.
    let alone = |nonce_of: &SigningKey| {
        let proof = phone.proof_with(&world, &phone.request_key, paths::TOKEN, nonce_of);
        post(paths::TOKEN, FORM).header("dpop", proof).body(Body::from(encoded(&form))).expect("a request")
    };
    assert_eq!(world.send(alone(&phone.device_key)).await.verdict(), "400 use_dpop_nonce");
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Active);
    assert_eq!(world.send(alone(&phone.request_key)).await.verdict(), "400 invalid_grant");
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Challenged);
}

#[tokio::test]
async fn revocation_tells_nothing_about_tokens() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    // RFC 7009 section 2.2.1: an access token lives on, and the answer says so.
    let access = world.send(phone.revocation(&world, &tokens.text("access_token"))).await;
    assert_eq!(access.verdict(), "400 unsupported_token_type");
    for token in ["csr_unknown", &tokens.text("refresh_token"), &tokens.text("refresh_token")] {
        assert_eq!(world.send(phone.revocation(&world, token)).await.verdict(), "200");
    }
    world.pass(301);
    let expired = world.send(phone.revocation(&world, &tokens.text("access_token"))).await;
    assert_eq!(expired.verdict(), "200", "it opens nothing any more");
}

/// An app that signs out with its request key is no thief: the session ends, and nobody is alarmed.
#[tokio::test]
async fn the_request_key_signs_out_and_another_key_freezes() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let revocation = |key: &SigningKey| {
        let form = encoded(&[("token", &tokens.text("refresh_token")), ("client_id", APP)]);
        let request = post(paths::REVOKE, FORM);
        request.header("dpop", phone.proof(&world, key, paths::REVOKE)).body(Body::from(form)).expect("a request")
    };
    assert_eq!(world.send(revocation(&phone.request_key)).await.verdict(), "200");
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Revoked);
    assert!(world.memory.shelf().signals.is_empty(), "no incident comes of it");

    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let thief = Phone { device_key: crate::phone::fresh_key(), ..Phone::new() };
    assert_eq!(world.send(thief.revocation(&world, &tokens.text("refresh_token"))).await.verdict(), "400 invalid_grant");
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Challenged);
    drop(phone);
}

/// What RFC 6749 sections 2.3, 5.1, 5.2 and 6 say about what a token request may not ask for.
#[tokio::test]
async fn nothing_that_is_asked_for_is_left_out_in_silence() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let refresh = tokens.text("refresh_token");
    let rows: &[(&str, &str, &str, Option<&str>, &str)] = &[
        ("a scope", "scope", "accounts", None, "400 invalid_scope"),
        ("an empty scope, which counts as left out", "scope", "", None, "200"),
        ("a password", "client_secret", "x", None, "401 invalid_client"),
        ("an assertion", "client_assertion", "x", None, "401 invalid_client"),
        ("somebody else's Basic credentials", "state", "x", Some("Basic YTpi"), "401 invalid_client"),
        ("a parameter that is not known", "state", "x", None, "200"),
    ];
    for (name, parameter, value, authorization, told) in rows {
        let mut form = refresh_form(&refresh).to_vec();
        form.push((*parameter, *value));
        let mut request = phone.token_request(&world, &form);
        if let Some(authorization) = authorization {
            request.headers_mut().insert("authorization", authorization.parse().expect("a value"));
        }
        let answer = world.send(request).await;
        assert_eq!(answer.verdict(), *told, "{name}");
        assert_eq!(
            answer.status == 401,
            answer.headers.get("www-authenticate").is_some_and(|value| value.as_bytes().starts_with(b"Basic "))
        );
    }
}

/// Nonces are for one key and for half a minute, at every door (RFC 9449 sections 8, 9 and 11.2).
#[tokio::test]
async fn nothing_is_made_ahead() {
    let world = World::new(SignUp::Open);
    let (mut phone, tokens) = Phone::signed_in(&world).await;
    let refresh = tokens.text("refresh_token");
    let ahead: Vec<_> = [0_u64, 40, 80, 150]
        .into_iter()
        .map(|seconds| {
            // Dated ahead, by somebody who holds the device key and the nonce of now, and will throw the key away.
            let dated = Phone { clock_error: i64::try_from(seconds).expect("a time"), ..phone.twin() };
            (seconds, dated.token_request(&world, &refresh_form(&refresh)))
        })
        .collect();
    phone.nonce = Some(String::new());
    let bare = phone.token_request(&world, &refresh_form(&refresh));
    phone.nonce = Some(world.issuer.access.nonces.issue(Phone::new().device_key.public().thumbprint(), world.now()));
    let foreign = phone.token_request(&world, &refresh_form(&refresh));
    for (name, request) in [("no nonce", bare), ("a nonce of another key", foreign)] {
        let answer = world.send(request).await;
        assert_eq!(answer.verdict(), "400 use_dpop_nonce", "{name}");
        assert!(answer.headers.contains_key("dpop-nonce"), "{name}");
    }
    let mut passed = 0;
    for (seconds, request) in ahead {
        world.pass(seconds - passed);
        passed = seconds;
        let told = if seconds == 0 { "200" } else { "400 use_dpop_nonce" };
        assert_eq!(world.send(request).await.verdict(), told, "{seconds} seconds later");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_body_is_our_fault(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z_0-9=&%+]{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let world = World::new(SignUp::Open);
            let phone = Phone::new();
            phone.enrol(&world, &Says::truth()).await;
            for door in doors(&[BodyKind::Form, BodyKind::Json]) {
                for body in [bytes.clone(), text.clone().into_bytes()] {
                    let request = post(door.path, kind(door)).header("dpop", phone.proof(&world, &phone.device_key, door.path));
                    let answer = world.send(request.body(Body::from(body)).expect("a request")).await;
                    assert!(answer.status.is_client_error(), "{door:?}: {answer:?}");
                }
            }
        });
    }
}
