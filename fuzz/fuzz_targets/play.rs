//! Tokens of Google Play for a fixed app, payloads and Google's own answers, and whatever reads, judged.
#![no_main]
use countersign_attest::play::{
    App, AppAccessRule, DecryptionKeys, PlayProtectRule, ProtectRisk, Requirements, Verdict, decrypt_and_verify, refusals, verify,
};
use countersign_core::{AppId, Secret, UnixSeconds};
use libfuzzer_sys::fuzz_target;

/// The test keys of `crates/attest/tests/vectors/play`.
const DECRYPTION_KEY: &str = "AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dw=";
const VERIFICATION_KEY: &str =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==";

fuzz_target!(|text: &str| {
    let secret = |text: &str| Secret::new(text.to_owned());
    let keys = DecryptionKeys::parse(&secret(DECRYPTION_KEY), VERIFICATION_KEY).expect("the test keys");
    let _ = DecryptionKeys::parse(&secret(text), text);
    let opened = decrypt_and_verify(text, &keys);
    let payload = opened.as_ref().map_or(text, |payload| payload.as_str());
    let _ = Verdict::from_decoded(text);
    let Ok(verdict) = Verdict::parse(payload) else { return };
    let wrapped = Verdict::from_decoded(&format!("{{\"tokenPayloadExternal\":{payload}}}"));
    assert!(wrapped.is_err() || wrapped.as_ref() == Ok(&verdict), "the two ways of reading differ");

    let bank = App { package: AppId::parse("com.example.bank").expect("a package"), signers: vec![[0; 32]], version_min: 42 };
    let strict = Requirements {
        play_protect: PlayProtectRule::AtMost(ProtectRisk::NoData),
        app_access: AppAccessRule::NoneOf(vec![]),
        ..Requirements::enforce(vec![bank])
    };
    for requirements in [strict, Requirements::observe()] {
        let all = refusals(&verdict, b"binding", &requirements, UnixSeconds(1_750_000_000));
        let first = verify(&verdict, b"binding", &requirements, UnixSeconds(1_750_000_000));
        assert_eq!(first.err().as_ref(), all.first(), "the two ways of judging differ");
        all.iter().for_each(|refusal| assert!(!refusal.to_string().is_empty()));
    }
});
