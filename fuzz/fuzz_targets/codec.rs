//! What everybody writes: JSON in three readings that agree, base64url, dates. What is read is written again the same.
#![no_main]
use countersign_codec::{
    base64url, calendar,
    json::{self, Object},
};
use libfuzzer_sys::fuzz_target;

const DEPTH_MAX: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let document = json::document(bytes, DEPTH_MAX).is_ok();
    assert_eq!(document, json::parse::<serde_json::Value>(bytes, DEPTH_MAX).is_ok());
    assert!(document || Object::from_bytes(bytes, DEPTH_MAX).is_err(), "an object that is no document");
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(read) = base64url::decode(text) {
        assert_eq!(base64url::encode(read), text);
    }
    if let Some(at) = calendar::read_imf_fixdate(text) {
        assert_eq!(calendar::imf_fixdate(at), text);
    }
    let _ = calendar::read_rfc3339(text);
});
