//! A DPoP proof as it arrives in a header: read, and if it reads, bound.
#![no_main]
use countersign_core::{Secret, UnixSeconds};
use countersign_proof::{
    dpop::{self, BoundTo, Expected},
    nonce::NonceKeys,
    target::Target,
    window::NonceRule,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(signed) = dpop::read(text) else { return };
    let Ok(target) = Target::parse("https://server.example.com/token") else { return };
    let nonces = NonceKeys::new(&Secret::new([7; 32]), None);
    let expected = Expected { method: "POST", target: &target, bound_to: BoundTo::TokenRequest, nonces: NonceRule::Accepted(&nonces) };
    let _ = dpop::bind(signed, &expected, UnixSeconds(1_562_262_616));
});
