//! A delegation as it arrives in a header: read, and if it reads, bound.
#![no_main]
use countersign_core::{Secret, Thumbprint, UnixSeconds};
use countersign_proof::{
    delegation::{self, Expected, GrantHash},
    nonce::NonceKeys,
    target::Target,
    window::NonceRule,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(signed) = delegation::read(text) else { return };
    let target = Target::parse("https://server.example.com/token").expect("a target");
    let nonces = NonceKeys::new(&Secret::new([7; 32]), None);
    let expected = Expected {
        target: &target,
        grant: &GrantHash::of(&Secret::new("grant".to_owned())),
        request_key: &Thumbprint::from_bytes([7; 32]),
        nonces: NonceRule::Accepted(&nonces),
    };
    let _ = delegation::bind(signed, &expected, UnixSeconds(1_562_262_616));
});
