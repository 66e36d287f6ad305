//! Properties of App Attest that hold for every input: no panic, bounded work, and no unnoticed change of anything signed.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails in a helper fails the test")]

mod apple_ca;

use std::{fs, ops::Range};

use apple_ca::{
    ATTESTED_CREDENTIAL, Blueprint, EXTENSION_DATA, HASH, NOW, Phone, array, asserting, bank, bytes, head, honest, key, launch, make, map,
    text,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    apple::{
        AppleApp, AppleRefusal, Asked, Asserted, Attestation, Attested, Claim, Environment, FormatRefusal, Requirements, assertion_facts,
        attestation_refusals, cases::parse, verify_assertion, verify_attestation,
    },
    cases::Agreement,
};
use countersign_core::UnixSeconds;
use countersign_proof::jwk::PublicKey;
use proptest::{collection::vec, prelude::*};
use rcgen::PublicKeyData;

/// An attestation that is accepted, and one of its key's assertions.
struct Genuine {
    attestation: Vec<u8>,
    receipt: Range<usize>,
    assertion: Vec<u8>,
    key_id: Vec<u8>,
    attested_hash: [u8; 32],
    asserted_hash: [u8; 32],
    requirements: Requirements,
    anchors: Anchors,
    now: UnixSeconds,
}

impl Genuine {
    fn own(extensions: &[u8]) -> Self {
        let flags = ATTESTED_CREDENTIAL | if extensions.is_empty() { 0 } else { EXTENSION_DATA };
        let phone = make(Blueprint { flags, extensions: extensions.to_vec(), ..honest() });
        let source = Source { vendor: Vendor::Operator, purpose: Purpose::AppAttest };
        Self {
            assertion: phone.assertion(&asserting(bank().rp_id_hash(), flags, 1, extensions), &HASH),
            key_id: phone.key_id.to_vec(),
            attested_hash: HASH,
            asserted_hash: HASH,
            requirements: Requirements { apps: vec![bank()], environments: vec![Environment::Production] },
            anchors: Anchors::parse(source, &phone.root_pem).expect("a root"),
            now: UnixSeconds(NOW),
            receipt: range(&phone.attestation(), &phone.receipt),
            attestation: phone.attestation(),
        }
    }

    /// The attestation of a real iPhone, when the shared material is there.
    fn shared() -> Option<Self> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/appattest/ios-14.4.json");
        let file: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).ok()?).expect("samples");
        let of = |index: usize, field: &str| STANDARD.decode(file["samples"][index][field].as_str().expect("a text")).expect("base64");
        let hash = |index| of(index, "clientDataHashSha256Base64").try_into().expect("a hash");
        let attestation = of(0, "attestationBase64");
        Some(Self {
            receipt: range(&attestation, &of(2, "receiptBase64")),
            assertion: of(1, "assertionBase64"),
            key_id: of(0, "keyIdBase64"),
            attested_hash: hash(0),
            asserted_hash: hash(1),
            requirements: Requirements {
                apps: vec![AppleApp::parse("6MURL8TA57.de.vincent-haupert.apple-appattest-poc").expect("an app")],
                environments: vec![Environment::Development],
            },
            anchors: Anchors::apple_app_attest().expect("anchors"),
            now: UnixSeconds(1_611_404_013),
            attestation,
        })
    }

    fn all() -> Vec<Self> {
        [Self::own(&[]), Self::own(&launch("1", 4))].into_iter().chain(Self::shared()).collect()
    }

    fn attest(&self, attestation: &[u8]) -> Result<Attested, AppleRefusal> {
        self.attest_claimed(attestation, &self.key_id, &self.attested_hash)
    }

    fn attest_claimed(&self, attestation: &[u8], key_id: &[u8], hash: &[u8; 32]) -> Result<Attested, AppleRefusal> {
        let claim = Claim { key_id, client_data_hash: hash };
        verify_attestation(&Attestation::parse(attestation)?, &claim, &self.requirements, &self.anchors, self.now)
    }

    /// The report that a person would see.
    fn told(&self, attestation: &Attestation) -> Vec<AppleRefusal> {
        let Requirements { apps, environments } = &self.requirements;
        let asked = Asked { client_data_hash: Some(&self.attested_hash), app: apps.first(), environments };
        attestation_refusals(attestation, &asked, &self.anchors, self.now)
    }

    fn key(&self) -> PublicKey {
        self.attest(&self.attestation).expect("attested").public_key().clone()
    }

    fn assert(&self, assertion: &[u8], key: &PublicKey) -> Result<Asserted, AppleRefusal> {
        verify_assertion(assertion, key, &self.requirements.apps[0], &self.asserted_hash)
    }
}

/// Position of `part` in `whole`.
fn range(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = whole.windows(part.len()).position(|window| window == part).expect("a part");
    start..start + part.len()
}

/// Every bit of what is signed, and of what it is compared with.
#[test]
fn no_bit_of_an_attestation_can_change() {
    for genuine in Genuine::all() {
        assert!(genuine.attest(&genuine.attestation).is_ok());
        for (at, bit) in (0..genuine.attestation.len()).map(|at| (at, 1 << (at % 8))) {
            let mut changed = genuine.attestation.clone();
            changed[at] ^= bit;
            match genuine.attest(&changed) {
                // Apple signs the receipt apart from the attestation.
                Ok(attested) => {
                    assert!(genuine.receipt.contains(&at) && attested.receipt() == &changed[genuine.receipt.clone()], "byte {at}")
                }
                Err(_) => assert!(!genuine.receipt.contains(&at), "byte {at}"),
            }
        }
        for bit in 0..256 {
            let (mut key_id, mut hash) = (genuine.key_id.clone(), genuine.attested_hash);
            key_id[bit / 8] ^= 1 << (bit % 8);
            hash[bit / 8] ^= 1 << (bit % 8);
            assert!(genuine.attest_claimed(&genuine.attestation, &key_id, &genuine.attested_hash).is_err(), "key id, bit {bit}");
            assert!(genuine.attest_claimed(&genuine.attestation, &genuine.key_id, &hash).is_err(), "client data, bit {bit}");
        }
    }
}

#[test]
fn no_bit_of_an_assertion_can_change() {
    for genuine in Genuine::all() {
        let key = genuine.key();
        assert!(genuine.assert(&genuine.assertion, &key).is_ok());
        for bit in 0..genuine.assertion.len() * 8 {
            let mut changed = genuine.assertion.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(genuine.assert(&changed, &key).is_err(), "bit {bit}");
        }
        for bit in 0..256 {
            let mut hash = genuine.asserted_hash;
            hash[bit / 8] ^= 1 << (bit % 8);
            let asserted = verify_assertion(&genuine.assertion, &key, &genuine.requirements.apps[0], &hash);
            assert_eq!(asserted.expect_err("another request"), AppleRefusal::AssertionSignatureInvalid, "client data, bit {bit}");
        }
    }
}

#[test]
fn what_is_cut_short_or_goes_on_is_refused() {
    for genuine in Genuine::all() {
        let key = genuine.key();
        for length in 0..genuine.attestation.len() {
            assert!(Attestation::parse(&genuine.attestation[..length]).is_err(), "{length} bytes");
        }
        for length in 0..genuine.assertion.len() {
            assert!(genuine.assert(&genuine.assertion[..length], &key).is_err(), "{length} bytes");
        }
        for byte in 0..=u8::MAX {
            assert!(genuine.attest(&[&genuine.attestation[..], &[byte]].concat()).is_err());
            assert!(genuine.assert(&[&genuine.assertion[..], &[byte]].concat(), &key).is_err());
        }
    }
}

/// The inputs from which the fuzzer starts are accepted by every rule.
#[test]
fn the_seeds_of_the_fuzzer_are_accepted() {
    let seed = |name: &str| fs::read(format!("{}/../../fuzz/seeds/app_attest/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a seed");
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AppAttest };
    let root = String::from_utf8(seed("root.pem")).expect("a PEM");
    let genuine = Genuine { anchors: Anchors::parse(source, &root).expect("a root"), ..Genuine::own(&[]) };
    let attested = genuine.attest(&seed("attestation")).expect("attested");
    assert_eq!(genuine.assert(&seed("assertion"), attested.public_key()).expect("asserted").counter(), 7);
    let samples = parse(&String::from_utf8(seed("samples.json")).expect("a text")).expect("samples");
    assert_eq!(samples[0].run(&genuine.anchors, &Anchors::none()).agreement, Agreement::Passed);
}

/// A key id and the key's attestation belong together, and so do an assertion and its key.
#[test]
fn parts_of_two_phones_do_not_mix() {
    let phones = [make(honest()), make(Blueprint { leaf_key: key(7), ..honest() })];
    let genuine = Genuine::own(&[]);
    let mixed = |change: fn(&mut Phone, &Phone)| {
        let mut phone = make(honest());
        change(&mut phone, &phones[1]);
        genuine.attest(&phone.attestation()).map(drop)
    };
    assert_eq!(mixed(|_, _| ()), Ok(()));
    assert_eq!(mixed(|phone, other| phone.certificates[0] = other.certificates[0].clone()), Err(AppleRefusal::NonceMismatch));
    assert_eq!(mixed(|phone, other| phone.authenticator_data = other.authenticator_data.clone()), Err(AppleRefusal::NonceMismatch));
    assert_eq!(genuine.attest(&phones[1].attestation()).map(drop), Err(AppleRefusal::KeyIdMismatch));
    let other = PublicKey::from_p256_sec1(phones[1].key.der_bytes()).expect("a key");
    assert_eq!(genuine.assert(&genuine.assertion, &other).map(drop), Err(AppleRefusal::AssertionSignatureInvalid));
}

#[test]
fn hostile_input_costs_nothing() {
    let genuine = Genuine::own(&[]);
    let own_key = genuine.key();
    let phone = make(honest());
    let huge = |first: u8| [&[first][..], &[0xff; 8]].concat();
    let entry = |name: &str, value: Vec<u8>| [text(name), value].concat();
    let statement = |value: Vec<u8>| map(&[(text("attStmt"), map(&[(text("x5c"), value)]))]);
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("arrays in arrays", vec![0x81; 60_000]),
        ("maps in maps", vec![0xa1; 60_000]),
        ("tags on tags", vec![0xc1; 60_000]),
        ("arrays without an end", vec![0x9f; 60_000]),
        ("arrays in the place of a certificate", statement([array(&[vec![0x81; 50_000]]), vec![0]].concat())),
        ("maps in the place of a field", [vec![0xa1], entry("fmt", vec![0xa1; 50_000])].concat()),
        ("a map of all lengths", huge(0xbb)),
        ("a map of all lengths that begins", [huge(0xbb), entry("fmt", text("apple-appattest"))].concat()),
        ("a map of all lengths that repeats", [huge(0xbb), entry("fmt", text("a")).repeat(9_000)].concat()),
        ("an array of all lengths", statement(huge(0x9b))),
        ("bytes of all lengths", [vec![0xa1], entry("authData", huge(0x5b))].concat()),
        ("a text of all lengths", [vec![0xa1], entry("fmt", huge(0x7b))].concat()),
        ("a name of all lengths", [vec![0xa1], huge(0x7b)].concat()),
        ("a thousand certificates", statement(array(&vec![bytes(&[]); 1000]))),
        ("a thousand genuine certificates", statement([head(4, 1000), bytes(&phone.certificates[0]).repeat(1000)].concat())),
        ("megabytes", vec![0xa3; 5_000_000]),
    ];
    for (name, input) in rows {
        assert!(matches!(Attestation::parse(&input), Err(AppleRefusal::AttestationMalformed(_))), "{name}");
        assert!(matches!(genuine.assert(&input, &own_key), Err(AppleRefusal::AssertionMalformed(_))), "{name}");
        // The same where the authenticator data end, behind a signature that is genuine.
        let asserting = asserting(bank().rp_id_hash(), 0, 1, &input[..input.len().min(3_000)]);
        let refused = genuine.assert(&phone.assertion(&asserting, &HASH), &own_key);
        assert!(matches!(refused, Err(AppleRefusal::AssertionMalformed(_))), "{name}: at the end");
    }
    let mut repeated = make(honest());
    repeated.certificates = vec![repeated.certificates[0].clone(); 10];
    assert_eq!(genuine.attest(&repeated.attestation()).map(drop), Err(AppleRefusal::CertificateRepeated { index: 1 }));
    repeated.certificates.push(repeated.certificates[0].clone());
    let many = AppleRefusal::AttestationMalformed(FormatRefusal::TooManyCertificates);
    assert_eq!(genuine.attest(&repeated.attestation()).map(drop), Err(many));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(input in vec(any::<u8>(), 0..600)) {
        let key = PublicKey::from_p256_sec1(key(3).der_bytes()).expect("a key");
        prop_assert!(Attestation::parse(&input).is_err());
        prop_assert!(verify_assertion(&input, &key, &bank(), &HASH).is_err());
        prop_assert!(assertion_facts(&input).is_err());
    }

    /// Authenticator data of any kind behind a genuine signature: parsed strictly, never a panic.
    #[test]
    fn arbitrary_authenticator_data_do_not_panic(flags: u8, counter: u32, rest in vec(any::<u8>(), 0..60)) {
        let phone = make(honest());
        let own = PublicKey::from_p256_sec1(phone.key.der_bytes()).expect("a key");
        let assertion = phone.assertion(&asserting(bank().rp_id_hash(), flags, counter, &rest), &HASH);
        let asserted = verify_assertion(&assertion, &own, &bank(), &HASH);
        if rest.is_empty() {
            prop_assert_eq!(asserted.is_ok(), flags & EXTENSION_DATA == 0);
        }
        prop_assert_eq!(assertion_facts(&assertion).ok().map(|facts| facts.counter), asserted.as_ref().ok().map(Asserted::counter));
        if let (Ok(asserted), false) = (asserted, rest.is_empty()) {
            prop_assert_eq!(asserted.counter(), counter);
            prop_assert_eq!(rest[0] >> 5, 5, "only a map may follow");
        }
    }

    /// Pieces of an attestation put together anew are not one, unless they are all of it in its order.
    #[test]
    fn spliced_attestations_are_refused(from in 0..2_000_usize, length in 1..200_usize, to in 0..2_000_usize) {
        let genuine = Genuine::own(&[]);
        let mut spliced = genuine.attestation.clone();
        let from = from % spliced.len();
        let end = (from + length).min(spliced.len());
        let piece: Vec<u8> = spliced.drain(from..end).collect();
        let to = to % (spliced.len() + 1);
        spliced.splice(to..to, piece);
        let outside = |at: &usize| !genuine.receipt.contains(at);
        let changed = (0..spliced.len()).filter(outside).any(|at| spliced[at] != genuine.attestation[at]);
        prop_assert_eq!(genuine.attest(&spliced).is_ok(), !changed);
        let told = Attestation::parse(&spliced).ok().map(|attestation| genuine.told(&attestation));
        prop_assert_eq!(told.is_some_and(|refusals| refusals.is_empty()), !changed, "one judges and the other tells by the same rules");
    }
}
