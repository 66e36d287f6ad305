//! The W3C's own register and log-in vectors (WebAuthn level 3, section "Test Vectors"), each with what our rules make of it.
//!
//! Every vector is valid by the specification, which lets a relying party ask for more. Where ours asks for more, the row says
//! which rule refuses; the second answer is the one that the same vector gets once user verification is waived, so that a
//! missing finger does not hide whether key, attestation and signature are read correctly.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_identity::{
    LoginCeremony, LoginCredential, NewAccount, PasskeyOrigin, PasskeyRefusal, RegistrationCeremony, RelyingParty, UserHandle,
};
use serde_json::{Value, json};

const HANDLE: [u8; 16] = [7; 16];

const UNVERIFIED: Outcome = Err(PasskeyRefusal::UserNotVerified);
const FRAMED: Outcome = Err(PasskeyRefusal::CrossOrigin);
const ATTESTATION: Outcome = Err(PasskeyRefusal::AttestationInvalid);
const ALGORITHM: Outcome = Err(PasskeyRefusal::AlgorithmRefused);

type Outcome = Result<(), PasskeyRefusal>;

/// Name; registration and login by our rules; the same with user verification waived; why we ask for more than the vector has.
type Row = (&'static str, [Outcome; 2], [Outcome; 2], &'static str);

/// The written list. A login whose registration is refused repeats its refusal: there is no passkey to log in with. A login
/// without verification is refused by our own last word even where the library waives it, which is after its signature verified.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("none-es256", [UNVERIFIED, UNVERIFIED], [Ok(()), UNVERIFIED], "no user verification"),
    ("packed-self-es256", [Ok(()), UNVERIFIED], [Ok(()), UNVERIFIED], "no user verification at login"),
    ("none-es256-crossOrigin", [FRAMED, FRAMED], [FRAMED, FRAMED], "used inside a frame of another origin"),
    ("none-es256-topOrigin", [FRAMED, FRAMED], [FRAMED, FRAMED], "used inside a frame of another origin"),
    ("none-es256-long-credential-id", [UNVERIFIED, UNVERIFIED], [Ok(()), Ok(())], "no user verification at registration"),
    ("packed-es256", [Ok(()), Ok(())], [Ok(()), Ok(())], ""),
    ("packed-es384", [UNVERIFIED, UNVERIFIED], [Ok(()), Ok(())], "no user verification at registration"),
    ("packed-es512", [ALGORITHM, ALGORITHM], [ALGORITHM, ALGORITHM], "P-521 is not among the algorithms that we ask for"),
    ("packed-rs256", [ALGORITHM, ALGORITHM], [ALGORITHM, ALGORITHM], "RSA with another modulus than 2048 bits, as no phone makes it"),
    ("packed-eddsa", [UNVERIFIED, UNVERIFIED], [ALGORITHM, ALGORITHM], "no user verification, and Ed25519 is not among the algorithms that we ask for"),
    ("packed-ed448", [UNVERIFIED, UNVERIFIED], [ALGORITHM, ALGORITHM], "no user verification, and Ed448 is not among the algorithms that we ask for"),
    ("tpm-es256", [ALGORITHM, ALGORITHM], [ALGORITHM, ALGORITHM], "an attestation that we do not ask for, by a key type that the library does not read there"),
    ("android-key-es256", [ATTESTATION, ATTESTATION], [ATTESTATION, ATTESTATION], "an attestation that we do not ask for, whose certificate the library does not take"),
    ("apple-es256", [UNVERIFIED, UNVERIFIED], [Ok(()), UNVERIFIED], "no user verification"),
    ("fido-u2f-es256", [UNVERIFIED, UNVERIFIED], [Ok(()), UNVERIFIED], "U2F has no user verification"),
];

enum Verification {
    AsWeAsk,
    Waived,
}

/// A ceremony of ours whose challenge is the vector's.
fn fixed(state: &str, member: &str, challenge: &Value, verification: &Verification) -> String {
    let mut state: Value = serde_json::from_str(state).expect("JSON");
    state[member]["challenge"] = challenge.clone();
    if matches!(verification, Verification::Waived) {
        state[member]["policy"] = json!("discouraged");
    }
    state.to_string()
}

fn judge(party: &RelyingParty, vector: &Value, verification: &Verification) -> [Outcome; 2] {
    let (register, log_in) = (&vector["registration"], &vector["authentication"]);
    let handle = UserHandle::from_random(HANDLE);
    let account = NewAccount { handle, name: "alice".to_owned() };
    let id = &register["credential_id"];
    let answer = json!({
        "id": id, "rawId": id, "type": "public-key",
        "response": { "clientDataJSON": register["clientDataJSON"], "attestationObject": register["attestationObject"] },
    });
    let (_, ceremony) = party.start_registration(&account).expect("a ceremony");
    let ceremony = RegistrationCeremony::recall(fixed(ceremony.as_str(), "rs", &register["challenge"], verification));
    let passkey = match party.finish_registration(&ceremony, &answer.to_string()) {
        Ok(passkey) => passkey.into_stored(),
        Err(refusal) => return [Err(refusal); 2],
    };
    let answer = json!({
        "id": id, "rawId": id, "type": "public-key",
        // The user handle is not signed and the vectors leave it out.
        "response": { "clientDataJSON": log_in["clientDataJSON"], "authenticatorData": log_in["authenticatorData"],
            "signature": log_in["signature"], "userHandle": URL_SAFE_NO_PAD.encode(HANDLE) },
    });
    let (_, ceremony) = party.start_login().expect("a ceremony");
    let ceremony = LoginCeremony::recall(fixed(ceremony.as_str(), "ast", &log_in["challenge"], verification));
    let credential = LoginCredential::parse(&answer.to_string()).expect("well-formed");
    [Ok(()), party.finish_login(&ceremony, &credential, &passkey, &handle.user()).map(|_| ())]
}

#[test]
fn each_vector_gets_the_answer_that_stands_beside_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/webauthn/w3c-test-vectors.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: shared/ is not beside the checkout");
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let party =
        RelyingParty::new("example.org", &[PasskeyOrigin::parse("https://example.org").expect("an origin")]).expect("a relying party");
    let vectors = file["vectors"].as_array().expect("vectors");
    assert_eq!(vectors.len(), ROWS.len(), "every vector has its row");
    for (vector, (name, ours, waived, why)) in vectors.iter().zip(ROWS) {
        assert_eq!(vector["name"], *name);
        assert_eq!(judge(&party, vector, &Verification::AsWeAsk), *ours, "{name}");
        assert_eq!(judge(&party, vector, &Verification::Waived), *waived, "{name}, with user verification waived");
        assert_eq!(why.is_empty(), *ours == [Ok(()); 2], "{name}: what is refused has its reason written down");
    }
}
