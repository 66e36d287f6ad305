//! Two readers, two readings: what the gateway judged is what the API reads, and nothing of what is hidden comes back by another way.

use std::collections::BTreeMap;

use countersign_core::PatchLevel;
use countersign_gateway::{answer_auth_request, body::Body};
use http::{Request, Response, header::HeaderName};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::fixture::{Attack, Fixture, claims_of_text};

async fn body(answer: Response<Body>) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn last_reason(f: &Fixture) -> String {
    let recorded = f.world.recorded.lock().expect("a lock");
    let reasons = recorded.last().map(|entry| entry.event.reasons.clone()).unwrap_or_default();
    reasons.first().map(|reason| reason.code().to_owned()).unwrap_or_default()
}

fn seen(f: &Fixture) -> Option<String> {
    f.world.asked.lock().expect("a lock").drain(..).next_back()
}

/// Issue 11, section 3: common binders take a member that the policy did not see.
#[tokio::test]
async fn a_body_with_two_readings_is_refused_and_the_member_named() {
    let f = Fixture::new().await;
    let rows: &[(&str, &str, u16, &str, &str)] = &[
        ("one amount", r#"{"amount":5,"to":{"name":"bob"}}"#, 200, "", ""),
        ("a note that is null", r#"{"amount":5,"note":null}"#, 200, "", ""),
        ("two amounts", r#"{"amount":5,"Amount":5000}"#, 400, "body_member_ambiguous", "/Amount"),
        ("another spelling alone", r#"{"a_mount":5000}"#, 400, "body_member_ambiguous", "/a_mount"),
        ("an undeclared member", r#"{"amount":5,"fee":1}"#, 400, "body_member_undeclared", "/fee"),
        ("no amount", r#"{"note":"x"}"#, 400, "body_field_invalid", "/amount"),
        ("an amount that is null", r#"{"amount":null}"#, 400, "body_field_invalid", "/amount"),
        ("a note that is a number", r#"{"amount":5,"note":1}"#, 400, "body_field_invalid", "/note"),
        ("an exponent", r#"{"amount":1e3}"#, 400, "body_field_invalid", "/amount"),
    ];
    for (name, sent, status, reason, field) in rows {
        let (got, answer) = body(f.serve(f.request("POST", "/v1/transfers", sent)).await).await;
        assert_eq!((got, last_reason(&f).as_str()), (*status, *reason), "{name}");
        assert_eq!(answer.get("field").and_then(Value::as_str).unwrap_or_default(), *field, "{name}");
        assert_eq!(seen(&f).is_some(), *status == 200, "{name}");
    }
    let mut utf16 = f.request("POST", "/v1/transfers", r#"{"amount":5}"#);
    utf16.headers_mut().insert("content-type", "application/json; charset=utf-16".parse().expect("a value"));
    assert_eq!(f.serve(utf16).await.status(), 400);
    assert_eq!(last_reason(&f), "body_malformed");
}

/// Issue 11, section 3: what an API believes of a proxy, in any spelling, never comes from a client.
#[tokio::test]
async fn reserved_headers_never_reach_the_api_and_an_apps_own_do() {
    let f = Fixture::new().await;
    let reserved = [
        "Countersign.User",
        "countersign_identity",
        "Proxy",
        "Remote-User",
        "Client-Cert",
        "True-Client-IP",
        "X-Original-Method",
        "X-Accel-Redirect",
        "X-Envoy-Original-Path",
        "X.Forwarded.User",
    ];
    let own = ["x-app-version", "idempotency-key", "x-request-id"];
    let mut request = f.request("GET", "/v1/accounts/a1", "");
    for name in reserved.into_iter().chain(own) {
        request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).expect("a name"), "forged-value".parse().expect("a value"));
    }
    assert_eq!(f.serve(request).await.status(), 200);
    let seen = seen(&f).expect("forwarded");
    let names: Vec<_> = seen.lines().filter(|line| line.ends_with(": forged-value")).collect();
    assert_eq!(names, ["idempotency-key: forged-value", "x-app-version: forged-value", "x-request-id: forged-value"], "{seen}");
}

#[tokio::test]
async fn an_operation_with_declared_headers_passes_no_others() {
    let f = Fixture::new().await;
    let mut request = f.request("GET", "/v1/plain", "");
    for name in ["x-app-version", "x-feature", "accept-language"] {
        request.headers_mut().insert(name, "sent".parse().expect("a value"));
    }
    assert_eq!(f.serve(request).await.status(), 200);
    let seen = seen(&f).expect("forwarded");
    let names: Vec<_> = seen.lines().filter(|line| line.ends_with(": sent")).collect();
    assert_eq!(names, ["accept-language: sent", "x-app-version: sent"], "{seen}");
    assert!(seen.contains("countersign-user: p_alice"), "{seen}");
}

#[tokio::test]
async fn a_connection_names_only_what_is_its_own() {
    let f = Fixture::new().await;
    for (value, status) in [("keep-alive", 200), ("close, TE", 200), ("content-type", 400), ("close, x-secret", 400), ("dpop", 400)] {
        let mut request = f.request("POST", "/v1/transfers", r#"{"amount":5}"#);
        request.headers_mut().insert("connection", value.parse().expect("a value"));
        assert_eq!(f.serve(request).await.status(), status, "{value}");
    }
}

/// Issue 11, section 3: a masked member was guessed in twelve tries through `If-None-Match`.
#[tokio::test]
async fn no_condition_answers_a_guess_about_what_is_hidden() {
    let f = Fixture::new().await;
    let conditional = |name: &'static str, method: &str| {
        let mut request = f.request(method, "/v1/accounts/a1", "");
        request.headers_mut().insert(name, "\"e\"".parse().expect("a value"));
        request
    };
    assert_eq!(f.serve(conditional("if-none-match", "GET")).await.status(), 304, "nothing is hidden, and the validator fits");
    f.set_device(|device| device.posture.patch_level = PatchLevel::from_number(202_501));
    f.world.asked.lock().expect("a lock").clear();
    for name in ["if-none-match", "if-match", "if-modified-since", "if-unmodified-since", "if-range", "range", "want-repr-digest"] {
        let answer = f.serve(conditional(name, "GET")).await;
        let names: Vec<_> = answer.headers().keys().map(|name| name.as_str().to_owned()).collect();
        assert!(!names.iter().any(|name| ["etag", "last-modified"].contains(&name.as_str())), "{name}: {names:?}");
        let (status, text) = body(answer).await;
        assert_eq!((status, text.get("iban")), (200, Some(&Value::Null)), "{name}");
        assert!(!seen(&f).expect("forwarded").contains(name), "{name}");
    }
    assert_eq!(f.serve(conditional("if-match", "PUT")).await.status(), 400);
    assert_eq!((last_reason(&f).as_str(), seen(&f)), ("condition_on_hidden", None), "a change is not made without its condition");
}

/// Issue 11, section 2: a statement is of use for the one request that was admitted.
#[tokio::test]
async fn a_statement_names_its_request() {
    let f = Fixture::new().await;
    let digest = "sha-256=:foTL8PenySwDcFhmXWYVL464WAqyU05SyHe8zOucx78=:";
    let rows: &[(&str, &str, &str, &str, Option<&str>)] = &[
        ("GET", "/v1/accounts/a1", "", "", None),
        ("GET", "/v1/accounts/a1?full=1", "", "query", None),
        ("POST", "/v1/transfers", r#"{"amount":5}"#, "", Some(digest)),
    ];
    for (method, path, sent, query, content) in rows {
        assert_eq!(f.serve(f.request(method, path, sent)).await.status(), 200);
        let seen = seen(&f).expect("forwarded");
        let statement = seen.lines().find_map(|line| line.strip_prefix("countersign-identity: ")).expect("a statement");
        let claims: BTreeMap<String, Value> = serde_json::from_str(claims_of_text(statement)).expect("claims");
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(text("htm").as_deref(), Some(*method));
        assert_eq!(text("htu").as_deref(), Some(format!("https://api.example.com{}", path.split('?').next().expect("a path")).as_str()));
        assert_eq!(text("query_sha256").is_some(), *query == "query", "{path}");
        assert_eq!(text("content_digest").as_deref(), *content, "{path}");
        assert!(text("jti").is_some_and(|id| id.starts_with("D-")), "every decision has a number of its own");
        assert_eq!(text("jti"), text("decision"));
    }
}

/// Issue 11, section 7: what OkHttp and browsers leave as it is in a query.
#[tokio::test]
async fn a_query_passes_byte_for_byte() {
    let f = Fixture::new().await;
    let path = r"/v1/accounts/a1?filter={a|b}^2`c\d&filter[]=1&Filter=2";
    assert_eq!(f.serve(f.request("GET", path, "")).await.status(), 200);
    let seen = seen(&f).expect("forwarded");
    assert!(seen.starts_with(&format!("GET {path}\n")), "{seen}");
    let attack = Attack { proof_path: Some("/v1/accounts/a1"), ..Attack::default() };
    let refused = f.serve(f.request_with("GET", "/v1/accounts/a1?_method=PUT", "", attack)).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.headers().contains_key("countersign-decision"));
    assert_eq!(last_reason(&f), "method_overridden");
}

/// Behind nginx nobody takes a header away.
#[tokio::test]
async fn behind_another_proxy_what_cannot_be_taken_away_is_refused() {
    let f = Fixture::new().await;
    for (name, status) in
        [("x-app-version", 200), ("x-forwarded-for", 200), ("remote-user", 403), ("countersign.user", 403), ("x-original-url", 403)]
    {
        let mut request = f.request("GET", "/v1/accounts/a1", "");
        request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes()).expect("a name"), "a".parse().expect("a value"));
        assert_eq!(f.ask_as_nginx(request).await.status(), status, "{name}");
        if status != 200 {
            assert_eq!(last_reason(&f), "header_not_removable", "{name}");
        }
    }
}

/// Issue 11, section 7: whatever is refused has a number, also what is no request at all.
#[tokio::test]
async fn what_cannot_be_read_behind_another_proxy_has_a_number() {
    let f = Fixture::new().await;
    for target in ["/v1/accounts/a1?b=\"c\"", "/v1/accounts/<a1>", "a b", ""] {
        let (mut head, _) = f.request("GET", "/v1/accounts/a1", "").into_parts();
        for (name, value) in [("x-original-method", "GET"), ("x-original-uri", target), ("x-real-ip", "192.0.2.77")] {
            head.headers.insert(name, value.parse().expect("a value"));
        }
        let answer = answer_auth_request(&f.gateway, Request::from_parts(head, ())).await;
        assert_eq!(answer.status(), 403, "{target}");
        assert!(answer.headers().get("countersign-decision").is_some_and(|id| id.as_bytes().starts_with(b"D-")), "{target}");
        assert_eq!(last_reason(&f), "request_malformed", "{target}");
    }
}
