//! Genuine receipts of App Attest, and the same with one byte changed.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::{
    anchors::Anchors,
    apple::{Receipt, ReceiptAge, ReceiptEnvironment, ReceiptKind, ReceiptOf, ReceiptRefusal, verify_receipt},
};
use countersign_core::{Seconds, UnixMillis, UnixSeconds};
use der::DateTime;
use serde_json::Value;

struct Sample {
    bytes: Vec<u8>,
    app_id: String,
    key_spki: Vec<u8>,
    now: UnixSeconds,
    properties: Value,
}

impl Sample {
    fn verify(&self, bytes: &[u8]) -> Result<Receipt, ReceiptRefusal> {
        let age = ReceiptAge::FreshWithin(Seconds(300));
        let expected = ReceiptOf { app_id: &self.app_id, key_spki: &self.key_spki, age };
        verify_receipt(bytes, &expected, &Anchors::apple_receipt().expect("anchors"), self.now)
    }
}

/// The samples, when they are there.
fn samples() -> Option<Vec<Sample>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/appattest"));
    if !folder.is_dir() {
        println!("skipped: shared/ is not beside the checkout");
        return None;
    }
    let mut out = Vec::new();
    for file in fs::read_dir(folder).expect("the samples") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a file of samples");
        let file: Value = serde_json::from_str(&text).expect("samples");
        let samples = file.get("samples").and_then(Value::as_array).expect("samples");
        out.extend(samples.iter().filter(|sample| sample["type"] == "receipt").map(sample));
    }
    Some(out)
}

fn sample(value: &Value) -> Sample {
    let text = |name: &str| value[name].as_str().expect("a text");
    let key: String = text("publicKey").lines().filter(|line| !line.starts_with('-')).collect();
    Sample {
        bytes: STANDARD.decode(text("receiptBase64")).expect("base64"),
        app_id: format!("{}.{}", text("teamIdentifier"), text("bundleIdentifier")),
        key_spki: STANDARD.decode(key).expect("base64"),
        now: moment(text("timestamp")).seconds(),
        properties: value["properties"].clone(),
    }
}

/// The samples write instants in two ways: `...02.796Z` and `...12.863000+00:00`.
fn moment(text: &str) -> UnixMillis {
    let (whole, fraction) = text.split_once('.').expect("a fraction");
    let seconds = format!("{whole}Z").parse::<DateTime>().expect("an instant").unix_duration().as_secs();
    let millis: String = fraction.chars().take(3).collect();
    UnixMillis(seconds * 1000 + millis.parse::<u64>().expect("milliseconds"))
}

#[test]
fn every_genuine_receipt_says_what_it_is_known_to_say() {
    let Some(samples) = samples() else { return };
    assert!(samples.len() >= 10, "only {} receipts", samples.len());
    for sample in &samples {
        let receipt = sample.verify(&sample.bytes).expect("a genuine receipt");
        let text = |name: &str| sample.properties[name].as_str();
        assert_eq!(receipt.kind(), if text("type") == Some("ATTEST") { ReceiptKind::Attest } else { ReceiptKind::Receipt });
        assert_eq!(text("environment"), Some("sandbox"));
        assert_eq!(receipt.environment(), Some(ReceiptEnvironment::Sandbox));
        assert_eq!(receipt.risk_metric().map(u64::from), sample.properties["riskMetric"].as_u64());
        assert_eq!(Some(receipt.created_at()), text("creationTime").map(moment));
        assert_eq!(receipt.not_before(), text("notBefore").map(moment));
        assert_eq!(Some(receipt.expires_at()), text("expirationTime").map(moment));
        let hash = text("clientHashBase64").map(|hash| STANDARD.decode(hash).expect("base64"));
        assert_eq!(receipt.client_hash().map(<[u8]>::to_vec), hash);
        assert_eq!(receipt.token().map(|token| token.expose().as_slice()), text("token").map(str::as_bytes));
        assert_eq!(receipt.fields_unknown(), 0);
        assert!(!format!("{receipt:?}").contains(text("token").expect("a token")), "a token does not print");
    }
}

#[test]
fn a_genuine_receipt_counts_for_its_app_its_key_its_time_and_its_anchor() {
    let Some(samples) = samples() else { return };
    let sample = samples.first().expect("a sample");
    let other_key = samples.iter().find(|other| other.key_spki != sample.key_spki).expect("another key");
    let honest = || ReceiptOf { app_id: &sample.app_id, key_spki: &sample.key_spki, age: ReceiptAge::FreshWithin(Seconds(300)) };
    let judge = |expected: ReceiptOf<'_>, anchors: Anchors, now: UnixSeconds| {
        verify_receipt(&sample.bytes, &expected, &anchors, now)
            .map_err(|why| format!("{why:?}").split([' ', '(']).next().map(str::to_owned))
    };
    let refused = |why: &str| Err(Some(why.to_owned()));
    let apple = || Anchors::apple_receipt().expect("anchors");
    let accepted = judge(honest(), apple(), sample.now);
    assert!(accepted.is_ok(), "{accepted:?}");
    assert_eq!(judge(ReceiptOf { app_id: "TEAM.other", ..honest() }, apple(), sample.now), refused("AppMismatch"));
    assert_eq!(judge(ReceiptOf { key_spki: &other_key.key_spki, ..honest() }, apple(), sample.now), refused("KeyMismatch"));
    assert_eq!(judge(honest(), apple(), sample.now.plus(Seconds(400))), refused("TooOld"));
    assert!(judge(ReceiptOf { age: ReceiptAge::Any, ..honest() }, apple(), sample.now.plus(Seconds(400))).is_ok());
    assert_eq!(judge(honest(), apple(), sample.now.minus(Seconds(400))), refused("CreatedInFuture"));
    assert_eq!(judge(honest(), Anchors::none(), sample.now), refused("AnchorUnknown"));
    assert_eq!(judge(honest(), Anchors::apple_app_attest().expect("anchors"), sample.now), refused("AnchorUnknown"));
}

/// Flips a bit in every byte, another bit in every receipt. All of it counts but the receipt's own copy of the root.
#[test]
fn no_byte_of_a_genuine_receipt_changes_what_it_says() {
    let Some(samples) = samples() else { return };
    for (sample, bit) in samples.iter().zip([0x01, 0x80, 0x04, 0x20, 0x02, 0x40, 0x08, 0x10].into_iter().cycle()) {
        let genuine = sample.verify(&sample.bytes).expect("a genuine receipt");
        let unsigned = unsigned_bytes(&sample.bytes);
        for at in 0..sample.bytes.len() {
            let mut changed = sample.bytes.clone();
            changed[at] ^= bit;
            if let Ok(receipt) = sample.verify(&changed) {
                assert!(unsigned.contains(&at), "byte {at} changed and nobody noticed");
                assert_eq!(receipt, genuine, "byte {at}");
            }
        }
    }
}

/// The receipt's copy of the root does not matter; our own anchor counts.
fn unsigned_bytes(receipt: &[u8]) -> std::ops::Range<usize> {
    let anchors = Anchors::apple_receipt().expect("anchors");
    let root = anchors.iter().next().expect("an anchor").certificate().der();
    let start = receipt.windows(root.len()).position(|window| window == root).expect("the root");
    start..start + root.len()
}

#[test]
fn a_truncated_receipt_is_refused_at_every_byte() {
    let Some(samples) = samples() else { return };
    for sample in &samples {
        for length in 0..sample.bytes.len() {
            assert!(sample.verify(&sample.bytes[..length]).is_err(), "{length} bytes");
        }
        for more in [0, 1, 0x30] {
            let longer = [&sample.bytes[..], &[more]].concat();
            assert!(sample.verify(&longer).is_err(), "one more byte: {more}");
        }
    }
}
