//! A delegation as it arrives in a header.
#![no_main]
use countersign_proof::delegation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = delegation::read(text);
});
