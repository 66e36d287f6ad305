//! Every rule of the ceremonies against a foreign authenticator, a foreign client and the W3C's vectors.
//!
//! Out here, because a soft authenticator is asynchronous and a pure room has no such code in it, not even for tests.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests, in helpers that clippy does not know as such")]

mod soft_phone;
mod w3c;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_identity::{
    LoginCeremony, LoginCredential, NewAccount, OriginError, PasskeyOrigin, PasskeyRefusal, RegistrationCeremony, RelyingParty,
    RelyingPartyError, StoredPasskey, UserHandle,
};
use passkey::client::{Client, DefaultClientData};
use proptest::prelude::*;
use serde_json::{Value, json};
use soft_phone::{Finger, SoftPhone, as_creation_options, as_request_options, foreign_authenticator};
use url::Url;

const WEB: &str = "https://login.example.org";
const APP: &str = "android:apk-key-hash:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn party() -> RelyingParty {
    let origins = [WEB, APP, "https://example.org:7443"].map(|text| PasskeyOrigin::parse(text).expect("an origin"));
    RelyingParty::new("example.org", &origins).expect("a relying party")
}

fn account() -> NewAccount {
    NewAccount { handle: UserHandle::from_random([7; 16]), name: "alice".to_owned() }
}

async fn registered(party: &RelyingParty, phone: &mut SoftPhone) -> StoredPasskey {
    let (options, ceremony) = party.start_registration(&account()).expect("options");
    let answer = phone.register(options).await.to_string();
    party.finish_registration(&ceremony, &answer).expect("a passkey").into_stored()
}

#[test]
fn origins_are_taken_in_one_spelling() {
    let rows: &[(&str, &str, Result<(), OriginError>)] = &[
        ("a web origin", "https://example.org", Ok(())),
        ("with a port", "https://example.org:7443", Ok(())),
        ("the development exemption", "http://localhost:7443", Ok(())),
        ("an Android app", APP, Ok(())),
        ("a path", "https://example.org/", Err(OriginError::NotAnOrigin)),
        ("the default port spelt out", "https://example.org:443", Err(OriginError::NotAnOrigin)),
        ("capitals", "https://Example.org", Err(OriginError::NotAnOrigin)),
        ("a user", "https://a@example.org", Err(OriginError::NotAnOrigin)),
        ("an address", "https://127.0.0.1", Err(OriginError::NotAnOrigin)),
        ("in the clear", "http://example.org", Err(OriginError::NotSecure)),
        ("another scheme", "ftp://example.org", Err(OriginError::NotSecure)),
        ("no URL", "example", Err(OriginError::NotAnOrigin)),
        ("opaque", "ios:bundle-id:org.example", Err(OriginError::NotAnOrigin)),
        ("a short hash", "android:apk-key-hash:AQEB", Err(OriginError::KeyHashMalformed)),
        ("a hash in hex", "android:apk-key-hash:01:01", Err(OriginError::KeyHashMalformed)),
        ("left-over bits", "android:apk-key-hash:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF", Err(OriginError::KeyHashMalformed)),
    ];
    for (name, text, expected) in rows {
        assert_eq!(PasskeyOrigin::parse(text).map(|_| ()), *expected, "{name}");
    }
    assert_eq!(PasskeyOrigin::of_android_app(&[1; 32]).expect("an origin").as_str(), APP);
}

#[test]
fn a_relying_party_lives_on_its_own_domain() {
    let origin = |text: &str| PasskeyOrigin::parse(text).expect("an origin");
    let rows: &[(&str, Vec<PasskeyOrigin>, Result<(), RelyingPartyError>)] = &[
        ("its domain", vec![origin("https://example.org")], Ok(())),
        ("below its domain", vec![origin(WEB)], Ok(())),
        ("an app first", vec![origin(APP), origin(WEB)], Ok(())),
        ("another domain", vec![origin("https://example.com")], Err(RelyingPartyError::OriginOutsideOfId)),
        ("a look-alike", vec![origin(WEB), origin("https://badexample.org")], Err(RelyingPartyError::OriginOutsideOfId)),
        ("apps only", vec![origin(APP)], Err(RelyingPartyError::WebOriginMissing)),
        ("nothing", vec![], Err(RelyingPartyError::WebOriginMissing)),
    ];
    for (name, origins, expected) in rows {
        assert_eq!(RelyingParty::new("example.org", origins).map(|_| ()), *expected, "{name}");
    }
}

#[tokio::test]
async fn options_ask_for_a_verified_person_and_name_nobody() {
    let party = party();
    let (options, ceremony) = party.start_registration(&account()).expect("options");
    let options = options.into_json();
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["requireResidentKey"], true);
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["rp"]["id"], "example.org");
    assert_eq!(options["user"]["name"], "alice");
    assert_eq!(format!("{ceremony:?}"), "RegistrationCeremony(..)");
    let (options, _) = party.start_login().expect("options");
    let options = options.into_json();
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["rpId"], "example.org");
    assert_eq!(options.get("allowCredentials"), None);
    assert!(party.start_registration(&NewAccount { name: String::new(), ..account() }).is_err());
}

#[tokio::test]
async fn a_client_that_we_did_not_write_registers_and_logs_in() {
    let party = party();
    let origin = Url::parse(WEB).expect("an origin");
    let mut client = Client::new(foreign_authenticator(None));
    let (options, ceremony) = party.start_registration(&account()).expect("options");
    let made = client.register(&origin, as_creation_options(options), DefaultClientData).await.expect("registered");
    let answer = serde_json::to_string(&made).expect("JSON");
    let passkey = party.finish_registration(&ceremony, &answer).expect("a passkey").into_stored();

    let (options, ceremony) = party.start_login().expect("options");
    let made = client.authenticate(&origin, as_request_options(options), DefaultClientData).await.expect("logged in");
    let credential = LoginCredential::parse(&serde_json::to_string(&made).expect("JSON")).expect("a credential");
    assert_eq!(credential.credential(), passkey.credential);
    let login = party.finish_login(&ceremony, &credential, &passkey, &account().handle.user()).expect("a login");
    assert_eq!(login.user(), &account().handle.user());
}

#[tokio::test]
async fn an_android_app_registers_and_logs_in_under_its_own_origin() {
    let party = party();
    let mut phone = SoftPhone::at(APP, "example.org");
    let passkey = registered(&party, &mut phone).await;
    let (options, ceremony) = party.start_login().expect("options");
    let credential = LoginCredential::parse(&phone.log_in(options).await.to_string()).expect("a credential");
    let login = party.finish_login(&ceremony, &credential, &passkey, &account().handle.user()).expect("a login");
    let after = login.into_stored();
    assert!(after.counter > passkey.counter);
    assert_eq!(after.credential, passkey.credential);
}

#[tokio::test]
async fn registrations_are_refused_for_one_thing_each() {
    type Bend = fn(&mut SoftPhone);
    type Twist = fn(&mut Value);
    let rows: &[(&str, Bend, Twist, Result<(), PasskeyRefusal>)] = &[
        ("all fits", |_| {}, |_| {}, Ok(())),
        ("no word about frames", |p| p.cross_origin = None, |_| {}, Ok(())),
        ("another site", |p| p.origin = "https://evil.org".to_owned(), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("another app", |p| p.origin = APP.replace("AQEBAQE", "AgICAgI"), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("the app's hash in small letters", |p| p.origin = APP.to_lowercase(), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("a path after the origin", |p| p.origin = format!("{WEB}/x"), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("another port", |p| p.origin = format!("{WEB}:444"), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("in the clear", |p| p.origin = WEB.replace("https", "http"), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("inside a foreign frame", |p| p.cross_origin = Some(true), |_| {}, Err(PasskeyRefusal::CrossOrigin)),
        ("no finger", |p| p.finger = Finger::Withheld, |_| {}, Err(PasskeyRefusal::UserNotVerified)),
        ("another relying party", |p| p.rp_id = "evil.org".to_owned(), |_| {}, Err(PasskeyRefusal::RelyingPartyMismatch)),
        ("a login instead", |p| p.register_type = "webauthn.get", |_| {}, Err(PasskeyRefusal::TypeMismatch)),
        (
            "not discoverable",
            |_| {},
            |a| a["clientExtensionResults"]["credProps"]["rk"] = json!(false),
            Err(PasskeyRefusal::NotDiscoverable),
        ),
        ("another kind", |_| {}, |a| a["type"] = json!("password"), Err(PasskeyRefusal::CredentialMalformed)),
        ("two names", |_| {}, |a| a["id"] = json!("AAAA"), Err(PasskeyRefusal::CredentialMalformed)),
        (
            "another name than the attested",
            |_| {},
            |a| (a["id"], a["rawId"]) = (json!("AAAA"), json!("AAAA")),
            Err(PasskeyRefusal::CredentialMismatch),
        ),
        ("an empty name", |_| {}, |a| (a["id"], a["rawId"]) = (json!(""), json!("")), Err(PasskeyRefusal::CredentialMalformed)),
        ("no CBOR", |_| {}, |a| a["response"]["attestationObject"] = json!("AAAA"), Err(PasskeyRefusal::CredentialMalformed)),
        ("no client data", |_| {}, |a| a["response"]["clientDataJSON"] = json!("AAAA"), Err(PasskeyRefusal::CredentialMalformed)),
        ("nothing", |_| {}, |a| *a = json!({}), Err(PasskeyRefusal::CredentialMalformed)),
    ];
    let party = party();
    for (name, bend, twist, expected) in rows {
        let mut phone = SoftPhone::at(WEB, "example.org");
        bend(&mut phone);
        let (options, ceremony) = party.start_registration(&account()).expect("options");
        let mut answer = phone.register(options).await;
        twist(&mut answer);
        assert_eq!(party.finish_registration(&ceremony, &answer.to_string()).map(|_| ()), *expected, "{name}");
    }
    let mut phone = SoftPhone::at(WEB, "example.org");
    let (options, ceremony) = party.start_registration(&account()).expect("options");
    let answer = phone.register(options).await.to_string();
    let (_, other) = party.start_registration(&account()).expect("options");
    assert_eq!(party.finish_registration(&other, &answer).map(|_| ()), Err(PasskeyRefusal::ChallengeMismatch));
    let broken = RegistrationCeremony::recall("{}".to_owned());
    assert_eq!(party.finish_registration(&broken, &answer).map(|_| ()), Err(PasskeyRefusal::CeremonyBroken));
    let narrowed = RegistrationCeremony::recall(ceremony.as_str().replace("\"ES256\"", "\"RS256\""));
    assert_eq!(party.finish_registration(&narrowed, &answer).map(|_| ()), Err(PasskeyRefusal::AlgorithmRefused));
}

#[tokio::test]
async fn logins_are_refused_for_one_thing_each() {
    type Bend = fn(&mut SoftPhone);
    type Twist = fn(&mut Value);
    let rows: &[(&str, Bend, Twist, Result<(), PasskeyRefusal>)] = &[
        ("all fits", |_| {}, |_| {}, Ok(())),
        ("another of our origins", |p| p.origin = APP.to_owned(), |_| {}, Ok(())),
        ("another site", |p| p.origin = "https://evil.org".to_owned(), |_| {}, Err(PasskeyRefusal::OriginRefused)),
        ("inside a foreign frame", |p| p.cross_origin = Some(true), |_| {}, Err(PasskeyRefusal::CrossOrigin)),
        ("no finger", |p| p.finger = Finger::Withheld, |_| {}, Err(PasskeyRefusal::UserNotVerified)),
        ("another relying party", |p| p.rp_id = "evil.org".to_owned(), |_| {}, Err(PasskeyRefusal::RelyingPartyMismatch)),
        ("a registration instead", |p| p.login_type = "webauthn.create", |_| {}, Err(PasskeyRefusal::TypeMismatch)),
        (
            "another person's handle",
            |_| {},
            |a| a["response"]["userHandle"] = json!("AAAAAAAAAAAAAAAAAAAAAA"),
            Err(PasskeyRefusal::UserMismatch),
        ),
        ("no handle", |_| {}, |a| a["response"]["userHandle"] = Value::Null, Err(PasskeyRefusal::UserMismatch)),
        ("a short handle", |_| {}, |a| a["response"]["userHandle"] = json!("BwcH"), Err(PasskeyRefusal::UserMismatch)),
        ("another passkey", |_| {}, |a| (a["id"], a["rawId"]) = (json!("AAAA"), json!("AAAA")), Err(PasskeyRefusal::CredentialMismatch)),
        ("flags changed afterwards", |_| {}, raise_a_flag, Err(PasskeyRefusal::BackupInconsistent)),
        ("counter changed afterwards", |_| {}, raise_the_counter, Err(PasskeyRefusal::SignatureInvalid)),
        ("no client data", |_| {}, |a| a["response"]["clientDataJSON"] = json!("AAAA"), Err(PasskeyRefusal::CredentialMalformed)),
    ];
    let party = party();
    let owner = account().handle.user();
    let mut home = SoftPhone::at(WEB, "example.org");
    let passkey = registered(&party, &mut home).await;
    for (name, bend, twist, expected) in rows {
        let mut phone = home.clone();
        bend(&mut phone);
        let (options, ceremony) = party.start_login().expect("options");
        let mut answer = phone.log_in(options).await;
        twist(&mut answer);
        let credential = LoginCredential::parse(&answer.to_string()).expect("well-formed");
        assert_eq!(party.finish_login(&ceremony, &credential, &passkey, &owner).map(|_| ()), *expected, "{name}");
    }
    let (options, ceremony) = party.start_login().expect("options");
    let credential = LoginCredential::parse(&home.log_in(options).await.to_string()).expect("well-formed");
    let after = party.finish_login(&ceremony, &credential, &passkey, &owner).expect("a login").into_stored();
    let (_, other) = party.start_login().expect("options");
    let refusal = |ceremony: &LoginCeremony, passkey: &StoredPasskey| {
        party.finish_login(ceremony, &credential, passkey, &owner).map(|_| ()).expect_err("refused")
    };
    assert_eq!(refusal(&other, &passkey), PasskeyRefusal::ChallengeMismatch);
    // The same answer again: even if the ceremony were recalled twice, the counter has moved on.
    assert_eq!(refusal(&ceremony, &after), PasskeyRefusal::Cloned);
    assert_eq!(refusal(&LoginCeremony::recall(String::new()), &passkey), PasskeyRefusal::CeremonyBroken);
    assert_eq!(refusal(&ceremony, &StoredPasskey { record: "{}".to_owned(), ..passkey.clone() }), PasskeyRefusal::CeremonyBroken);
}

/// "Backup eligible", which was not set at registration (authenticator data: 32 bytes of hash, then the flags).
fn raise_a_flag(answer: &mut Value) {
    change_authenticator_data(answer, 32, 0x08);
}

fn raise_the_counter(answer: &mut Value) {
    change_authenticator_data(answer, 35, 0x10);
}

fn change_authenticator_data(answer: &mut Value, at: usize, bits: u8) {
    let text = answer["response"]["authenticatorData"].as_str().expect("a text");
    let mut bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    bytes[at] ^= bits;
    answer["response"]["authenticatorData"] = json!(URL_SAFE_NO_PAD.encode(bytes));
}

#[tokio::test]
async fn a_counter_that_goes_back_is_a_clone() {
    let party = party();
    let owner = account().handle.user();
    let mut original = SoftPhone::at(WEB, "example.org");
    let mut passkey = registered(&party, &mut original).await;
    let mut clone = original.clone();
    for (name, phone, expected) in
        [("the original", 0, Ok(())), ("the original again", 0, Ok(())), ("the clone", 1, Err(PasskeyRefusal::Cloned))]
    {
        let phone = if phone == 0 { &mut original } else { &mut clone };
        let (options, ceremony) = party.start_login().expect("options");
        let credential = LoginCredential::parse(&phone.log_in(options).await.to_string()).expect("well-formed");
        let result = party.finish_login(&ceremony, &credential, &passkey, &owner);
        assert_eq!(result.as_ref().map(|_| ()).map_err(|refusal| *refusal), expected, "{name}");
        if let Ok(login) = result {
            passkey = login.into_stored();
        }
    }
}

#[tokio::test]
async fn a_passkey_without_a_counter_stays_usable() {
    let party = party();
    let owner = account().handle.user();
    let mut phone = SoftPhone { counter: false, ..SoftPhone::at(WEB, "example.org") };
    let passkey = registered(&party, &mut phone).await;
    for _ in 0..2 {
        let (options, ceremony) = party.start_login().expect("options");
        let credential = LoginCredential::parse(&phone.log_in(options).await.to_string()).expect("well-formed");
        assert_eq!(party.finish_login(&ceremony, &credential, &passkey, &owner).expect("a login").into_stored().counter, 0);
    }
}

#[test]
fn every_refusal_has_a_code() {
    let rows: &[(PasskeyRefusal, &str)] = &[
        (PasskeyRefusal::AlgorithmRefused, "login_refused"),
        (PasskeyRefusal::AttestationInvalid, "login_refused"),
        (PasskeyRefusal::BackupInconsistent, "login_refused"),
        (PasskeyRefusal::CeremonyBroken, "internal"),
        (PasskeyRefusal::ChallengeMismatch, "login_refused"),
        (PasskeyRefusal::Cloned, "login_refused"),
        (PasskeyRefusal::CredentialMalformed, "body_field_invalid"),
        (PasskeyRefusal::CredentialMismatch, "login_refused"),
        (PasskeyRefusal::CrossOrigin, "origin_refused"),
        (PasskeyRefusal::NotDiscoverable, "login_refused"),
        (PasskeyRefusal::OriginRefused, "origin_refused"),
        (PasskeyRefusal::RelyingPartyMismatch, "login_refused"),
        (PasskeyRefusal::SignatureInvalid, "login_refused"),
        (PasskeyRefusal::TypeMismatch, "login_refused"),
        (PasskeyRefusal::UserMismatch, "login_refused"),
        (PasskeyRefusal::UserNotVerified, "login_refused"),
    ];
    for (refusal, code) in rows {
        assert_eq!(refusal.reason().code(), *code, "{refusal:?}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        id in prop::collection::vec(any::<u8>(), 0..40),
        object in prop::collection::vec(any::<u8>(), 0..200),
        data in prop::collection::vec(any::<u8>(), 0..200),
        text in ".{0,200}",
    ) {
        let party = party();
        let (_, registration) = party.start_registration(&account()).expect("options");
        let (_, login) = party.start_login().expect("options");
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let client_data = json!({ "type": "webauthn.create", "challenge": "AAAA", "origin": WEB, "crossOrigin": false }).to_string();
        for data in [data.as_slice(), client_data.as_bytes()] {
            let answer = json!({
                "id": b64(&id), "rawId": b64(&id), "type": "public-key",
                "response": { "clientDataJSON": b64(data), "attestationObject": b64(&object),
                    "authenticatorData": b64(&object), "signature": b64(&object), "userHandle": b64(&[7; 16]) },
            }).to_string();
            prop_assert!(party.finish_registration(&registration, &answer).is_err());
            if let Ok(credential) = LoginCredential::parse(&answer) {
                let passkey = StoredPasskey { credential: id.clone(), record: "{}".to_owned(), counter: 0 };
                prop_assert!(party.finish_login(&login, &credential, &passkey, &account().handle.user()).is_err());
            }
        }
        prop_assert!(party.finish_registration(&registration, &text).is_err());
        prop_assert!(LoginCredential::parse(&text).is_err());
        let _ = PasskeyOrigin::parse(&text);
    }
}
