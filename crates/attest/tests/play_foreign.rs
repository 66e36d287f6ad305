//! Tokens of Google Play as another implementation makes them (`vectors/play/generate.mjs`): what opens, what comes out, what is
//! said of it, and what is refused.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

use countersign_attest::play::{
    App, AppAccess, AppAccessRule, DecryptionKeys, PayloadJson, PlayProtectRule, PlayRefusal, ProtectRisk, Requirements, Verdict,
    decrypt_and_verify, refusals,
};
use countersign_codec::base64url;
use countersign_core::{AppId, Secret, UnixSeconds};
use serde::Deserialize;

const TOKENS: &str = include_str!("vectors/play/tokens.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    made_with: String,
    decryption_key: String,
    verification_key: String,
    binding: String,
    at: u64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    token: String,
    payload: Option<String>,
    broken: Option<Vec<String>>,
    refused: Option<String>,
}

fn tokens() -> Tokens {
    serde_json::from_str(TOKENS).expect("the tokens")
}

fn keys(tokens: &Tokens) -> DecryptionKeys {
    DecryptionKeys::parse(&Secret::new(tokens.decryption_key.clone()), &tokens.verification_key).expect("the keys")
}

/// Every rule asks for something.
fn requirements() -> Requirements {
    let signer = base64url::decode_array("hIO7bIJmGlKa_ly9Jw-83oZMk_2iAF3IMh-OG7SGmR8").expect("a digest");
    let bank = App { package: AppId::parse("com.example.bank").expect("a package"), signers: vec![signer], version_min: 42 };
    Requirements {
        play_protect: PlayProtectRule::AtMost(ProtectRisk::NoData),
        app_access: AppAccessRule::NoneOf(vec![AppAccess::KnownControlling, AppAccess::UnknownControlling]),
        ..Requirements::enforce(vec![bank])
    }
}

fn broken(tokens: &Tokens, payload: &PayloadJson) -> Vec<PlayRefusal> {
    match Verdict::parse(payload.as_str()) {
        Err(why) => vec![PlayRefusal::VerdictMalformed(why)],
        Ok(verdict) => refusals(&verdict, tokens.binding.as_bytes(), &requirements(), UnixSeconds(tokens.at)),
    }
}

fn codes(refusals: &[PlayRefusal]) -> Vec<String> {
    refusals.iter().map(|refusal| refusal.reason().code().to_owned()).collect()
}

#[test]
fn foreign_tokens_are_read_alike() {
    let tokens = tokens();
    let keys = keys(&tokens);
    let (mut opened, mut refused) = (0, 0);
    for case in &tokens.cases {
        match (decrypt_and_verify(&case.token, &keys), &case.payload, &case.broken, &case.refused) {
            (Ok(payload), Some(expected), Some(rules), None) => {
                assert_eq!(payload.as_str(), expected, "{}", case.name);
                assert_eq!(codes(&broken(&tokens, &payload)), *rules, "{}", case.name);
                opened += 1;
            }
            (Err(why), None, None, Some(code)) => {
                assert_eq!(why.reason().code(), code, "{}: {why}", case.name);
                refused += 1;
            }
            (outcome, ..) => panic!("{}: {outcome:?} was not expected", case.name),
        }
    }
    assert!(opened >= 20 && refused >= 20, "{} made only {opened} and {refused}", tokens.made_with);
}

/// Every token that opens does so with both of its keys only.
#[test]
fn foreign_tokens_are_for_one_app() {
    let tokens = tokens();
    let other =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==";
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let parse =
        |decryption: &str, verification: &str| DecryptionKeys::parse(&Secret::new(decryption.to_owned()), verification).expect("the keys");
    for case in tokens.cases.iter().filter(|case| case.payload.is_some()) {
        let unread = decrypt_and_verify(&case.token, &parse(zeros, &tokens.verification_key));
        assert_eq!(unread, Err(PlayRefusal::TokenUndecryptable), "{}", case.name);
        let unsigned = decrypt_and_verify(&case.token, &parse(&tokens.decryption_key, other));
        assert_eq!(unsigned, Err(PlayRefusal::SignatureInvalid), "{}", case.name);
    }
}
