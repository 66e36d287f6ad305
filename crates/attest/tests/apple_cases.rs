//! Files of App Attest samples: the shared ones, and the report about a wrong one.
#![expect(clippy::expect_used, reason = "a skipped test says why, and what fails in a helper fails the test")]

mod apple_ca;

use std::{fs, path::Path};

use apple_ca::{ATTESTED_CREDENTIAL, Blueprint, asserting, bank, honest, key, make, nonce_extension, sha256, tlv};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    apple::cases::{Sample, parse},
    cases::Agreement,
};
use rcgen::CustomExtension;
use serde_json::{Value, json};

#[test]
fn every_shared_sample_is_as_stated() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/appattest"));
    let Ok(files) = fs::read_dir(folder) else {
        println!("skipped: shared/ is not beside the checkout");
        return;
    };
    let (attest, receipts) = (Anchors::apple_app_attest().expect("anchors"), Anchors::apple_receipt().expect("anchors"));
    let mut judged = 0;
    for file in files {
        let json = fs::read_to_string(file.expect("a file").path()).expect("the samples can be read");
        for sample in parse(&json).expect("the file of samples parses") {
            let result = sample.run(&attest, &receipts);
            match sample {
                Sample::Assertion(_) | Sample::Attestation(_) => {
                    assert_eq!(result.agreement, Agreement::Passed, "{result:?}");
                    judged += 1;
                }
                Sample::Receipt(receipt) => assert_eq!(receipt.id, result.id),
            }
        }
    }
    assert_eq!(judged, 6);
}

const DATA: &[u8] = b"a challenge and more";

/// A phone's attestation and one of its assertions, as a file has them, and the phone's root.
fn own() -> (Value, Value, Anchors) {
    let hash = sha256(&[DATA]);
    let system = tlv(0x30, &[&[0xbf, 0x8a, 0x78, 8][..], &tlv(0x04, b"27.0.1")].concat());
    let blueprint = || Blueprint { leaf_extensions: vec![CustomExtension::from_oid_content(apple_ca::SYSTEM, system.clone())], ..honest() };
    // The nonce is over the client data of this file; what it is over besides does not depend on it.
    let data = make(blueprint()).authenticator_data;
    let phone = make(Blueprint { nonce: Some(vec![nonce_extension(&sha256(&[&data, &hash]))]), ..blueprint() });
    let common = json!({
        "bundleIdentifier": "com.example.bank", "clientDataBase64": STANDARD.encode(DATA),
        "clientDataHashSha256Base64": STANDARD.encode(hash), "environment": "production", "keyIdBase64": STANDARD.encode(phone.key_id),
        "publicKey": phone.key.public_key_pem(), "teamIdentifier": "ABCDE12345", "timestamp": "2025-07-02T00:00:00.5Z",
    });
    let of = |more: Value| {
        let mut sample = common.clone();
        sample.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        sample
    };
    let attestation = of(json!({
        "type": "attestation", "id": "an attestation", "attestationBase64": STANDARD.encode(phone.attestation()), "iOSVersion": "27.0.1",
    }));
    let assertion = phone.assertion(&asserting(bank().rp_id_hash(), ATTESTED_CREDENTIAL, 7, &[]), &hash);
    let assertion = of(json!({
        "type": "assertion", "id": "an assertion", "assertionBase64": STANDARD.encode(assertion),
        "challengeBase64": STANDARD.encode(b"a challenge"), "counter": 7,
    }));
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AppAttest };
    (attestation, assertion, Anchors::parse(source, &phone.root_pem).expect("a root"))
}

#[test]
fn what_differs_is_told() {
    let (attestation, assertion, anchors) = own();
    let other_key = || json!(key(9).public_key_pem());
    type Change = Box<dyn Fn(&mut Value)>;
    let set = |field: &'static str, value: Value| -> Change { Box::new(move |sample| sample[field] = value.clone()) };
    let rows: Vec<(&str, &Value, Change, &str)> = vec![
        ("an attestation", &attestation, Box::new(|_| ()), "attested, as stated"),
        ("another key", &attestation, set("publicKey", other_key()), "accepted, but `publicKey` is another key"),
        ("another key id", &attestation, set("keyIdBase64", json!("AAAA")), "refused: key_id_mismatch"),
        ("another app", &attestation, set("bundleIdentifier", json!("com.example.shop")), "refused: app_unknown"),
        ("another team", &attestation, set("teamIdentifier", json!("ABCDE12346")), "refused: app_unknown"),
        ("another environment", &attestation, set("environment", json!("development")), "refused: environment_mismatch"),
        ("another version", &attestation, set("iOSVersion", json!(14.2)), "but `iOSVersion` is Some(\"27.0.1\"), expected Some(\"14.2\")"),
        ("another time", &attestation, set("timestamp", json!("2025-07-08T00:00:00.5Z")), "refused: certificate_expired"),
        (
            "an assertion for it",
            &attestation,
            set("attestationBase64", assertion["assertionBase64"].clone()),
            "refused: app_attest_malformed",
        ),
        ("a time that is none", &attestation, set("timestamp", json!("yesterday")), "cannot be judged: `timestamp`"),
        ("a team that is none", &attestation, set("teamIdentifier", json!("a")), "cannot be judged: an app is written"),
        ("a key that is none", &attestation, set("publicKey", json!("a")), "cannot be judged: `publicKey`"),
        ("a hash of other data", &attestation, set("clientDataBase64", json!("AAAA")), "cannot be judged: `clientDataHashSha256Base64`"),
        ("no base64", &attestation, set("keyIdBase64", json!("%")), "cannot be judged: `keyIdBase64`"),
        ("an assertion", &assertion, Box::new(|_| ()), "asserted, as stated"),
        ("another counter", &assertion, set("counter", json!(8)), "accepted, but `counter` is 7, expected 8"),
        ("another key's assertion", &assertion, set("publicKey", other_key()), "refused: assertion_invalid"),
        ("another key id", &assertion, set("keyIdBase64", json!("AAAA")), "accepted, but `keyIdBase64`"),
        ("another app's", &assertion, set("bundleIdentifier", json!("com.example.shop")), "refused: app_unknown"),
        ("another challenge", &assertion, set("challengeBase64", json!("AAAA")), "accepted, but `clientDataBase64`"),
        ("no challenge", &assertion, set("challengeBase64", json!("")), "accepted, but `clientDataBase64`"),
        ("a time that is none", &assertion, set("timestamp", json!("yesterday")), "cannot be judged: `timestamp`"),
    ];
    for (name, sample, change, got) in rows {
        let mut sample = sample.clone();
        change(&mut sample);
        let parsed = parse(&json!({ "source": "a test", "samples": [sample] }).to_string()).expect("a sample");
        let result = parsed.first().expect("a sample").run(&anchors, &Anchors::none());
        let agreement = if got.ends_with("as stated") { Agreement::Passed } else { Agreement::Differs };
        assert_eq!(result.agreement, agreement, "{name}: {result:?}");
        assert!(result.got.contains(got), "{name}: {result:?}");
    }
}

#[test]
fn a_misspelt_sample_is_no_sample() {
    let (attestation, assertion, _) = own();
    let receipt = json!({
        "type": "receipt", "id": "a receipt", "attestationId": "a", "bundleIdentifier": "a", "environment": "production",
        "keyIdBase64": "", "publicKey": "", "receiptBase64": "", "teamIdentifier": "", "timestamp": "",
        "properties": {
            "clientHashBase64": "", "creationTime": "", "environment": "sandbox", "expirationTime": "", "notBefore": null,
            "riskMetric": 2, "token": "", "type": "RECEIPT",
        },
    });
    for sample in [attestation, assertion, receipt] {
        let file = |sample: &Value| json!({ "source": "a test", "samples": [sample] }).to_string();
        assert!(parse(&file(&sample)).is_ok(), "{sample}");
        let mut unknown = sample.clone();
        unknown["countre"] = json!(1);
        assert!(parse(&file(&unknown)).is_err(), "{unknown}");
        for field in sample.as_object().expect("an object").keys().filter(|field| *field != "iOSVersion") {
            let mut lacking = sample.clone();
            lacking.as_object_mut().expect("an object").remove(field);
            assert!(parse(&file(&lacking)).is_err(), "without `{field}`");
        }
    }
    assert!(parse("[]").is_err());
    assert!(parse(r#"{ "samples": [], "more": 1 }"#).is_err());
    assert!(parse(r#"{ "samples": [{ "type": "confession" }] }"#).is_err());
}
