//! A posture report of the SDK: as it arrives, and its claims as if their signature had verified.
#![no_main]
use countersign_attest::report::{self, Said, claims};
use countersign_core::{AppFinding, UnixSeconds};
use countersign_proof::jwk::PublicKey;
use libfuzzer_sys::fuzz_target;

const KEY: &str =
    r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;

fuzz_target!(|bytes: &[u8]| {
    let now = UnixSeconds(1_793_491_200);
    if let Ok(Said { report, place }) = claims(bytes, now) {
        assert!(report.at == now && report.findings.iter().all(|finding| AppFinding::parse(finding.as_str()) == Some(*finding)));
        assert!(place.is_none_or(|place| place.degrees().0.abs() <= 90.0 && place.degrees().1.abs() <= 180.0));
    }
    let key = PublicKey::from_jwk(KEY).expect("a key");
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(report::read(text, &key, now).is_err(), "nobody has the key");
    }
});
