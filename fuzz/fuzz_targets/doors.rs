//! Bodies at the doors of the issuer: forms, JSON, credentials of passkeys, origins.
#![no_main]
use countersign_identity::{LoginCredential, PasskeyOrigin};
use countersign_issuer::{Form, parse_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Form::parse(bytes);
    let _ = parse_json::<serde_json::Value>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = LoginCredential::parse(text);
        let _ = PasskeyOrigin::parse(text);
    }
});
