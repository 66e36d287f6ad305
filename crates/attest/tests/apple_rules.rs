//! Every rule of App Attest: one fault at a time, and the one right answer.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

mod apple_ca;

use apple_ca::{
    ATTESTED_CREDENTIAL, Blueprint, EXTENSION_DATA, HASH, ISSUER_BORN, ISSUER_EXPIRES, LEAF_BORN, LEAF_EXPIRES, NOW, Phone, array,
    asserting, bank, bytes, cose, critical, head, honest, key, launch, make, map, nonce_extension, sha256, text, tlv,
};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    apple::{
        AppleApp, AppleRefusal, Attestation, Attested, Claim, Environment, FormatRefusal, Requirements, verify_assertion,
        verify_attestation,
    },
    x509::{Malformed, SignatureRefusal},
};
use countersign_core::{Limits, PublicReason, Reason, UnixSeconds};
use countersign_proof::jwk::PublicKey;
use rcgen::{BasicConstraints, CustomExtension, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData};

/// Data that a phone sent, and the rules that judge it.
struct Scene {
    attestation: Vec<u8>,
    key_id: Vec<u8>,
    client_data_hash: [u8; 32],
    requirements: Requirements,
    anchors: Anchors,
    now: u64,
}

impl Scene {
    fn of(phone: &Phone) -> Self {
        Self {
            attestation: phone.attestation(),
            key_id: phone.key_id.to_vec(),
            client_data_hash: HASH,
            requirements: Requirements { apps: vec![other_app(), bank()], environments: vec![Environment::Production] },
            anchors: anchors(&phone.root_pem),
            now: NOW,
        }
    }

    fn judge(&self) -> Result<Attested, AppleRefusal> {
        let attestation = Attestation::parse(&self.attestation)?;
        let claim = Claim { key_id: &self.key_id, client_data_hash: &self.client_data_hash };
        verify_attestation(&attestation, &claim, &self.requirements, &self.anchors, UnixSeconds(self.now))
    }
}

fn anchors(pem: &str) -> Anchors {
    Anchors::parse(Source { vendor: Vendor::Operator, purpose: Purpose::AppAttest }, pem).expect("a root")
}

fn other_app() -> AppleApp {
    AppleApp::parse("ABCDE12345.com.example.shop").expect("an app")
}

type Row<'a> = (&'a str, Scene, Result<(), (AppleRefusal, Reason)>);

fn assert_rows(rows: Vec<Row<'_>>) {
    for (name, scene, expected) in rows {
        let refusal = scene.judge().map(drop);
        assert_eq!(refusal.clone().map_err(|refusal| (refusal.clone(), refusal.reason())), expected, "{name}");
        if let Err(refusal) = refusal {
            assert_eq!(refusal.reason().public(), PublicReason::DeviceUnproven, "{name}");
            assert!(!refusal.to_string().is_empty() && !refusal.to_string().ends_with('.'), "{name}: {refusal}");
        }
    }
}

/// A scene from an honest blueprint with one change.
fn with(change: impl Fn(&mut Blueprint)) -> Scene {
    let mut blueprint = honest();
    change(&mut blueprint);
    Scene::of(&make(blueprint))
}

/// An honest scene with one change to what the phone sends.
fn sent(change: impl Fn(&mut Phone)) -> Scene {
    let mut phone = make(honest());
    change(&mut phone);
    Scene::of(&phone)
}

/// An honest scene with one change to what judges it.
fn judged(change: impl Fn(&mut Scene)) -> Scene {
    let mut scene = Scene::of(&make(honest()));
    change(&mut scene);
    scene
}

#[test]
fn rules_on_the_chain() {
    let same_name = |scene: &mut Scene| {
        let mut other = rcgen::CertificateParams::default();
        other.distinguished_name = rcgen::DistinguishedName::new();
        other.distinguished_name.push(rcgen::DnType::CommonName, "Test App Attestation Root CA");
        scene.anchors = anchors(&other.self_signed(&key(9)).expect("a root").pem());
    };
    let invalid = |index| (AppleRefusal::SignatureInvalid { index, why: SignatureRefusal::Invalid }, Reason::ChainSignatureInvalid);
    assert_rows(vec![
        ("Apple's shape", judged(|_| {}), Ok(())),
        (
            "an anchor that is not configured",
            judged(|s| s.anchors = Anchors::none()),
            Err((AppleRefusal::AnchorUnknown { issuer: "CN=Test App Attestation Root CA".into() }, Reason::AnchorUnknown)),
        ),
        (
            "Apple's own anchor",
            judged(|s| s.anchors = Anchors::apple_app_attest().expect("anchors")),
            Err((AppleRefusal::AnchorUnknown { issuer: "CN=Test App Attestation Root CA".into() }, Reason::AnchorUnknown)),
        ),
        (
            "the anchor, given for another purpose",
            {
                let phone = make(honest());
                let source = Source { vendor: Vendor::Operator, purpose: Purpose::AppAttestReceipt };
                Scene { anchors: Anchors::parse(source, &phone.root_pem).expect("a root"), ..Scene::of(&phone) }
            },
            Err((AppleRefusal::AnchorUnknown { issuer: "CN=Test App Attestation Root CA".into() }, Reason::AnchorUnknown)),
        ),
        ("an anchor of the same name with another key", judged(same_name), Err(invalid(1))),
        (
            "two anchors of the same name",
            judged(|s| {
                let own = s.anchors.clone();
                same_name(s);
                s.anchors = s.anchors.clone().and(own);
            }),
            Ok(()),
        ),
        ("no certificate", sent(|p| p.certificates.clear()), Err((AppleRefusal::ChainTooShort { count: 0 }, Reason::ChainBroken))),
        ("the leaf alone", sent(|p| p.certificates.truncate(1)), Err((AppleRefusal::ChainTooShort { count: 1 }, Reason::ChainBroken))),
        (
            "the leaf twice",
            sent(|p| p.certificates.insert(0, p.certificates[0].clone())),
            Err((AppleRefusal::CertificateRepeated { index: 1 }, Reason::ChainBroken)),
        ),
        (
            "the intermediate twice",
            sent(|p| p.certificates.push(p.certificates[1].clone())),
            Err((AppleRefusal::CertificateRepeated { index: 2 }, Reason::ChainBroken)),
        ),
        (
            "the order turned round",
            sent(|p| p.certificates.reverse()),
            Err((AppleRefusal::AnchorUnknown { issuer: "CN=Test App Attestation CA 1".into() }, Reason::AnchorUnknown)),
        ),
        (
            "another leaf's issuer left out",
            {
                let mut blueprint = honest();
                blueprint.further_issuer = true;
                blueprint.issuer_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                let mut phone = make(blueprint);
                phone.certificates.remove(1);
                Scene::of(&phone)
            },
            Err((AppleRefusal::IssuerMismatch { index: 0 }, Reason::ChainBroken)),
        ),
        (
            "an intermediate of the same name with another key",
            sent(|p| p.certificates[1] = make(Blueprint { issuer_key: key(8), ..honest() }).certificates[1].clone()),
            Err(invalid(0)),
        ),
        (
            "an intermediate whose algorithm is not taken",
            with(|b| b.issuer_key = KeyPair::generate_for(&PKCS_ED25519).expect("a key")),
            Err((AppleRefusal::SignatureInvalid { index: 0, why: SignatureRefusal::AlgorithmRefused }, Reason::ChainSignatureInvalid)),
        ),
        (
            "an intermediate that is no authority",
            with(|b| b.issuer_ca = IsCa::ExplicitNoCa),
            Err((AppleRefusal::IssuerNotAllowed { index: 1 }, Reason::ChainBroken)),
        ),
        (
            "an intermediate that may not sign certificates",
            with(|b| b.issuer_usages = vec![KeyUsagePurpose::DigitalSignature]),
            Err((AppleRefusal::IssuerNotAllowed { index: 1 }, Reason::ChainBroken)),
        ),
        (
            "another intermediate where one is allowed",
            with(|b| {
                b.further_issuer = true;
                b.issuer_ca = IsCa::Ca(BasicConstraints::Constrained(1));
            }),
            Ok(()),
        ),
        (
            "another intermediate where none is allowed",
            with(|b| b.further_issuer = true),
            Err((AppleRefusal::PathTooLong { index: 2 }, Reason::ChainBroken)),
        ),
        (
            "a leaf that is an authority",
            with(|b| b.leaf_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Err((AppleRefusal::LeafMayIssue, Reason::ChainBroken)),
        ),
        ("a leaf that does not say that it is none", with(|b| b.leaf_ca = IsCa::NoCa), Ok(())),
        (
            "a critical extension in the leaf",
            with(|b| b.leaf_extensions = vec![critical(&[1, 2, 3])]),
            Err((AppleRefusal::CriticalExtensionUnknown { index: 0, oid: "1.2.3".into() }, Reason::CertificateMalformed)),
        ),
        (
            "a critical extension in the intermediate",
            with(|b| b.issuer_extensions = vec![critical(&[1, 2, 3])]),
            Err((AppleRefusal::CriticalExtensionUnknown { index: 1, oid: "1.2.3".into() }, Reason::CertificateMalformed)),
        ),
        ("another extension", with(|b| b.leaf_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0])]), Ok(())),
        (
            "no certificate in the place of one",
            sent(|p| p.certificates[1] = b"no certificate".to_vec()),
            Err((AppleRefusal::CertificateMalformed { index: 1, malformed: Malformed::NotDer }, Reason::CertificateMalformed)),
        ),
    ]);
}

#[test]
fn rules_on_time() {
    let at = |now| judged(|s| s.now = now);
    let long = |now| {
        let mut scene = with(|b| b.leaf_valid = Some((2024, 2027)));
        scene.now = now;
        scene
    };
    let early = |index, not_before| {
        let not_before = UnixSeconds(not_before);
        Err((AppleRefusal::CertificateNotYetValid { index, not_before }, Reason::CertificateNotYetValid))
    };
    let late = |index, not_after| {
        let not_after = UnixSeconds(not_after);
        Err((AppleRefusal::CertificateExpired { index, not_after }, Reason::CertificateExpired))
    };
    assert_rows(vec![
        ("the leaf's first second", at(LEAF_BORN), Ok(())),
        ("a second before the leaf's first", at(LEAF_BORN - 1), early(0, LEAF_BORN)),
        ("the leaf's last second", at(LEAF_EXPIRES), Ok(())),
        ("a second after the leaf's last", at(LEAF_EXPIRES + 1), late(0, LEAF_EXPIRES)),
        ("the intermediate's first second", long(ISSUER_BORN), Ok(())),
        ("a second before the intermediate's first", long(ISSUER_BORN - 1), early(1, ISSUER_BORN)),
        ("the intermediate's last second", long(ISSUER_EXPIRES), Ok(())),
        ("a second after the intermediate's last", long(ISSUER_EXPIRES + 1), late(1, ISSUER_EXPIRES)),
    ]);
}

#[test]
fn rules_on_what_is_attested() {
    let nonce = |content: Vec<u8>| with(|b| b.nonce = Some(vec![CustomExtension::from_oid_content(apple_ca::NONCE, content.clone())]));
    let malformed = || Err((AppleRefusal::NonceMalformed, Reason::AppAttestMalformed));
    let mismatch = || Err((AppleRefusal::NonceMismatch, Reason::ChallengeMismatch));
    let octets = || tlv(0x04, &[7; 32]);
    let bank_hash = bank().rp_id_hash();
    assert_rows(vec![
        ("another challenge", judged(|s| s.client_data_hash = [7; 32]), mismatch()),
        ("authenticator data changed later", sent(|p| p.authenticator_data[33] = 1), mismatch()),
        ("another nonce", with(|b| b.nonce = Some(vec![nonce_extension(&[7; 32])])), mismatch()),
        ("no nonce", with(|b| b.nonce = Some(vec![])), Err((AppleRefusal::NonceMissing, Reason::AppAttestMalformed))),
        ("a short nonce", with(|b| b.nonce = Some(vec![nonce_extension(&[7; 31])])), malformed()),
        ("a long nonce", with(|b| b.nonce = Some(vec![nonce_extension(&[7; 33])])), malformed()),
        ("an empty sequence", nonce(tlv(0x30, &[])), malformed()),
        ("two nonces", nonce(tlv(0x30, &[tlv(0xa1, &octets()), tlv(0xa1, &octets())].concat())), malformed()),
        ("a nonce with another tag", nonce(tlv(0x30, &tlv(0xa2, &octets()))), malformed()),
        ("a nonce in a tag that holds none", nonce(tlv(0x30, &tlv(0x81, &octets()))), malformed()),
        ("a nonce without a tag", nonce(tlv(0x30, &octets())), malformed()),
        ("a nonce in a set", nonce(tlv(0x31, &tlv(0xa1, &octets()))), malformed()),
        ("a nonce of another type", nonce(tlv(0x30, &tlv(0xa1, &tlv(0x0c, &[7; 32])))), malformed()),
        ("bytes after the nonce", nonce([tlv(0x30, &tlv(0xa1, &octets())), vec![0]].concat()), malformed()),
        (
            "a P-384 key",
            with(|b| {
                b.leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
                b.credential_key = Some(cose(key(3).der_bytes()));
            }),
            Err((AppleRefusal::KeyUnsupported { kind: "EC P-384".into() }, Reason::KeyUnsupported)),
        ),
        ("another key id", judged(|s| s.key_id[31] ^= 1), Err((AppleRefusal::KeyIdMismatch, Reason::KeyIdMismatch))),
        ("a key id cut short", judged(|s| s.key_id.truncate(31)), Err((AppleRefusal::KeyIdMismatch, Reason::KeyIdMismatch))),
        ("no key id", judged(|s| s.key_id.clear()), Err((AppleRefusal::KeyIdMismatch, Reason::KeyIdMismatch))),
        (
            "an app that is not accepted",
            judged(|s| s.requirements.apps = vec![other_app()]),
            Err((AppleRefusal::AppUnknown { rp_id_hash: bank_hash }, Reason::AppUnknown)),
        ),
        (
            "no app that is accepted",
            judged(|s| s.requirements.apps.clear()),
            Err((AppleRefusal::AppUnknown { rp_id_hash: bank_hash }, Reason::AppUnknown)),
        ),
        (
            "the same bundle of another team",
            judged(|s| s.requirements.apps = vec![AppleApp::parse("ABCDE12346.com.example.bank").expect("an app")]),
            Err((AppleRefusal::AppUnknown { rp_id_hash: bank_hash }, Reason::AppUnknown)),
        ),
        (
            "a key that was used before",
            with(|b| b.counter = 1),
            Err((AppleRefusal::CounterNotZero { counter: 1 }, Reason::AppAttestMalformed)),
        ),
        (
            "another environment",
            with(|b| b.aaguid = Environment::Development.aaguid()),
            Err((AppleRefusal::EnvironmentMismatch { environment: Environment::Development }, Reason::EnvironmentMismatch)),
        ),
        (
            "no environment that is accepted",
            judged(|s| s.requirements.environments.clear()),
            Err((AppleRefusal::EnvironmentMismatch { environment: Environment::Production }, Reason::EnvironmentMismatch)),
        ),
        (
            "an authenticator of somebody else",
            with(|b| b.aaguid = *b"appattest\0\0\0\0\0\0\x01"),
            Err((AppleRefusal::EnvironmentUnknown { aaguid: *b"appattest\0\0\0\0\0\0\x01" }, Reason::EnvironmentMismatch)),
        ),
        (
            "another credential",
            with(|b| b.credential_id = Some(vec![7; 32])),
            Err((AppleRefusal::CredentialIdMismatch, Reason::KeyIdMismatch)),
        ),
        (
            "a credential without an id",
            with(|b| b.credential_id = Some(vec![])),
            Err((AppleRefusal::CredentialIdMismatch, Reason::KeyIdMismatch)),
        ),
        (
            "a credential with another key",
            with(|b| b.credential_key = Some(cose(key(4).der_bytes()))),
            Err((AppleRefusal::CredentialKeyMismatch, Reason::AppAttestMalformed)),
        ),
    ]);
    let development = |scene: &mut Scene| scene.requirements.environments.push(Environment::Development);
    let mut both = with(|b| b.aaguid = Environment::Development.aaguid());
    development(&mut both);
    assert_eq!(both.judge().expect("attested").environment(), Environment::Development);
}

#[test]
fn what_is_attested_can_be_read() {
    let system = tlv(0x30, &[&[0xbf, 0x8a, 0x78, 6][..], &tlv(0x04, b"27.0")].concat());
    let phone = make(Blueprint {
        leaf_extensions: vec![CustomExtension::from_oid_content(apple_ca::SYSTEM, system)],
        extensions: launch("42", 4),
        ..honest()
    });
    let attested = Scene::of(&phone).judge().expect("attested");
    assert_eq!(attested.key().bits(), phone.key.der_bytes());
    assert_eq!(attested.key_id(), &phone.key_id);
    assert_eq!(attested.app(), &bank());
    assert_eq!(attested.environment(), Environment::Production);
    assert_eq!(attested.receipt(), b"a receipt");
    assert_eq!((attested.not_before(), attested.not_after()), (UnixSeconds(LEAF_BORN), UnixSeconds(LEAF_EXPIRES)));
    assert_eq!(attested.system_version().as_deref(), Some("27.0"));
    assert_eq!((attested.launch().bundle_version(), attested.launch().validation_category()), (Some("42"), Some(4)));
    assert!(attested.launch().unknown().is_empty());
    assert_eq!(attested.anchor().source().vendor, Vendor::Operator);
    let public = PublicKey::from_p256_sec1(phone.key.der_bytes()).expect("a key");
    assert_eq!(attested.public_key(), &public);
}

/// An operator sees by name what a new system adds, before it reaches everybody.
#[test]
fn extensions_of_the_future_are_named() {
    let extensions = map(&[
        (text("apple_next_01"), map(&[(text("a"), array(&[vec![1]]))])),
        (text("apple_validation_category_01"), bytes(&[4, 0, 0, 0])),
        (text("apple\u{1b}_odd"), vec![0xf6]),
    ]);
    let attested = Scene::of(&make(Blueprint { extensions, ..honest() })).judge().expect("attested");
    assert_eq!(attested.launch().unknown(), ["apple_next_01", "apple_odd"]);
    assert_eq!(attested.launch().validation_category(), Some(4));
}

/// Nobody promised that the version stands there; an attestation does not fail for it.
#[test]
fn a_system_version_that_is_none_is_left_out() {
    let tagged = |content: &[u8]| [&[0xbf, 0x8a, 0x78][..], &[u8::try_from(content.len()).expect("short")], content].concat();
    let other = [&[0xbf, 0x8a, 0x7b, 7][..], &tlv(0x04, b"27A12")].concat();
    let rows: Vec<(&str, Option<Vec<u8>>, Option<&str>)> = vec![
        ("none", None, None),
        ("the version", Some(tlv(0x30, &tagged(&tlv(0x04, b"27.0.1")))), Some("27.0.1")),
        ("behind another field", Some(tlv(0x30, &[other.clone(), tagged(&tlv(0x04, b"27.0"))].concat())), Some("27.0")),
        ("another field only", Some(tlv(0x30, &other)), None),
        ("the longest", Some(tlv(0x30, &tagged(&tlv(0x04, &[b'1'; 32])))), Some("11111111111111111111111111111111")),
        ("longer", Some(tlv(0x30, &tagged(&tlv(0x04, &[b'1'; 33])))), None),
        ("empty", Some(tlv(0x30, &tagged(&tlv(0x04, &[])))), None),
        ("no text", Some(tlv(0x30, &tagged(&tlv(0x04, &[0xff])))), None),
        ("another type", Some(tlv(0x30, &tagged(&tlv(0x0c, b"27.0")))), None),
        ("no sequence", Some(tlv(0x31, &tagged(&tlv(0x04, b"27.0")))), None),
        ("no DER", Some(vec![0x30, 9]), None),
    ];
    for (name, content, expected) in rows {
        let extensions = content.map(|content| CustomExtension::from_oid_content(apple_ca::SYSTEM, content));
        let scene = with(|b| b.leaf_extensions = extensions.iter().cloned().collect());
        assert_eq!(scene.judge().expect("attested").system_version().as_deref(), expected, "{name}");
    }
}

fn malformed(why: FormatRefusal) -> Result<(), (AppleRefusal, Reason)> {
    Err((AppleRefusal::AttestationMalformed(why), Reason::AppAttestMalformed))
}

#[test]
fn rules_on_the_format_of_an_attestation() {
    let phone = make(honest());
    let statement = map(&[(text("x5c"), array(&certificates(&phone))), (text("receipt"), bytes(&phone.receipt))]);
    let format = (text("fmt"), text("apple-appattest"));
    let stated = (text("attStmt"), statement.clone());
    let data = (text("authData"), bytes(&phone.authenticator_data));
    let raw = |attestation: Vec<u8>| judged(|s| s.attestation = attestation.clone());
    let of = |entries: &[(Vec<u8>, Vec<u8>)]| raw(map(entries));
    let missing = |name| malformed(FormatRefusal::FieldMissing { name });
    let saying = |statement: Vec<u8>| of(&[format.clone(), (text("attStmt"), statement), data.clone()]);
    let x5c = (text("x5c"), array(&certificates(&phone)));
    let receipt = (text("receipt"), bytes(&phone.receipt));
    // A short receipt has a head of one byte, a long one of three; signatures vary in length from phone to phone.
    let stuffed = |extra: usize| sent(|p| p.receipt = vec![0; Limits::APP_ATTEST_BYTES_MAX - p.attestation().len() + 7 + extra]);
    assert_rows(vec![
        ("Apple's order", of(&[format.clone(), stated.clone(), data.clone()]), Ok(())),
        ("another order", of(&[data.clone(), stated.clone(), format.clone()]), Ok(())),
        ("nothing", raw(vec![]), malformed(FormatRefusal::NotCbor)),
        ("an empty map", of(&[]), missing("fmt")),
        ("an array", raw(array(&[])), malformed(FormatRefusal::NotCbor)),
        ("no format", of(&[stated.clone(), data.clone()]), missing("fmt")),
        ("no statement", of(&[format.clone(), data.clone()]), missing("attStmt")),
        ("no authenticator data", of(&[format.clone(), stated.clone()]), missing("authData")),
        ("another format", of(&[(text("fmt"), text("apple")), stated.clone(), data.clone()]), malformed(FormatRefusal::FormatUnknown)),
        ("a field twice", of(&[format.clone(), stated.clone(), data.clone(), data.clone()]), malformed(FormatRefusal::FieldRepeated)),
        (
            "an unknown field",
            of(&[format.clone(), stated.clone(), data.clone(), (text("epAtt"), vec![0xf5])]),
            malformed(FormatRefusal::FieldUnknown),
        ),
        (
            "a name that is no text",
            of(&[format.clone(), stated.clone(), (bytes(b"authData"), data.1.clone())]),
            malformed(FormatRefusal::NotCbor),
        ),
        ("bytes after the end", raw([phone.attestation(), vec![0]].concat()), malformed(FormatRefusal::TrailingBytes)),
        (
            "a map of indefinite length",
            raw([vec![0xbf], phone.attestation()[1..].to_vec(), vec![0xff]].concat()),
            malformed(FormatRefusal::NotCbor),
        ),
        (
            "bytes of indefinite length",
            of(&[format.clone(), stated.clone(), (data.0.clone(), [vec![0x5f], data.1.clone(), vec![0xff]].concat())]),
            malformed(FormatRefusal::NotCbor),
        ),
        ("a tag", raw([vec![0xc1], phone.attestation()].concat()), malformed(FormatRefusal::NotCbor)),
        ("a statement without certificates", saying(map(std::slice::from_ref(&receipt))), missing("x5c")),
        ("a statement without a receipt", saying(map(std::slice::from_ref(&x5c))), missing("receipt")),
        (
            "a statement with a receipt twice",
            saying(map(&[x5c.clone(), receipt.clone(), receipt.clone()])),
            malformed(FormatRefusal::FieldRepeated),
        ),
        (
            "a statement with a signature",
            saying(map(&[x5c.clone(), receipt.clone(), (text("sig"), bytes(&[]))])),
            malformed(FormatRefusal::FieldUnknown),
        ),
        (
            "certificates that are texts",
            saying(map(&[(text("x5c"), array(&[text("a"), text("b")])), receipt.clone()])),
            malformed(FormatRefusal::NotCbor),
        ),
        ("as large as is read", stuffed(0), Ok(())),
        ("larger than is read", stuffed(1), malformed(FormatRefusal::TooLarge)),
        (
            "one certificate more than is read",
            saying(map(&[(text("x5c"), array(&vec![bytes(&[]); Limits::CHAIN_CERTIFICATES_MAX + 1])), receipt.clone()])),
            Err((AppleRefusal::AttestationMalformed(FormatRefusal::TooManyCertificates), Reason::ChainBroken)),
        ),
        (
            "as many certificates as are read",
            saying(map(&[(text("x5c"), array(&vec![bytes(&[]); Limits::CHAIN_CERTIFICATES_MAX])), receipt])),
            Err((AppleRefusal::CertificateMalformed { index: 0, malformed: Malformed::NotDer }, Reason::CertificateMalformed)),
        ),
    ]);
}

fn certificates(phone: &Phone) -> Vec<Vec<u8>> {
    phone.certificates.iter().map(|der| bytes(der)).collect()
}

#[test]
fn rules_on_the_authenticator_data_of_an_attestation() {
    let point = key(3).der_bytes().to_vec();
    let x = || (vec![0x21], bytes(&point[1..33]));
    let y = || (vec![0x22], bytes(&point[33..]));
    let names = |kind: u8, algorithm: u8, curve: u8| vec![(vec![1], vec![kind]), (vec![3], vec![algorithm]), (vec![0x20], vec![curve])];
    let keyed = |entries: Vec<(Vec<u8>, Vec<u8>)>| with(|b| b.credential_key = Some(map(&entries)));
    let and = |entries: Vec<_>, more: Vec<_>| [entries, more].concat();
    let ended = |length: usize| sent(|p| p.authenticator_data.truncate(length));
    let extended = |flags: u8, extensions: Vec<u8>| {
        with(|b| {
            b.flags = flags;
            b.extensions = extensions.clone();
        })
    };
    let (at, both) = (ATTESTED_CREDENTIAL, ATTESTED_CREDENTIAL | EXTENSION_DATA);
    let named = |count: usize| map(&(0..count).map(|n| (text(&format!("extension {n}")), vec![0])).collect::<Vec<_>>());
    let single = |name: &str, value: Vec<u8>| map(&[(text(name), value)]);
    let known = |value: Vec<u8>| extended(both, single("apple_validation_category_01", value));
    let version = |value: Vec<u8>| extended(both, single("apple_bundle_version_01", value));
    assert_rows(vec![
        ("no credential", with(|b| b.flags = 0), malformed(FormatRefusal::CredentialMissing)),
        ("other flags", with(|b| b.flags = 0x45), Ok(())),
        ("nothing", ended(0), malformed(FormatRefusal::AuthenticatorDataShort)),
        ("no whole counter", ended(36), malformed(FormatRefusal::AuthenticatorDataShort)),
        ("a counter only", ended(37), malformed(FormatRefusal::AuthenticatorDataShort)),
        ("no whole id", ended(37 + 16 + 2 + 31), malformed(FormatRefusal::AuthenticatorDataShort)),
        ("no key", ended(37 + 16 + 2 + 32), malformed(FormatRefusal::NotCbor)),
        ("larger than is read", sent(|p| p.authenticator_data.resize(2049, 0)), malformed(FormatRefusal::TooLarge)),
        ("as large as is read", sent(|p| p.authenticator_data.resize(2048, 0)), malformed(FormatRefusal::NotCbor)),
        ("a key in another order", keyed([vec![y(), x()], names(2, 0x26, 1)].concat()), Ok(())),
        ("a key of another kind", keyed(and(names(1, 0x26, 1), vec![x(), y()])), malformed(FormatRefusal::CredentialKeyMalformed)),
        ("a key for ES384", keyed(and(names(2, 0x22, 1), vec![x(), y()])), malformed(FormatRefusal::CredentialKeyMalformed)),
        ("a key on P-384", keyed(and(names(2, 0x26, 2), vec![x(), y()])), malformed(FormatRefusal::CredentialKeyMalformed)),
        (
            "a short coordinate",
            keyed(and(names(2, 0x26, 1), vec![x(), (vec![0x22], bytes(&[1; 31]))])),
            malformed(FormatRefusal::CredentialKeyMalformed),
        ),
        ("a key without y", keyed(and(names(2, 0x26, 1), vec![x()])), malformed(FormatRefusal::FieldMissing { name: "y" })),
        ("a key without x", keyed(and(names(2, 0x26, 1), vec![y()])), malformed(FormatRefusal::FieldMissing { name: "x" })),
        ("a key without names", keyed(vec![x(), y()]), malformed(FormatRefusal::FieldMissing { name: "kty" })),
        ("a coordinate twice", keyed(and(names(2, 0x26, 1), vec![x(), x()])), malformed(FormatRefusal::FieldRepeated)),
        ("a key with an id", keyed(and(names(2, 0x26, 1), vec![x(), y(), (vec![2], bytes(&[1]))])), malformed(FormatRefusal::FieldUnknown)),
        (
            "the sign of y in its place",
            keyed(and(names(2, 0x26, 1), vec![x(), (vec![0x22], vec![0xf5])])),
            malformed(FormatRefusal::NotCbor),
        ),
        ("extensions as WebAuthn has them", extended(both, launch("1", 3)), Ok(())),
        ("extensions as Apple has them", extended(at, launch("1", 3)), Ok(())),
        ("announced and missing", extended(both, vec![]), malformed(FormatRefusal::ExtensionsMissing)),
        ("an empty map", extended(both, map(&[])), Ok(())),
        ("bytes that are no map", extended(at, vec![0]), malformed(FormatRefusal::NotCbor)),
        ("bytes after the extensions", extended(both, [launch("1", 3), vec![0]].concat()), malformed(FormatRefusal::TrailingBytes)),
        ("a second map", extended(both, [launch("1", 3), launch("1", 3)].concat()), malformed(FormatRefusal::TrailingBytes)),
        ("an extension twice", extended(both, map(&[(text("a"), vec![0]), (text("a"), vec![0])])), malformed(FormatRefusal::FieldRepeated)),
        ("an unknown number", extended(both, single("a", vec![0x20])), Ok(())),
        ("an unknown truth", extended(both, single("a", vec![0xf4])), Ok(())),
        ("unknown bytes", extended(both, single("a", bytes(&[1]))), Ok(())),
        ("an unknown text", extended(both, single("a", text("b"))), Ok(())),
        ("an unknown map", extended(both, single("a", map(&[]))), Ok(())),
        (
            "an unknown map with members",
            extended(at, single("a", map(&[(text("b"), array(&[vec![1], vec![0xf4]])), (vec![1], bytes(&[7]))]))),
            Ok(()),
        ),
        ("an unknown array", extended(both, single("a", array(&[]))), Ok(())),
        ("an unknown array of as many items as are read", extended(both, single("a", array(&vec![vec![0]; 64]))), Ok(())),
        ("one item more", extended(both, single("a", array(&vec![vec![0]; 65]))), malformed(FormatRefusal::TooManyExtensions)),
        ("an unknown array of three levels", extended(both, single("a", array(&[array(&[array(&[])])]))), Ok(())),
        (
            "an unknown array of four levels",
            extended(both, single("a", array(&[array(&[array(&[array(&[])])])]))),
            malformed(FormatRefusal::NotCbor),
        ),
        ("an unknown array without an end", extended(both, single("a", vec![0x9f, 0xff])), malformed(FormatRefusal::NotCbor)),
        (
            "an unknown array of too many",
            extended(both, single("a", vec![0x9b, 255, 255, 255, 255, 255, 255, 255, 255])),
            malformed(FormatRefusal::TooManyExtensions),
        ),
        (
            "an unknown map of too many",
            extended(both, single("a", vec![0xbb, 255, 255, 255, 255, 255, 255, 255, 255])),
            malformed(FormatRefusal::NotCbor),
        ),
        ("an unknown fraction", extended(both, single("a", vec![0xf9, 0x3c, 0])), Ok(())),
        ("an unknown text that is none", extended(both, single("a", vec![0x61, 0xff])), malformed(FormatRefusal::NotCbor)),
        ("an unknown tag", extended(both, single("a", vec![0xc0, 0])), malformed(FormatRefusal::NotCbor)),
        ("an unknown nothing", extended(both, single("a", vec![0xf6])), Ok(())),
        ("a name that is a number", extended(both, map(&[(vec![1], vec![1])])), malformed(FormatRefusal::NotCbor)),
        ("as many extensions as are read", extended(both, named(16)), Ok(())),
        ("more extensions than are read", extended(both, named(17)), malformed(FormatRefusal::TooManyExtensions)),
        ("a category of three bytes", known(bytes(&[3, 0, 0])), malformed(FormatRefusal::ExtensionMalformed)),
        ("a category that is a number", known(vec![3]), malformed(FormatRefusal::ExtensionMalformed)),
        ("a version that is a number", version(vec![3]), malformed(FormatRefusal::ExtensionMalformed)),
        ("the longest version", version(text(&"1".repeat(128))), Ok(())),
        ("a longer version", version(text(&"1".repeat(129))), malformed(FormatRefusal::ExtensionMalformed)),
        ("a version of several lines", version(text("1\n2")), malformed(FormatRefusal::ExtensionMalformed)),
    ]);
}

#[test]
fn rules_on_assertions() {
    let phone = make(honest());
    let own = PublicKey::from_p256_sec1(phone.key.der_bytes()).expect("a key");
    let foreign = PublicKey::from_p256_sec1(key(4).der_bytes()).expect("a key");
    let hash = bank().rp_id_hash();
    let signed = |data: &[u8]| phone.assertion(data, &HASH);
    let plain = || asserting(hash, ATTESTED_CREDENTIAL, 1, &[]);
    let flagged = |flags: u8, extensions: &[u8]| signed(&asserting(hash, flags, 7, extensions));
    let signature = |signature: &[u8]| map(&[(text("signature"), bytes(signature)), (text("authenticatorData"), bytes(&plain()))]);
    let genuine = rcgen::SigningKey::sign(&phone.key, &sha256(&[&plain(), &HASH])).expect("a signature");
    let data = || (text("authenticatorData"), bytes(&plain()));
    let malformed = |why| Err((AppleRefusal::AssertionMalformed(why), Reason::AppAttestMalformed));
    let invalid = || Err((AppleRefusal::AssertionSignatureInvalid, Reason::AssertionInvalid));
    let (at, ed) = (ATTESTED_CREDENTIAL, EXTENSION_DATA);
    let rows: Vec<(&str, Vec<u8>, &PublicKey, AppleApp, Result<u32, (AppleRefusal, Reason)>)> = vec![
        ("Apple's shape", signed(&plain()), &own, bank(), Ok(1)),
        ("no flag", flagged(0, &[]), &own, bank(), Ok(7)),
        ("a map and its flag", flagged(ed, &launch("1", 4)), &own, bank(), Ok(7)),
        ("a map and both flags", flagged(at | ed, &launch("1", 4)), &own, bank(), Ok(7)),
        ("a map and the other flag", flagged(at, &launch("1", 4)), &own, bank(), Ok(7)),
        ("a map and no flag", flagged(0, &launch("1", 4)), &own, bank(), Ok(7)),
        ("the flag and no map", flagged(ed, &[]), &own, bank(), malformed(FormatRefusal::ExtensionsMissing)),
        ("an attestation's data", signed(&phone.authenticator_data), &own, bank(), malformed(FormatRefusal::NotCbor)),
        ("the highest counter", signed(&asserting(hash, at, u32::MAX, &[])), &own, bank(), Ok(u32::MAX)),
        ("data cut short", signed(&plain()[..36]), &own, bank(), malformed(FormatRefusal::AuthenticatorDataShort)),
        ("another key", signed(&plain()), &foreign, bank(), invalid()),
        ("another request", phone.assertion(&plain(), &[7; 32]), &own, bank(), invalid()),
        (
            "the nonce signed without a second hash",
            signature(&rcgen::SigningKey::sign(&phone.key, &[plain(), HASH.to_vec()].concat()).expect("a signature")),
            &own,
            bank(),
            invalid(),
        ),
        ("another app", signed(&plain()), &own, other_app(), Err((AppleRefusal::AppUnknown { rp_id_hash: hash }, Reason::AppUnknown))),
        ("a signature of nothing", signature(&[]), &own, bank(), malformed(FormatRefusal::SignatureMalformed)),
        ("a signature of zeros", signature(&[0x30, 6, 2, 1, 0, 2, 1, 0]), &own, bank(), invalid()),
        ("a signature as in JOSE", signature(&[7; 64]), &own, bank(), malformed(FormatRefusal::SignatureMalformed)),
        (
            "bytes after the signature",
            signature(&[genuine.clone(), vec![0]].concat()),
            &own,
            bank(),
            malformed(FormatRefusal::SignatureMalformed),
        ),
        (
            "a number of 33 bytes",
            signature(&tlv(0x30, &[tlv(2, &[1; 33]), tlv(2, &[1; 32])].concat())),
            &own,
            bank(),
            malformed(FormatRefusal::SignatureMalformed),
        ),
        (
            "a negative number",
            signature(&tlv(0x30, &[tlv(2, &[0x81]), tlv(2, &[1])].concat())),
            &own,
            bank(),
            malformed(FormatRefusal::SignatureMalformed),
        ),
        ("no signature", map(&[data()]), &own, bank(), malformed(FormatRefusal::FieldMissing { name: "signature" })),
        (
            "no data",
            map(&[(text("signature"), bytes(&genuine))]),
            &own,
            bank(),
            malformed(FormatRefusal::FieldMissing { name: "authenticatorData" }),
        ),
        ("data twice", map(&[data(), data()]), &own, bank(), malformed(FormatRefusal::FieldRepeated)),
        ("an unknown field", map(&[data(), (text("userHandle"), bytes(&[]))]), &own, bank(), malformed(FormatRefusal::FieldUnknown)),
        ("bytes after the end", [signed(&plain()), vec![0]].concat(), &own, bank(), malformed(FormatRefusal::TrailingBytes)),
        ("as large as is read", vec![0; 4096], &own, bank(), malformed(FormatRefusal::NotCbor)),
        ("larger than is read", vec![0; 4097], &own, bank(), malformed(FormatRefusal::TooLarge)),
        ("nothing", vec![], &own, bank(), malformed(FormatRefusal::NotCbor)),
        ("a map that ends early", head(5, 2), &own, bank(), malformed(FormatRefusal::NotCbor)),
    ];
    for (name, assertion, key, app, expected) in rows {
        let asserted = verify_assertion(&assertion, key, &app, &HASH);
        assert_eq!(asserted.map(|a| a.counter()).map_err(|refusal| (refusal.clone(), refusal.reason())), expected, "{name}");
    }
    let asserted = verify_assertion(&flagged(at | ed, &launch("42", 4)), &own, &bank(), &HASH).expect("asserted");
    assert_eq!((asserted.launch().bundle_version(), asserted.launch().validation_category()), (Some("42"), Some(4)));
}
