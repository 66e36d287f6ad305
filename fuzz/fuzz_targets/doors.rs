//! Bodies at the doors of the issuer: forms and JSON.
#![no_main]
use countersign_issuer::{Form, parse_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut form) = Form::parse(bytes) {
        let _ = form.take("grant_type");
    }
    let _ = parse_json::<serde_json::Value>(bytes);
});
