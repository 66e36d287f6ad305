//! A nonce as it comes back.
#![no_main]
use countersign_core::{Seconds, Secret, Thumbprint, UnixSeconds};
use countersign_proof::nonce::NonceKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = NonceKeys::new(&Secret::new([7; 32]), None).check(text, &Thumbprint::from_bytes([3; 32]), Seconds(60), UnixSeconds(1_562_262_616));
});
