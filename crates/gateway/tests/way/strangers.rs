//! Whose refusals may be counted instead of recorded, on the way of a request: those of callers without a live session, and of nobody else.

use std::sync::atomic::Ordering;

use countersign_core::{Reason, SessionState};
use countersign_proof::jwk::{Algorithm, SigningKey};
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::fixture::{Attack, Fixture};

/// Tries of each row; the budget of one site is four.
const TRIES: usize = 30;
const SHARE: usize = 4;

async fn fixture() -> Fixture {
    Fixture::with_strangers(10).await
}

fn recorded(fixture: &Fixture) -> Vec<String> {
    let drained: Vec<_> = fixture.world.recorded.lock().expect("a lock").drain(..).collect();
    drained.iter().map(|entry| entry.event.reasons.iter().map(Reason::code).collect::<Vec<_>>().join(" ")).collect()
}

fn bare(path: &str) -> Request<Full<bytes::Bytes>> {
    Request::builder().uri(path).header("host", "api.example.com").body(Full::default()).expect("a request")
}

#[tokio::test]
async fn a_flood_without_a_token_is_counted_and_customers_are_recorded() {
    let fixture = fixture().await;
    for n in 0..TRIES {
        assert_eq!(fixture.serve(bare(&format!("/v1/accounts/a{n}"))).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(fixture.serve(bare("/nowhere")).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(recorded(&fixture).len(), SHARE, "recorded up to the site's share");
    for _ in 0..TRIES {
        assert_eq!(fixture.serve(fixture.request("GET", "/v1/accounts/a1", "")).await.status(), StatusCode::OK);
    }
    assert_eq!(recorded(&fixture).len(), TRIES, "whatever is allowed is recorded");
    for _ in 0..TRIES {
        let refused = fixture.serve(fixture.request("POST", "/v1/transfers", r#"{"amount": "x"}"#)).await;
        assert!(refused.status().is_client_error());
    }
    assert_eq!(recorded(&fixture).len(), TRIES, "whoever is in a session is recorded, refused or not");
}

/// A stolen token alone proves nothing: a flood with it is a stranger's.
#[tokio::test]
async fn a_flood_with_a_token_and_no_proof_is_counted() {
    let fixture = fixture().await;
    let token = fixture.token(&fixture.claims());
    for _ in 0..TRIES {
        let mut request = bare("/v1/accounts/a1");
        request.headers_mut().insert("authorization", format!("DPoP {token}").parse().expect("a value"));
        assert_eq!(fixture.serve(request).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(recorded(&fixture).len(), SHARE);
}

/// Every theft from a live session is recorded, however many there are; from one that is over, nothing can be stolen.
#[tokio::test]
async fn every_theft_from_a_live_session_is_recorded() {
    let fixture = fixture().await;
    let (thief, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    let stolen = async || {
        for _ in 0..TRIES {
            let attack = Attack { key: Some(&thief), ..Attack::default() };
            let request = fixture.request_with("GET", "/v1/accounts/a1", "", attack);
            assert_eq!(fixture.serve(request).await.status(), StatusCode::UNAUTHORIZED);
        }
    };
    stolen().await;
    assert_eq!(recorded(&fixture), vec!["proof_key_mismatch"; TRIES]);
    fixture.set_session(|session| session.state = SessionState::Challenged);
    stolen().await;
    assert_eq!(recorded(&fixture), vec!["proof_key_mismatch"; SHARE]);
}

/// What was in a session and is not any more shares the budget of strangers: a revoked phone may try for ever.
#[tokio::test]
async fn a_flood_in_a_revoked_session_is_counted() {
    let fixture = fixture().await;
    fixture.set_session(|session| session.state = SessionState::Revoked);
    for _ in 0..TRIES {
        assert_eq!(fixture.serve(fixture.request("GET", "/v1/accounts/a1", "")).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(recorded(&fixture), vec!["session_revoked"; SHARE]);
}

/// Without the log, what needs a record is refused; what is only counted is answered as ever.
#[tokio::test]
async fn without_a_log_a_counted_refusal_is_answered_all_the_same() {
    let fixture = fixture().await;
    for _ in 0..TRIES {
        let _ = fixture.serve(bare("/v1/accounts/a1")).await;
    }
    fixture.world.log_fails.store(true, Ordering::SeqCst);
    assert_eq!(fixture.serve(bare("/v1/accounts/a1")).await.status(), StatusCode::UNAUTHORIZED);
    let honest = fixture.serve(fixture.request("GET", "/v1/accounts/a1", "")).await;
    assert_eq!(honest.status(), StatusCode::SERVICE_UNAVAILABLE);
}
