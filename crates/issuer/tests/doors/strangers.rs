//! Whose refusals may be counted instead of recorded, at the issuer: those of callers without a live session, and of nobody else.

use countersign_issuer::SignUp;

use crate::{
    phone::{Phone, Says},
    world::World,
};

/// Entries, and those among them for which the budget of strangers was asked, since the last look.
fn since(world: &World) -> (usize, usize) {
    let mut shelf = world.memory.shelf();
    let seen = (shelf.entries.len(), shelf.by_strangers);
    shelf.entries.clear();
    shelf.by_strangers = 0;
    seen
}

/// Nobody's keys, and phones that are enrolled and signed in nowhere: anybody has as many as they like.
#[tokio::test]
async fn refusals_without_a_session_share_the_budget() {
    let world = World::new(SignUp::Open);
    let unknown = Phone::new();
    assert_eq!(unknown.refresh(&world, "csr_nothing").await.status, 400);
    assert_eq!(since(&world), (1, 1), "a key that is nobody's");
    unknown.enrol(&world, &Says::truth()).await;
    assert_eq!(since(&world), (1, 0), "what is allowed is recorded");
    assert_eq!(unknown.refresh(&world, "csr_nothing").await.status, 400);
    assert_eq!(since(&world), (1, 1), "a phone without a session");
}

/// Whoever has not even proved a key is counted, in the signed summary too, and never recorded one by one.
#[tokio::test]
async fn refusals_before_any_proof_are_only_counted() {
    let world = World::new(SignUp::Open);
    for (path, method) in [("/countersign/v1/devices", "POST"), ("/countersign/v1/token", "POST"), ("/countersign/v1/challenge", "POST")] {
        let request = http::Request::builder().method(method).uri(path).body(axum::body::Body::empty()).expect("a request");
        assert!(world.send(request).await.status.is_client_error(), "{path}");
    }
    assert_eq!((since(&world), world.memory.shelf().counted), ((0, 0), 3));
}

/// A thief of a live session is recorded whatever strangers do; then the session is frozen, and there is nothing left to steal.
#[tokio::test]
async fn a_theft_from_a_live_session_is_no_strangers_refusal() {
    let world = World::new(SignUp::Open);
    let (phone, tokens) = Phone::signed_in(&world).await;
    let (thief, refresh) = (Phone::new(), tokens.text("refresh_token"));
    since(&world);
    thief.refresh(&world, &refresh).await;
    assert_eq!(world.recorded(), "tokens_issued deny refresh_foreign_key");
    assert_eq!(since(&world), (1, 0), "the theft");
    thief.refresh(&world, &refresh).await;
    assert_eq!(since(&world), (1, 1), "the same again, of a frozen session");
    phone.refresh(&world, &refresh).await;
    assert_eq!(since(&world), (1, 1), "the owner, whose session is frozen");
}

/// A stolen token at a door where nothing else is recorded: the theft is.
#[tokio::test]
async fn a_token_by_another_key_is_recorded_at_every_door() {
    let world = World::new(SignUp::Open);
    let (_, tokens) = Phone::signed_in(&world).await;
    since(&world);
    let thief = Phone::new();
    let answer = world.send(thief.person(&world, (&tokens, "GET"), "/countersign/v1/me/devices", "")).await;
    assert_eq!(answer.verdict(), "401 proof_invalid");
    assert_eq!(world.recorded(), "request deny proof_key_mismatch");
    assert_eq!(since(&world), (1, 0));
}
