//! Enrolment by development tokens: what each refusal is told and recorded as, who counts, and what the device is worth.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use axum::body::Body;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{ClientId, DevTokenId, EvidenceTier, Platform, Provenance, Secret, SecurityLevel, UnixSeconds};
use countersign_identity::{DevToken, DevTokenText, Networks};
use countersign_issuer::{Origin, SignUp};
use countersign_store::{DeviceState, KeptDevToken};
use http::Request;
use serde_json::{Value, json};

use crate::{
    paths,
    phone::{Phone, Says},
    stores::Blow,
    world::{APP, START, World},
};

const BANK: &str = "org.example.bank";
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 2));
const ABROAD: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

fn text() -> String {
    DevTokenText::from_random(&Secret::new([7; 32])).secret().expose().clone()
}

/// A token for the shop on Android that enrols two phones within an hour, from private networks.
pub fn token() -> DevToken {
    DevToken {
        id: DevTokenId::from_random([1; 16]),
        hash: DevTokenText::parse(&text()).expect("a token").hash(),
        client: ClientId::parse(APP).expect("a client"),
        platform: Some(Platform::Android),
        expires_at: UnixSeconds(START + 3600),
        phones_max: 2,
        networks: Networks::Private,
        label: "ci".to_owned(),
        created_at: UnixSeconds(START),
        revoked_at: None,
    }
}

pub fn keep(world: &World, token: DevToken) {
    world.memory.shelf().dev_tokens.push(KeptDevToken { token, phones: Vec::new(), last_used_at: None });
}

/// The body of an enrolment by token; the challenge is asked for in the name of that client.
async fn body(world: &World, phone: &Phone, client: &str) -> Value {
    let ask = phone.json(world, paths::CHALLENGE, &json!({ "client_id": client }));
    let challenge = world.send(ask).await.text("challenge");
    assert_eq!(URL_SAFE_NO_PAD.decode(&challenge).map(|bytes| bytes.len()), Ok(32));
    json!({ "client_id": client, "platform": "android", "challenge": challenge, "dev_token": text(), "build": "debug" })
}

pub async fn request(world: &World, phone: &Phone) -> Request<Body> {
    from(Some(HOME), phone.json(world, paths::DEVICES, &body(world, phone, APP).await))
}

fn from(address: Option<IpAddr>, mut request: Request<Body>) -> Request<Body> {
    if let Some(address) = address {
        request.extensions_mut().insert(Origin(address));
    }
    request
}

#[tokio::test]
async fn a_token_enrols_a_phone_that_is_worth_little() {
    let world = World::new(SignUp::Open);
    keep(&world, token());
    let phone = Phone::new();
    let enrolled = world.send(request(&world, &phone).await).await;
    assert_eq!(enrolled.verdict(), "201", "{enrolled:?}");
    let posture = &enrolled.json()["posture"];
    for (name, expected) in [
        ("trust", json!(1)),
        ("tier", json!("self_reported")),
        ("security_level", json!("software")),
        ("vouched_by", json!("development_token")),
        ("app", json!(APP)),
    ] {
        assert_eq!(posture[name], expected, "{name}");
    }
    {
        let shelf = world.memory.shelf();
        let known = &shelf.devices[0].posture;
        assert_eq!((known.tier, known.by), (EvidenceTier::SelfReported, Provenance::DevelopmentToken));
        assert_eq!((known.security_level, known.established_at), (SecurityLevel::Software, UnixSeconds(START)));
        assert_eq!(
            (shelf.dev_tokens[0].phones.as_slice(), shelf.dev_tokens[0].last_used_at),
            (&[known.device.clone()][..], Some(UnixSeconds(START)))
        );
        let facts = shelf.entries.last().expect("an entry").words();
        assert_eq!(facts.get("dev_token").map(String::as_str), Some(token().id.as_str()), "every use is in the log");
        assert_eq!(facts.get("device.vouched_by").map(String::as_str), Some("development_token"));
    }
    // It is a device like any other: its app is known, and its person can make an account on it.
    assert_eq!(phone.start_registration(&world, "alice", None).await.verdict(), "200");
}

#[tokio::test]
async fn tokens_are_refused_for_one_thing_each() {
    type Bend = fn(&mut DevToken);
    type Twist = fn(&mut Value);
    let none: Bend = |_| {};
    let same: Twist = |_| {};
    let rows: &[(&str, Bend, Twist, Option<IpAddr>, &str, &str)] = &[
        ("all fits", none, same, Some(HOME), "201", ""),
        (
            "unknown",
            none,
            |b| b["dev_token"] = json!(format!("csdev1_{}", "A".repeat(43))),
            Some(HOME),
            "403 dev_token_refused",
            "dev_token_unknown",
        ),
        ("no token", none, |b| b["dev_token"] = json!("secret"), Some(HOME), "403 dev_token_refused", "dev_token_unknown"),
        ("revoked", |t| t.revoked_at = Some(UnixSeconds(START)), same, Some(HOME), "403 dev_token_refused", "dev_token_revoked"),
        (
            "another app's",
            |t| t.client = ClientId::parse(BANK).expect("a client"),
            same,
            Some(HOME),
            "403 dev_token_wrong_app",
            "dev_token_wrong_app",
        ),
        (
            "another platform's",
            none,
            |b| b["platform"] = json!("ios"),
            Some(HOME),
            "403 dev_token_wrong_platform",
            "dev_token_wrong_platform",
        ),
        ("the last second", |t| t.expires_at = UnixSeconds(START), same, Some(HOME), "201", ""),
        ("a second too late", |t| t.expires_at = UnixSeconds(START - 1), same, Some(HOME), "403 dev_token_expired", "dev_token_expired"),
        ("a release build", none, |b| b["build"] = json!("release"), Some(HOME), "403 dev_token_release_build", "dev_token_release_build"),
        ("one phone too many", |t| t.phones_max = 0, same, Some(HOME), "403 dev_token_refused", "dev_token_phones_full"),
        ("a public network", none, same, Some(ABROAD), "403 dev_token_refused", "dev_token_public_network"),
        ("a public network, with leave", |t| t.networks = Networks::Any, same, Some(ABROAD), "201", ""),
        ("from nowhere", |t| t.networks = Networks::Any, same, None, "503 unavailable", "internal"),
        (
            "an app that is none on that platform",
            |t| t.platform = None,
            |b| b["platform"] = json!("ios"),
            Some(HOME),
            "403 device_unproven",
            "app_unknown",
        ),
        (
            "no build",
            none,
            |b| {
                b.as_object_mut().expect("an object").remove("build");
            },
            Some(HOME),
            "400 request_invalid",
            "body_field_invalid",
        ),
        (
            "a build without a token",
            none,
            |b| {
                b.as_object_mut().expect("an object").remove("dev_token");
            },
            Some(HOME),
            "400 request_invalid",
            "body_field_invalid",
        ),
        ("another build", none, |b| b["build"] = json!("profile"), Some(HOME), "400 request_invalid", "body_field_invalid"),
        ("a chain besides", none, |b| b["chain"] = json!([]), Some(HOME), "400 request_invalid", "body_field_invalid"),
        ("a key besides", none, |b| b["key_id"] = json!("AA=="), Some(HOME), "400 request_invalid", "body_field_invalid"),
        ("an attestation besides", none, |b| b["attestation"] = json!("AA=="), Some(HOME), "400 request_invalid", "body_field_invalid"),
        ("a verdict besides", none, |b| b["integrity"] = json!("x"), Some(HOME), "400 request_invalid", "body_field_invalid"),
        (
            "a challenge that was never issued",
            none,
            |b| b["challenge"] = json!(URL_SAFE_NO_PAD.encode([9; 32])),
            Some(HOME),
            "400 try_again",
            "challenge_unknown",
        ),
    ];
    let mut details = BTreeMap::new();
    for (name, bend, twist, address, told, reason) in rows {
        let world = World::new(SignUp::Open);
        let mut made = token();
        bend(&mut made);
        keep(&world, made);
        let phone = Phone::new();
        let mut body = body(&world, &phone, APP).await;
        twist(&mut body);
        let answer = world.send(from(*address, phone.json(&world, paths::DEVICES, &body))).await;
        assert_eq!(answer.verdict(), *told, "{name}: {answer:?}");
        let recorded = if reason.is_empty() { "device_enrolled allow".to_owned() } else { format!("device_enrolled deny {reason}") };
        assert_eq!(world.recorded(), recorded, "{name}");
        assert_eq!(world.memory.shelf().devices.len(), usize::from(reason.is_empty()), "{name}");
        if told.contains("dev_token") {
            assert_eq!(answer.text("retry"), "no", "{name}");
            details.insert(answer.text("code"), answer.text("detail"));
        }
    }
    let different: BTreeSet<_> = details.values().collect();
    assert_eq!((details.len(), different.len()), (5, 5), "each class says something else: {details:?}");
}

/// What an app does not take from anybody, no token opens; the message is that of the requirement.
#[tokio::test]
async fn where_no_development_is_enforced_no_token_enrols() {
    let world = World::new(SignUp::Open);
    keep(&world, DevToken { client: ClientId::parse(BANK).expect("a client"), ..token() });
    let phone = Phone::new();
    let asked = from(Some(HOME), phone.json(&world, paths::DEVICES, &body(&world, &phone, BANK).await));
    assert_eq!(world.send(asked).await.verdict(), "403 device_unproven");
    assert_eq!(world.recorded(), "device_enrolled deny development_device");
    let shelf = world.memory.shelf();
    assert!(shelf.devices.is_empty() && shelf.dev_tokens[0].phones.is_empty(), "no place was taken");
}

#[tokio::test]
async fn a_phone_counts_once() {
    let world = World::new(SignUp::Open);
    keep(&world, token());
    let phones = [Phone::new(), Phone::new(), Phone::new()];
    let mut verdicts = Vec::new();
    for phone in [&phones[0], &phones[1], &phones[2], &phones[0], &phones[1]] {
        verdicts.push(world.send(request(&world, phone).await).await.verdict());
    }
    assert_eq!(verdicts, ["201", "201", "403 dev_token_refused", "201", "201"]);
    assert_eq!(world.memory.shelf().devices.len(), 2);
}

/// Both have read that there is a place before either takes it.
#[tokio::test]
async fn of_two_phones_for_one_place_one_is_enrolled() {
    let world = World::new(SignUp::Open);
    keep(&world, DevToken { phones_max: 1, ..token() });
    let phones = [Phone::new(), Phone::new()];
    let (one, other) = (request(&world, &phones[0]).await, request(&world, &phones[1]).await);
    let (one, other) = tokio::join!(world.send(one), world.send(other));
    let mut verdicts = [one.verdict(), other.verdict()];
    verdicts.sort();
    assert_eq!(verdicts, ["201", "403 dev_token_refused"]);
    assert!(world.recorded().ends_with("deny dev_token_phones_full"));
    assert_eq!(world.memory.shelf().devices.len(), 1);
}

/// Whoever revokes cuts off the phones that there are; one that is just being enrolled cuts itself off.
#[tokio::test]
async fn a_token_that_is_revoked_meanwhile_enrols_nobody() {
    let world = World::new(SignUp::Open);
    keep(&world, token());
    let asked = request(&world, &Phone::new()).await;
    let revocation = async {
        while world.memory.shelf().dev_tokens[0].phones.is_empty() {
            tokio::task::yield_now().await;
        }
        world.memory.shelf().dev_tokens[0].token.revoked_at = Some(world.now());
    };
    let (answer, ()) = tokio::join!(world.send(asked), revocation);
    assert_eq!(answer.verdict(), "403 dev_token_refused");
    assert!(world.recorded().ends_with("deny dev_token_revoked"));
    assert_eq!(world.memory.shelf().devices[0].state, DeviceState::Revoked);
}

/// What a token enrolled stays marked: no evidence of another key washes it clean.
#[tokio::test]
async fn evidence_does_not_wash_the_mark_off() {
    let world = World::new(SignUp::Open);
    keep(&world, token());
    let phone = Phone::new();
    assert_eq!(world.send(request(&world, &phone).await).await.verdict(), "201");
    let renewal = json!({ "client_id": APP, "challenge": "", "chain": [] });
    assert_eq!(phone.ask(&world, paths::ATTEST, &renewal).await.verdict(), "403 device_unproven");
    assert_eq!(world.recorded(), "device_attested deny development_device");
    // Enrolled by its hardware it is another matter: that is evidence about the device key itself.
    assert_eq!(phone.enrol(&world, &Says::truth()).await.verdict(), "201");
    assert_eq!(world.memory.shelf().devices[0].posture.by, Provenance::AndroidKeyAttestation);
}

/// Whatever call fails: nobody is enrolled without being counted, and the same phone comes in with its next try.
#[tokio::test]
async fn a_fault_enrols_nobody_uncounted() {
    for n in 1.. {
        let world = World::new(SignUp::Open);
        keep(&world, token());
        let phone = Phone::new();
        let asked = request(&world, &phone).await;
        world.memory.fuse(Some(Blow::Fails(n)));
        let first = world.send(asked).await;
        world.memory.fuse(None);
        {
            let shelf = world.memory.shelf();
            let counted = |device: &countersign_store::Device| shelf.dev_tokens[0].phones.contains(&device.posture.device);
            assert!(shelf.devices.iter().filter(|device| device.state == DeviceState::Active).all(counted), "call {n}");
        }
        assert_eq!(world.send(request(&world, &phone).await).await.verdict(), "201", "after call {n} failed");
        if first.status.is_success() {
            break;
        }
    }
}
