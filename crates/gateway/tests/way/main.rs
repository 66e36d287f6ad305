//! The way of a request as messages: what was sent, what was answered, what was recorded, what the upstream saw.

#![expect(clippy::expect_used, reason = "what fails outside of the test functions fails the test too")]

mod access;
mod auth_request;
mod calls;
#[path = "../../../access/tests/shared/cases.rs"]
mod cases;
mod fixture;
mod foreign;
mod held;
mod readings;
mod replayed;
mod rules;
mod slow;
mod sockets;
mod strangers;
mod streams;
#[path = "../support/upstream.rs"]
mod upstream;
mod watched;

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use countersign_compliance::Revocations;
use countersign_core::{AppFinding, PolicyName, Reason, RiskReason, RiskView, Seconds, SerialDigest, SessionState};
use countersign_gateway::{ListenConfig, Transport, body::Body, listen, serve};
use countersign_proof::jwk::{Algorithm, SigningKey};
use countersign_store::{DeviceState, TakeError};
use fixture::{Attack, Fixture, NOW};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// The whole story of the last request, for a person to read.
async fn story(name: &str, fixture: &Fixture, sent: &str, answer: Response<Body>) -> String {
    let (head, body) = answer.into_parts();
    let body =
        body.collect().await.map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned()).unwrap_or_else(|e| format!("(broken off: {e})"));
    let mut out = format!("=== {name}\n{sent}\n---\n{}\n", head.status);
    for (name, value) in &head.headers {
        let value = value.to_str().expect("text");
        let value = match name.as_str() {
            // The fixture's counter numbers decisions, and each row makes a different number of proofs.
            "countersign-decision" => "(number)".to_owned(),
            // Behind its time, a nonce is for a key that is made anew each time.
            "dpop-nonce" => format!("{}[...]", value.get(..10).unwrap_or(value)),
            _ => value.to_owned(),
        };
        let _ = writeln!(out, "{name}: {value}");
    }
    let _ = writeln!(out, "\n{}", without_number(&body));
    for entry in fixture.world.recorded.lock().expect("a lock").drain(..) {
        let event = &entry.event;
        let reasons: Vec<_> = event.reasons.iter().map(Reason::code).collect();
        let policies: Vec<_> = event.policies().iter().map(PolicyName::as_str).collect();
        let _ = writeln!(
            out,
            "--- recorded\n{} {} action={:?} policies={}",
            event.outcome.as_str(),
            reasons.join(","),
            event.action().map(ToString::to_string),
            policies.join(",")
        );
        let facts: Vec<_> = entry.words().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(out, "facts: {}", facts.join(" "));
        let personal: Vec<_> =
            entry.identity.identifying().iter().map(|field| format!("{}={}", field.name.as_str(), field.value)).collect();
        let _ = writeln!(out, "sealed for {:?}: {}", entry.person.as_ref().map(ToString::to_string), personal.join(" "));
    }
    for signal in fixture.world.signals.lock().expect("a lock").drain(..) {
        let _ = writeln!(out, "--- signalled\n{} {}", signal.kind.as_str(), signal.reason);
    }
    for asked in fixture.world.asked.lock().expect("a lock").drain(..) {
        let _ = writeln!(out, "--- upstream saw\n{}", without_number(&asked));
    }
    out.push('\n');
    out
}

/// Decision numbers count up in the fixture; what matters is that there is one.
fn without_number(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("D-0") {
        out += before;
        out += "D-(number)";
        rest = after.trim_start_matches(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    }
    out + rest
}

async fn told(name: &str, fixture: &Fixture, request: Request<Full<Bytes>>) -> String {
    let sent = format!("{} {}", request.method(), request.uri());
    let answer = fixture.serve(request).await;
    story(name, fixture, &sent, answer).await
}

#[tokio::test]
async fn what_passes_and_what_the_upstream_sees() {
    let fixture = Fixture::new().await;
    let mut page = told("an honest request", &fixture, fixture.request("GET", "/v1/accounts/a1?full=%20yes", "")).await;
    page += &told(
        "a transfer, whose body policy looks at",
        &fixture,
        fixture.request("POST", "/v1/transfers", r#"{"amount": 50, "to": "bob"}"#),
    )
    .await;
    page += &told("an upstream that speaks for us", &fixture, fixture.request("GET", "/v1/accounts/forger", "")).await;
    fixture.set_device(|device| device.posture.patch_level = countersign_core::PatchLevel::from_number(202_501));
    page += &told("an old phone: fields are hidden", &fixture, fixture.request("GET", "/v1/accounts/a1", "")).await;
    insta::assert_snapshot!("passes", page);
}

/// What is required of phones, and what becomes of one that lacks it.
#[tokio::test]
async fn phones_that_lack_something_are_counted_limited_or_refused() {
    let found = |finding| countersign_core::AppReport {
        at: countersign_core::UnixSeconds(NOW - 5),
        findings: [finding].into(),
        os_version: None,
        app_version: None,
        installer: None,
    };
    let read = |fixture: &Fixture| fixture.request("GET", "/v1/accounts/a1", "");
    let pay = |fixture: &Fixture| fixture.request("POST", "/v1/transfers", r#"{"amount": 50}"#);
    let fixture = Fixture::new().await;
    fixture.set_device(|device| device.posture.report = Some(found(AppFinding::Vpn)));
    let mut page = told("a VPN, which is observed", &fixture, pay(&fixture)).await;
    fixture.set_device(|device| device.posture.report = Some(found(AppFinding::Rooted)));
    page += &told("a rooted phone reads", &fixture, read(&fixture)).await;
    page += &told("a rooted phone pays", &fixture, pay(&fixture)).await;
    fixture.set_device(|device| device.posture.report = Some(found(AppFinding::Hooked)));
    page += &told("a hooked app reads", &fixture, read(&fixture)).await;
    fixture.set_device(|device| device.posture.report = None);
    page += &told("old evidence where fresh is asked for", &fixture, fixture.request("GET", "/v1/card", "")).await;
    fixture.set_device(|device| device.posture.established_at = countersign_core::UnixSeconds(NOW - 3600));
    page += &told("fresh evidence", &fixture, fixture.request("GET", "/v1/card", "")).await;
    fixture.set_device(|device| device.posture.app_version = Some(4));
    page += &told("an app that is no longer supported", &fixture, read(&fixture)).await;
    fixture.set_device(|device| {
        device.posture.app_version = Some(5);
        device.posture.certificates = vec![SerialDigest([9; 16])];
    });
    page += &told("a certificate before it is revoked", &fixture, read(&fixture)).await;
    fixture.revocations.store(Arc::new(Revocations { revoked: [SerialDigest([9; 16])].into(), fetched_at: None, outage: None }));
    page += &told("the same certificate on the next request", &fixture, read(&fixture)).await;
    insta::assert_snapshot!("phones", page);
}

/// What the watcher hears, and what becomes of what it says.
#[tokio::test]
async fn what_looks_unusual_is_confirmed_or_refused() {
    let fixture = Fixture::new().await;
    fixture.set_session(|session| session.auth_time = countersign_core::UnixSeconds(NOW - 301));
    let looks = |score| {
        let reasons = vec![
            RiskReason { name: "new_network".into(), weight_tenths: 21 },
            RiskReason { name: "same_device".into(), weight_tenths: -7 },
        ];
        *fixture.world.looks.lock().expect("a lock") = RiskView { score, reasons };
    };
    let read = || fixture.request("GET", "/v1/accounts/a1", "");
    let heard = || fixture.world.watched.lock().expect("a lock").drain(..).collect::<Vec<_>>().join("\n");
    let mut page = told("as usual", &fixture, read()).await + &heard() + "\n\n";
    looks(49);
    page += &(told("a little unusual", &fixture, read()).await + &heard() + "\n\n");
    looks(50);
    page += &(told("unusual: the person is asked", &fixture, read()).await + &heard() + "\n\n");
    looks(95);
    page += &(told("nothing a person could confirm", &fixture, read()).await + &heard() + "\n\n");
    let mut unproven = read();
    unproven.headers_mut().remove("dpop");
    page += &(told("whoever proves nothing is not heard of", &fixture, unproven).await + &heard());
    insta::assert_snapshot!("unusual", page);
}

#[tokio::test]
async fn stolen_and_forged_credentials_get_nothing() {
    let fixture = Fixture::new().await;
    let (thief, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    let path = "/v1/accounts/a1";
    let get = |attack: Attack<'_>| fixture.request_with("GET", path, "", attack);
    let without = |name: &str| {
        let mut request = get(Attack::default());
        request.headers_mut().remove(name);
        request
    };
    let mut page = told("no token", &fixture, without("authorization")).await;
    let mut bearer = get(Attack::default());
    let token = fixture.token(&fixture.claims());
    bearer.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a value"));
    page += &told("the token as a bearer token", &fixture, bearer).await;
    page += &told(
        "an expired token",
        &fixture,
        get(Attack { claims: &|c| c.expires_at = countersign_core::UnixSeconds(NOW - 5), ..Attack::default() }),
    )
    .await;
    page += &told(
        "a token for another audience",
        &fixture,
        get(Attack { claims: &|c| c.audience = "https://other.example".into(), ..Attack::default() }),
    )
    .await;
    page += &told(
        "a token of another issuer",
        &fixture,
        get(Attack { claims: &|c| c.issuer = "https://other.example".into(), ..Attack::default() }),
    )
    .await;
    let mut tampered = token.clone();
    tampered
        .replace_range(tampered.len() - 10..tampered.len() - 9, if tampered.as_bytes()[tampered.len() - 10] == b'A' { "B" } else { "A" });
    page += &told("a tampered token", &fixture, get(Attack { token: Some(&tampered), ..Attack::default() })).await;
    page += &told("no proof", &fixture, without("dpop")).await;
    page += &told("alice's token, the thief's key", &fixture, get(Attack { key: Some(&thief), ..Attack::default() })).await;
    page += &told("a proof for another method", &fixture, get(Attack { proof_method: Some("POST"), ..Attack::default() })).await;
    page += &told("a proof for another path", &fixture, get(Attack { proof_path: Some("/v1/accounts/a2"), ..Attack::default() })).await;
    page += &told(
        "a proof for another token",
        &fixture,
        get(Attack { proof_hash: Some("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"), ..Attack::default() }),
    )
    .await;
    page += &told("a clock that is slow", &fixture, get(Attack { proof_time: Some(NOW - 600), ..Attack::default() })).await;
    page += &told("a clock that is fast", &fixture, get(Attack { proof_time: Some(NOW + 600), ..Attack::default() })).await;
    page += &told("a made-up nonce", &fixture, get(Attack { nonce: Some("AAAAAGqmlljc6IOYpA5tjf6DFviQofZe"), ..Attack::default() })).await;
    let captured = get(Attack::default());
    let again = captured.clone();
    assert_eq!(fixture.serve(captured).await.status(), 200);
    fixture.world.recorded.lock().expect("a lock").clear();
    fixture.world.asked.lock().expect("a lock").clear();
    page += &told("a captured request, sent again", &fixture, again).await;
    insta::assert_snapshot!("stolen", page);
}

#[tokio::test]
async fn a_phone_with_a_wrong_clock_recovers_by_the_nonce() {
    let fixture = Fixture::new().await;
    for off in [NOW - 86_400, NOW - 600, NOW + 600, NOW + 86_400] {
        let first =
            fixture.serve(fixture.request_with("GET", "/v1/accounts/a1", "", Attack { proof_time: Some(off), ..Attack::default() })).await;
        assert_eq!(first.status(), 401);
        let nonce = first.headers().get("dpop-nonce").expect("a nonce").to_str().expect("text").to_owned();
        assert_eq!(first.headers().get("date").expect("a date"), "Sun, 13 Sep 2026 12:26:40 GMT");
        let attack = Attack { proof_time: Some(off), nonce: Some(&nonce), ..Attack::default() };
        assert_eq!(fixture.serve(fixture.request_with("GET", "/v1/accounts/a1", "", attack)).await.status(), 200, "{off}");
    }
}

#[tokio::test]
async fn what_has_ended_and_what_is_not_offered() {
    let fixture = Fixture::new().await;
    let get = || fixture.request("GET", "/v1/accounts/a1", "");
    let mut page = String::new();
    for state in [SessionState::Revoked, SessionState::Challenged] {
        fixture.set_session(|session| session.state = state);
        page += &told(&format!("a session that is {}", state.as_str()), &fixture, get()).await;
    }
    fixture.set_session(|session| session.expires_at = countersign_core::UnixSeconds(NOW - 1));
    page += &told("a session at its end", &fixture, get()).await;
    fixture.set_session(|session| session.client = countersign_core::ClientId::parse("com.example.other").expect("an id"));
    page += &told("a token of another app than its session", &fixture, get()).await;
    fixture.world.sessions.lock().expect("a lock").clear();
    page += &told("a session that never was", &fixture, get()).await;
    fixture.set_session(|_| {});
    fixture.set_device(|device| device.state = DeviceState::Revoked);
    page += &told("a revoked device", &fixture, get()).await;
    fixture.world.devices.lock().expect("a lock").clear();
    page += &told("a device that never was", &fixture, get()).await;
    fixture.set_device(|_| {});
    page += &told("an operation that nobody declared", &fixture, fixture.request("GET", "/v1/secrets", "")).await;
    page += &told("a method that nobody declared", &fixture, fixture.request("DELETE", "/v1/accounts/a1", "")).await;
    page += &told(
        "a path with two readings",
        &fixture,
        fixture.request_with("GET", "/v1/accounts/..;/a1", "", Attack { proof_path: Some("/v1/accounts/a1"), ..Attack::default() }),
    )
    .await;
    page += &told("another host", &fixture, {
        let mut request = get();
        request.headers_mut().insert("host", "evil.example".parse().expect("a value"));
        request
    })
    .await;
    insta::assert_snapshot!("ended", page);
}

#[tokio::test]
async fn what_policies_and_bodies_refuse() {
    let fixture = Fixture::new().await;
    let transfer = |body: &str| fixture.request("POST", "/v1/transfers", body);
    let mut page = told("a field of another type", &fixture, transfer(r#"{"amount": "50"}"#)).await;
    page += &told("a body that is not JSON", &fixture, transfer("amount=50")).await;
    page += &told("a member twice", &fixture, transfer(r#"{"amount": 50, "amount": 5000}"#)).await;
    page += &told("a body of another type", &fixture, {
        let mut request = transfer(r#"{"amount": 50}"#);
        request.headers_mut().insert("content-type", "text/plain".parse().expect("a value"));
        request
    })
    .await;
    page += &told(
        "a body that is too large to look into",
        &fixture,
        transfer(&format!("{{\"amount\": 50, \"x\": \"{}\"}}", "a".repeat(1024 * 1024))),
    )
    .await;
    fixture.set_session(|session| session.acr = countersign_core::Acr::Basic);
    page += &told("a large transfer by weak authentication", &fixture, transfer(r#"{"amount": 5000}"#)).await;
    fixture.set_session(|_| {});
    page += &told("what is for others", &fixture, fixture.request("GET", "/v1/admin/users", "")).await;
    fixture.set_device(|device| device.posture.patch_level = countersign_core::PatchLevel::from_number(202_501));
    *fixture.world.rates.lock().expect("a lock") = Err(TakeError::Exceeded(Seconds(17)));
    page += &told("too often for an old phone", &fixture, fixture.request("GET", "/v1/accounts/a1", "")).await;
    insta::assert_snapshot!("policies", page);
}

#[tokio::test]
async fn what_cannot_be_masked_is_withheld() {
    let fixture = Fixture::new().await;
    fixture.set_device(|device| device.posture.patch_level = countersign_core::PatchLevel::from_number(202_501));
    let mut page = String::new();
    for path in ["broken", "zipped", "page"] {
        page += &told(path, &fixture, fixture.request("GET", &format!("/v1/accounts/{path}"), "")).await;
    }
    assert!(!page.contains("DE02"));
    insta::assert_snapshot!("withheld", page);
}

#[tokio::test]
async fn an_upstream_that_fails() {
    let fixture = Fixture::new().await;
    let mut page = told("silent", &fixture, fixture.request("GET", "/v1/accounts/silent", "")).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let down = Fixture::with_upstream(std::sync::Arc::clone(&fixture.world), closed).await;
    page += &told("down", &down, down.request("GET", "/v1/accounts/a1", "")).await;
    insta::assert_snapshot!("upstream", page);
}

/// Whichever call to a store fails, the request is refused, and unless it was recorded nothing reaches the upstream.
#[tokio::test]
async fn every_store_may_fail() {
    let fixture = Fixture::new().await;
    fixture.set_device(|device| device.posture.patch_level = countersign_core::PatchLevel::from_number(202_501));
    let answer = fixture.serve(fixture.request("GET", "/v1/accounts/a1", "")).await;
    assert_eq!(answer.status(), 200);
    let calls = fixture.world.calls.swap(0, Ordering::SeqCst);
    assert_eq!(calls, 7, "replay, session, account, device, the rate of the person, that of the policy, record");
    fixture.world.asked.lock().expect("a lock").clear();
    for failing in 1..=calls {
        fixture.world.calls.store(0, Ordering::SeqCst);
        fixture.world.fails_at.store(failing, Ordering::SeqCst);
        let answer = fixture.serve(fixture.request("GET", "/v1/accounts/a1", "")).await;
        assert_eq!(answer.status(), 503, "call {failing}");
        assert!(fixture.world.asked.lock().expect("a lock").is_empty(), "call {failing}");
    }
}

#[tokio::test]
async fn a_panic_is_a_refusal_and_recorded_as_one() {
    let fixture = Fixture::new().await;
    for panicking in 1..=3 {
        fixture.world.calls.store(0, Ordering::SeqCst);
        fixture.world.panics_at.store(panicking, Ordering::SeqCst);
        let answer = fixture.serve(fixture.request("GET", "/v1/accounts/a1", "")).await;
        assert_eq!(answer.status(), 500, "call {panicking}");
        let recorded: Vec<_> = fixture.world.recorded.lock().expect("a lock").drain(..).map(|entry| entry.event.reasons).collect();
        assert_eq!(recorded, [[Reason::Internal]], "call {panicking}");
        assert!(fixture.world.asked.lock().expect("a lock").is_empty(), "call {panicking}");
    }
}

/// The same over a socket: the listener, the way and the upstream together, two requests on one connection.
#[tokio::test]
async fn the_whole_way_over_a_socket() {
    let fixture = Fixture::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let gateway = Arc::clone(&fixture.gateway);
    let handler = move |request, peer| {
        let gateway = Arc::clone(&gateway);
        async move { serve(&gateway, request, peer).await }
    };
    let clock = Arc::clone(&fixture.world);
    tokio::spawn(listen(listener, ListenConfig::new(Transport::Plain), clock, CancellationToken::new(), handler));
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    for (request, expected) in [(fixture.request("GET", "/v1/accounts/a1", ""), 200), (fixture.request("GET", "/v1/secrets", ""), 403)] {
        let answer = client.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), expected);
        assert!(answer.headers().contains_key("countersign-decision"));
        answer.into_body().collect().await.expect("a body");
    }
    assert_eq!(fixture.world.asked.lock().expect("a lock").len(), 1);
}

mod by_chance {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever the head says: no panic, no 5xx, and without the one token and proof of this request nothing is forwarded.
        #[test]
        fn any_head_is_answered_and_none_passes(
            method in "(GET|POST|PUT|DELETE|PATCH|OPTIONS|HEAD|TRACE|A)",
            path in "/(v1/accounts/a1|v1/transfers|[ -~]{0,30})",
            headers in proptest::collection::vec(
                ("(host|dpop|authorization|content-length|content-type|countersign-user|x-forwarded-for|te)", "(api\\.example\\.com|DPoP [a-z.]{0,20}|[ -~]{0,30})"),
                0..8,
            ),
            body in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let fixture = Fixture::new().await;
                let mut request = Request::builder().method(method.as_str()).uri(path.as_str());
                for (name, value) in &headers {
                    request = request.header(name.as_str(), value.as_str());
                }
                if let Ok(request) = request.body(Full::new(Bytes::from(body))) {
                    let answer = fixture.serve(request).await;
                    assert!(answer.status().is_client_error(), "{}", answer.status());
                    assert!(answer.headers().contains_key("countersign-decision"));
                    assert!(fixture.world.asked.lock().expect("a lock").is_empty());
                    assert_eq!(fixture.world.recorded.lock().expect("a lock").len(), 1);
                }
            });
        }
    }
}
