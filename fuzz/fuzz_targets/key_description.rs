//! The content of the attestation extension: what parses has one encoding.
#![no_main]
use countersign_attest::android::{KeyDescription, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    if let Ok(description) = KeyDescription::parse(der) {
        let again = encode(&description).ok().and_then(|der| KeyDescription::parse(&der).ok());
        assert_eq!(again.as_ref(), Some(&description));
    }
});
