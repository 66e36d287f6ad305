//! One certificate of an attestation chain, and the blocks of a PEM file.
#![no_main]
use countersign_attest::x509::{Certificate, pem_blocks};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::parse(bytes) {
        assert_eq!(certificate.der(), bytes);
        let _ = (certificate.serial(), certificate.unknown_critical_extension(), certificate.names_as_issuer(&certificate));
    }
    if let Ok(blocks) = pem_blocks(&String::from_utf8_lossy(bytes), 3) {
        assert!(blocks.len() <= 3);
    }
});
