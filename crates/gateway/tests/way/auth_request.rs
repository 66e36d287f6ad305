//! The door of another proxy: what it answers to what nginx asks.

use countersign_core::{PatchLevel, Seconds};
use countersign_gateway::{answer_auth_request, body::Body};
use countersign_proof::jwk::{Algorithm, SigningKey};
use countersign_store::TakeError;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;

use crate::fixture::{Attack, Fixture};

fn read<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

/// Status and class, and that there is nothing else in the answer.
async fn verdict(answer: Response<Body>) -> (u16, String) {
    let (head, body) = answer.into_parts();
    assert_eq!(read(&head.headers, "cache-control"), "no-store");
    assert!(!head.headers.contains_key("content-type"));
    assert!(body.collect().await.expect("a body").to_bytes().is_empty());
    (head.status.as_u16(), read(&head.headers, "countersign-reason").to_owned())
}

#[tokio::test]
async fn whoever_is_let_in_is_introduced() {
    let f = Fixture::new().await;
    let answer = f.ask_as_nginx(f.request("GET", "/v1/accounts/a1?page=2", "")).await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers();
    assert_eq!(read(headers, "countersign-user"), "p_alice");
    assert_eq!(read(headers, "countersign-identity").split('.').count(), 3, "a statement");
    assert!(read(headers, "countersign-decision").starts_with("D-"));
    assert_eq!(verdict(answer).await, (200, String::new()));
    assert!(f.world.asked.lock().expect("a lock").is_empty(), "the upstream is the proxy's to ask");
    let recorded = f.world.recorded.lock().expect("a lock").last().expect("an entry").clone();
    assert_eq!(recorded.event.action().map(|action| action.as_str()), Some("accounts.read"));
    let watched = f.world.watched.lock().expect("a lock").clone();
    assert_eq!(watched, ["GET accounts.read 192.0.2.77 an object", "0 bytes, served"]);
}

#[tokio::test]
async fn whoever_is_not_gets_what_nginx_passes_on() {
    let thief = SigningKey::generate(Algorithm::Es256).expect("a key").0;
    let f = Fixture::new().await;
    let mut bare = f.request("GET", "/v1/accounts/a1", "");
    bare.headers_mut().remove("authorization");
    let answer = f.ask_as_nginx(bare).await;
    assert_eq!(read(answer.headers(), "www-authenticate"), r#"DPoP algs="ES256 EdDSA""#);
    assert_eq!(verdict(answer).await, (401, "token_missing".to_owned()));

    let stolen = f.request_with("GET", "/v1/accounts/a1", "", Attack { key: Some(&thief), ..Attack::default() });
    let answer = f.ask_as_nginx(stolen).await;
    assert_eq!(read(answer.headers(), "www-authenticate"), r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA""#);
    assert_eq!(verdict(answer).await, (401, "proof_invalid".to_owned()));

    let late = f.request_with("GET", "/v1/accounts/a1", "", Attack { proof_time: Some(1), ..Attack::default() });
    let answer = f.ask_as_nginx(late).await;
    assert!(answer.headers().contains_key("dpop-nonce") && answer.headers().contains_key("date"));
    assert_eq!(verdict(answer).await, (401, "clock_far".to_owned()));

    let rows = [
        ("an unknown operation", "GET", "/v1/nothing", 403, "policy"),
        ("an ambiguous path", "GET", "/v1//accounts/a1", 403, "request_invalid"),
        ("a socket", "GET", "/v1/live", 403, "request_invalid"),
        ("events", "GET", "/v1/events", 403, "request_invalid"),
        ("a call", "POST", "/bank.v1.Calls/Talk", 403, "request_invalid"),
        ("a body that policy looks at", "POST", "/v1/transfers", 403, "request_invalid"),
        ("a body of limited size", "POST", "/bank.v1.Unary/Get", 403, "request_invalid"),
    ];
    for (name, method, path, status, code) in rows {
        let answer = f.ask_as_nginx(f.request(method, path, "")).await;
        assert_eq!(verdict(answer).await, (status, code.to_owned()), "{name}");
    }

    *f.world.rates.lock().expect("a lock") = Err(TakeError::Exceeded(Seconds(17)));
    f.set_device(|device| device.posture.patch_level = PatchLevel::from_number(202_501));
    let answer = f.ask_as_nginx(f.request("GET", "/v1/accounts/a1", "")).await;
    assert_eq!(verdict(answer).await, (503, "unavailable".to_owned()), "fields must be hidden, and this door cannot");
    let recorded = f.world.recorded.lock().expect("a lock").last().expect("an entry").clone();
    assert_eq!(recorded.event.reasons.first().map(|reason| reason.code().to_owned()).as_deref(), Some("response_not_maskable"));

    f.world.fails_at.store(f.world.calls.load(std::sync::atomic::Ordering::SeqCst) + 1, std::sync::atomic::Ordering::SeqCst);
    let answer = f.ask_as_nginx(f.request("GET", "/v1/accounts/a1", "")).await;
    assert_eq!(verdict(answer).await, (503, "unavailable".to_owned()), "a store that fails");
}

/// A proxy that does not say what it was asked is not guessed at, and of two that say it one may be the client.
#[tokio::test]
async fn what_the_proxy_was_asked_is_said_once() {
    type Spoil = fn(&mut HeaderMap);
    let rows: &[(&str, Spoil, u16)] = &[
        ("all is said", |_| {}, 200),
        ("no method", |h| drop(h.remove("x-original-method")), 500),
        ("no target", |h| drop(h.remove("x-original-uri")), 500),
        ("no address", |h| drop(h.remove("x-real-ip")), 500),
        ("two methods", |h| assert!(h.append("x-original-method", "GET".parse().expect("a value"))), 500),
        ("two targets", |h| assert!(h.append("x-original-uri", "/v1/accounts/a1".parse().expect("a value"))), 500),
        ("two addresses", |h| assert!(h.append("x-real-ip", "192.0.2.1".parse().expect("a value"))), 500),
        ("a name for an address", |h| drop(h.insert("x-real-ip", "localhost".parse().expect("a value"))), 500),
        ("a method that is none", |h| drop(h.insert("x-original-method", "G T".parse().expect("a value"))), 403),
        ("a target that is none", |h| drop(h.insert("x-original-uri", "/a b".parse().expect("a value"))), 403),
        ("a whole URL", |h| drop(h.insert("x-original-uri", "https://api.example.com/v1/accounts/a1".parse().expect("a value"))), 403),
        ("another host", |h| drop(h.insert("host", "evil.example".parse().expect("a value"))), 403),
    ];
    for (name, spoil, status) in rows {
        let f = Fixture::new().await;
        let (mut head, _) = f.request("GET", "/v1/accounts/a1", "").into_parts();
        for (name, value) in [("x-original-method", "GET"), ("x-original-uri", "/v1/accounts/a1"), ("x-real-ip", "2001:db8::1")] {
            head.headers.insert(name, value.parse().expect("a value"));
        }
        spoil(&mut head.headers);
        assert_eq!(answer_auth_request(&f.gateway, Request::from_parts(head, ())).await.status().as_u16(), *status, "{name}");
    }
}
