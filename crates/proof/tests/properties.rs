//! Properties of everything that comes from outside: no text makes a reader panic, and no bit of signed data can be changed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops by panicking; clippy does not know helpers outside of a `#[test]` as tests"
)]

use countersign_core::{Acr, Amr, ClientId, KeyId, Limits, PairwiseId, ProofId, Seconds, Secret, SessionId, Thumbprint, UnixSeconds};
use countersign_proof::{
    access_token::{self, Claims, TokenVerifier},
    challenge::{ChallengeKeys, ChallengePurpose, Place},
    delegation::{self, DelegationToMake, GrantHash},
    dpop::{self, BoundTo, Expected, ProofToMake},
    jwk::{Algorithm, PublicKey, SigningKey},
    jws::{self, HeaderToSign, Jws, NamedBy, Type},
    key_set::KeySet,
    nonce::NonceKeys,
    target::{Origin, Target},
    window::NonceRule,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

const NOW: UnixSeconds = UnixSeconds(1_000_000);
const HOLDER: Thumbprint = Thumbprint::from_bytes([9; 32]);

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::EdDsa), Just(Algorithm::Es256)]
}

/// Texts close to what the readers expect, so that random ones get past the first checks.
fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r"[A-Za-z0-9_-]{0,60}(\.[A-Za-z0-9_-]{0,60}){0,3}",
        r#"\{("(kty|crv|x|y|d|keys|alg|typ|jwk)":("(EC|P-256|[A-Za-z0-9_-]{43})"|null|\[\]|\{\}|[0-9]{1,5}),?){0,6}\}"#,
        r"https?://[a-zA-Z0-9.:@\[\]%-]{0,20}[/a-z.%?#\\;A-F0-9]{0,40}",
    ]
}

fn house() -> (SigningKey, KeyId, TokenVerifier, String) {
    let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
    let id = KeyId::parse("k1").expect("a name");
    let claims = Claims {
        issuer: String::from("https://a.example"),
        audience: String::from("https://a.example"),
        subject: PairwiseId::parse("p_1").expect("an id"),
        client: ClientId::parse("bank").expect("an id"),
        session: SessionId::parse("s_1").expect("an id"),
        id: ProofId::parse("t_1").expect("an id"),
        issued_at: NOW,
        expires_at: NOW.plus(Seconds(300)),
        auth_time: NOW,
        acr: Acr::PhishingResistant,
        amr: vec![Amr::HardwareKey],
        key: *key.public().thumbprint(),
    };
    let keys = KeySet::new([(id.clone(), key.public().clone())]);
    let verifier = TokenVerifier { issuer: claims.issuer.clone(), audience: claims.audience.clone(), keys };
    let token = access_token::issue(&key, &id, &claims).expect("a token").expose().clone();
    (key, id, verifier, token)
}

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(FileFailurePersistence::WithSource("regressions")))]

    #[test]
    fn no_text_makes_a_reader_panic(text in hostile_text()) {
        let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
        let challenges = ChallengeKeys::new(&Secret::new([1; 32]));
        let _ = dpop::read(&text);
        let _ = delegation::read(&text);
        let _ = Jws::read(&text, Type::Any);
        let _ = PublicKey::from_jwk(&text);
        let _ = PublicKey::from_p256_sec1(text.as_bytes());
        let _ = KeySet::from_jwks(&text);
        let _ = Origin::parse(&text);
        let _ = Origin::parse("https://a.example").expect("an origin").target(&text);
        prop_assert!(nonces.check(&text, &HOLDER, Limits::NONCE_LIFE, NOW).is_err());
        prop_assert!(challenges.open(&text, ChallengePurpose::Login, 1, NOW).is_err());
        if let Ok(target) = Target::parse(&text) {
            prop_assert_eq!(Target::parse(target.as_str()), Ok(target));
        }
    }

    /// Headers and claims are JSON inside of base64: chance alone would not get there.
    #[test]
    fn no_signed_text_makes_a_reader_panic(claims in hostile_text(), typ in prop_oneof![Just("dpop+jwt"), Just("csign-delegation+jwt"), Just("at+jwt")]) {
        let (key, id, verifier, _) = house();
        for named_by in [NamedBy::Embedded, NamedBy::Kid(&id)] {
            let text = jws::sign(&key, HeaderToSign { typ, key: named_by }, claims.as_bytes()).expect("a text");
            let _ = dpop::read(&text);
            let _ = delegation::read(&text);
            let _ = verifier.verify(&text, NOW);
        }
    }

    #[test]
    fn a_nonce_is_recognised_for_its_whole_life(at in any::<u64>(), key in any::<[u8; 32]>(), after in 0_u64..=60) {
        let nonces = NonceKeys::new(&Secret::new(key), None);
        let now = UnixSeconds(at).plus(Seconds(after));
        prop_assert!(nonces.check(&nonces.issue(&HOLDER, UnixSeconds(at)), &HOLDER, Limits::NONCE_LIFE, now).is_ok());
    }

    #[test]
    fn what_is_signed_is_verified(algorithm in algorithm(), payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let (key, _) = SigningKey::generate(algorithm).expect("a key");
        let text = jws::sign(&key, HeaderToSign { typ: "JWT", key: NamedBy::Embedded }, &payload).expect("a text");
        let jws = Jws::read(&text, Type::Is("jwt")).expect("our own text");
        let public = PublicKey::from_jwk(jws.jwk().expect("its key")).expect("our own key");
        let verified = jws.verify(&public).expect("our own text");
        prop_assert_eq!(verified.as_bytes(), &payload[..]);
    }

    #[test]
    fn a_target_is_the_same_in_any_spelling(path in "(/[a-zA-Z0-9._~-]{1,8}){1,5}", upper in any::<bool>()) {
        let origin = Origin::parse("https://a.example:7443").expect("an origin");
        let encoded: String = path.bytes().map(|b| match (b, upper) {
            (b'/', _) => String::from("/"),
            (_, true) => format!("%{b:02X}"),
            (_, false) => format!("%{b:02x}"),
        }).collect();
        let target = origin.target(&path).expect("a target");
        prop_assert_eq!(origin.target(&encoded), Ok(target.clone()));
        prop_assert_eq!(Target::parse(&format!("HTTPS://A.EXAMPLE:7443{encoded}?{path}")), Ok(target));
    }
}

/// Flips each bit of `text` in turn; those that leave it UTF-8.
fn flipped(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    (0..text.len() * 8).filter_map(move |bit| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        String::from_utf8(bytes).ok().map(|text| (bit, text))
    })
}

#[test]
fn no_bit_of_a_token_can_be_changed() {
    let (_, _, verifier, token) = house();
    assert!(verifier.verify(&token, NOW).is_ok());
    for (bit, forged) in flipped(&token) {
        assert!(verifier.verify(&forged, NOW).is_err(), "bit {bit} of {token}");
    }
}

/// A proof brings its own key, so that a changed key may verify nothing, but must never stand for the old one.
#[test]
fn no_bit_of_a_proof_can_be_changed() {
    let (key, ..) = house();
    let target = Target::parse("https://a.example/pay").expect("a target");
    let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
    let id = ProofId::parse("j-1").expect("an id");
    let made = ProofToMake { method: "POST", target: &target, token_hash: Some("hash"), nonce: None, id: &id, issued_at: NOW };
    let proof = dpop::make(&key, &made).expect("a proof");
    let bound_to = BoundTo::AccessToken { key: key.public().thumbprint(), hash: "hash" };
    let expected = Expected { method: "POST", target: &target, bound_to, nonces: NonceRule::Accepted(&nonces) };
    let judge = |text: &str| dpop::bind(dpop::read(text)?, &expected, NOW);
    assert!(judge(&proof).is_ok());
    for (bit, forged) in flipped(&proof) {
        assert!(judge(&forged).is_err(), "bit {bit} of {proof}");
    }
}

#[test]
fn no_bit_of_a_delegation_can_be_changed() {
    let (key, ..) = house();
    let target = Target::parse("https://a.example/token").expect("a target");
    let grant = GrantHash::of(&Secret::new(String::from("code")));
    let id = ProofId::parse("j-1").expect("an id");
    let request_key = key.public().thumbprint();
    let made = DelegationToMake { request_key, target: &target, grant: &grant, nonce: None, id: &id, issued_at: NOW };
    let delegation = delegation::make(&key, &made).expect("a delegation");
    assert!(delegation::read(&delegation).is_ok());
    for (bit, forged) in flipped(&delegation) {
        assert!(delegation::read(&forged).is_err(), "bit {bit} of {delegation}");
    }
}

#[test]
fn no_bit_of_a_nonce_can_be_changed() {
    let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
    for (bit, forged) in flipped(&nonces.issue(&HOLDER, NOW)) {
        assert!(nonces.check(&forged, &HOLDER, Limits::NONCE_LIFE, NOW).is_err(), "bit {bit}");
    }
}

#[test]
fn no_bit_of_a_ceremony_can_be_changed() {
    let challenges = ChallengeKeys::new(&Secret::new([1; 32]));
    let place = Place { purpose: ChallengePurpose::Login, room: 3, era: 1 };
    let sealed = challenges.seal(&place, [7; 16], b"content", NOW).expect("a ceremony");
    assert!(challenges.open(&sealed, ChallengePurpose::Login, 1, NOW).is_ok());
    for (bit, forged) in flipped(&sealed) {
        assert!(challenges.open(&forged, ChallengePurpose::Login, 1, NOW).is_err(), "bit {bit}");
    }
}
