//! What a passkey answers, to a registration and to a login; both are compared with a ceremony only after they were parsed.
#![no_main]
use countersign_identity::{LoginCredential, NewAccount, PasskeyOrigin, RegistrationCeremony, RelyingParty, UserHandle};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static REGISTRATION: LazyLock<(RelyingParty, RegistrationCeremony)> = LazyLock::new(|| {
    let origin = PasskeyOrigin::parse("https://example.org").expect("an origin");
    let party = RelyingParty::new("example.org", &[origin]).expect("a relying party");
    let account = NewAccount { handle: UserHandle::from_random([7; 16]), name: "somebody".to_owned() };
    let (_, ceremony) = party.start_registration(&account).expect("a ceremony");
    // The challenge of the seeds; the library takes it for an answer to its own.
    let mut state: serde_json::Value = serde_json::from_str(ceremony.as_str()).expect("a ceremony is JSON");
    state["rs"]["challenge"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    (party, RegistrationCeremony::recall(state.to_string()))
});

fuzz_target!(|text: &str| {
    let (party, ceremony) = &*REGISTRATION;
    let _ = party.finish_registration(ceremony, text).map(|registered| registered.into_stored());
    let _ = LoginCredential::parse(text).map(|login| login.credential().len());
    let _ = PasskeyOrigin::parse(text);
});
