//! A public key as a client writes it or as a certificate holds it, a set of keys, and a JWS of any type.
#![no_main]
use countersign_proof::{
    jwk::PublicKey,
    jws::{Jws, Type},
    key_set::KeySet,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = PublicKey::from_p256_sec1(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = PublicKey::from_jwk(text) {
        let again = PublicKey::from_jwk(&key.to_jwk()).expect("what we write, we read");
        assert_eq!(key.thumbprint(), again.thumbprint());
    }
    let _ = KeySet::from_jwks(text);
    let _ = Jws::read(text, Type::Any);
});
