//! `countersign attest inspect` as people run it: each kind of evidence, in order and broken, and asked about by other requirements.
#![expect(clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::report::REPORT_TYPE;
use countersign_proof::{
    jwk::{Algorithm, SigningKey},
    jws::{self, HeaderToSign, NamedBy},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../attest/tests/vectors");
const IPHONE_APP: &str = "6MURL8TA57.de.vincent-haupert.apple-appattest-poc";
const IPHONE_AT: &str = "1611404016";
const CLIENT_DATA: &str = "d3VyemVscGZyb3Bm";
const PLAY_AT: &str = "1750000000";

/// A genuine phone with an open bootloader.
const PHONE: &str = "android/chains/akita_sdk34_TEE_EC_NONE.pem";
const PHONE_APP: &str = "com.google.wireless.android.security.attestationverifier.collector";

/// A directory in which people stand who inspect something.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), content).expect("written");
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let run = command.args(["attest", "inspect"]).args(args).current_dir(self.0.path()).output().expect("a run");
        (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned(), String::from_utf8_lossy(&run.stderr).into_owned())
    }

    /// What people see.
    fn told(&self, args: &[&str]) -> String {
        let (exit, out, errors) = self.run(args);
        format!("$ countersign attest inspect {}\n{out}{errors}exit {}\n", args.join(" "), exit.unwrap_or(-1))
    }

    /// What programs see.
    fn document(&self, args: &[&str]) -> Value {
        let (_, out, errors) = self.run(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|_| json!({ "not JSON": out, "errors": errors }))
    }
}

/// The folder of the shared vectors, when it is there.
fn shared() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    if folder.is_dir() {
        return Some(folder.to_owned());
    }
    println!("skipped: shared/ is not beside the checkout");
    None
}

/// The bytes of the first sample of a kind, and the key that it speaks of.
fn iphone(kind: &str) -> Option<(Vec<u8>, String)> {
    let text = fs::read_to_string(shared()?.join("appattest/ios-14.4.json")).expect("samples");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let sample = file["samples"].as_array()?.iter().find(|sample| sample["type"] == kind)?;
    let bytes = STANDARD.decode(sample[format!("{kind}Base64")].as_str()?).expect("base64");
    Some((bytes, sample["publicKey"].as_str()?.to_owned()))
}

/// The same with one bit turned, `from_end` bytes before its end.
fn turned(bytes: &[u8], from_end: usize) -> Vec<u8> {
    let mut turned = bytes.to_vec();
    let at = turned.len() - from_end;
    turned[at] ^= 1;
    turned
}

#[test]
fn an_android_chain_is_told() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    let chain = fs::read_to_string(shared.join(PHONE)).expect("a chain");
    place.put("genuine.pem", &chain);
    let ders: Vec<String> = chain
        .split("-----END CERTIFICATE-----")
        .filter_map(|block| block.split_once("-----BEGIN CERTIFICATE-----"))
        .map(|(_, body)| body.split_whitespace().collect())
        .collect();
    place.put("cut.json", json!([ders[0], ders[2], ders[3], ders[4]]).to_string());
    let at = ["--at", "1727389885"];
    insta::assert_snapshot!(
        [
            place.told(&[&["genuine.pem"][..], &at].concat()),
            place.told(&[&["cut.json"][..], &at].concat()),
            place.told(&[&["genuine.pem", "--challenge", "YW5vdGhlcg=="][..], &at].concat())
        ]
        .join("\n")
    );
}

#[test]
fn an_attestation_is_told() {
    let Some((bytes, _)) = iphone("attestation") else { return };
    let place = Place::new();
    place.put("attestation", &bytes);
    place.put("attestation.b64", STANDARD.encode(&bytes));
    place.put("turned", turned(&bytes, 5));
    place.put("cut", &bytes[..bytes.len() / 2]);
    let judged = ["--at", IPHONE_AT, "--app", IPHONE_APP, "--challenge", CLIENT_DATA];
    let other = ["--at", "1700000000", "--app", "TEAMID1234.com.example.bank", "--challenge", "AAAA"];
    insta::assert_snapshot!(
        [
            place.told(&[&["attestation"][..], &judged].concat()),
            place.told(&["attestation.b64", "--at", IPHONE_AT]),
            place.told(&[&["turned"][..], &judged].concat()),
            place.told(&[&["attestation"][..], &other].concat()),
            place.told(&["cut"]),
        ]
        .join("\n")
    );
}

#[test]
fn an_assertion_is_told() {
    let Some((bytes, key)) = iphone("assertion") else { return };
    let place = Place::new();
    place.put("assertion", &bytes);
    place.put("key.pem", key);
    let judged = ["assertion", "--key", "key.pem", "--app", IPHONE_APP, "--challenge"];
    insta::assert_snapshot!(
        [
            place.told(&[&judged[..], &[CLIENT_DATA]].concat()),
            place.told(&[&judged[..], &["AAAA"]].concat()),
            place.told(&["assertion"]),
            place.told(&["assertion", "--key", "assertion"]),
        ]
        .join("\n")
    );
}

#[test]
fn a_receipt_is_told() {
    let Some((bytes, _)) = iphone("receipt") else { return };
    let place = Place::new();
    place.put("receipt", &bytes);
    place.put("turned", turned(&bytes, 12));
    insta::assert_snapshot!(
        [
            place.told(&["receipt", "--at", IPHONE_AT, "--app", IPHONE_APP]),
            place.told(&["receipt", "--at", "1700000000", "--app", "TEAMID1234.com.example.bank"]),
            place.told(&["turned", "--at", IPHONE_AT]),
        ]
        .join("\n")
    );
}

#[test]
fn a_play_token_is_told() {
    let text = fs::read_to_string(Path::new(OWN).join("play/tokens.json")).expect("tokens");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let case = |name: &str| file["cases"].as_array().and_then(|cases| cases.iter().find(|case| case["name"] == name)).expect("a case");
    let place = Place::new();
    place.put("keys.json", json!({ "decryption": file["decryption_key"], "verification": file["verification_key"] }).to_string());
    place.put("bad_keys.json", json!({ "decryption": file["decryption_key"] }).to_string());
    for (to, name) in [("token", "a phone in order"), ("rooted", "a rooted phone"), ("thief", "signed by a thief")] {
        place.put(to, case(name)["token"].as_str().expect("a token"));
    }
    place.put("payload.json", case("hardware")["payload"].as_str().expect("a payload"));
    let opened = |name| place.told(&[name, "--at", PLAY_AT, "--play-keys", "keys.json"]);
    insta::assert_snapshot!(
        [
            opened("token"),
            opened("rooted"),
            opened("thief"),
            place.told(&["token"]),
            place.told(&["payload.json", "--at", PLAY_AT, "--app", "com.example.other"]),
            place.told(&["token", "--play-keys", "bad_keys.json"]),
        ]
        .join("\n")
    );
}

#[test]
fn a_report_is_told() {
    let place = Place::new();
    let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    let (other, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    let signed = |claims: &str| {
        let header = HeaderToSign { typ: REPORT_TYPE, key: NamedBy::Nothing };
        jws::sign(&key, header, claims.as_bytes()).expect("a report")
    };
    place.put("report", signed(r#"{"v":1,"iat":1750000000,"findings":["rooted","vpn"],"os_version":160000,"app_version":42}"#));
    place.put("unknown", signed(r#"{"v":1,"iat":1750000000,"findings":["haunted"]}"#));
    place.put("key.jwk", key.public().to_jwk());
    place.put("other.jwk", other.public().to_jwk());
    insta::assert_snapshot!(
        [
            place.told(&["report", "--at", PLAY_AT, "--key", "key.jwk"]),
            place.told(&["report", "--at", PLAY_AT, "--key", "other.jwk"]),
            place.told(&["report", "--at", PLAY_AT]),
            place.told(&["unknown", "--at", PLAY_AT]),
        ]
        .join("\n")
    );
}

#[test]
fn what_is_no_evidence_is_named() {
    let place = Place::new();
    place.put("words.txt", "nothing of the kind");
    place.put("empty", "");
    place.put("large", vec![b'a'; 1024 * 1024 + 1]);
    insta::assert_snapshot!([place.told(&["words.txt"]), place.told(&["empty"]), place.told(&["large"])].join("\n"));
}

#[test]
fn other_requirements_are_asked_of_the_same_evidence() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    place.put("genuine.pem", fs::read_to_string(shared.join(PHONE)).expect("a chain"));
    let config = |app: &str, rest: &str| {
        format!("public_url = \"https://api.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n[app.\"{app}\"]\n{rest}")
    };
    place.put("strict.toml", config(PHONE_APP, "[device.require.patch_level]\nmin = \"2024-09\"\nmode = \"limit\"\n"));
    place.put(
        "lax.toml",
        config(
            PHONE_APP,
            "[device.require.boot]\nstates = [\"verified\", \"unverified\"]\n[device.require.patch_level]\nmin = \"2024-08\"\n",
        ),
    );
    place.put("foreign.toml", config("com.example.bank", ""));
    let ask = |file: &'static str| ["genuine.pem", "--at", "1727389885", "--what-if", file];
    let lacking = |file| {
        let document = place.document(&ask(file));
        let all = document["what_if"][0]["requirements"].as_array().cloned().unwrap_or_default();
        assert!(!all.is_empty(), "{document}");
        let not_asked: Vec<_> = all.iter().filter(|one| one["met"].is_null()).map(|one| &one["requirement"]).collect();
        assert_eq!(not_asked, ["not_revoked"], "{document}");
        let lacking = all.iter().filter(|one| one["met"] == false);
        lacking.map(|one| format!("{} {} {}", one["requirement"], one["stage"], one["reason"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(
        lacking("strict.toml"),
        ["boot enforce boot_not_verified", "bootloader_locked enforce bootloader_unlocked", "patch_level limit patch_level_too_old"]
    );
    assert_eq!(lacking("lax.toml"), ["bootloader_locked enforce bootloader_unlocked"]);
    let tail = |args: &[&str]| place.told(args).split("what `").last().unwrap_or_default().to_owned();
    let broken = place.told(&["genuine.pem", "--at", "1", "--what-if", "strict.toml"]);
    insta::assert_snapshot!(
        [
            tail(&ask("strict.toml")),
            place.told(&ask("foreign.toml")),
            place.told(&ask("none.toml")),
            broken.lines().skip_while(|line| !line.starts_with("the chain ")).collect::<Vec<_>>().join("\n"),
        ]
        .join("\n")
    );
}

#[test]
fn every_kind_is_named_for_programs() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    place.put("chain", fs::read_to_string(shared.join(PHONE)).expect("a chain"));
    for kind in ["attestation", "assertion", "receipt"] {
        let (bytes, key) = iphone(kind).expect("a sample");
        place.put(kind, bytes);
        place.put("key.pem", key);
    }
    let rows: &[(&[&str], &str, &str, &str)] = &[
        (&["chain", "--at", "1727389885"], "android_key_attestation", "/chain/verdict", "accepted"),
        (&["chain", "--at", "1727389885"], "android_key_attestation", "/phone/reason", "boot_not_verified"),
        (&["attestation", "--at", IPHONE_AT], "app_attest_attestation", "/attestation/verdict", "accepted"),
        (&["attestation", "--at", IPHONE_AT], "app_attest_attestation", "/app/reason", "environment_mismatch"),
        (&["assertion"], "app_attest_assertion", "/assertion/verdict", "not_judged"),
        (&["receipt", "--at", IPHONE_AT], "app_attest_receipt", "/receipt/verdict", "accepted"),
        (&["receipt", "--at", "1700000000"], "app_attest_receipt", "/receipt/verdict", "refused"),
    ];
    for (args, kind, pointer, expected) in rows {
        let document = place.document(args);
        assert_eq!(document["kind"], *kind, "{args:?}: {document}");
        assert_eq!(document.pointer(pointer), Some(&json!(expected)), "{args:?} {pointer}: {document}");
    }
}
