//! One certificate of an attestation chain.
#![no_main]
use countersign_attest::x509::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    let _ = Certificate::parse(der);
});
