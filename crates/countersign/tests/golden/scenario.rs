//! A day at the bank: people, a thief, an operator and two receivers of events; every JSON document that they are given is looked at.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_attest::apple::Environment;
use countersign_core::Secret;
use countersign_proof::access_token;
use http::Method;
use serde_json::{Value, json};

use crate::{
    countersign, difference,
    members::Members,
    metrics::names_and_labels,
    place::{APP, POLL_TOKEN, Place, at_door},
    product::{Answer, Call, EnclaveKey, Handset, Phone, SoftAuthenticator},
    routes::plain,
};

#[tokio::test(flavor = "multi_thread")]
async fn members_of_json_are_as_they_were() {
    let place = Place::start().await;
    let mut seen = Members::default();
    let ana = a_person_joins(&place, &mut seen).await;
    refused(&place, &ana, &mut seen).await;
    her_devices(&place, &ana, &mut seen).await;
    an_incident(&place, &mut seen).await;
    signals(&place, &mut seen).await;
    operators(&place, &mut seen).await;
    programs(&place, &mut seen).await;
    let mut log = Members::default();
    let (_, records) = place.admin("GET", "/v1/decisions?from=0&count=1000", "").await;
    for record in records.as_array().expect("records") {
        log.see(&format!("entry {}", record["entry"]["event"].as_str().expect("an event")), &record["entry"]);
    }
    let differences = [difference("members.txt", &seen.lines()), difference("log.txt", &log.lines())];
    let differences = differences.into_iter().flatten().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{differences}");

    let known = names_and_labels();
    let (_, metrics) = plain(place.node.addresses().side, &Method::GET, "/metrics").await;
    for line in metrics.lines().filter(|line| line.starts_with("# TYPE countersign_")) {
        let name = line.split(' ').nth(2).expect("a name");
        assert!(known.contains_key(name), "/metrics has `{name}`, which tests/golden/metrics.txt does not know");
    }
    place.node.shutdown(Duration::from_secs(2)).await;
}

fn ok(answer: &Answer) -> Value {
    assert!(answer.status.is_success(), "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// Enrolment, registration, login and tokens, each answer as it comes.
async fn a_person_joins(place: &Place, seen: &mut Members) -> Phone {
    let phone = place.phone();
    let send = async |path: &str, body: Value| phone.http().send(&at_door(&phone, path, &body).await).await.expect("an answer");
    let challenge = Call::new(Method::POST, "/countersign/v1/challenge").json(&json!({ "client_id": APP }));
    seen.see("POST challenge", &ok(&place.http().send(&challenge).await.expect("an answer")));
    let challenge = phone.challenge().await.expect("a challenge");
    let enrolled = phone.present_chain(&place.ca, &Handset::genuine(), &challenge).await.expect("an answer");
    seen.see("POST devices", &ok(&enrolled));
    let attested = phone.attest_again(&place.ca, &Handset::genuine()).await.expect("an answer");
    seen.see("POST attest", &ok(&attested));
    let reported = phone.report(&[]).await.expect("an answer");
    seen.see("POST report", &ok(&reported));

    let mut passkeys = SoftAuthenticator::default();
    let origin = &place.around.origin;
    let started = ok(&send("/countersign/v1/registration/start", json!({ "client_id": APP, "name": "ana@example.com" })).await);
    seen.see("POST registration/start", &started);
    let credential = passkeys.register(origin, started["options"].clone()).await.expect("a passkey");
    let finished = send("/countersign/v1/registration/finish", json!({ "ceremony": started["ceremony"], "credential": credential })).await;
    seen.see("POST registration/finish", &ok(&finished));

    let verifier = "v".repeat(43);
    let hash = access_token::hash_text(&verifier);
    let body = json!({ "client_id": APP, "code_challenge": hash, "code_challenge_method": "S256" });
    let started = ok(&send("/countersign/v1/login/start", body).await);
    seen.see("POST login/start", &started);
    let credential = passkeys.log_in(origin, started["options"].clone()).await.expect("an assertion");
    let finished = ok(&send("/countersign/v1/login/finish", json!({ "ceremony": started["ceremony"], "credential": credential })).await);
    seen.see("POST login/finish", &finished);
    let code = Secret::new(finished["code"].as_str().expect("a code").to_owned());
    let tokens = ok(&phone.redeem(&code, &Secret::new(verifier)).await.expect("an answer"));
    seen.see("POST token (code)", &tokens);
    let refresh = Secret::new(tokens["refresh_token"].as_str().expect("a token").to_owned());
    seen.see("POST token (refresh)", &ok(&phone.ask_to_renew(&refresh).await.expect("an answer")));
    let revoke = Call::new(Method::POST, "/countersign/v1/revoke").form(&[("client_id", APP), ("token", refresh.expose())]);
    let proof = phone.prove(phone.device_key(), "POST", "/countersign/v1/revoke", None).expect("a proof");
    let revoked = phone.http().send(&revoke.header("dpop", &proof)).await.expect("an answer");
    assert!(revoked.status.is_success() && revoked.body.is_empty(), "an answer without a body");

    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/.well-known/ssf-configuration"] {
        seen.see(&format!("GET {path}"), &ok(&place.http().send(&Call::new(Method::GET, path)).await.expect("an answer")));
    }
    let path = "/countersign/v1/signals/jwks.json";
    seen.see("GET signals/jwks.json", &ok(&place.http().send(&Call::new(Method::GET, path)).await.expect("an answer")));

    let iphone = place.phone();
    let key = EnclaveKey::new().expect("a key");
    let enrolled = iphone.present_app_attest(&place.apple, &key, Environment::Production).await.expect("an answer");
    seen.see("POST devices", &ok(&enrolled));
    place.customer("bea@example.com").await
}

/// Refusals of all formats.
async fn refused(place: &Place, phone: &Phone, seen: &mut Members) {
    let problem = |answer: &Answer| {
        assert!(!answer.status.is_success(), "{}", answer.status);
        answer.json()
    };
    let anonymous = place.http().send(&Call::new(Method::GET, "/v1/rates")).await.expect("an answer");
    seen.see("problem", &problem(&anonymous));
    let stranger = phone.call(&Call::new(Method::GET, "/v1/admin/customers")).await.expect("an answer");
    seen.see("problem", &problem(&stranger));
    let old = place.phone();
    let challenge = old.challenge().await.expect("a challenge");
    let outdated = old.present_chain(&place.ca, &Handset::old_app(1), &challenge).await.expect("an answer");
    seen.see("problem (app outdated)", &problem(&outdated));
    let unknown = Secret::new("no-such-token".to_owned());
    seen.see("problem (OAuth)", &problem(&phone.ask_to_renew(&unknown).await.expect("an answer")));
}

/// What a person sees of their own devices, and does to them.
async fn her_devices(place: &Place, phone: &Phone, seen: &mut Members) {
    const DEVICES: &str = "/countersign/v1/me/devices";
    let second = async || {
        let second = place.phone();
        second.enrol(&place.ca, &Handset::genuine()).await.expect("enrolled");
        second.take_passkeys_of(phone).await;
        second.sign_in().await.expect("signed in");
    };
    second().await;
    second().await;
    let call = async |method: Method, path: &str, body: Option<Value>| {
        let call = Call::new(method, path);
        let call = if let Some(body) = body { call.json(&body) } else { call };
        ok(&phone.call(&call).await.expect("an answer"))
    };
    let listed = call(Method::GET, DEVICES, None).await;
    let others: Vec<_> = listed["devices"]
        .as_array()
        .expect("devices")
        .iter()
        .filter(|device| device["this_device"] == false)
        .map(|device| format!("{DEVICES}/{}", device["id"].as_str().expect("an id")))
        .collect();
    seen.see("PATCH me/devices/{id}", &call(Method::PATCH, &others[0], Some(json!({ "name": "the old one" }))).await);
    seen.see("POST me/devices/{id}/not-me", &call(Method::POST, &format!("{}/not-me", others[0]), Some(json!({}))).await);
    seen.see("DELETE me/devices/{id}", &call(Method::DELETE, &others[1], None).await);
    seen.see("GET me/devices", &call(Method::GET, DEVICES, None).await);
    seen.see("GET me/notices", &call(Method::GET, "/countersign/v1/me/notices", None).await);
}

/// Somebody calls what no app calls: an incident, told to the webhook.
async fn an_incident(place: &Place, seen: &mut Members) {
    let eve = place.customer("eve@example.com").await;
    let answer = eve.call(&Call::new(Method::GET, "/v1/internal/export")).await.expect("an answer");
    assert!(!answer.status.is_success());
    place.until("an incident is told", async || !place.hooked.lock().expect("no panic").is_empty()).await;
    let first = place.hooked.lock().expect("no panic")[0].clone();
    seen.see("webhook", &first);
}

/// What the receiver of shared signals gets.
async fn signals(place: &Place, seen: &mut Members) {
    let bearer = format!("Bearer {POLL_TOKEN}");
    let post = async |path: &str, body: Value| {
        place.http().send(&Call::new(Method::POST, path).header("authorization", &bearer).json(&body)).await.expect("an answer")
    };
    post("/countersign/v1/signals/verify", json!({ "state": "s" })).await;
    place.admin("POST", "/v1/users/ana@example.com/close", "{}").await;
    let polled = async || ok(&post("/countersign/v1/signals/poll", json!({ "returnImmediately": true })).await);
    // A verification, the account that was closed, the session of the incident.
    place.until("all kinds of events wait", async || events(&polled().await).len() >= 3).await;
    let polled = polled().await;
    seen.see("POST signals/poll", &polled);
    for (kind, claims) in events(&polled) {
        seen.see(&format!("event {kind}"), &claims);
    }
    let refused = post("/countersign/v1/signals/poll", json!({ "maxEvents": "many" })).await;
    seen.see("problem (SSF)", &refused.json());
}

/// The claims of the events that wait, by kind: the last word of the URI that names it. Its members stand in place of `events`.
fn events(polled: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for set in polled["sets"].as_object().expect("sets").values() {
        let claims = set.as_str().expect("a text").split('.').nth(1).expect("claims");
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("claims");
        let (uri, event) = claims["events"].as_object().expect("events").iter().next().expect("one");
        let (kind, event) = (uri.rsplit('/').next().expect("a word").to_owned(), event.clone());
        claims["events"] = event;
        found.insert(kind, claims);
    }
    found
}

/// The admin API.
async fn operators(place: &Place, seen: &mut Members) {
    let first = async |path: &str, member: &str| {
        let (_, rows) = place.admin("GET", path, "").await;
        rows[0][member].as_str().unwrap_or_else(|| panic!("{path}: {rows}")).to_owned()
    };
    let made = r#"{"app":"com.example.bank","platform":null,"life_seconds":3600,"phones":1,"any_network":false,"label":"ci"}"#;
    let report = r#"{"app":null,"top":5,"what_if":null}"#;
    let (_, invited) = place.admin("POST", "/v1/invitations", r#"{"name":"ina","roles":["admin"],"hours":1}"#).await;
    seen.see("admin POST /v1/invitations", &invited);
    let (_, token) = place.admin("POST", "/v1/dev-tokens", made).await;
    seen.see("admin POST /v1/dev-tokens", &token);
    let (user, device, session) = (first("/v1/users", "id").await, first("/v1/devices", "id").await, first("/v1/sessions", "id").await);
    let (_, records) = place.admin("GET", "/v1/decisions?from=0&count=10", "").await;
    let decision = records[0]["entry"]["decision"].as_str().expect("a decision").to_owned();
    let incident = first("/v1/incidents", "id").await;
    let rows = [
        ("GET", "/v1/status", String::new(), ""),
        ("POST", "/v1/reload", String::new(), "{}"),
        ("GET", "/v1/users", String::new(), ""),
        ("GET", "/v1/users/{}", user.clone(), ""),
        ("GET", "/v1/devices", String::new(), ""),
        ("GET", "/v1/devices/{}", device.clone(), ""),
        ("POST", "/v1/devices/report", String::new(), report),
        ("GET", "/v1/sessions", String::new(), ""),
        ("GET", "/v1/sessions/{}", session.clone(), ""),
        ("POST", "/v1/sessions/{}/revoke", session, "{}"),
        ("POST", "/v1/devices/{}/revoke", device, "{}"),
        ("POST", "/v1/users/{}/close", user, "{}"),
        ("GET", "/v1/dev-tokens", String::new(), ""),
        ("POST", "/v1/dev-tokens/{}/revoke", token["id"].as_str().expect("an id").to_owned(), "{}"),
        ("GET", "/v1/feeds", String::new(), ""),
        ("GET", "/v1/incidents", String::new(), ""),
        ("GET", "/v1/incidents/{}", incident.clone(), ""),
        ("POST", "/v1/incidents/{}/fine", incident, "{}"),
        ("POST", "/v1/suppressions", String::new(), r#"{"kind":"scraping","user":null,"hours":1}"#),
        ("GET", "/v1/suppressions", String::new(), ""),
        ("GET", "/v1/mail", String::new(), ""),
        ("GET", "/v1/audit/checkpoint", String::new(), ""),
    ];
    place.until("the list was fetched", async || place.admin("GET", "/v1/feeds", "").await.1[0]["last"] == "taken").await;
    for (method, path, id, body) in rows {
        let (status, answer) = place.admin(method, &path.replace("{}", &id), body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        seen.see(&format!("admin {method} {path}"), &answer);
    }
    // Entries are looked at by their kind.
    for (path, row) in [(format!("/v1/decisions/{decision}"), false), ("/v1/decisions".to_owned(), true)] {
        let (_, mut answer) = place.admin("GET", &path, "").await;
        let record = if row { &mut answer[0] } else { &mut answer };
        record["entry"] = json!({});
        seen.see("admin GET /v1/decisions", record);
    }
    let (_, refused) = place.admin("GET", "/v1/users/nobody", "").await;
    seen.see("admin refusal", &refused);
}

/// What the commands print for programs.
async fn programs(place: &Place, seen: &mut Members) {
    let home = place.home.path();
    let ids = async |path: &str, member: &str| place.admin("GET", path, "").await.1[0][member].as_str().expect("an id").to_owned();
    let zoe = place.customer("zoe@example.com").await;
    let answer = zoe.call(&Call::new(Method::GET, "/v1/rates")).await.expect("an answer");
    let decision = answer.header("countersign-decision").expect("a number").to_owned();
    let (user, device, session) = (ids("/v1/users", "id").await, ids("/v1/devices", "id").await, ids("/v1/sessions", "id").await);
    let incident = ids("/v1/incidents", "id").await;
    let token = place.admin("GET", "/v1/dev-tokens", "").await.1[0]["id"].as_str().expect("an id").to_owned();
    std::fs::copy(home.join("csign.toml"), home.join("other.toml")).expect("copied");
    std::fs::write(home.join("key"), countersign(home, &["audit", "key"]).0).expect("written");
    std::fs::write(home.join("proof"), countersign(home, &["audit", "prove", "0"]).0).expect("written");
    std::fs::write(home.join("no-proof"), countersign(home, &["audit", "prove", "0"]).0.replace('1', "2")).expect("written");
    let rows: &[&[&str]] = &[
        &["init", "--upstream", "http://127.0.0.1:8080", "--app", "com.example.shop", "--dir", "new"],
        &["policy", "check"],
        &["audit", "key"],
        &["audit", "checkpoint"],
        &["audit", "check", "proof", "--key", "key"],
        &["audit", "verify"],
        &["why", &decision],
        &["logs", "tail", "--count", "1"],
        &["phone", "get", "/v1/rates"],
        &["user", "list"],
        &["user", "show", &user],
        &["user", "invite", "otto"],
        &["user", "close", &user],
        &["device", "list"],
        &["device", "show", &device],
        &["device", "report"],
        &["device", "report", "--what-if", "other.toml"],
        &["device", "revoke", &device],
        &["session", "list"],
        &["session", "show", &session],
        &["session", "revoke", &session],
        &["dev-token", "create", "--app", APP],
        &["dev-token", "list"],
        &["dev-token", "revoke", &token],
        &["feed", "list"],
        &["incident", "list"],
        &["incident", "show", &incident],
        &["incident", "mail"],
        &["incident", "suppress", "scraping"],
        &["incident", "suppressions"],
        // Without a list no phone is taken any more.
        &["feed", "roll-back", "status_list"],
    ];
    for args in rows {
        let name = format!("cli {}", args[..2.min(args.len())].join(" ")).replace(&decision, "ID");
        let name = if args.contains(&"--what-if") { format!("{name} --what-if") } else { name };
        let (home, args) = (home.to_owned(), args.iter().map(|arg| (*arg).to_owned()).chain(["--json".to_owned()]).collect::<Vec<_>>());
        let run = tokio::task::spawn_blocking(move || countersign(&home, &args.iter().map(String::as_str).collect::<Vec<_>>()));
        let (out, err) = run.await.expect("a run");
        // Entries of the log, and what the API behind answers, are looked at elsewhere.
        let documents = out.lines().filter(|line| !line.is_empty()).map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>();
        let documents = documents.or_else(|_| serde_json::from_str(&out).map(|document| vec![document]));
        let documents = documents.unwrap_or_else(|why| panic!("{name}: {why}\n{out}\n{err}"));
        assert!(!documents.is_empty(), "{name} printed nothing: {err}");
        for mut document in documents {
            for apart in ["entry", "body"] {
                if let Some(member) = document.get_mut(apart) {
                    *member = json!({});
                }
            }
            seen.see(&name, &document);
        }
    }
    let (_, refused) = countersign(home, &["user", "show", "nobody", "--json"]);
    seen.see("cli refusal", &serde_json::from_str(&refused).expect("JSON"));
    let (broken, _) = countersign(home, &["audit", "check", "no-proof", "--key", "key", "--json"]);
    if let Ok(document) = serde_json::from_str(&broken) {
        seen.see("cli audit check (refused)", &document);
    }
}
