//! An access token as it arrives in a header, against a verifier with the one key that signed the seed.
#![no_main]
use countersign_core::UnixSeconds;
use countersign_proof::{access_token::TokenVerifier, key_set::KeySet};
use libfuzzer_sys::fuzz_target;

const JWKS: &str = include_str!("../seeds/jwk/set");

fuzz_target!(|text: &str| {
    let keys = KeySet::from_jwks(JWKS).expect("the seed is a key set");
    let verifier = TokenVerifier { issuer: "https://a".to_owned(), audience: "https://a".to_owned(), keys };
    let now = UnixSeconds(1_562_262_616);
    if let Ok(token) = verifier.verify(text, now) {
        let _ = token.fresh(now);
    }
});
