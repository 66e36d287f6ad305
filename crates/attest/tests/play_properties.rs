//! Properties that hold for every token and payload of Google Play: no panic, and no unnoticed change of anything signed.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

use countersign_attest::play::{Binding, DecryptionKeys, Requirements, Verdict, decrypt_and_verify, refusals, request_hash, verify};
use countersign_core::{Secret, Thumbprint, UnixMillis, UnixSeconds};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

const TOKENS: &str = include_str!("vectors/play/tokens.json");

/// The text of a member of the file of tokens.
fn text(file: &Value, pointer: &str) -> String {
    file.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned()
}

fn file() -> Value {
    serde_json::from_str(TOKENS).expect("the tokens")
}

fn keys() -> DecryptionKeys {
    let file = file();
    DecryptionKeys::parse(&Secret::new(text(&file, "/decryption_key")), &text(&file, "/verification_key")).expect("the keys")
}

fn token() -> String {
    text(&file(), "/cases/0/token")
}

/// Every byte of a token, replaced by its neighbour, once.
#[test]
fn no_byte_of_a_token_can_change() {
    let (keys, token) = (keys(), token());
    assert!(decrypt_and_verify(&token, &keys).is_ok());
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(decrypt_and_verify(&changed, &keys).is_err(), "byte {at}, bit {bit}");
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[A-Z_]{0,12}".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-zA-Z]{0,12}", inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

/// Places at which a verdict can be changed.
fn pointer() -> impl Strategy<Value = &'static str> {
    select(vec![
        "/requestDetails",
        "/requestDetails/requestPackageName",
        "/requestDetails/requestHash",
        "/requestDetails/timestampMillis",
        "/appIntegrity",
        "/appIntegrity/appRecognitionVerdict",
        "/appIntegrity/certificateSha256Digest",
        "/appIntegrity/packageName",
        "/appIntegrity/versionCode",
        "/deviceIntegrity",
        "/deviceIntegrity/deviceRecognitionVerdict",
        "/deviceIntegrity/recentDeviceActivity",
        "/deviceIntegrity/deviceAttributes/sdkVersion",
        "/deviceIntegrity/deviceRecall/values/bitFirst",
        "/deviceIntegrity/deviceRecall/writeDates/yyyymmFirst",
        "/accountDetails/appLicensingVerdict",
        "/environmentDetails/appAccessRiskVerdict",
        "/environmentDetails/playProtectVerdict",
    ])
}

proptest! {
    #[test]
    fn no_text_is_a_token(text in ".*") {
        prop_assert!(decrypt_and_verify(&text, &keys()).is_err());
    }

    #[test]
    fn no_parts_are_a_token(parts in proptest::collection::vec("[A-Za-z0-9_-]{0,60}", 0..7)) {
        prop_assert!(decrypt_and_verify(&parts.join("."), &keys()).is_err());
    }

    #[test]
    fn parts_of_two_tokens_are_none(part in 0_usize..5, other in 1_usize..15) {
        let (file, keys) = (file(), keys());
        let other = text(&file, &format!("/cases/{other}/token"));
        let mut parts: Vec<_> = token().split('.').map(String::from).collect();
        let replaced = other.split('.').nth(part).expect("five parts").to_owned();
        let same = parts[part] == replaced;
        parts[part] = replaced;
        prop_assert_eq!(decrypt_and_verify(&parts.join("."), &keys).is_ok(), same);
    }

    #[test]
    fn no_payload_panics(text in ".*", value in value()) {
        let _ = Verdict::parse(&text);
        let _ = Verdict::from_decoded(&text);
        let _ = Verdict::parse(&value.to_string());
    }

    /// For any value in one place of a verdict, parsing and judging end, and the two ways of judging agree.
    #[test]
    fn a_changed_verdict_is_read_or_refused(pointer in pointer(), value in value(), now in any::<u64>()) {
        let file = file();
        let mut payload: Value = serde_json::from_str(&text(&file, "/cases/0/payload")).expect("a payload");
        *payload.pointer_mut(pointer).expect("a place") = value;
        let binding = text(&file, "/binding");
        let payload = payload.to_string();
        let decoded = Verdict::from_decoded(&format!("{{\"tokenPayloadExternal\":{payload}}}"));
        prop_assert_eq!(&decoded, &Verdict::parse(&payload));
        let Ok(verdict) = decoded else { return Ok(()) };
        for requirements in [Requirements::enforce(vec![]), Requirements::observe()] {
            let all = refusals(&verdict, binding.as_bytes(), &requirements, UnixSeconds(now));
            let first = verify(&verdict, binding.as_bytes(), &requirements, UnixSeconds(now)).err();
            prop_assert_eq!(first.as_ref(), all.first());
        }
    }

    /// A verdict answers exactly the challenge and the key that it was asked for.
    #[test]
    fn a_verdict_answers_its_own_challenge_only(
        challenges in any::<([u8; 32], [u8; 32])>(),
        names in any::<([u8; 32], [u8; 32])>(),
        classic in any::<bool>(),
    ) {
        let asked = request_hash(&challenges.0, &Thumbprint::from_bytes(names.0));
        let expected = request_hash(&challenges.1, &Thumbprint::from_bytes(names.1));
        let mut verdict = Verdict::parse(&text(&file(), "/cases/0/payload")).expect("a verdict");
        verdict.request.at = UnixMillis(0);
        verdict.request.binding = if classic { Binding::Nonce(asked.clone()) } else { Binding::RequestHash(asked.clone()) };
        let judge = |binding: &str| verify(&verdict, binding.as_bytes(), &Requirements::observe(), UnixSeconds(0));
        prop_assert_eq!(judge(&asked), Ok(()));
        prop_assert_eq!(judge(&expected).is_ok(), asked == expected);
    }
}
