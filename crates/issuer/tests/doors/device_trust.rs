//! What is learnt of a device after its enrolment: fresh evidence, reports, and what neither may do.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_attest::{
    binding::{Purpose, bound_challenge},
    report::REPORT_TYPE,
};
use countersign_compliance::{App, Apps, PatchRule, Requirement, Requirements, Rollout, Rule};
use countersign_core::{AppFinding, BootState, ClientId, PatchLevel, Stage};
use countersign_issuer::SignUp;
use countersign_proof::{
    jwk::SigningKey,
    jws::{self, HeaderToSign, NamedBy},
};
use countersign_store::DeviceState;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use crate::{
    paths,
    phone::{Phone, Says, fresh_key},
    world::{APP, World},
};

async fn challenge(phone: &Phone, world: &World, purpose: &str) -> [u8; 32] {
    let asked = world.send(phone.json(world, paths::CHALLENGE, &json!({ "client_id": APP, "purpose": purpose }))).await;
    let bytes = URL_SAFE_NO_PAD.decode(asked.text("challenge")).expect("base64url");
    bytes.try_into().expect("32 bytes")
}

/// The body that an honest app sends to prove its phone again.
fn renewal(world: &World, says: &Says, phone: &Phone, challenge: &[u8; 32]) -> Value {
    let bound = bound_challenge(Purpose::Reattest, challenge, phone.device_key.public().thumbprint());
    let new_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    json!({ "client_id": APP, "challenge": URL_SAFE_NO_PAD.encode(challenge), "chain": world.maker.attest(says, &new_key, &bound) })
}

async fn enrolled(world: &World) -> Phone {
    let phone = Phone::new();
    assert_eq!(phone.enrol(world, &Says::truth()).await.verdict(), "201");
    phone
}

#[tokio::test]
async fn evidence_is_renewed_without_the_person_and_for_this_device_only() {
    type Twist = fn(&World, &Phone, &[u8; 32], &mut Value);
    let rows: &[(&str, &str, Twist, &str, &str)] = &[
        ("all fits", "attest", |_, _, _, _| {}, "200", "device_attested allow"),
        ("a challenge for enrolling", "enrol", |_, _, _, _| {}, "400 try_again", "device_attested deny challenge_unknown"),
        (
            "a chain for the bare challenge",
            "attest",
            |world, phone, challenge, body| body["chain"] = json!(world.maker.attest(&Says::truth(), &phone.hardware, challenge)),
            "403 device_unproven",
            "device_attested deny challenge_mismatch",
        ),
        (
            "a chain that speaks for another device key",
            "attest",
            |world, _, challenge, body| body["chain"] = renewal(world, &Says::truth(), &Phone::new(), challenge)["chain"].clone(),
            "403 device_unproven",
            "device_attested deny challenge_mismatch",
        ),
        (
            "a chain that was made to enrol with",
            "attest",
            |world, phone, challenge, body| {
                let bound = bound_challenge(Purpose::Enrol, challenge, phone.device_key.public().thumbprint());
                body["chain"] = json!(world.maker.attest(&Says::truth(), &phone.hardware, &bound));
            },
            "403 device_unproven",
            "device_attested deny challenge_mismatch",
        ),
        (
            "no evidence",
            "attest",
            |_, _, _, body| body["chain"] = Value::Null,
            "400 request_invalid",
            "device_attested deny body_field_invalid",
        ),
        (
            "two kinds at once",
            "attest",
            |_, _, _, body| body["assertion"] = json!("AAAA"),
            "400 request_invalid",
            "device_attested deny body_field_invalid",
        ),
        (
            "an assertion of a phone that has no key for it",
            "attest",
            |_, _, _, body| {
                body["chain"] = Value::Null;
                body["assertion"] = json!("AAAA");
            },
            "400 request_invalid",
            "device_attested deny body_field_invalid",
        ),
        (
            "a verdict where none is taken",
            "attest",
            |_, _, _, body| {
                body["chain"] = Value::Null;
                body["integrity"] = json!("a.b.c.d.e");
            },
            "400 request_invalid",
            "device_attested deny body_field_invalid",
        ),
        (
            "another app",
            "attest",
            |_, _, _, body| body["client_id"] = json!("org.example.bank"),
            "403 device_unproven",
            "device_attested deny app_unknown",
        ),
    ];
    for (name, purpose, twist, told, recorded) in rows {
        let world = World::new(SignUp::Open);
        let phone = enrolled(&world).await;
        let before = world.memory.shelf().devices[0].posture.clone();
        world.pass(100);
        let challenge = challenge(&phone, &world, purpose).await;
        let mut body = renewal(&world, &Says::truth(), &phone, &challenge);
        twist(&world, &phone, &challenge, &mut body);
        assert_eq!(phone.ask(&world, paths::ATTEST, &body).await.verdict(), *told, "{name}");
        assert_eq!(world.recorded(), *recorded, "{name}");
        let after = world.memory.shelf().devices[0].posture.clone();
        let expected = if *told == "200" { world.now() } else { before.established_at };
        assert_eq!((after.established_at, after.key, after.device), (expected, before.key, before.device), "{name}");
    }
}

#[tokio::test]
async fn a_challenge_renews_once() {
    let world = World::new(SignUp::Open);
    let phone = enrolled(&world).await;
    let challenge = challenge(&phone, &world, "attest").await;
    let body = renewal(&world, &Says::truth(), &phone, &challenge);
    assert_eq!(phone.ask(&world, paths::ATTEST, &body).await.verdict(), "200");
    assert_eq!(phone.ask(&world, paths::ATTEST, &body).await.verdict(), "400 try_again");
}

/// Evidence that shows something worse must count, or nobody who became worse would ever renew it.
#[tokio::test]
async fn worse_evidence_is_taken_in() {
    let world = World::new(SignUp::Open);
    let phone = enrolled(&world).await;
    let challenge = challenge(&phone, &world, "attest").await;
    let says = Says { locked: false, boot: BootState::Unverified, ..Says::truth() };
    let answer = phone.ask(&world, paths::ATTEST, &renewal(&world, &says, &phone, &challenge)).await;
    assert_eq!(answer.verdict(), "200");
    let posture = world.memory.shelf().devices[0].posture.clone();
    assert_eq!((posture.bootloader_locked, posture.boot_state), (Some(false), Some(BootState::Unverified)));
}

fn report(key: &SigningKey, claims: &Value) -> Value {
    let header = HeaderToSign { typ: REPORT_TYPE, key: NamedBy::Nothing };
    json!({ "client_id": APP, "report": jws::sign(key, header, claims.to_string().as_bytes()).expect("a report") })
}

#[tokio::test]
async fn a_report_costs_trust_and_never_earns_it() {
    let world = World::new(SignUp::Open);
    let phone = enrolled(&world).await;
    let path = paths::REPORT;
    let said = |findings: &[&str]| report(&phone.device_key, &json!({ "v": 1, "iat": 1, "findings": findings, "os_version": 990_000 }));
    let answer = phone.ask(&world, path, &said(&[])).await;
    assert_eq!((answer.verdict().as_str(), answer.body.as_str()), ("200", r#"{"limited":false}"#));
    let answer = phone.ask(&world, path, &said(&["rooted"])).await;
    assert_eq!((answer.verdict().as_str(), answer.body.as_str()), ("200", r#"{"limited":true}"#));
    assert_eq!(world.recorded(), "device_reported allow");
    let answer = phone.ask(&world, path, &said(&[])).await;
    assert_eq!(answer.body, r#"{"limited":true}"#, "what was admitted stands");
    let posture = world.memory.shelf().devices[0].posture.clone();
    assert_eq!(posture.report.as_ref().map(|report| report.findings.contains(&AppFinding::Rooted)), Some(true));
    assert_eq!(posture.os_version_known().map(|known| known.value), Some(160_000), "a claim does not raise what evidence says");
    // New evidence speaks for itself.
    let challenge = challenge(&phone, &world, "attest").await;
    assert_eq!(phone.ask(&world, paths::ATTEST, &renewal(&world, &Says::truth(), &phone, &challenge)).await.verdict(), "200");
    assert_eq!(world.memory.shelf().devices[0].posture.report, None);
}

#[tokio::test]
async fn a_report_is_refused_for_one_thing_each() {
    let honest = json!({ "v": 1, "iat": 1, "findings": ["rooted"] });
    let world = World::new(SignUp::Open);
    let phone = enrolled(&world).await;
    let rows = [
        ("another key's signature", report(&fresh_key(), &honest), "400 request_invalid", "device_reported deny report_invalid"),
        (
            "a word of another version",
            report(&phone.device_key, &json!({ "v": 1, "iat": 1, "findings": ["new"] })),
            "400 request_invalid",
            "device_reported deny report_invalid",
        ),
        ("no report", json!({ "client_id": APP, "report": "" }), "400 request_invalid", "device_reported deny report_invalid"),
        (
            "an unknown client",
            json!({ "client_id": "org.evil", "report": "" }),
            "400 request_invalid",
            "device_reported deny client_unknown",
        ),
    ];
    for (name, body, told, recorded) in rows {
        assert_eq!(phone.ask(&world, paths::REPORT, &body).await.verdict(), told, "{name}");
        assert_eq!(world.recorded(), recorded, "{name}");
        assert_eq!(world.memory.shelf().devices[0].posture.report, None, "{name}");
    }
    world.memory.shelf().devices[0].state = DeviceState::Revoked;
    let body = report(&phone.device_key, &honest);
    assert_eq!(phone.ask(&world, paths::REPORT, &body).await.verdict(), "401 revoked");
}

#[tokio::test]
async fn beyond_a_vendors_quota_the_next_day_is_named() {
    const OTHER: &str = "org.example.bank";
    let (world, phone) = (World::new(SignUp::Open), Phone::new());
    let ask = |platform: &str| phone.json(&world, paths::CHALLENGE, &json!({ "client_id": OTHER, "platform": platform }));
    let refused = world.send(ask("ios")).await;
    let wait = |headers: &http::HeaderMap| headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert_eq!((refused.status.as_u16(), refused.text("code").as_str()), (429, "too_many"));
    assert!(wait(&refused.headers).is_some_and(|wait| (6..=86_400).contains(&wait)), "{:?}", refused.headers);
    let enrol = async |attested_for: fn(Vec<u8>) -> Vec<u8>| {
        let given = world.send(ask("android")).await;
        assert_eq!(given.verdict(), "200");
        let challenge = given.text("challenge");
        let bytes = attested_for(URL_SAFE_NO_PAD.decode(&challenge).expect("a challenge"));
        let says = Says { package: OTHER.to_owned(), ..Says::truth() };
        let chain = world.maker.attest(&says, &phone.hardware, &bytes);
        let body = json!({ "client_id": OTHER, "challenge": challenge, "platform": "android", "chain": chain, "integrity": "a token" });
        phone.ask(&world, paths::DEVICES, &body).await
    };
    let unproven = enrol(|_| vec![0; 32]).await;
    assert_eq!(unproven.verdict(), "403 device_unproven", "no vendor is asked about a phone that proves nothing");
    let refused = enrol(|challenge| challenge).await;
    assert_eq!((refused.status.as_u16(), refused.text("code").as_str()), (429, "too_many"));
    assert!(wait(&refused.headers).is_some_and(|wait| (6..=86_400).contains(&wait)), "{:?}", refused.headers);
}

/// What is required may change while a node runs, as when a system's boot keys are no more accepted: at the next enrolment it counts.
#[tokio::test]
async fn what_is_required_is_what_is_required_now() {
    let (world, phone) = (World::new(SignUp::Open), Phone::new());
    assert_eq!(phone.enrol(&world, &Says::truth()).await.verdict(), "201");
    let (held, client) = (world.issuer.apps.load_full(), ClientId::parse(APP).expect("a client"));
    let patched = Requirement {
        rule: Rule::PatchLevel(PatchRule::NotBefore(PatchLevel::from_number(209_901).expect("a month"))),
        rollout: Rollout::all(Stage::Enforce),
    };
    let app = App { requirements: Requirements(vec![patched]), ..held.of(&client).expect("an app").clone() };
    world.issuer.apps.store(Arc::new(Apps::from_iter([(client, app)])));
    assert_eq!(Phone::new().enrol(&world, &Says::truth()).await.verdict(), "403 system_outdated");
    world.issuer.apps.store(held);
    assert_eq!(Phone::new().enrol(&world, &Says::truth()).await.verdict(), "201");
}
