//! What App Attest sends: an attestation, an assertion, and a file of samples of both.
//!
//! The same bytes are tried as each of them; the seeds are accepted.
#![no_main]
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    apple::{
        AppleApp, Asked, Attestation, Claim, Environment, Requirements, assertion_facts, attestation_refusals, cases, verify_assertion,
        verify_attestation,
    },
};
use countersign_core::UnixSeconds;
use countersign_proof::jwk::PublicKey;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// The key of the seeds, and its id.
const POINT: [u8; 65] = [
    0x04, 0x59, 0x1a, 0xb7, 0x71, 0xeb, 0xbc, 0xfd, 0x6d, 0x9c, 0xb9, 0x09, 0x4d, 0x10, 0x65, 0x28, 0xad, 0xd1, 0xa6, 0x9d, 0x44, 0xc2,
    0xc1, 0xf6, 0x27, 0xf0, 0x89, 0xec, 0x58, 0xb9, 0xc6, 0x1a, 0xdf, 0x9f, 0x4e, 0x6a, 0xbf, 0x0d, 0x04, 0x5c, 0x0c, 0x69, 0x3a, 0x3c,
    0x68, 0xad, 0x7c, 0x97, 0xca, 0x72, 0xbe, 0x64, 0xde, 0xf4, 0xa2, 0x6f, 0xec, 0xd2, 0x63, 0xdd, 0x98, 0xa9, 0x27, 0x80, 0xf0,
];
const KEY_ID: [u8; 32] = [
    0xd0, 0x2c, 0x9e, 0x70, 0x62, 0xd4, 0xd7, 0x0c, 0x14, 0x20, 0x07, 0xe1, 0x15, 0xa1, 0x3c, 0xf4, 0x0e, 0xbe, 0x70, 0xa4, 0x8e, 0xb7,
    0x13, 0x4d, 0xda, 0xe4, 0x8d, 0x1d, 0x8a, 0x9d, 0xec, 0xcf,
];

static JUDGE: LazyLock<(PublicKey, Anchors, Requirements)> = LazyLock::new(|| {
    let app = AppleApp::parse("ABCDE12345.com.example.bank").expect("an app");
    let requirements = Requirements { apps: vec![app], environments: Environment::ALL.to_vec() };
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AppAttest };
    let own = Anchors::parse(source, include_str!("../seeds/app_attest/root.pem")).expect("a root");
    (PublicKey::from_p256_sec1(&POINT).expect("a key"), own.and(Anchors::apple_app_attest().expect("anchors")), requirements)
});

fuzz_target!(|bytes: &[u8]| {
    let (key, anchors, requirements) = &*JUDGE;
    let (now, hash) = (UnixSeconds(1_751_414_400), [0x5c; 32]);
    if let Ok(attestation) = Attestation::parse(bytes) {
        let claim = Claim { key_id: &KEY_ID, client_data_hash: &hash };
        let _ = attestation.facts();
        let asked = Asked { client_data_hash: Some(&hash), app: requirements.apps.first(), environments: &requirements.environments };
        let told = attestation_refusals(&attestation, &asked, anchors, now);
        if verify_attestation(&attestation, &claim, requirements, anchors, now).is_ok() {
            assert!(told.is_empty(), "what is accepted is told as accepted");
        }
    }
    for app in &requirements.apps {
        if let Ok(asserted) = verify_assertion(bytes, key, app, &hash) {
            let _ = countersign_core::CounterWindow::FRESH.after(asserted.counter());
            assert!(assertion_facts(bytes).is_ok_and(|facts| facts.counter == asserted.counter()), "what verifies can be told");
        }
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = AppleApp::parse(text);
        for sample in cases::parse(text).unwrap_or_default().iter().take(3) {
            let _ = sample.run(anchors, &Anchors::none());
        }
    }
});
