//! Two nodes of ours tell each other what ended: one transmits, the other receives and acts before it acknowledges.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use countersign_core::{Clock, KeyId, UnixSeconds};
use countersign_demo::phone::{Call, DemoCa, Handset, Http, Phone, SIGNER, Surroundings};
use countersign_node::{
    Options, OsEntropy, RunningNode, SystemClock,
    config::{self, Dev},
};
use countersign_proof::set::{SetSigningKey, SetToSign};
use http::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";
const APP: &str = "com.example.shop";
const TOKEN: &str = "between-a-and-b-0123456789";
const POLL_TOKEN: &str = "a-siem-that-polls-0123456789";

struct Place {
    home: TempDir,
    port: u16,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let port = countersign_demo::free_port().expect("a port");
        fs::create_dir(home.path().join("policies")).expect("a directory");
        fs::write(home.path().join("policies/app.cedar"), POLICY).expect("written");
        fs::write(home.path().join("token"), TOKEN).expect("written");
        fs::write(home.path().join("poll-token"), POLL_TOKEN).expect("written");
        Self { home, port }
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    async fn start(&self, more: &str) -> RunningNode {
        let text = format!(
            "public_url = \"{}\"\nupstream = \"http://127.0.0.1:9\"\n[app.\"{APP}\"]\n[login]\nsign_up = \"open\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n{more}",
            self.origin()
        );
        fs::write(self.path().join("csign.toml"), text).expect("written");
        let config = config::load(&self.path().join("csign.toml")).expect("a config");
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        countersign_node::start(config, Options { clock, entropy, dev: Dev::On, simulated_signers: vec![SIGNER] }).await.expect("a node")
    }

    fn http(&self, node: &RunningNode) -> Http {
        Http::new(&self.origin().parse().expect("a URL"), node.tls_root_pem()).expect("a client")
    }

    /// A person on a phone, signed in.
    async fn person(&self, node: &RunningNode, name: &str) -> Phone {
        let ca = DemoCa::kept_in(&self.path().join("data/dev")).expect("a maker of phones");
        node.reload().await;
        let around = Surroundings {
            origin: self.origin().parse().expect("a URL"),
            root_pem: node.tls_root_pem().to_owned(),
            app: APP.to_owned(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        };
        let phone = Phone::new(around, 0).expect("a phone");
        phone.enrol(&ca, &Handset::genuine()).await.expect("enrolled");
        phone.register(name, None).await.expect("registered");
        phone.sign_in().await.expect("signed in");
        phone
    }
}

/// The upstream is nowhere, so whoever is let in gets a 503 and whoever is not a 401.
async fn status(phone: &Phone) -> u16 {
    phone.call(&Call::new(Method::GET, "/v1/anything")).await.expect("an answer").status.as_u16()
}

async fn session_of(phone: &Phone) -> String {
    let tokens = phone.tokens().await.expect("signed in");
    let claims = tokens.access.expose().split('.').nth(1).expect("claims").to_owned();
    let claims = countersign_codec::base64url::decode(&claims).expect("base64url");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("claims");
    claims.get("sid").and_then(serde_json::Value::as_str).expect("a session").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_on_one_node_ends_on_the_other() {
    let (a, b) = (Place::new(), Place::new());
    // A's key is made at its first start, and B is told of it by a file, as operators do it.
    let first = a.start("").await;
    let jwks = a.http(&first).send(&Call::new(Method::GET, "/countersign/v1/signals/jwks.json")).await.expect("an answer");
    assert_eq!(jwks.status.as_u16(), 200);
    fs::write(b.path().join("a-jwks.json"), &jwks.body).expect("written");
    first.shutdown(Duration::from_secs(2)).await;
    let receive = format!(
        "[[signals.receive]]\nissuer = \"{}\"\naudience = \"{}\"\njwks = \"a-jwks.json\"\ntoken_file = \"token\"\n",
        a.origin(),
        b.origin()
    );
    let node_b = b.start(&receive).await;
    fs::write(a.path().join("b-root.pem"), node_b.tls_root_pem()).expect("written");
    let transmit = format!(
        "[vendors]\nca = \"b-root.pem\"\n[[signals.transmit]]\naudience = \"{0}\"\npush = \"{0}/countersign/v1/signals/events\"\ntoken_file = \"token\"\nsubject = \"email\"\n\
         [[signals.transmit]]\naudience = \"siem\"\ntoken_file = \"poll-token\"\n",
        b.origin()
    );
    let node_a = a.start(&transmit).await;

    let (on_a, on_b) = (a.person(&node_a, "ana@example.com").await, b.person(&node_b, "ana@example.com").await);
    let other = b.person(&node_b, "bob@example.com").await;
    assert_eq!((status(&on_a).await, status(&on_b).await, status(&other).await), (503, 503, 503), "all are let in");
    node_a
        .admin_service()
        .revoke_session(&session_of(&on_a).await, &countersign_core::OperatorName::parse("alice").expect("a name"))
        .await
        .expect("revoked");
    let began = Instant::now();
    while status(&on_b).await != 401 {
        assert!(began.elapsed() < Duration::from_secs(5), "the other node never heard of it");
    }
    println!("from the end on one node to the refusal on the other: {:.1} ms", began.elapsed().as_secs_f64() * 1000.0);
    assert_eq!(status(&other).await, 503, "nobody else is concerned");
    let incidents = node_b.admin_service().incidents(None).await.expect("incidents");
    let [incident] = incidents.as_slice() else { panic!("one incident: {incidents:?}") };
    assert_eq!(incident.kind.as_str(), "shared_revocation");

    // The stream that is polled has the same event, until it is acknowledged.
    let poll = |body: serde_json::Value| {
        let call = Call::new(Method::POST, "/countersign/v1/signals/poll").header("authorization", &format!("Bearer {POLL_TOKEN}"));
        let (http, call) = (a.http(&node_a), call.json(&body));
        async move { http.send(&call).await.expect("an answer").json() }
    };
    let waiting = poll(json!({ "returnImmediately": true })).await;
    let names: Vec<_> = waiting["sets"].as_object().expect("sets").keys().cloned().collect();
    assert_eq!(names.len(), 1, "{waiting}");
    let settled = poll(json!({ "returnImmediately": true, "ack": names })).await;
    assert_eq!(settled["sets"], json!({}));
    node_a.shutdown(Duration::from_secs(2)).await;
    node_b.shutdown(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doors_are_strict() {
    let (a, b) = (Place::new(), Place::new());
    let node_a = a.start("[[signals.transmit]]\naudience = \"siem\"\ntoken_file = \"poll-token\"\n").await;
    let jwks = a.http(&node_a).send(&Call::new(Method::GET, "/countersign/v1/signals/jwks.json")).await.expect("an answer");
    fs::write(b.path().join("a-jwks.json"), &jwks.body).expect("written");
    let receive = "[[signals.receive]]\nissuer = \"https://a\"\naudience = \"b\"\njwks = \"a-jwks.json\"\ntoken_file = \"token\"\n";
    let node = b.start(receive).await;
    let http = b.http(&node);
    let events = |token: &str, media: &str, body: &str| {
        let mut call = Call::new(Method::POST, "/countersign/v1/signals/events").header("authorization", &format!("Bearer {token}"));
        call = call.header("content-type", media);
        call.body = bytes::Bytes::copy_from_slice(body.as_bytes());
        call
    };
    let set = "application/secevent+jwt";
    let rows = [
        ("no such token", events("another", set, "a.b.c"), 401, ""),
        ("no SET by its type", events(TOKEN, "application/json", "a.b.c"), 400, "invalid_request"),
        ("no SET", events(TOKEN, set, "a.b.c"), 400, "invalid_request"),
        ("no method of this door", Call::new(Method::GET, "/countersign/v1/signals/events"), 405, ""),
        ("a poll without a stream", Call::new(Method::POST, "/countersign/v1/signals/poll").json(&json!({})), 401, ""),
        ("a verification without a stream", Call::new(Method::POST, "/countersign/v1/signals/verify").json(&json!({})), 401, ""),
    ];
    for (name, call, status, err) in rows {
        let answer = http.send(&call).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.json()["err"].as_str().unwrap_or_default(), err, "{name}");
    }
    // Where nobody is told of anything there is no transmitter, and the name is an operation like all others, declared or not.
    let described = Call::new(Method::GET, "/.well-known/ssf-configuration");
    assert_eq!(http.send(&described).await.expect("an answer").status.as_u16(), 401);
    let configuration = a.http(&node_a).send(&described).await.expect("an answer").json();
    assert_eq!((configuration["issuer"].as_str(), configuration["spec_version"].as_str()), (Some(a.origin().as_str()), Some("1_0")));
    node.shutdown(Duration::from_secs(2)).await;
    node_a.shutdown(Duration::from_secs(2)).await;
}

/// A partner whose key we hold.
struct Partner {
    key: SetSigningKey,
}

impl Partner {
    fn new() -> Self {
        let pkcs8 = SetSigningKey::generate().expect("a key");
        Self { key: SetSigningKey::from_pkcs8(KeyId::parse("k").expect("an id"), &pkcs8).expect("a key") }
    }

    /// A signed `session-revoked` about `email`, which happened at `at`.
    fn revoked(&self, id: &str, email: &str, issued_at: u64, at: Option<u64>) -> String {
        let subject = json!({ "format": "email", "email": email });
        let event = at.map_or_else(|| json!({}), |at| json!({ "event_timestamp": at, "reason_admin": { "en": "left" } }));
        let event_type = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
        let issued_at = UnixSeconds(issued_at);
        let set = SetToSign { issuer: "https://a", audience: "b", id, issued_at, subject: &subject, event_type, event: &event };
        self.key.sign(&set).expect("signed")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_acts_on_what_was_there_and_once() {
    let (place, partner) = (Place::new(), Partner::new());
    fs::write(place.path().join("a-jwks.json"), partner.key.jwks()).expect("written");
    let receive = "[[signals.receive]]\nissuer = \"https://a\"\naudience = \"b\"\njwks = \"a-jwks.json\"\ntoken_file = \"token\"\n";
    let mut node = place.start(receive).await;
    let phone = place.person(&node, "ana@example.com").await;
    let now = || SystemClock.now().seconds().0;
    let push = async |node: &RunningNode, scheme: &str, set: &str| {
        let mut call = Call::new(Method::POST, "/countersign/v1/signals/events").header("authorization", &format!("{scheme} {TOKEN}"));
        call = call.header("content-type", "application/secevent+jwt");
        call.body = bytes::Bytes::copy_from_slice(set.as_bytes());
        place.http(node).send(&call).await.expect("an answer").status.as_u16()
    };
    let incidents = async |node: &RunningNode| {
        node.admin_service().incidents(None).await.expect("incidents").iter().map(|incident| incident.count).sum::<u64>()
    };
    // In any case (RFC 9110 section 11.1), and about a time before the sign-in.
    let early = partner.revoked("early", "ana@example.com", now(), Some(now() - 60));
    assert_eq!(push(&node, "bearer", &early).await, 202);
    assert_eq!(status(&phone).await, 503, "a session that was opened after the event goes on");
    let by_issue = partner.revoked("by-issue", "ana@example.com", now() - 60, None);
    assert_eq!(push(&node, "BEARER", &by_issue).await, 202);
    assert_eq!(status(&phone).await, 503, "without a time of its own, the issue counts");
    let late = partner.revoked("late", "ana@example.com", now(), Some(now()));
    assert_eq!(push(&node, "Bearer", &late).await, 202);
    assert_eq!(status(&phone).await, 401, "and one that was there ends");
    let before = incidents(&node).await;
    assert_eq!(push(&node, "Bearer", &late).await, 202);
    assert_eq!(incidents(&node).await, before, "the same event counts once");

    node.shutdown(Duration::from_secs(2)).await;
    node = place.start(receive).await;
    phone.sign_in().await.expect("signed in again");
    assert_eq!(push(&node, "Bearer", &late).await, 202);
    assert_eq!(incidents(&node).await, before, "also after a restart");
    assert_eq!(status(&phone).await, 503);
    let millis = partner.revoked("millis", "ana@example.com", now(), Some(now() * 1000));
    assert_eq!(push(&node, "Bearer", &millis).await, 202);
    assert_eq!(status(&phone).await, 401, "a time in milliseconds, as older drafts had it, lets nothing live");
    node.shutdown(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_not_taken_outlive_a_restart() {
    let (a, b) = (Place::new(), Place::new());
    let first = a.start("").await;
    let jwks = a.http(&first).send(&Call::new(Method::GET, "/countersign/v1/signals/jwks.json")).await.expect("an answer");
    fs::write(b.path().join("a-jwks.json"), &jwks.body).expect("written");
    first.shutdown(Duration::from_secs(2)).await;
    let receive = format!(
        "[[signals.receive]]\nissuer = \"{}\"\naudience = \"{}\"\njwks = \"a-jwks.json\"\ntoken_file = \"token\"\n",
        a.origin(),
        b.origin()
    );
    let node_b = b.start(&receive).await;
    let on_b = b.person(&node_b, "ana@example.com").await;
    fs::write(a.path().join("b-root.pem"), node_b.tls_root_pem()).expect("written");
    // The partner is down when the session ends.
    node_b.shutdown(Duration::from_secs(2)).await;
    let transmit = format!(
        "[vendors]\nca = \"b-root.pem\"\n[[signals.transmit]]\naudience = \"{0}\"\npush = \"{0}/countersign/v1/signals/events\"\ntoken_file = \"token\"\nsubject = \"email\"\n\
         [[signals.transmit]]\naudience = \"siem\"\ntoken_file = \"poll-token\"\n",
        b.origin()
    );
    let node_a = a.start(&transmit).await;
    let on_a = a.person(&node_a, "ana@example.com").await;
    let session = session_of(&on_a).await;
    node_a
        .admin_service()
        .revoke_session(&session, &countersign_core::OperatorName::parse("alice").expect("a name"))
        .await
        .expect("revoked");
    // At once, so that what was only told and not yet kept is seen as well.
    node_a.shutdown(Duration::from_secs(2)).await;

    let node_b = b.start(&receive).await;
    assert_eq!(status(&on_b).await, 503, "the other node has not heard of it");
    let node_a = a.start(&transmit).await;
    let poll = |body: serde_json::Value| {
        let call = Call::new(Method::POST, "/countersign/v1/signals/poll").header("authorization", &format!("bearer {POLL_TOKEN}"));
        let (http, call) = (a.http(&node_a), call.json(&body));
        async move { http.send(&call).await.expect("an answer").json() }
    };
    let waiting = poll(json!({ "returnImmediately": true })).await;
    let sets = waiting["sets"].as_object().expect("sets").clone();
    assert_eq!(sets.len(), 1, "{waiting}");
    let set = sets.values().next().and_then(serde_json::Value::as_str).expect("a SET").to_owned();
    let claims = countersign_codec::base64url::decode(set.split('.').nth(1).expect("claims")).expect("base64url");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("claims");
    assert_eq!(claims["sub_id"]["format"], "complex", "{claims}");
    assert_eq!(claims["sub_id"]["session"], json!({ "format": "opaque", "id": session }), "{claims}");
    assert_eq!(claims["sub_id"]["user"]["format"], "iss_sub", "{claims}");
    let event = &claims["events"]["https://schemas.openid.net/secevent/caep/event-type/session-revoked"];
    assert_eq!(event["initiating_entity"], "admin", "{claims}");
    assert!(event["event_timestamp"].is_u64() && event["reason_admin"]["en"].is_string(), "{claims}");
    let began = Instant::now();
    while status(&on_b).await != 401 {
        assert!(began.elapsed() < Duration::from_secs(5), "the push was lost with the process");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ids: Vec<_> = sets.keys().cloned().collect();
    assert_eq!(poll(json!({ "returnImmediately": true, "ack": ids })).await["sets"], json!({}));
    node_a.shutdown(Duration::from_secs(2)).await;
    node_b.shutdown(Duration::from_secs(2)).await;
}
