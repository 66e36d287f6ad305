//! Measures how many pieces of evidence one core verifies in a second, and how much of the time is cryptography (`make verifiers`).
//!
//! Each verifier runs on genuine evidence where there is some (`../shared/vectors`), otherwise on our own vectors. In turns with it, within
//! the same run, run the signatures and decryptions that it cannot do without, by the same library on bytes of the same length. The least
//! time of several rounds counts, because other programs disturb the machine.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "measuring reads the clock, says what it measured, and stops where it cannot go on"
)]

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    key_wrap::{AES_256, AesKek, KeyWrap},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
        KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::{
    anchors::Anchors,
    android::{self, StatusRule, Trust, chain_from_pem},
    apple::{
        AppleApp, Attestation, Claim, Environment, ReceiptAge, ReceiptOf, Requirements, verify_assertion, verify_attestation,
        verify_receipt,
    },
    play::{DecryptionKeys, decrypt_and_verify},
    report,
};
use countersign_core::{Seconds, Secret, UnixSeconds};
use countersign_proof::{
    jwk::{Algorithm, SigningKey},
    jws::{self, HeaderToSign, NamedBy},
};
use serde_json::Value;
use x509_cert::Certificate;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(150);
/// Approximate length in bytes of a certificate's signed part, of a proof and of a verdict.
const MESSAGE: usize = 700;

/// One verifier with the cryptography that it cannot do without.
struct Verifier {
    name: &'static str,
    evidence: String,
    verify: Box<dyn Fn()>,
    pure: Vec<Primitive>,
}

/// One piece of pure cryptography.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Primitive {
    P256,
    P384,
    Rsa(usize),
    UnwrapAndDecrypt,
}

fn main() {
    let verifiers = [android(), attestation(), assertion(), receipt(), play(), sdk_report()];
    let json = std::env::args().any(|arg| arg == "--json");
    if !json {
        println!("{:<28} {:>12} {:>9} {:>12} {:>8}   evidence", "verifier", "a second", "us each", "pure crypto", "share");
    }
    for verifier in verifiers.into_iter().flatten() {
        let kinds: Vec<(Primitive, Box<dyn Fn()>)> = verifier.pure.iter().map(|kind| (*kind, alone(*kind))).collect();
        let (mut whole, mut parts) = (f64::INFINITY, vec![f64::INFINITY; kinds.len()]);
        for _ in 0..ROUNDS {
            whole = whole.min(micros(&*verifier.verify));
            for (part, (_, run)) in parts.iter_mut().zip(&kinds) {
                *part = part.min(micros(&**run));
            }
        }
        let pure: f64 = parts.iter().sum();
        let (rate, share) = (1e6 / whole, 100.0 * pure / whole);
        let (name, evidence) = (verifier.name, &verifier.evidence);
        if json {
            let line = serde_json::json!({ "verifier": name, "per_second": rate, "us": whole, "crypto_us": pure, "crypto_percent": share });
            println!("{line}");
        } else {
            println!("{name:<28} {rate:>12.0} {whole:>9.1} {pure:>9.1} us {share:>6.0} %   {evidence}: {:?}", verifier.pure);
        }
    }
}

/// Microseconds of one run, over a round.
fn micros(run: &dyn Fn()) -> f64 {
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < ROUND {
        run();
        count += 1;
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

fn alone(kind: Primitive) -> Box<dyn Fn()> {
    let random = SystemRandom::new();
    let message = vec![7_u8; MESSAGE];
    let check = |algorithm: &'static dyn VerificationAlgorithm, key: Vec<u8>, signature: Vec<u8>, message: Vec<u8>| -> Box<dyn Fn()> {
        Box::new(move || UnparsedPublicKey::new(algorithm, &key).verify(&message, &signature).expect("a signature"))
    };
    match kind {
        Primitive::P256 => {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
            let signature = key.sign(&random, &message).expect("a signature").as_ref().to_vec();
            check(&ECDSA_P256_SHA256_ASN1, key.public_key().as_ref().to_vec(), signature, message)
        }
        Primitive::P384 => {
            let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).expect("a key");
            let signature = key.sign(&random, &message).expect("a signature").as_ref().to_vec();
            check(&ECDSA_P384_SHA384_ASN1, key.public_key().as_ref().to_vec(), signature, message)
        }
        Primitive::Rsa(bits) => {
            let size = if bits > 2048 { aws_lc_rs::rsa::KeySize::Rsa4096 } else { aws_lc_rs::rsa::KeySize::Rsa2048 };
            let key = RsaKeyPair::generate(size).expect("a key");
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature).expect("a signature");
            check(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref().to_vec(), signature, message)
        }
        Primitive::UnwrapAndDecrypt => {
            let kek = AesKek::new(&AES_256, &[1; 32]).expect("a key");
            let wrapped = kek.wrap(&[2; 32], &mut [0; 40]).expect("wrapped").to_vec();
            let seal = || LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[2; 32]).expect("a key"));
            let mut sealed = vec![7; 3 * MESSAGE];
            seal().seal_in_place_append_tag(Nonce::assume_unique_for_key([3; 12]), Aad::empty(), &mut sealed).expect("sealed");
            Box::new(move || {
                let kek = AesKek::new(&AES_256, &[1; 32]).expect("a key");
                let mut out = [0; 40];
                black_box(kek.unwrap(&wrapped, &mut out).expect("unwrapped"));
                let mut opened = sealed.clone();
                black_box(seal().open_in_place(Nonce::assume_unique_for_key([3; 12]), Aad::empty(), &mut opened).expect("opened"));
            })
        }
    }
}

/// The signatures of a chain, each by the kind of its issuer's key.
fn links(certificates: &[Certificate]) -> Vec<Primitive> {
    certificates
        .iter()
        .filter_map(|certificate| match certificate.signature_algorithm().oid.to_string().as_str() {
            "1.2.840.10045.4.3.2" => Some(Primitive::P256),
            "1.2.840.10045.4.3.3" => Some(Primitive::P384),
            "1.2.840.113549.1.1.11" => Some(Primitive::Rsa(certificate.signature().raw_bytes().len() * 8)),
            _ => None,
        })
        .collect()
}

fn shared() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"))
}

fn android() -> Option<Verifier> {
    let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors"));
    let genuine = shared().join("android/chains/akita_sdk34_TEE_EC_NONE.pem");
    let (path, anchors, at, challenge, evidence) = if genuine.is_file() {
        (genuine, Anchors::google().expect("anchors"), 1_727_389_885, &b"challenge"[..], "a genuine phone's chain")
    } else {
        let cases: Value = serde_json::from_str(&fs::read_to_string(own.join("cases.json")).ok()?).ok()?;
        println!("(no shared vectors: {} own cases stand beside)", cases.as_array().map_or(0, Vec::len));
        return None;
    };
    let pem = fs::read_to_string(path).ok()?;
    let certificates = Certificate::load_pem_chain(pem.as_bytes()).expect("certificates");
    let (trust, requirements) = (Trust { anchors, status: StatusRule::NotAsked }, android::Requirements::observe());
    let verify = move || {
        let chain = chain_from_pem(&pem).expect("a chain");
        let _ = black_box(android::verify(&chain, &trust, &requirements, challenge, UnixSeconds(at)).expect("accepted"));
    };
    // The root stands by itself: its key is pinned, and its own signature says nothing.
    let pure = links(certificates.get(..certificates.len().saturating_sub(1))?);
    let evidence = format!("{evidence}, {} certificates", certificates.len());
    Some(Verifier { name: "Android Key Attestation", evidence, verify: Box::new(verify), pure })
}

/// The first genuine sample of a kind.
fn sample(kind: &str) -> Option<Value> {
    let text = fs::read_to_string(shared().join("appattest/ios-14.4.json")).ok()?;
    let file: Value = serde_json::from_str(&text).ok()?;
    file["samples"].as_array()?.iter().find(|sample| sample["type"] == kind).cloned()
}

fn bytes(sample: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(sample[field].as_str().expect("a text")).expect("base64")
}

fn app(sample: &Value) -> AppleApp {
    let part = |field: &str| sample[field].as_str().expect("a text").to_owned();
    AppleApp::parse(&format!("{}.{}", part("teamIdentifier"), part("bundleIdentifier"))).expect("an app")
}

fn at(sample: &Value) -> UnixSeconds {
    let (seconds, _) = sample["timestamp"].as_str().and_then(|text| text.split_once('.')).expect("a time");
    UnixSeconds(format!("{seconds}Z").parse::<der::DateTime>().expect("a time").unix_duration().as_secs())
}

fn attestation() -> Option<Verifier> {
    let sample = sample("attestation")?;
    let (object, key_id, hash) =
        (bytes(&sample, "attestationBase64"), bytes(&sample, "keyIdBase64"), bytes(&sample, "clientDataHashSha256Base64"));
    let hash: [u8; 32] = hash.try_into().ok()?;
    let requirements = Requirements { apps: vec![app(&sample)], environments: vec![Environment::Development] };
    let (anchors, now) = (Anchors::apple_app_attest().expect("anchors"), at(&sample));
    let verify = move || {
        let attestation = Attestation::parse(&object).expect("an attestation");
        let claim = Claim { key_id: &key_id, client_data_hash: &hash };
        let _ = black_box(verify_attestation(&attestation, &claim, &requirements, &anchors, now).expect("attested"));
    };
    // Both of Apple's keys above the leaf are on P-384.
    let pure = vec![Primitive::P384, Primitive::P384];
    Some(Verifier { name: "App Attest attestation", evidence: "a genuine iPhone's".to_owned(), verify: Box::new(verify), pure })
}

fn assertion() -> Option<Verifier> {
    let (of, sample) = (sample("attestation")?, sample("assertion")?);
    let requirements = Requirements { apps: vec![app(&of)], environments: vec![Environment::Development] };
    let object = Attestation::parse(&bytes(&of, "attestationBase64")).expect("an attestation");
    let hash: [u8; 32] = bytes(&of, "clientDataHashSha256Base64").try_into().ok()?;
    let claim = Claim { key_id: &bytes(&of, "keyIdBase64"), client_data_hash: &hash };
    let attested =
        verify_attestation(&object, &claim, &requirements, &Anchors::apple_app_attest().expect("anchors"), at(&of)).expect("attested");
    let (assertion, app) = (bytes(&sample, "assertionBase64"), app(&sample));
    let hash: [u8; 32] = bytes(&sample, "clientDataHashSha256Base64").try_into().ok()?;
    let verify = move || {
        let _ = black_box(verify_assertion(&assertion, attested.public_key(), &app, &hash).expect("asserted"));
    };
    let evidence = "a genuine iPhone's".to_owned();
    Some(Verifier { name: "App Attest assertion", evidence, verify: Box::new(verify), pure: vec![Primitive::P256] })
}

fn receipt() -> Option<Verifier> {
    let sample = sample("receipt")?;
    let (receipt, now) = (bytes(&sample, "receiptBase64"), at(&sample));
    let app_id = format!("{}.{}", sample["teamIdentifier"].as_str()?, sample["bundleIdentifier"].as_str()?);
    let key: String = sample["publicKey"].as_str()?.lines().filter(|line| !line.starts_with('-')).collect();
    let key = STANDARD.decode(key).ok()?;
    let anchors = Anchors::apple_receipt().expect("anchors");
    let verify = move || {
        let expected = ReceiptOf { app_id: &app_id, key_spki: &key, age: ReceiptAge::FreshWithin(Seconds(300)) };
        let _ = black_box(verify_receipt(&receipt, &expected, &anchors, now).expect("a receipt"));
    };
    // The receipt and its signer's certificate are signed on P-256, the certificate above by the root on P-384.
    let pure = vec![Primitive::P256, Primitive::P256, Primitive::P384];
    Some(Verifier { name: "App Attest receipt", evidence: "a genuine iPhone's".to_owned(), verify: Box::new(verify), pure })
}

fn play() -> Option<Verifier> {
    let file: Value = serde_json::from_str(include_str!("../tests/vectors/play/tokens.json")).expect("the tokens");
    let case = file["cases"].as_array()?.iter().find(|case| case["payload"].is_string())?;
    let token = case["token"].as_str()?.to_owned();
    let decryption = Secret::new(file["decryption_key"].as_str()?.to_owned());
    let keys = DecryptionKeys::parse(&decryption, file["verification_key"].as_str()?).expect("the keys");
    let verify = move || {
        let _ = black_box(decrypt_and_verify(&token, &keys).expect("a verdict"));
    };
    let pure = vec![Primitive::UnwrapAndDecrypt, Primitive::P256];
    Some(Verifier { name: "Play Integrity token", evidence: "made by npm jose".to_owned(), verify: Box::new(verify), pure })
}

fn sdk_report() -> Option<Verifier> {
    let now = UnixSeconds(1_793_491_200);
    let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    let claims = r#"{"v":1,"iat":1793491200,"findings":["rooted","vpn"],"os_version":160000,"app_version":42}"#;
    let header = HeaderToSign { typ: report::REPORT_TYPE, key: NamedBy::Nothing };
    let text = jws::sign(&key, header, claims.as_bytes()).expect("a report");
    let public = key.public().clone();
    let verify = move || {
        black_box(report::read(&text, &public, now).expect("a report"));
    };
    Some(Verifier { name: "report of the app", evidence: "our own".to_owned(), verify: Box::new(verify), pure: vec![Primitive::P256] })
}
