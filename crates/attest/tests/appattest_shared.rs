//! Attestations and assertions of genuine iPhones, each at its own time.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a skipped test says why, and what fails in a helper fails the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::{
    anchors::Anchors,
    apple::{AppleApp, Attestation, Attested, Claim, Environment, Requirements, verify_assertion, verify_attestation},
};
use countersign_core::UnixSeconds;
use serde_json::Value;

/// The samples of all files, when they are there.
fn samples() -> Vec<Value> {
    let folder: PathBuf = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/appattest")).to_owned();
    let Ok(files) = fs::read_dir(folder) else {
        println!("skipped: shared/ is not beside the checkout");
        return Vec::new();
    };
    let read = |file: fs::DirEntry| fs::read_to_string(file.path()).expect("a file of samples");
    let parsed = files.map(|file| serde_json::from_str::<Value>(&read(file.expect("a file"))).expect("samples"));
    parsed.flat_map(|file| file["samples"].as_array().cloned().expect("samples")).collect()
}

fn bytes(sample: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(sample[field].as_str().expect("a text")).expect("base64")
}

fn hash(sample: &Value) -> [u8; 32] {
    bytes(sample, "clientDataHashSha256Base64").try_into().expect("a hash")
}

fn app(sample: &Value) -> AppleApp {
    let part = |field: &str| sample[field].as_str().expect("a text").to_owned();
    AppleApp::parse(&format!("{}.{}", part("teamIdentifier"), part("bundleIdentifier"))).expect("an app")
}

/// `2020-11-21T22:13:00.187Z`, whose fraction does not matter here.
fn at(sample: &Value) -> UnixSeconds {
    let text = sample["timestamp"].as_str().expect("a text");
    let (seconds, _fraction) = text.split_once('.').expect("a fraction");
    let moment: der::DateTime = format!("{seconds}Z").parse().expect("a time");
    UnixSeconds(moment.unix_duration().as_secs())
}

fn attest(sample: &Value) -> Attested {
    let attestation = Attestation::parse(&bytes(sample, "attestationBase64")).expect("an attestation");
    let requirements = Requirements { apps: vec![app(sample)], environments: vec![Environment::Development] };
    let anchors = Anchors::apple_app_attest().expect("anchors");
    let claim = Claim { key_id: &bytes(sample, "keyIdBase64"), client_data_hash: &hash(sample) };
    verify_attestation(&attestation, &claim, &requirements, &anchors, at(sample)).expect("attested")
}

#[test]
fn every_genuine_attestation_and_assertion_verifies() {
    let samples = samples();
    if samples.is_empty() {
        return;
    }
    let of = |kind: &'static str| samples.iter().filter(move |sample| sample["type"] == kind);
    for sample in of("attestation") {
        let attested = attest(sample);
        assert_eq!(attested.key_id().as_slice(), bytes(sample, "keyIdBase64"));
        let pem = sample["publicKey"].as_str().expect("a PEM");
        let spki: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        assert_eq!(attested.key().spki(), STANDARD.decode(spki).expect("base64"));
        assert_eq!(attested.environment().as_str(), sample["environment"].as_str().expect("a text"));
        assert_eq!(attested.system_version(), Some(sample["iOSVersion"].to_string()));
        assert_eq!((attested.launch().bundle_version(), attested.launch().validation_category()), (None, None));
        assert_eq!(attested.app(), &app(sample));
        // The receipt that came with it stands in the file once more.
        assert!(of("receipt").any(|receipt| bytes(receipt, "receiptBase64") == attested.receipt()));
        assert!(attested.not_before() <= at(sample) && at(sample) <= attested.not_after());
    }
    for sample in of("assertion") {
        let attestation = of("attestation").find(|other| other["keyIdBase64"] == sample["keyIdBase64"]).expect("its attestation");
        let attested = attest(attestation);
        let asserted = verify_assertion(&bytes(sample, "assertionBase64"), attested.public_key(), &app(sample), &hash(sample));
        let counter = asserted.expect("asserted").counter();
        assert_eq!(sample["counter"], counter);
        let window = countersign_core::CounterWindow::FRESH.after(counter).expect("a new counter");
        assert!(window.after(counter).is_err());
    }
    assert_eq!((of("attestation").count(), of("assertion").count()), (3, 3));
}
