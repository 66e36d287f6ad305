//! A public key as a client writes it, and a set of them.
#![no_main]
use countersign_proof::{
    jwk::PublicKey,
    jws::{Jws, Type},
    key_set::KeySet,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = PublicKey::from_jwk(text) {
        let again = PublicKey::from_jwk(&key.to_jwk()).expect("what we write, we read");
        assert_eq!(key.thumbprint(), again.thumbprint());
    }
    let _ = KeySet::from_jwks(text);
    let _ = PublicKey::from_p256_sec1(text.as_bytes());
    let _ = Jws::read(text, Type::Any);
});
