//! The examples of SSF 1.0, CAEP 1.0 and the interoperability profile: each is understood, and what was bent is refused.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "tests stop where they fail, and a skipped one says why")]

use std::{fs, path::Path};

use countersign_core::{KeyId, Secret, SignalKind, UnixSeconds};
use countersign_monitor::ssf::{Event, SubjectId};
use countersign_proof::set::{self, ExpectedSet, SetKeys, SetRefusal, SetSigningKey, SetToSign};
use serde_json::{Map, Value, json};

/// The examples, when they are there.
fn examples() -> Option<Vec<Value>> {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ssf/spec-examples.json"));
    if !file.is_file() {
        println!("skipped: shared/ is not beside the checkout");
        return None;
    }
    Some(serde_json::from_str(&fs::read_to_string(file).expect("the examples")).expect("JSON"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

/// After every example was issued, but for the one whose `iat` has two digits too many.
const NOW: UnixSeconds = UnixSeconds(1_615_400_000);

struct Signed {
    keys: SetKeys,
    key: SetSigningKey,
}

impl Signed {
    fn new() -> Self {
        let pkcs8 = SetSigningKey::generate().expect("a key");
        let key = SetSigningKey::from_pkcs8(KeyId::parse("k").expect("an id"), &Secret::new(pkcs8.expose().clone())).expect("a key");
        Self { keys: SetKeys::from_jwks(&key.jwks()).expect("keys"), key }
    }

    /// Reads claims as they stand, without a signature over them.
    fn claims(claims: &Value) -> Result<set::VerifiedSet, SetRefusal> {
        let audience = claims["aud"].as_str().or(claims["aud"].get(0).and_then(Value::as_str)).unwrap_or_default();
        let expected = ExpectedSet { issuer: claims["iss"].as_str().unwrap_or_default(), audience };
        set::claims(claims.to_string().as_bytes(), &expected, NOW)
    }
}

#[test]
fn every_set_is_understood_and_signed_anew() {
    let Some(examples) = examples() else { return };
    let signed = Signed::new();
    let (mut understood, mut signals) = (0, Vec::new());
    for example in examples.iter().filter(|example| example["kind"] == "SET") {
        let title = text(example, "title");
        let mut claims = example["json"].clone();
        // One example of the framework's own text was issued in the year 2451; that one rule is tested elsewhere.
        if claims["iat"].as_u64().is_some_and(|at| at > NOW.0) {
            assert_eq!(Signed::claims(&claims), Err(SetRefusal::TooEarly), "{title}");
            claims["iat"] = json!(NOW.0);
        }
        let read = Signed::claims(&claims).unwrap_or_else(|why| panic!("{title}: {why:?}"));
        SubjectId::parse(&read.subject).unwrap_or_else(|why| panic!("{title}: {why:?}"));
        let (event, _) = Event::parse(&read.event_type, &read.event).unwrap_or_else(|why| panic!("{title}: {why:?} {}", read.event));
        signals.extend(event.signal());
        let set = SetToSign {
            issuer: "https://tr.example.com",
            audience: "https://rc.example.com",
            id: &read.id,
            issued_at: read.issued_at,
            subject: &claims["sub_id"],
            event_type: &read.event_type,
            event: &claims["events"][&read.event_type],
        };
        let expected = ExpectedSet { issuer: set.issuer, audience: set.audience };
        let again = set::read(&signed.key.sign(&set).expect("signed"), &signed.keys, &expected, NOW).expect("verified");
        let same = |a: &str, b: &str| serde_json::from_str::<Value>(a).ok() == serde_json::from_str::<Value>(b).ok();
        assert!(same(&again.subject, &read.subject) && same(&again.event, &read.event), "{title}");
        understood += 1;
    }
    assert!(understood >= 20, "only {understood}");
    assert!(signals.contains(&SignalKind::SharedRevocation) && signals.contains(&SignalKind::SharedRisk), "{signals:?}");
}

#[test]
fn every_subject_is_understood() {
    let Some(examples) = examples() else { return };
    let subjects = examples.iter().map(|example| &example["json"]).filter(|json| json["format"].is_string());
    let mut understood = 0;
    for subject in subjects {
        assert!(SubjectId::parse(&subject.to_string()).is_ok(), "{subject}");
        understood += 1;
    }
    assert!(understood >= 10, "only {understood}");
}

/// Every member of every example taken away, doubled in kind, or made something else: never a panic, and never more than it said.
#[test]
fn bent_examples_are_refused_or_say_no_more() {
    let Some(examples) = examples() else { return };
    let (mut refused, mut bent_ones) = (0, 0);
    for example in examples.iter().filter(|example| example["kind"] == "SET") {
        let mut claims = example["json"].clone();
        claims["iat"] = json!(NOW.0);
        for name in ["iss", "aud", "jti", "iat", "sub_id", "events"] {
            for with in [None, Some(json!(null)), Some(json!([])), Some(json!(-1)), Some(json!({}))] {
                let mut bent = claims.as_object().expect("claims").clone();
                match with {
                    None => drop(bent.remove(name)),
                    Some(with) => drop(bent.insert(name.to_owned(), with)),
                }
                bent_ones += 1;
                refused += usize::from(refuses(&bent));
            }
        }
        for (name, with) in [("exp", json!(NOW.0 + 60)), ("sub", json!("jane"))] {
            let mut bent = claims.as_object().expect("claims").clone();
            bent.insert(name.to_owned(), with);
            assert_eq!(Signed::claims(&Value::Object(bent)), Err(SetRefusal::MemberForbidden), "{name}");
        }
        let mut two = claims.clone();
        two["events"]["https://schemas.openid.net/secevent/caep/event-type/session-revoked"] = json!({});
        two["events"]["https://schemas.openid.net/secevent/risc/event-type/account-enabled"] = json!({});
        assert_eq!(Signed::claims(&two), Err(SetRefusal::EventsNotOne));
    }
    assert_eq!(refused, bent_ones, "what lacks a claim, or has another thing in its place, is refused");
}

fn refuses(claims: &Map<String, Value>) -> bool {
    match Signed::claims(&Value::Object(claims.clone())) {
        Err(_) => true,
        Ok(set) => SubjectId::parse(&set.subject).is_err() || Event::parse(&set.event_type, &set.event).is_err(),
    }
}
