//! The table of what every door answers alike, at the endpoints of a person's own devices.

use std::sync::Arc;

use axum::body::Body;
use countersign_compliance::Apps;
use countersign_core::{AppId, ClientId, ProofId, SessionState, UnixSeconds};
use countersign_issuer::SignUp;
use countersign_proof::{
    access_token::{self, Claims, TokenVerifier, hash_text},
    dpop::{self, ProofToMake},
    jwk::SigningKey,
    target::Target,
};
use countersign_store::{DeviceState, UserState};
use http::{HeaderValue, Request};

use crate::{
    cases::{CASES, Wrong},
    phone::{Phone, fresh_key},
    world::{Answer, ORIGIN, World},
};

/// A request to rename the phone, with its parts to be spoilt.
struct Asked<'a> {
    token: String,
    key: &'a SigningKey,
    method: &'a str,
    path: &'a str,
    hash: Option<String>,
}

fn request(world: &World, number: usize, path: &str, asked: &Asked<'_>) -> Request<Body> {
    let target = Target::parse(&format!("{ORIGIN}{}", asked.path)).expect("a target");
    let id = ProofId::parse(&format!("case-{number}")).expect("an id");
    let hash = asked.hash.clone().unwrap_or_else(|| hash_text(&asked.token));
    let nonce = world.issuer.access.nonces.issue(asked.key.public().thumbprint(), world.now());
    let nonce = Some(nonce.as_str());
    let proof = ProofToMake { method: asked.method, target: &target, token_hash: Some(&hash), nonce, id: &id, issued_at: world.now() };
    Request::builder()
        .method("PATCH")
        .uri(path)
        .header("authorization", format!("DPoP {}", asked.token))
        .header("dpop", dpop::make(asked.key, &proof).expect("a proof"))
        .header("content-type", "application/json")
        .body(Body::from(r#"{"name":"mine"}"#))
        .expect("a request")
}

/// The person's token with other claims.
fn forged(world: &World, token: &str, change: impl FnOnce(&mut Claims)) -> String {
    let ring = world.issuer.keys.access.load();
    let verifier = TokenVerifier { issuer: ORIGIN.to_owned(), audience: ORIGIN.to_owned(), keys: ring.published(world.now()) };
    let mut claims = verifier.verify(token, world.now()).expect("a token").claims().clone();
    change(&mut claims);
    let key = ring.current(world.now()).expect("a key");
    access_token::issue(&key.key, &key.id, &claims).expect("a token").expose().clone()
}

/// Brings the one thing into disorder, and asks.
async fn ask(world: &World, (phone, path): (&Phone, &str), tokens: &Answer, (number, wrong): (usize, Wrong)) -> Answer {
    let thief = fresh_key();
    let usual = || Asked { token: tokens.text("access_token"), key: &phone.request_key, method: "PATCH", path, hash: None };
    let mut asked = usual();
    let other = Some(hash_text("another token"));
    match wrong {
        Wrong::AccountClosed => world.memory.shelf().users[0].state = UserState::Closed,
        Wrong::AccountGone => world.memory.shelf().users.clear(),
        Wrong::AppGone => world.issuer.access.apps.store(Arc::new(Apps::default())),
        Wrong::DeviceOfAnotherApp => world.memory.shelf().devices[0].posture.app = AppId::parse("org.example.bank").ok(),
        Wrong::DeviceRevoked => world.memory.shelf().devices[0].state = DeviceState::Revoked,
        Wrong::DeviceUnknown => world.memory.shelf().devices.clear(),
        Wrong::ProofForAnotherMethod => asked.method = "POST",
        Wrong::ProofForAnotherPath => asked.path = "/countersign/v1/me/devices",
        Wrong::ProofForAnotherToken => asked.hash = other,
        Wrong::SessionChallenged => world.memory.shelf().sessions[0].state = SessionState::Challenged,
        Wrong::SessionExpired => world.memory.shelf().sessions[0].expires_at = UnixSeconds(world.now().0 - 1),
        Wrong::SessionOfAnotherApp => {
            world.memory.shelf().sessions[0].client = ClientId::parse("org.example.bank").expect("a client");
        }
        Wrong::SessionRevoked => world.memory.shelf().sessions[0].state = SessionState::Revoked,
        Wrong::SessionUnknown => world.memory.shelf().sessions.clear(),
        Wrong::ThiefsKey => asked.key = &thief,
        Wrong::ThiefsKeyForAnotherMethod => (asked.key, asked.method) = (&thief, "POST"),
        Wrong::ThiefsKeyForAnotherToken => (asked.key, asked.hash) = (&thief, other),
        Wrong::TokenExpired => asked.token = forged(world, &asked.token, |claims| claims.expires_at = world.now()),
        Wrong::TokenForAnotherAudience => {
            asked.token = forged(world, &asked.token, |claims| claims.audience = "https://api.example.net".to_owned());
        }
        // The headers are spoilt below.
        Wrong::BearerToken
        | Wrong::ListOfProofs
        | Wrong::NoProof
        | Wrong::NoToken
        | Wrong::Nothing
        | Wrong::ProofBeyondAscii
        | Wrong::ProofReplayed
        | Wrong::ProofUnreadable
        | Wrong::TokenAfterTwoSpaces
        | Wrong::TwoProofs
        | Wrong::TwoTokens => {}
    }
    let mut sent = request(world, number, path, &asked);
    spoil(&mut sent, wrong);
    if wrong == Wrong::ProofReplayed {
        // Of the same number, and so with the same proof.
        assert_eq!(world.send(request(world, number, path, &asked)).await.status, 200);
    }
    world.send(sent).await
}

fn spoil(request: &mut Request<Body>, wrong: Wrong) {
    let headers = request.headers_mut();
    let (token, proof) = (headers["authorization"].clone(), headers["dpop"].clone());
    let (token_text, proof_text) = (token.to_str().expect("text"), proof.to_str().expect("text"));
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).expect("a value");
    let spoilt = [
        (Wrong::BearerToken, "authorization", vec![value(&token_text.replace("DPoP", "Bearer"))]),
        (Wrong::ListOfProofs, "dpop", vec![value(&format!("{proof_text},{proof_text}"))]),
        (Wrong::NoProof, "dpop", vec![]),
        (Wrong::NoToken, "authorization", vec![]),
        (Wrong::ProofBeyondAscii, "dpop", vec![value("\u{e4}")]),
        (Wrong::ProofUnreadable, "dpop", vec![value("a.b.c")]),
        (Wrong::TokenAfterTwoSpaces, "authorization", vec![value(&token_text.replace("DPoP ", "DPoP  "))]),
        (Wrong::TwoProofs, "dpop", vec![proof.clone(), proof.clone()]),
        (Wrong::TwoTokens, "authorization", vec![token.clone(), token.clone()]),
    ];
    for (_, name, values) in spoilt.into_iter().filter(|(kind, ..)| *kind == wrong) {
        headers.remove(name);
        for value in values {
            headers.append(name, value);
        }
    }
}

#[tokio::test]
async fn the_issuer_answers_as_every_door_does() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let (path, apps) = (phone.path(&world), world.issuer.access.apps.load_full());
    let kept = {
        let shelf = world.memory.shelf();
        (shelf.users.clone(), shelf.sessions.clone(), shelf.devices.clone())
    };
    for (number, (wrong, reason, signal)) in CASES.iter().enumerate() {
        let answer = ask(&world, (&phone, &path), &tokens, (number, *wrong)).await;
        let expected =
            reason.as_ref().map_or("200".to_owned(), |reason| format!("{} {}", reason.public().status(), reason.public().code()));
        assert_eq!(answer.verdict(), expected, "{wrong:?}");
        let mut shelf = world.memory.shelf();
        // What proved nothing is counted and not recorded.
        let recorded = std::mem::take(&mut shelf.entries).pop().and_then(|entry| entry.event.reasons.first().cloned());
        assert!(recorded.is_none() || recorded == *reason, "{wrong:?}: {recorded:?}");
        let heard: Vec<_> = std::mem::take(&mut shelf.signals).iter().map(|signal| signal.kind).collect();
        assert_eq!(heard, signal.iter().copied().collect::<Vec<_>>(), "{wrong:?}");
        (shelf.users, shelf.sessions, shelf.devices) = kept.clone();
        world.issuer.access.apps.store(Arc::clone(&apps));
    }
}
