//! Every rule of the verification of an Android attestation: one fault at a time, and the one right answer.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "what fails in a helper fails the test")]

mod ca;

use ca::{Blueprint, Made, NOW, append, entry, extension, hardware_with, honest, make, pem, root_of_trust, software_with};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{
        App, AppRule, ApplicationId, ApplicationsRule, AttestRefusal, BootKeyRule, BootloaderRule, DescriptionRefusal, Evidence, KeyRule,
        Origin, OriginRule, Package, Provisioning, PurposeRule, RawChain, Requirements, RollbackRule, RootOfTrust, RootOfTrustRule,
        StatusList, StatusRule, Tag, Trust, Value, Verdict, chain_from_der_list, chain_from_pem, encode, inspect, verify,
    },
    x509::{Malformed, SignatureRefusal},
};
use countersign_core::{AppId, BootState, DeviceId, EvidenceTier, PatchLevel, Reason, Seconds, SecurityLevel, Thumbprint, UnixSeconds};
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

/// Data that a phone sent, and the rules that judge it.
struct Scene {
    ders: Vec<Vec<u8>>,
    trust: Trust,
    requirements: Requirements,
    challenge: Vec<u8>,
    now: u64,
}

impl Scene {
    fn of(blueprint: &Blueprint) -> Self {
        let made = make(blueprint);
        let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
        let anchors = Anchors::parse(source, &made.root_pem).expect("a root");
        Self {
            ders: made.ders,
            trust: Trust { anchors, status: StatusRule::NotAsked },
            requirements: Requirements::enforce(vec![bank()]),
            challenge: ca::CHALLENGE.to_vec(),
            now: NOW,
        }
    }

    fn judge(&self) -> Result<Evidence, AttestRefusal> {
        let chain = chain_from_der_list(self.ders.clone())?;
        verify(&chain, &self.trust, &self.requirements, &self.challenge, UnixSeconds(self.now))
    }

    /// The first refusal of the report, which must be that of the verification.
    fn explained(&self) -> Result<(), AttestRefusal> {
        let raw = RawChain::from_der_list(self.ders.clone())?;
        let report = inspect(&raw, &self.trust, &self.requirements, Some(&self.challenge), UnixSeconds(self.now));
        assert!(report.text().ends_with('\n'));
        match report.verdict() {
            Verdict::Accepted => Ok(()),
            Verdict::AcceptedButForChallenge => panic!("a challenge was given"),
            Verdict::Refused(refusals) => Err(refusals[0].clone()),
        }
    }
}

fn bank() -> App {
    App { package: AppId::parse(ca::PACKAGE).expect("a package"), signers: vec![ca::SIGNER] }
}

fn month(number: u64) -> PatchLevel {
    PatchLevel::from_number(number).expect("a month")
}

fn list(json: &str, fetched_at: u64, age_max: u64) -> StatusRule {
    let list = StatusList::parse(json, UnixSeconds(fetched_at)).expect("a list");
    StatusRule::Required { list: Some(list), age_max: Seconds(age_max) }
}

fn root_of_trust_with(change: impl Fn(&mut RootOfTrust)) -> Option<Value> {
    let mut root = root_of_trust();
    change(&mut root);
    Some(Value::RootOfTrust(root))
}

fn booted(state: BootState) -> Option<Value> {
    root_of_trust_with(|root| root.verified_boot_state = state)
}

fn assert_rows(rows: Vec<(&str, Scene, Result<(), AttestRefusal>)>) {
    for (name, scene, expected) in rows {
        assert_eq!(scene.judge().map(|_| ()), expected, "{name}");
        // What is refused before there is a chain is refused by the limits, or found by the report as well.
        assert_eq!(scene.explained(), expected, "{name}: the report");
    }
}

/// A scene from an honest blueprint with one change.
fn with(made: Made, change: impl Fn(&mut Blueprint)) -> Scene {
    let mut blueprint = honest(made);
    change(&mut blueprint);
    Scene::of(&blueprint)
}

/// An honest scene with one change to what judges it.
fn judged(made: Made, change: impl Fn(&mut Scene)) -> Scene {
    let mut scene = Scene::of(&honest(made));
    change(&mut scene);
    scene
}

#[test]
fn rules_on_the_chain() {
    let foreign = || Scene::of(&honest(Made::Factory));
    let swap = |scene: &mut Scene, index: usize| scene.ders[index] = foreign().ders[index].clone();
    assert_rows(vec![
        ("a factory chain", judged(Made::Factory, |_| {}), Ok(())),
        ("a remotely provisioned chain", judged(Made::Remote, |_| {}), Ok(())),
        (
            "an anchor that is not configured",
            judged(Made::Factory, |s| s.trust.anchors = Anchors::none()),
            Err(AttestRefusal::AnchorUnknown { issuer: "CN=Test Attestation Root".into() }),
        ),
        (
            "an anchor of the same name with another key",
            judged(Made::Factory, |s| s.trust.anchors = foreign().trust.anchors),
            Err(AttestRefusal::AnchorUnknown { issuer: "CN=Test Attestation Root".into() }),
        ),
        (
            "another phone's leaf",
            judged(Made::Factory, |s| swap(s, 0)),
            Err(AttestRefusal::SignatureInvalid { index: 0, why: SignatureRefusal::Invalid }),
        ),
        (
            "another phone's intermediate",
            judged(Made::Factory, |s| swap(s, 2)),
            Err(AttestRefusal::SignatureInvalid { index: 2, why: SignatureRefusal::Invalid }),
        ),
        ("the intermediate left out", judged(Made::Factory, |s| drop(s.ders.remove(2))), Err(AttestRefusal::IssuerMismatch { index: 1 })),
        ("the leaf left out", judged(Made::Factory, |s| drop(s.ders.remove(0))), Err(AttestRefusal::AttestationMissing)),
        (
            "the order turned round",
            judged(Made::Factory, |s| s.ders.reverse()),
            Err(AttestRefusal::AnchorUnknown { issuer: "CN=Test Phone".into() }),
        ),
        ("two certificates", judged(Made::Factory, |s| s.ders.truncate(2)), Err(AttestRefusal::ChainTooShort { count: 2 })),
        ("no certificate", judged(Made::Factory, |s| s.ders.clear()), Err(AttestRefusal::ChainTooShort { count: 0 })),
        (
            "the leaf twice",
            judged(Made::Factory, |s| s.ders.insert(0, s.ders[0].clone())),
            Err(AttestRefusal::CertificateRepeated { index: 1 }),
        ),
        ("the root twice", judged(Made::Factory, |s| s.ders.push(s.ders[3].clone())), Err(AttestRefusal::CertificateRepeated { index: 4 })),
        (
            "a cycle",
            judged(Made::Factory, |s| s.ders = [s.ders.clone(), s.ders.clone()].concat()),
            Err(AttestRefusal::CertificateRepeated { index: 4 }),
        ),
        ("eleven certificates", judged(Made::Factory, |s| s.ders = vec![s.ders[0].clone(); 11]), Err(AttestRefusal::ChainTooLong)),
        (
            "an issuer that is no authority",
            with(Made::Factory, |b| b.intermediate_ca = IsCa::ExplicitNoCa),
            Err(AttestRefusal::IssuerNotAllowed { index: 2 }),
        ),
        (
            "an issuer that may not sign certificates",
            with(Made::Factory, |b| b.intermediate_usages = vec![KeyUsagePurpose::DigitalSignature]),
            Err(AttestRefusal::IssuerNotAllowed { index: 2 }),
        ),
        (
            "an issuer that allows what is there",
            with(Made::Factory, |b| b.intermediate_ca = IsCa::Ca(BasicConstraints::Constrained(1))),
            Ok(()),
        ),
        (
            "an issuer that allows less than is there",
            with(Made::Factory, |b| b.intermediate_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
            Err(AttestRefusal::PathTooLong { index: 2 }),
        ),
        (
            "an algorithm that is not taken",
            with(Made::Factory, |b| b.intermediate_algorithm = &PKCS_ED25519),
            Err(AttestRefusal::SignatureInvalid { index: 1, why: SignatureRefusal::AlgorithmRefused }),
        ),
        ("a longer curve", with(Made::Factory, |b| b.intermediate_algorithm = &PKCS_ECDSA_P384_SHA384), Ok(())),
        (
            "an unknown restriction",
            with(Made::Factory, |b| b.intermediate_extensions = vec![extension(&[2, 5, 29, 30], &[0x30, 0], true)]),
            Err(AttestRefusal::CriticalExtensionUnknown { index: 2, oid: "2.5.29.30".into() }),
        ),
        (
            "an unknown remark",
            with(Made::Factory, |b| b.intermediate_extensions = vec![extension(&[2, 5, 29, 30], &[0x30, 0], false)]),
            Ok(()),
        ),
    ]);
}

#[test]
fn certificates_are_parsed_strictly() {
    let malformed = |index, malformed| Err(AttestRefusal::CertificateMalformed { index, malformed });
    let usage = || extension(&[2, 5, 29, 15], &[3, 2, 7, 0x80], true);
    assert_rows(vec![
        ("bytes after the leaf", judged(Made::Factory, |s| s.ders[0].push(0)), malformed(0, Malformed::NotDer)),
        ("bytes after the root", judged(Made::Factory, |s| s.ders[3].push(0)), malformed(3, Malformed::NotDer)),
        ("a leaf that ends early", judged(Made::Factory, |s| s.ders[0].truncate(300)), malformed(0, Malformed::NotDer)),
        ("no bytes", judged(Made::Factory, |s| s.ders[1].clear()), malformed(1, Malformed::NotDer)),
        ("more bytes than are read", judged(Made::Factory, |s| s.ders[1].resize(16 * 1024 + 1, 0)), malformed(1, Malformed::TooLarge)),
        ("as many bytes as are read", judged(Made::Factory, |s| s.ders[1].resize(16 * 1024, 0)), malformed(1, Malformed::NotDer)),
        ("two algorithms", judged(Made::Factory, |s| rename_outer_algorithm(&mut s.ders[0])), malformed(0, Malformed::AlgorithmsDiffer)),
        (
            "a signature of broken bytes",
            judged(Made::Factory, |s| shorten_signature_by_bits(&mut s.ders[0])),
            malformed(0, Malformed::SignatureBits),
        ),
        ("an extension twice", with(Made::Factory, |b| b.leaf_extensions = vec![usage()]), malformed(0, Malformed::ExtensionRepeated)),
        (
            "a key usage of another type",
            with(Made::Factory, |b| {
                b.intermediate_usages.clear();
                b.intermediate_extensions = vec![extension(&[2, 5, 29, 15], &[5, 0], true)];
            }),
            malformed(2, Malformed::Extension),
        ),
    ]);
}

/// Makes the unsigned copy of the algorithm, the last one in the certificate, ecdsa-with-SHA384.
fn rename_outer_algorithm(der: &mut [u8]) {
    let sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let at = der.windows(8).rposition(|window| window == sha256).expect("the algorithm");
    der[at + 7] = 0x03;
}

/// Marks the last bit of the signature as unused; it must be zero then.
fn shorten_signature_by_bits(der: &mut [u8]) {
    let sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let at = der.windows(8).rposition(|window| window == sha256).expect("the algorithm");
    // After the identifier come the tag, the length and the number of unused bits of the signature.
    der[at + 10] = 1;
    *der.last_mut().expect("a signature") &= 0xfe;
}

#[test]
fn texts_are_parsed_strictly() {
    let good = pem(&Scene::of(&honest(Made::Factory)).ders);
    let rows: &[(&str, String, Result<(), AttestRefusal>)] = &[
        ("a chain", good.clone(), Ok(())),
        ("a chain with remarks and other line ends", format!("remark\n{}", good.replace('\n', "\r\n")), Ok(())),
        ("no block", "-----".into(), Err(AttestRefusal::ChainTooShort { count: 0 })),
        ("a block that does not end", good.replacen("-----END CERTIFICATE-----", "", 1), Err(AttestRefusal::PemMalformed { index: 0 })),
        ("a block that is no base64", good.replacen("\nMII", "\n*II", 1), Err(AttestRefusal::PemMalformed { index: 0 })),
        (
            "a block that is too large",
            good.replacen("\nMII", &format!("\n{}MII", " ".repeat(40_000)), 1),
            Err(AttestRefusal::PemMalformed { index: 0 }),
        ),
        (
            "eleven blocks",
            good.repeat(3).split_inclusive("-----END CERTIFICATE-----\n").take(11).collect(),
            Err(AttestRefusal::ChainTooLong),
        ),
        ("very many blocks", good.repeat(1000), Err(AttestRefusal::ChainTooLong)),
    ];
    for (name, text, expected) in rows {
        assert_eq!(chain_from_pem(text).map(|_| ()), *expected, "{name}");
    }
}

#[test]
fn rules_on_time() {
    let expired = |index| Err(AttestRefusal::CertificateExpired { index, not_after: UnixSeconds(ca::EXPIRES) });
    let early = |index| Err(AttestRefusal::CertificateNotYetValid { index, not_before: UnixSeconds(ca::BORN) });
    assert_rows(vec![
        ("the last second, remote", judged(Made::Remote, |s| s.now = ca::EXPIRES), Ok(())),
        ("one second after it, remote", judged(Made::Remote, |s| s.now = ca::EXPIRES + 1), expired(1)),
        ("one second after it, factory", judged(Made::Factory, |s| s.now = ca::EXPIRES + 1), Ok(())),
        ("the end of time, factory", judged(Made::Factory, |s| s.now = u64::MAX), Ok(())),
        ("the end of time, remote", judged(Made::Remote, |s| s.now = u64::MAX), expired(1)),
        (
            "one second after it, of unknown origin",
            judged(Made::Software, |s| {
                s.requirements = Requirements::observe();
                s.now = ca::EXPIRES + 1;
            }),
            expired(1),
        ),
        ("the first second", judged(Made::Factory, |s| s.now = ca::BORN), Ok(())),
        ("one second before it, factory", judged(Made::Factory, |s| s.now = ca::BORN - 1), early(1)),
        ("one second before it, remote", judged(Made::Remote, |s| s.now = ca::BORN - 1), early(1)),
        ("the beginning of time", judged(Made::Factory, |s| s.now = 0), early(1)),
    ]);
}

#[test]
fn nothing_may_be_appended() {
    let made = make(&honest(Made::Factory));
    let extended = |ders| {
        let mut scene = Scene::of(&honest(Made::Factory));
        let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
        scene.trust.anchors = Anchors::parse(source, &made.root_pem).expect("a root");
        scene.ders = ders;
        scene
    };
    let better = encode(&ca::description(Made::Factory)).expect("a description");
    assert_rows(vec![
        ("nothing appended", extended(made.ders.clone()), Ok(())),
        ("a key of one's own, as attested", extended(append(&made, Some(better))), Err(AttestRefusal::ChainExtended { attested: 1 })),
        ("a key of one's own, plain", extended(append(&made, None)), Err(AttestRefusal::ChainExtended { attested: 1 })),
        ("a key of one's own with nonsense", extended(append(&made, Some(vec![0]))), Err(AttestRefusal::ChainExtended { attested: 1 })),
    ]);
}

#[test]
fn rules_on_revocation() {
    let revoked = |index, serial: &str| Err(AttestRefusal::CertificateRevoked { index, serial: serial.into() });
    let on = |serial: &str, status: &str| format!(r#"{{"entries":{{"{serial}":{{"status":"{status}","reason":"KEY_COMPROMISE"}}}}}}"#);
    let scene = |rule: StatusRule| judged(Made::Factory, move |s| s.trust.status = rule.clone());
    assert_rows(vec![
        ("a list that names nobody", scene(list(r#"{"entries":{}}"#, NOW, 60)), Ok(())),
        ("a list that names others", scene(list(&on("c4", "REVOKED"), NOW, 60)), Ok(())),
        ("the attesting key revoked", scene(list(&on("c3", "REVOKED"), NOW, 60)), revoked(1, "c3")),
        ("suspended", scene(list(&on("c3", "SUSPENDED"), NOW, 60)), revoked(1, "c3")),
        ("a status of the future", scene(list(&on("c3", "FROWNED_UPON"), NOW, 60)), revoked(1, "c3")),
        ("written otherwise", scene(list(&on("00C3", "REVOKED"), NOW, 60)), revoked(1, "c3")),
        ("the intermediate", scene(list(&on("b2", "REVOKED"), NOW, 60)), revoked(2, "b2")),
        ("the root", scene(list(&on("a1", "REVOKED"), NOW, 60)), revoked(3, "a1")),
        ("the oldest list that is taken", scene(list(r#"{"entries":{}}"#, NOW - 60, 60)), Ok(())),
        (
            "one second older",
            scene(list(r#"{"entries":{}}"#, NOW - 61, 60)),
            Err(AttestRefusal::StatusListStale { fetched_at: UnixSeconds(NOW - 61) }),
        ),
        ("a list from the future, as clocks go", scene(list(r#"{"entries":{}}"#, NOW + 5, 60)), Ok(())),
        ("no list", scene(StatusRule::Required { list: None, age_max: Seconds(60) }), Err(AttestRefusal::StatusListMissing)),
        ("no list and none asked for", scene(StatusRule::NotAsked), Ok(())),
    ]);
}

#[test]
fn rules_on_the_description() {
    let malformed = |why| Err(AttestRefusal::DescriptionMalformed(why));
    let encoded = || encode(&ca::description(Made::Factory)).expect("a description");
    let raw = |content: Vec<u8>| with(Made::Factory, move |b| b.extension = Some(content.clone()));
    let versioned = |version| with(Made::Factory, move |b| b.description.attestation_version = version);
    assert_rows(vec![
        ("no description", raw(vec![]), malformed(DescriptionRefusal::NotDer)),
        ("bytes after it", raw([encoded(), vec![0]].concat()), malformed(DescriptionRefusal::NotDer)),
        ("no version", raw(vec![0x30, 0]), malformed(DescriptionRefusal::NotDer)),
        ("the oldest version", versioned(1), Ok(())),
        ("the newest version", versioned(500), Ok(())),
        ("version 0", versioned(0), malformed(DescriptionRefusal::VersionUnknown { version: 0 })),
        ("a version of the future", versioned(600), malformed(DescriptionRefusal::VersionUnknown { version: 600 })),
        (
            "a security level of the future",
            raw(changed(&encoded(), &[0x0a, 1, 1], &[0x0a, 1, 3])),
            malformed(DescriptionRefusal::SecurityLevelUnknown),
        ),
        (
            "an origin that is no number",
            raw(changed(&encoded(), &[0xbf, 0x85, 0x3e, 3, 2, 1, 0], &[0xbf, 0x85, 0x3e, 3, 4, 1, 0])),
            malformed(DescriptionRefusal::TagMalformed { number: 702 }),
        ),
        (
            "no origin, but the vendor's patch level twice",
            raw(changed(&encoded(), &[0xbf, 0x85, 0x4f, 6], &[0xbf, 0x85, 0x4e, 6])),
            malformed(DescriptionRefusal::TagRepeated { number: 718 }),
        ),
        ("very many tags", raw(description_of_many_tags()), malformed(DescriptionRefusal::TooManyTags)),
        ("another challenge", judged(Made::Factory, |s| s.challenge = b"another".to_vec()), Err(AttestRefusal::ChallengeMismatch)),
        ("the beginning of the challenge", judged(Made::Factory, |s| s.challenge.truncate(31)), Err(AttestRefusal::ChallengeMismatch)),
        (
            "no challenge asked and none answered",
            with(Made::Factory, |b| b.description.challenge.clear()).challenged(&[]),
            Err(AttestRefusal::ChallengeMismatch),
        ),
        ("no challenge", judged(Made::Factory, |s| s.challenge.clear()), Err(AttestRefusal::ChallengeMismatch)),
    ]);
}

/// The same bytes with the last occurrence of some others replaced by as many.
fn changed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the bytes to change");
    let mut out = bytes.to_vec();
    out[at..at + to.len()].copy_from_slice(to);
    out
}

/// An honest description whose software list holds 129 tags that nobody knows.
fn description_of_many_tags() -> Vec<u8> {
    let mut description = ca::description(Made::Factory);
    description.software_enforced = ca::list(vec![]);
    let bytes = encode(&description).expect("a description");
    let tags: Vec<u8> = (0..129_u16)
        .flat_map(|n| vec![0xbf, 0x87, 0x80 | u8::try_from(n >> 7).expect("small"), u8::try_from(n & 0x7f).expect("small"), 2, 5, 0])
        .collect();
    let list = [vec![0x30, 0x82], u16::try_from(tags.len()).expect("small").to_be_bytes().to_vec(), tags].concat();
    // The empty list stands right after the empty unique identifier; the header of the whole is three bytes long.
    let at = bytes.windows(4).position(|window| window == [4, 0, 0x30, 0]).expect("the lists") + 2;
    let body = [&bytes[3..at], &list, &bytes[at + 2..]].concat();
    assert_eq!(&bytes[..2], [0x30, 0x81], "a description of 128 to 255 bytes");
    [vec![0x30, 0x82], u16::try_from(body.len()).expect("small").to_be_bytes().to_vec(), body].concat()
}

#[test]
fn rules_on_hardware_and_boot() {
    use SecurityLevel::{Software, StrongBox, TrustedEnvironment};
    let levels_under = |title: Option<&'static str>, attestation, key| {
        with(Made::Factory, move |b| {
            b.attesting_title = title;
            b.description.attestation_security_level = attestation;
            b.description.key_mint_security_level = key;
        })
    };
    let levels = |attestation, key| levels_under(None, attestation, key);
    let remote = |organization: &'static str, level| {
        with(Made::Remote, move |b| {
            b.attesting_organization = organization;
            b.description.attestation_security_level = level;
            b.description.key_mint_security_level = level;
        })
    };
    let contradicted = |level, claimed| Err(AttestRefusal::SecurityLevelContradicted { level, claimed });
    let differ = |attestation, key| Err(AttestRefusal::SecurityLevelsDiffer { attestation, key });
    let root = |value: Option<Value>| {
        with(Made::Factory, move |b| b.description.hardware_enforced = hardware_with(Tag::RootOfTrust, value.clone()))
    };
    let relaxed = |value: Option<Value>, change: fn(&mut Requirements)| {
        let mut scene = root(value);
        change(&mut scene.requirements);
        scene
    };
    let self_signed_by = |keys: BootKeyRule| {
        let mut scene = root(booted(BootState::SelfSigned));
        scene.requirements.boot_states.push(BootState::SelfSigned);
        scene.requirements.boot_keys = keys;
        scene
    };
    let not_verified = |state| Err(AttestRefusal::BootNotVerified { state });
    assert_rows(vec![
        ("both in the trusted environment", levels(TrustedEnvironment, TrustedEnvironment), Ok(())),
        ("both in a StrongBox", levels_under(Some("StrongBox"), StrongBox, StrongBox), Ok(())),
        ("a StrongBox, spelt otherwise", levels_under(Some("Maker's STRONGBOX 2"), StrongBox, StrongBox), Ok(())),
        ("a StrongBox that nobody named", levels(StrongBox, StrongBox), contradicted(StrongBox, None)),
        ("a StrongBox of a trusted environment", levels_under(Some("TEE"), StrongBox, StrongBox), contradicted(StrongBox, None)),
        (
            "a trusted environment of a StrongBox",
            levels_under(Some("StrongBox"), TrustedEnvironment, TrustedEnvironment),
            contradicted(TrustedEnvironment, Some(StrongBox)),
        ),
        ("a StrongBox, remotely", remote("StrongBox", StrongBox), Ok(())),
        ("a StrongBox, says a trusted environment", remote("TEE", StrongBox), contradicted(StrongBox, Some(TrustedEnvironment))),
        (
            "a trusted environment, says a StrongBox",
            remote("StrongBox", TrustedEnvironment),
            contradicted(TrustedEnvironment, Some(StrongBox)),
        ),
        ("a StrongBox, remotely, unnamed", remote("Phone", StrongBox), contradicted(StrongBox, None)),
        ("a trusted environment, remotely, unnamed", remote("Phone", TrustedEnvironment), Ok(())),
        ("a StrongBox's key attested by the other place", levels(TrustedEnvironment, StrongBox), differ(TrustedEnvironment, StrongBox)),
        (
            "the other place's key attested by a StrongBox",
            levels_under(Some("StrongBox"), StrongBox, TrustedEnvironment),
            differ(StrongBox, TrustedEnvironment),
        ),
        (
            "two places, where software is accepted",
            levels(TrustedEnvironment, StrongBox).requiring(|r| r.security_level_min = Software),
            Ok(()),
        ),
        (
            "exactly the level asked for",
            levels(TrustedEnvironment, TrustedEnvironment).requiring(|r| r.security_level_exact = Some(TrustedEnvironment)),
            Ok(()),
        ),
        (
            "more than the level asked for",
            levels_under(Some("StrongBox"), StrongBox, StrongBox).requiring(|r| r.security_level_exact = Some(TrustedEnvironment)),
            Err(AttestRefusal::SecurityLevelWrong { required: TrustedEnvironment, level: StrongBox }),
        ),
        (
            "less than the level asked for",
            levels(TrustedEnvironment, TrustedEnvironment).requiring(|r| r.security_level_exact = Some(StrongBox)),
            Err(AttestRefusal::SecurityLevelWrong { required: StrongBox, level: TrustedEnvironment }),
        ),
        (
            "hardware below a root for software",
            judged(Made::Factory, |s| s.trust.anchors = for_software(&s.trust.anchors)),
            Err(AttestRefusal::AttestationNotHardware { level_min: TrustedEnvironment, level: Software }),
        ),
        (
            "attested by software",
            levels(Software, TrustedEnvironment),
            Err(AttestRefusal::AttestationNotHardware { level_min: TrustedEnvironment, level: Software }),
        ),
        (
            "a key in software",
            levels(TrustedEnvironment, Software),
            Err(AttestRefusal::KeyNotHardware { level_min: TrustedEnvironment, level: Software }),
        ),
        ("unlocked", root(root_of_trust_with(|root| root.device_locked = false)), Err(AttestRefusal::BootloaderUnlocked)),
        (
            "unlocked, and that is accepted",
            relaxed(root_of_trust_with(|root| root.device_locked = false), |r| r.bootloader = BootloaderRule::Any),
            Ok(()),
        ),
        ("not verified", root(booted(BootState::Unverified)), not_verified(BootState::Unverified)),
        ("failed", root(booted(BootState::Failed)), not_verified(BootState::Failed)),
        ("the owner's system", root(booted(BootState::SelfSigned)), not_verified(BootState::SelfSigned)),
        ("the owner's system, any key", self_signed_by(BootKeyRule::Any), Ok(())),
        ("the owner's system, a known key", self_signed_by(BootKeyRule::OneOf(vec![vec![9; 32]])), Ok(())),
        (
            "the owner's system, an unknown key",
            self_signed_by(BootKeyRule::OneOf(vec![vec![1; 32]])),
            Err(AttestRefusal::BootKeyUnknown { key: vec![9; 32] }),
        ),
        ("no root of trust", root(None), Err(AttestRefusal::RootOfTrustMissing)),
        (
            "no root of trust, locked",
            relaxed(None, |r| r.root_of_trust = RootOfTrustRule::Optional),
            Err(AttestRefusal::RootOfTrustMissing),
        ),
        (
            "no root of trust, and none asked for",
            relaxed(None, |r| {
                r.root_of_trust = RootOfTrustRule::Optional;
                r.bootloader = BootloaderRule::Any;
            }),
            Ok(()),
        ),
        (
            "a root of trust that Android made up",
            with(Made::Factory, |b| {
                b.description.hardware_enforced = hardware_with(Tag::RootOfTrust, None);
                b.description.software_enforced = software_with(Tag::RootOfTrust, root_of_trust_with(|_| {}));
            }),
            Err(AttestRefusal::RootOfTrustMissing),
        ),
        ("patched enough", judged(Made::Factory, |s| s.requirements.patch_level_min = Some(month(202_506))), Ok(())),
        (
            "one month too old",
            judged(Made::Factory, |s| s.requirements.patch_level_min = Some(month(202_507))),
            Err(AttestRefusal::PatchLevelTooOld { level_min: month(202_507), level: Some(month(202_506)) }),
        ),
        (
            "no patch level",
            with(Made::Factory, |b| b.description.hardware_enforced = hardware_with(Tag::OsPatchLevel, None))
                .requiring(|r| r.patch_level_min = Some(month(202_401))),
            Err(AttestRefusal::PatchLevelTooOld { level_min: month(202_401), level: None }),
        ),
        ("next month's patches", patched_at(202_508).requiring(|r| r.patch_level_min = Some(month(202_401))), Ok(())),
        (
            "patches of the future",
            patched_at(202_509).requiring(|r| r.patch_level_min = Some(month(202_401))),
            Err(AttestRefusal::PatchLevelTooOld { level_min: month(202_401), level: None }),
        ),
        ("patches of the future, where none are asked for", patched_at(209_912), Ok(())),
    ]);
}

/// The same anchors, as their owner meant them for software.
fn for_software(anchors: &Anchors) -> Anchors {
    let der = anchors.iter().next().expect("an anchor").certificate().der().to_vec();
    Anchors::parse(Source { vendor: Vendor::Operator, purpose: Purpose::AndroidSoftware }, &pem(&[der])).expect("a root")
}

fn patched_at(level: u64) -> Scene {
    with(Made::Factory, move |b| b.description.hardware_enforced = hardware_with(Tag::OsPatchLevel, Some(Value::Integer(level))))
}

#[test]
fn rules_on_versions_and_ages() {
    let versioned = |attestation: u32, interface: u32, min: u32| {
        with(Made::Factory, move |b| {
            b.description.attestation_version = attestation;
            b.description.key_mint_version = interface;
        })
        .requiring(move |r| {
            r.attestation_version_min = Some(min);
            r.key_mint_version_min = Some(min);
        })
    };
    let resistant = |tag: Option<Tag>| {
        with(Made::Factory, move |b| {
            if let Some(tag) = tag {
                b.description.hardware_enforced = hardware_with(tag, Some(Value::Present));
            }
        })
        .requiring(|r| r.rollback = RollbackRule::Resistant)
    };
    let made_at = |millis: Option<u64>| {
        with(Made::Factory, move |b| b.description.software_enforced = software_with(Tag::CreationDateTime, millis.map(Value::Integer)))
            .requiring(|r| r.attestation_age_max = Some(Seconds(600)))
    };
    let stale = |at: Option<u64>| Err(AttestRefusal::AttestationStale { created_at: at.map(UnixSeconds) });
    assert_rows(vec![
        ("new enough", versioned(100, 100, 100), Ok(())),
        ("an old attestation", versioned(4, 100, 100), Err(AttestRefusal::AttestationVersionTooOld { version_min: 100, version: 4 })),
        ("an old keystore", versioned(100, 41, 100), Err(AttestRefusal::KeyMintVersionTooOld { version_min: 100, version: 41 })),
        ("deleted for good", resistant(Some(Tag::RollbackResistance)), Ok(())),
        ("deleted for good, as older ones say it", resistant(Some(Tag::RollbackResistant)), Ok(())),
        ("perhaps to come back", resistant(None), Err(AttestRefusal::RollbackResistanceMissing)),
        (
            "deleted for good, says Android",
            with(Made::Factory, |b| b.description.software_enforced = software_with(Tag::RollbackResistance, Some(Value::Present)))
                .requiring(|r| r.rollback = RollbackRule::Resistant),
            Err(AttestRefusal::RollbackResistanceMissing),
        ),
        ("made now", made_at(Some(NOW * 1000)), Ok(())),
        ("made just lately enough", made_at(Some((NOW - 600) * 1000)), Ok(())),
        ("made too long ago", made_at(Some((NOW - 601) * 1000)), stale(Some(NOW - 601))),
        ("made a little later, as clocks go", made_at(Some((NOW + 300) * 1000)), Ok(())),
        ("made in the future", made_at(Some((NOW + 301) * 1000)), stale(Some(NOW + 301))),
        ("made at the end of time", made_at(Some(u64::MAX)), stale(Some(u64::MAX / 1000))),
        ("made at no time", made_at(None), stale(None)),
    ]);
}

impl Scene {
    fn challenged(mut self, challenge: &[u8]) -> Self {
        self.challenge = challenge.to_vec();
        self
    }

    fn requiring(mut self, change: impl Fn(&mut Requirements)) -> Self {
        change(&mut self.requirements);
        self
    }
}

#[test]
fn rules_on_key_and_app() {
    let hardware =
        |tag, value: Option<Value>| with(Made::Factory, move |b| b.description.hardware_enforced = hardware_with(tag, value.clone()));
    let software =
        |tag, value: Option<Value>| with(Made::Factory, move |b| b.description.software_enforced = software_with(tag, value.clone()));
    let purposes = |numbers: &[u64]| hardware(Tag::Purpose, Some(Value::Integers(numbers.to_vec())));
    let app = |names: &[&str], signers: &[[u8; 32]]| {
        let packages = names.iter().map(|name| Package { name: (*name).to_owned(), version: 1 }).collect();
        let app = ApplicationId { packages, signers: signers.iter().map(|signer| signer.to_vec()).collect() };
        software(Tag::AttestationApplicationId, Some(Value::Application(app)))
    };
    let wrong_purpose = |purposes: &[u64]| Err(AttestRefusal::KeyPurposeWrong { purposes: purposes.to_vec() });
    let bad_signer = |signers: &[[u8; 32]]| {
        Err(AttestRefusal::AppSignerUnknown { package: ca::PACKAGE.into(), signers: signers.iter().map(|s| s.to_vec()).collect() })
    };
    assert_rows(vec![
        ("signing and verifying", purposes(&[2, 3]), Ok(())),
        ("signing and decrypting", purposes(&[2, 1]), wrong_purpose(&[2, 1])),
        ("attesting others", purposes(&[7]), wrong_purpose(&[7])),
        ("verifying only", purposes(&[3]), wrong_purpose(&[3])),
        ("no purpose", hardware(Tag::Purpose, None), wrong_purpose(&[])),
        ("any purpose, where that is accepted", purposes(&[7]).requiring(|r| r.purpose = PurposeRule::Any), Ok(())),
        ("an imported key", hardware(Tag::Origin, Some(Value::Origin(Origin::Imported))), Err(AttestRefusal::KeyNotGenerated)),
        ("no origin", hardware(Tag::Origin, None), Err(AttestRefusal::KeyNotGenerated)),
        ("an imported key, where that is accepted", hardware(Tag::Origin, None).requiring(|r| r.origin = OriginRule::Any), Ok(())),
        (
            "every app's key, says hardware",
            hardware(Tag::AllApplications, Some(Value::Present)),
            Err(AttestRefusal::KeyOpenToAllApplications),
        ),
        (
            "every app's key, says software",
            software(Tag::AllApplications, Some(Value::Present)),
            Err(AttestRefusal::KeyOpenToAllApplications),
        ),
        (
            "every app's key, where that is accepted",
            software(Tag::AllApplications, Some(Value::Present)).requiring(|r| r.applications = ApplicationsRule::Any),
            Ok(()),
        ),
        (
            "a key on another curve",
            with(Made::Factory, |b| b.leaf_algorithm = &PKCS_ECDSA_P384_SHA384),
            Err(AttestRefusal::KeyUnsupported { kind: "EC P-384".into() }),
        ),
        (
            "a key of another kind",
            with(Made::Factory, |b| b.leaf_algorithm = &PKCS_ED25519),
            Err(AttestRefusal::KeyUnsupported { kind: "Ed25519".into() }),
        ),
        (
            "a key of another kind, where that is accepted",
            with(Made::Factory, |b| b.leaf_algorithm = &PKCS_ED25519).requiring(|r| r.key = KeyRule::Any),
            Ok(()),
        ),
        (
            "another app",
            app(&["com.example.game"], &[ca::SIGNER]),
            Err(AttestRefusal::AppUnknown { packages: vec!["com.example.game".into()] }),
        ),
        ("no app", software(Tag::AttestationApplicationId, None), Err(AttestRefusal::AppUnknown { packages: vec![] })),
        ("no app, where that is accepted", software(Tag::AttestationApplicationId, None).requiring(|r| r.app = AppRule::Any), Ok(())),
        ("an app and its widget", app(&["com.example.widget", ca::PACKAGE], &[ca::SIGNER]), Ok(())),
        ("a repackaged app", app(&[ca::PACKAGE], &[[8; 32]]), bad_signer(&[[8; 32]])),
        ("a signer too many", app(&[ca::PACKAGE], &[ca::SIGNER, [8; 32]]), bad_signer(&[ca::SIGNER, [8; 32]])),
        ("no signer", app(&[ca::PACKAGE], &[]), bad_signer(&[])),
        (
            "no app accepted",
            judged(Made::Factory, |s| s.requirements.app = AppRule::OneOf(vec![])),
            Err(AttestRefusal::AppUnknown { packages: vec![ca::PACKAGE.into()] }),
        ),
    ]);
}

#[test]
fn phones_that_differ_are_understood() {
    let reversed = |entries: Vec<_>| ca::list(entries.into_iter().rev().collect());
    let unknown = || entry(Tag::Other(9999), Value::Unknown(vec![0x30, 3, 2, 1, 5]));
    assert_rows(vec![
        ("tags in another order", with(Made::Factory, |b| b.description.hardware_enforced = reversed(ca::hardware_entries())), Ok(())),
        (
            "a tag of the future",
            with(Made::Factory, |b| b.description.hardware_enforced = ca::list([ca::hardware_entries(), vec![unknown()]].concat())),
            Ok(()),
        ),
        (
            "no hash of what was booted",
            with(Made::Factory, |b| {
                b.description.hardware_enforced = hardware_with(Tag::RootOfTrust, root_of_trust_with(|root| root.verified_boot_hash = None))
            }),
            Ok(()),
        ),
        (
            "a key that only verifies in software lists",
            with(Made::Factory, |b| b.description.software_enforced = software_with(Tag::Purpose, Some(Value::Integers(vec![7])))),
            Ok(()),
        ),
    ]);
}

#[test]
fn evidence_says_who_and_what() {
    let scene = Scene::of(&honest(Made::Remote));
    let evidence = scene.judge().expect("evidence");
    let key = evidence.device_key().expect("a P-256 key");
    let device = DeviceId::parse("d_1").expect("a device");
    let posture = evidence.posture(device.clone(), *key.thumbprint(), UnixSeconds(NOW));
    assert_eq!(posture.tier, EvidenceTier::Hardware);
    assert_eq!(posture.device, device);
    assert_eq!(posture.key, *key.thumbprint());
    assert_eq!(posture.established_at, UnixSeconds(NOW));
    assert_eq!(posture.security_level, SecurityLevel::TrustedEnvironment);
    assert_eq!(posture.bootloader_locked, Some(true));
    assert_eq!(posture.boot_state, Some(BootState::Verified));
    assert_eq!(posture.os_version, Some(150_000));
    assert_eq!(posture.patch_level, Some(month(202_506)));
    assert_eq!(posture.app.as_ref().expect("an app").as_str(), ca::PACKAGE);
    assert_eq!(posture.app_version, Some(42));
    assert_eq!(posture.trust(), 3);
    assert!(matches!(evidence.provisioning(), Provisioning::Remote { certificates_issued: Some(12), .. }));
    assert_eq!(evidence.anchor().source().vendor, Vendor::Operator);

    assert_eq!(format!("{evidence:?}"), "Evidence(Hardware, key EC P-256)", "nothing that names a phone");

    let factory = Scene::of(&honest(Made::Factory)).judge().expect("evidence");
    assert_eq!(*factory.provisioning(), Provisioning::Factory);

    // A StrongBox that its certificate does not name is none, and patches of the future are none either, also where nothing is required.
    let mut blueprint = honest(Made::Factory);
    blueprint.description.attestation_security_level = SecurityLevel::StrongBox;
    blueprint.description.key_mint_security_level = SecurityLevel::StrongBox;
    blueprint.description.hardware_enforced = hardware_with(Tag::OsPatchLevel, Some(Value::Integer(209_912)));
    let claimed = Scene::of(&blueprint).requiring(|r| *r = Requirements::observe()).judge().expect("evidence");
    let posture = claimed.posture(device, *key.thumbprint(), UnixSeconds(NOW));
    assert_eq!(posture.security_level, SecurityLevel::TrustedEnvironment);
    assert_eq!(posture.patch_level, None);
}

/// X.690 section 11.1 allows 0x00 and 0xff; genuine phones write 0x01 for "locked".
#[test]
fn a_truth_value_is_any_byte_but_zero_where_phones_write_it_so() {
    let encoded = || encode(&ca::description(Made::Factory)).expect("a description");
    // The boot key's 32 bytes stand right before the truth value.
    let locked = |value: &[u8]| {
        let content = changed(&encoded(), &[9, 9, 1, 1, 0xff], &[&[9, 9, 1, 1][..], value].concat());
        with(Made::Factory, move |b| b.extension = Some(content.clone()))
    };
    let mut rows = vec![("unlocked", locked(&[0]), Err(AttestRefusal::BootloaderUnlocked))];
    rows.extend([1, 2, 0x7f, 0x80, 0xfe, 0xff].map(|byte| ("locked", locked(&[byte]), Ok(()))));
    let no_bytes = changed(&encoded(), &[9, 9, 1, 1, 0xff], &[9, 9, 1, 0, 0xff]);
    let root = Err(AttestRefusal::DescriptionMalformed(DescriptionRefusal::TagMalformed { number: 704 }));
    rows.push(("no truth value", with(Made::Factory, move |b| b.extension = Some(no_bytes.clone())), root.clone()));
    let number = changed(&encoded(), &[9, 9, 1, 1, 0xff], &[9, 9, 2, 1, 1]);
    rows.push(("a number", with(Made::Factory, move |b| b.extension = Some(number.clone())), root));
    // Elsewhere one byte alone is "true": of a certificate's constraints, and of an extension that is critical.
    let constraints = |byte| {
        with(Made::Factory, move |b| {
            b.intermediate_ca = IsCa::NoCa;
            b.intermediate_extensions = vec![extension(&[2, 5, 29, 19], &[0x30, 3, 1, 1, byte], true)];
        })
    };
    rows.push(("an authority", constraints(0xff), Ok(())));
    rows.push((
        "an authority in another way",
        constraints(1),
        Err(AttestRefusal::CertificateMalformed { index: 2, malformed: Malformed::Extension }),
    ));
    rows.push((
        "a critical extension in another way",
        judged(Made::Factory, |s| s.ders[2] = changed(&s.ders[2], &[0x55, 0x1d, 0x13, 1, 1, 0xff], &[0x55, 0x1d, 0x13, 1, 1, 1])),
        Err(AttestRefusal::CertificateMalformed { index: 2, malformed: Malformed::NotDer }),
    ));
    assert_rows(rows);
}

#[test]
fn a_leaf_may_be_older_than_the_clocks_of_computers() {
    assert_rows(vec![
        ("made in 1969", with(Made::Factory, |b| b.leaf_born = (1969, 12, 31)), Ok(())),
        ("made in 1950", with(Made::Remote, |b| b.leaf_born = (1950, 1, 1)), Ok(())),
        ("made in 1601", with(Made::Factory, |b| b.leaf_born = (1601, 1, 1)), Ok(())),
        ("an authority of 1969", with(Made::Factory, |b| b.attesting_born = (1969, 12, 31)), Ok(())),
    ]);
}

/// Law 2 of the design: software proves nothing, whatever it claims and whichever root it ends at.
#[test]
fn software_earns_no_tier() {
    let rows = [
        ("hardware, a hardware root", Made::Factory, Purpose::AndroidHardware, EvidenceTier::Hardware),
        ("hardware, a software root", Made::Factory, Purpose::AndroidSoftware, EvidenceTier::SelfReported),
        ("software, a hardware root", Made::Software, Purpose::AndroidHardware, EvidenceTier::SelfReported),
        ("hardware, a root for iPhones", Made::Factory, Purpose::AppAttest, EvidenceTier::SelfReported),
    ];
    for (name, made, purpose, tier) in rows {
        let blueprint = honest(made);
        let chain = make(&blueprint);
        let anchors = Anchors::parse(Source { vendor: Vendor::Google, purpose }, &chain.root_pem).expect("a root");
        let trust = Trust { anchors, status: StatusRule::NotAsked };
        let parsed = chain_from_der_list(chain.ders).expect("a chain");
        let evidence = verify(&parsed, &trust, &Requirements::observe(), ca::CHALLENGE, UnixSeconds(NOW)).expect("evidence");
        assert_eq!(evidence.tier(), tier, "{name}");
        let posture = evidence.posture(DeviceId::parse("d").expect("an id"), Thumbprint::from_bytes([0; 32]), UnixSeconds(NOW));
        assert_eq!(posture.bootloader_locked.is_some(), matches!(made, Made::Factory | Made::Remote), "{name}");
    }
}

#[test]
fn codes_are_those_of_the_vectors() {
    let rows = [
        (AttestRefusal::AnchorUnknown { issuer: String::new() }, Reason::AnchorUnknown),
        (AttestRefusal::ChainTooLong, Reason::ChainBroken),
        (AttestRefusal::ChainExtended { attested: 1 }, Reason::ChainExtended),
        (AttestRefusal::SignatureInvalid { index: 0, why: SignatureRefusal::Invalid }, Reason::ChainSignatureInvalid),
        (AttestRefusal::CertificateMalformed { index: 0, malformed: Malformed::NotDer }, Reason::CertificateMalformed),
        (AttestRefusal::CertificateNotYetValid { index: 0, not_before: UnixSeconds(0) }, Reason::CertificateNotYetValid),
        (AttestRefusal::CertificateExpired { index: 0, not_after: UnixSeconds(0) }, Reason::CertificateExpired),
        (AttestRefusal::CertificateRevoked { index: 0, serial: String::new() }, Reason::CertificateRevoked),
        (AttestRefusal::ChallengeMismatch, Reason::ChallengeMismatch),
        (AttestRefusal::DescriptionMalformed(DescriptionRefusal::NotDer), Reason::DescriptionMalformed),
        (AttestRefusal::BootNotVerified { state: BootState::Failed }, Reason::BootNotVerified),
        (AttestRefusal::BootloaderUnlocked, Reason::BootloaderUnlocked),
    ];
    for (refusal, reason) in rows {
        assert_eq!(refusal.reason(), reason, "{refusal}");
    }
}
