//! An access token as it arrives in a header, against a verifier with one key.
#![no_main]
use countersign_core::UnixSeconds;
use countersign_proof::{
    access_token::TokenVerifier,
    key_set::KeySet,
};
use libfuzzer_sys::fuzz_target;

const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}]}"#;

fuzz_target!(|text: &str| {
    let Ok(keys) = KeySet::from_jwks(JWKS) else { return };
    let verifier = TokenVerifier { issuer: "https://a".to_owned(), audience: "https://a".to_owned(), keys };
    let _ = verifier.verify(text, UnixSeconds(1_562_262_616));
});
