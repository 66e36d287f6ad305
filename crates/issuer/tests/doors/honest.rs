//! What must work: a person's day, lost answers, races, wrong clocks. Messages are kept whole, headers too.

use countersign_audit::Entry;
use countersign_core::{Acr, Role, Seconds, Secret, SessionState, SignalKind, UnixSeconds};
use countersign_identity::TokenHash;
use countersign_issuer::SignUp;
use countersign_proof::{access_token::TokenVerifier, key_set::KeySet};
use countersign_store::Invitation;
use http::Request;
use insta::assert_snapshot;
use serde_json::json;

use crate::{
    paths,
    phone::{Phone, Says, code_form, enrolment, refresh_form},
    world::{APP, ORIGIN, START, World},
};

#[tokio::test]
async fn a_day_in_whole_messages() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::new();
    let get = |path: &str| Request::get(path).body(axum::body::Body::empty()).expect("a request");
    assert_snapshot!("metadata", world.send(get(paths::METADATA)).await.message(&[]));
    let jwks = world.send(get(paths::JWKS)).await;
    let unstable: Vec<String> = (0..4).flat_map(|n| ["x", "y"].map(|c| format!("/keys/{n}/{c}"))).collect();
    assert_snapshot!("jwks", jwks.message(&unstable.iter().map(String::as_str).collect::<Vec<_>>()));

    assert_snapshot!("enrolled", phone.enrol(&world, &Says::truth()).await.message(&[]));
    let started = phone.start_registration(&world, "alice", None).await;
    assert_snapshot!("registration_started", started.message(&["/ceremony", "/options/challenge"]));
    let body = phone.make_passkey(&started).await;
    let finished = phone.ask(&world, paths::REGISTRATION_FINISH, &body).await;
    assert_snapshot!("registered", finished.message(&[]));

    let started = phone.start_login(&world).await;
    assert_snapshot!("login_started", started.message(&["/ceremony", "/options/challenge"]));
    let body = phone.use_passkey(&started).await;
    let finished = phone.ask(&world, paths::LOGIN_FINISH, &body).await;
    assert_snapshot!("logged_in", finished.message(&[]));
    let tokens = phone.redeem(&world, &finished.text("code")).await;
    assert_snapshot!("tokens", tokens.message(&["/access_token"]));

    world.pass(60);
    let started = phone.ask(&world, paths::LOGIN_START, &json!({ "client_id": APP, "purpose": "step_up" })).await;
    let body = phone.use_passkey(&started).await;
    assert_snapshot!("stepped_up", phone.ask(&world, paths::LOGIN_FINISH, &body).await.message(&[]));
    assert_eq!(world.memory.shelf().sessions[0].auth_time, UnixSeconds(START + 60));

    let ended = world.send(phone.revocation(&world, &tokens.text("refresh_token"))).await;
    assert_snapshot!("signed_out", ended.message(&[]));
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Revoked);
    assert_snapshot!("refused_by_oauth", phone.refresh(&world, &tokens.text("refresh_token")).await.message(&[]));
    assert_snapshot!("refused_by_problem", Phone::new().start_login(&world).await.message(&[]));

    let recorded: Vec<_> = world.memory.shelf().entries.iter().map(written).collect();
    assert_snapshot!("recorded", recorded.join("\n"));
}

/// An entry in three lines; a key's thumbprint differs every time.
fn written(entry: &Entry) -> String {
    let reasons: Vec<_> = entry.event.reasons.iter().map(ToString::to_string).collect();
    let facts: Vec<_> = entry.words().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let stable = |value: &str| if value.len() == 43 { "[key]".to_owned() } else { value.to_owned() };
    let personal: Vec<_> =
        entry.identity.identifying().iter().map(|field| format!("{}={}", field.name.as_str(), stable(&field.value))).collect();
    let (kind, outcome) = (entry.event.kind().as_str(), entry.event.outcome.as_str());
    let person = entry.person.as_ref().map_or("nobody known", |user| user.as_str());
    format!("{kind} {outcome} {}\n  {}\n  {person}: {}", reasons.join(" "), facts.join(" "), personal.join(" "))
}

#[tokio::test]
async fn the_token_says_who_acts_and_opens_to_the_request_key() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let jwks = world.send(Request::get(paths::JWKS).body(axum::body::Body::empty()).expect("a request")).await;
    let keys = KeySet::from_jwks(&jwks.body).expect("keys");
    let verifier = TokenVerifier { issuer: ORIGIN.to_owned(), audience: ORIGIN.to_owned(), keys };
    let token = verifier.verify(&tokens.text("access_token"), world.now()).expect("a token");
    let shelf = world.memory.shelf();
    let session = &shelf.sessions[0];
    assert_eq!(token.key(), phone.request_key.public().thumbprint());
    assert_eq!(token.session(), &session.id);
    assert_eq!(token.claims().acr, Acr::PhishingResistant);
    assert_eq!(token.claims().amr.iter().map(|amr| amr.as_str()).collect::<Vec<_>>(), ["hwk", "mfa", "user"]);
    assert_eq!(token.expires_at(), world.now().plus(Seconds(300)));
    assert_ne!(token.subject().as_str(), session.user.as_str());
    assert_eq!((session.state, session.expires_at), (SessionState::Active, UnixSeconds(START + 86_400)));
}

#[tokio::test]
async fn one_key_for_everything_also_works() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::registered(&world).await;
    let code = phone.log_in(&world).await.text("code");
    let mut request = phone.token_request(&world, &code_form(&code));
    request.headers_mut().remove("countersign-delegation");
    let proof = phone.proof(&world, &phone.device_key, paths::TOKEN);
    request.headers_mut().insert("dpop", proof.parse().expect("a value"));
    assert_eq!(world.send(request).await.verdict(), "200");
}

#[tokio::test]
async fn a_lost_answer_is_given_again() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::registered(&world).await;
    let code = phone.log_in(&world).await.text("code");
    let (first, again) = (phone.redeem(&world, &code).await, phone.redeem(&world, &code).await);
    assert_eq!(first.json(), again.json());
    world.pass(61);
    assert_eq!(phone.redeem(&world, &code).await.verdict(), "400 invalid_grant");
    let refresh = first.text("refresh_token");
    let (first, again) = (phone.refresh(&world, &refresh).await, phone.refresh(&world, &refresh).await);
    assert_eq!(first.verdict(), "200", "a code that is retried too late signs nobody out");
    assert_eq!(first.json(), again.json());
    // Close to its end a token is not repeated any more.
    world.pass(301);
    let later = phone.refresh(&world, &refresh).await;
    assert_ne!(later.text("access_token"), first.text("access_token"));
    assert_eq!(later.json()["expires_in"], 300);
}

#[tokio::test]
async fn whoever_races_for_a_code_gets_the_same_session() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::registered(&world).await;
    let code = phone.log_in(&world).await.text("code");
    let ask = || world.send(phone.token_request(&world, &code_form(&code)));
    let (one, other) = tokio::join!(ask(), ask());
    assert_eq!((one.verdict(), other.verdict()), ("200".to_owned(), "200".to_owned()));
    assert_eq!(one.json(), other.json());
    let states: Vec<_> = world.memory.shelf().sessions.iter().map(|session| session.state).collect();
    assert_eq!(states.iter().filter(|state| **state == SessionState::Active).count(), 1, "{states:?}");
}

#[tokio::test]
async fn an_app_and_its_widget_refresh_together() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    world.pass(301);
    let refresh = tokens.text("refresh_token");
    let form = refresh_form(&refresh);
    let ask = || world.send(phone.token_request(&world, &form));
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    assert_eq!(a.json(), b.json());
    assert_eq!(b.json(), c.json());
    assert_eq!(a.verdict(), "200");
    let widget = Phone { device_key: phone.device_key, ..Phone::new() };
    let own = widget.refresh(&world, &refresh).await;
    assert_eq!(own.verdict(), "200");
    assert_ne!(own.text("access_token"), a.text("access_token"), "another request key gets another token");
}

#[tokio::test]
async fn a_wrong_clock_recovers_with_the_nonce_of_the_answer() {
    for error in [-86_400, -600, 600, 86_400] {
        let world = World::new(SignUp::Open);
        let mut phone = Phone { clock_error: error, ..Phone::new() };
        let challenge = phone.challenge(&world).await;
        let chain = world.maker.attest(&Says::truth(), &phone.hardware, &challenge);
        let body = enrolment(&chain, &challenge);
        phone.nonce = Some(String::new());
        let refused = phone.ask(&world, paths::DEVICES, &body).await;
        assert_eq!(refused.verdict(), "401 use_dpop_nonce", "{error}");
        assert_eq!(refused.headers["date"], "Sun, 01 Nov 2026 00:00:00 GMT");
        assert_eq!(refused.headers["www-authenticate"], r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA""#);
        phone.nonce = Some(refused.headers["dpop-nonce"].to_str().expect("text").to_owned());
        assert_eq!(phone.ask(&world, paths::DEVICES, &body).await.verdict(), "201", "{error}");
        phone.nonce = None;
        phone.register(&world, "alice", None).await;
        let code = phone.log_in(&world).await.text("code");
        phone.nonce = Some(String::new());
        assert_eq!(phone.redeem(&world, &code).await.verdict(), "400 use_dpop_nonce", "{error}");
        phone.nonce = None;
        assert_eq!(phone.redeem(&world, &code).await.verdict(), "200", "{error}");
    }
}

#[tokio::test]
async fn a_device_keeps_its_id() {
    let world = World::new(SignUp::Open);
    let phone = Phone::new();
    let first = phone.enrol(&world, &Says::truth()).await;
    world.pass(1000);
    let second = phone.enrol(&world, &Says::truth()).await;
    assert_eq!(first.text("device_id"), second.text("device_id"));
    assert_eq!(world.memory.shelf().devices[0].posture.established_at, UnixSeconds(START + 1000));
}

#[tokio::test]
async fn an_invitation_makes_one_account_with_its_roles() {
    let world = World::new(SignUp::Invite);
    world.memory.shelf().invitations.push(Invitation {
        code: TokenHash::of(&Secret::new("WELCOME".to_owned())),
        name: None,
        roles: vec![Role::parse("admin").expect("a role")],
        expires_at: UnixSeconds(START + 10),
    });
    let mut phone = Phone::new();
    phone.enrol(&world, &Says::truth()).await;
    assert_eq!(phone.register(&world, "alice", Some("WELCOME")).await.verdict(), "201");
    assert_eq!(world.memory.shelf().users[0].roles.len(), 1);
    assert_eq!(phone.start_registration(&world, "bob", Some("WELCOME")).await.verdict(), "403 policy");
}

#[tokio::test]
async fn a_name_taken_meanwhile_leaves_the_invitation_good() {
    let world = World::new(SignUp::Invite);
    let invite = |code: &str| Invitation {
        code: TokenHash::of(&Secret::new(code.to_owned())),
        name: None,
        roles: Vec::new(),
        expires_at: UnixSeconds(START + 10),
    };
    world.memory.shelf().invitations.extend([invite("ONE"), invite("TWO")]);
    let (mut one, mut two) = (Phone::new(), Phone::new());
    one.enrol(&world, &Says::truth()).await;
    two.enrol(&world, &Says::truth()).await;
    let started = two.start_registration(&world, "alice", Some("TWO")).await;
    assert_eq!(one.register(&world, "alice", Some("ONE")).await.verdict(), "201");
    let body = two.make_passkey(&started).await;
    assert_eq!(two.ask(&world, paths::REGISTRATION_FINISH, &body).await.verdict(), "409 name_taken");
    assert_eq!(two.register(&world, "bob", Some("TWO")).await.verdict(), "201");
}

#[tokio::test]
async fn theft_is_reported_and_stops_at_the_device_key() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let thief = Phone::new();
    let refresh = tokens.text("refresh_token");
    let stolen = thief.refresh(&world, &refresh).await;
    assert_eq!(stolen.verdict(), "400 invalid_grant");
    assert_eq!(stolen.text("reason"), "reauth");
    assert_eq!(world.recorded(), "tokens_issued deny refresh_foreign_key");
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Challenged);
    assert_eq!(world.memory.shelf().signals[0].kind, SignalKind::ForeignRefreshKey);
    let owner = phone.refresh(&world, &refresh).await;
    assert_eq!((owner.verdict().as_str(), owner.text("reason").as_str()), ("400 invalid_grant", "reauth"));
}

#[tokio::test]
async fn signing_out_with_a_stolen_token_freezes_too() {
    let world = World::new(SignUp::Open);
    let (_, tokens) = Phone::signed_in(&world).await;
    let thief = Phone::new();
    assert_eq!(world.send(thief.revocation(&world, &tokens.text("refresh_token"))).await.verdict(), "400 invalid_grant");
    assert_eq!(world.memory.shelf().sessions[0].state, SessionState::Challenged);
}

#[tokio::test]
async fn a_code_in_other_hands_ends_what_came_of_it() {
    let world = World::new(SignUp::Open);
    let mut phone = Phone::registered(&world).await;
    let code = phone.log_in(&world).await.text("code");
    let tokens = phone.redeem(&world, &code).await;
    assert_eq!(Phone::new().redeem(&world, &code).await.verdict(), "400 invalid_grant");
    assert_eq!(world.recorded(), "tokens_issued deny code_reused");
    assert_eq!(world.memory.shelf().signals[0].kind, SignalKind::CodeReused);
    let after = phone.refresh(&world, &tokens.text("refresh_token")).await;
    assert_eq!((after.verdict().as_str(), world.memory.shelf().sessions[0].state), ("400 invalid_grant", SessionState::Revoked));
}

/// Issue 11, section 9: a renewal puts off the end that comes by inactivity, up to the session's whole life; without one it comes.
#[tokio::test]
async fn a_session_ends_without_use_and_lives_on_with_it() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let refresh = tokens.text("refresh_token");
    let end_in = |seconds: u64| world.memory.shelf().sessions[0].expires_at = world.now().plus(Seconds(seconds));
    end_in(400);
    world.pass(400);
    assert_eq!(phone.refresh(&world, &refresh).await.verdict(), "200", "in its last second");
    assert_eq!(world.memory.shelf().sessions[0].expires_at, UnixSeconds(START + 86_400), "put off, up to its whole life");
    end_in(400);
    world.pass(401);
    assert_eq!(phone.refresh(&world, &refresh).await.verdict(), "400 invalid_grant", "nobody used it");
    assert_eq!(world.memory.shelf().sessions[0].expires_at.plus(Seconds(1)), world.now(), "and it stays ended");
}
