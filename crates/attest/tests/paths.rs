//! Which path a chain is: where it ends, how long it is, and who may issue in it. One fault at a time, and the one right answer.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

mod ca;

use ca::{Blueprint, Made, NOW, append, extension, honest, make};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{
        AttestRefusal, Provisioning, RawChain, Requirements, StatusRule, Trust, Verdict, chain_from_der_list, encode, inspect, verify,
    },
    x509::SignatureRefusal,
};
use countersign_core::UnixSeconds;
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};

fn trust(roots: &str) -> Trust {
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
    Trust { anchors: Anchors::parse(source, roots).expect("roots"), status: StatusRule::NotAsked }
}

/// The verdict, which must be the first of the report as well.
fn judge(ders: &[Vec<u8>], trust: &Trust, now: u64) -> Result<Provisioning, AttestRefusal> {
    let (requirements, challenge, now) = (Requirements::observe(), ca::CHALLENGE, UnixSeconds(now));
    let verdict = chain_from_der_list(ders.to_vec()).and_then(|chain| verify(&chain, trust, &requirements, challenge, now));
    if let Ok(raw) = RawChain::from_der_list(ders.to_vec()) {
        let first = match inspect(&raw, trust, &requirements, Some(challenge), now).verdict() {
            Verdict::Refused(refusals) => refusals.first().cloned(),
            Verdict::Accepted | Verdict::AcceptedButForChallenge => None,
        };
        assert_eq!(first, verdict.as_ref().err().cloned(), "the report");
    }
    verdict.map(|evidence| evidence.provisioning().clone())
}

fn blueprint(made: Made, change: impl Fn(&mut Blueprint)) -> Blueprint {
    let mut blueprint = honest(made);
    change(&mut blueprint);
    blueprint
}

fn remote() -> Provisioning {
    Provisioning::Remote { info: vec![0xa1, 1, 0x1a, 0, 0, 0, 12], certificates_issued: Some(12) }
}

const EXPIRED: u64 = ca::EXPIRES + 1;

/// Issue 11, section 6: whoever appends a public certificate must not choose how the chain was provisioned, and so whether it expires.
#[test]
fn nothing_appended_switches_expiry_off() {
    let phone = make(&honest(Made::Remote));
    let other = make(&honest(Made::Factory));
    let trusted = trust(&[phone.root_pem.clone(), other.root_pem.clone()].concat());
    // Google's RSA root has several certificates of one key; here they are made again, with a name that is a serial number as theirs is.
    let again = ca::roots_again(&phone);
    let expired = Err(AttestRefusal::CertificateExpired { index: 1, not_after: UnixSeconds(ca::EXPIRES) });
    let inside = |index| Err(AttestRefusal::AnchorInside { index });
    let with = |more: &[&Vec<u8>]| phone.ders.iter().chain(more.iter().copied()).cloned().collect::<Vec<_>>();
    let replaced = |root: &Vec<u8>| phone.ders.iter().take(4).chain([root]).cloned().collect::<Vec<_>>();
    let rows: &[(&str, Vec<Vec<u8>>, Result<(), AttestRefusal>, Result<(), AttestRefusal>)] = &[
        ("untouched", phone.ders.clone(), Ok(()), expired.clone()),
        ("another certificate of the same root appended", with(&[&again[0]]), inside(4), inside(4)),
        ("two of them appended", with(&[&again[0], &again[1]]), inside(4), inside(4)),
        ("another certificate of the root in its place", replaced(&again[0]), Ok(()), expired),
        ("a root that is signed by another one", with(&[&again[2], &other.ders[3]]), inside(4), inside(4)),
        ("another chain's intermediate and root", with(&[&other.ders[2], &other.ders[3]]), inside(4), inside(4)),
        ("a whole chain appended", with(&other.ders.iter().collect::<Vec<_>>()), inside(4), inside(4)),
        (
            "a certificate put before the end",
            phone.ders.iter().take(4).chain([&other.ders[2], &phone.ders[4]]).cloned().collect(),
            Err(AttestRefusal::SignatureInvalid { index: 4, why: SignatureRefusal::Invalid }),
            Err(AttestRefusal::SignatureInvalid { index: 4, why: SignatureRefusal::Invalid }),
        ),
    ];
    for (name, ders, now, later) in rows {
        assert_eq!(judge(ders, &trusted, NOW).map(drop), *now, "{name}, while it is valid");
        assert_eq!(judge(ders, &trusted, EXPIRED).map(drop), *later, "{name}, after its end");
    }
}

/// How a chain was provisioned is read from the certificate below its root, as Google's verifier does, and has one length each.
#[test]
fn a_way_of_provisioning_has_its_names_and_its_length() {
    let wrong = |count, allowed| Err(AttestRefusal::LengthWrong { count, allowed });
    let rows: &[(&str, ca::Path, Result<Provisioning, AttestRefusal>)] = &[
        ("factory", ca::path(&["ROOT", "SN", "phone", "leaf"]), Ok(Provisioning::Factory)),
        ("factory without an intermediate", ca::path(&["ROOT", "SN", "leaf"]), wrong(3, &[4])),
        ("factory with one more", ca::path(&["ROOT", "SN", "more", "phone", "leaf"]), wrong(5, &[4])),
        ("remote", ca::path(&["ROOT", "Droid CA2/Google LLC", "server", "phone+info", "leaf"]), Ok(remote())),
        (
            "remote without the extension",
            ca::path(&["ROOT", "Droid CA2/Google LLC", "server", "phone", "leaf"]),
            Ok(Provisioning::Remote { info: vec![], certificates_issued: None }),
        ),
        ("remote without the server", ca::path(&["ROOT", "Droid CA2/Google LLC", "phone+info", "leaf"]), wrong(4, &[5])),
        ("remote with one more", ca::path(&["ROOT", "Droid CA2/Google LLC", "server", "more", "phone+info", "leaf"]), wrong(6, &[5])),
        ("another organization", ca::path(&["ROOT", "Droid CA2/Google", "phone+info", "leaf"]), Ok(Provisioning::Unknown)),
        (
            "another organization, as long as remote",
            ca::path(&["ROOT", "Droid CA2/Google", "server", "phone+info", "leaf"]),
            wrong(5, &[3, 4]),
        ),
        ("another authority", ca::path(&["ROOT", "Droid CA3/Google LLC", "phone+info", "leaf"]), Ok(Provisioning::Unknown)),
        ("the extension alone", ca::path(&["ROOT", "other", "phone+info", "leaf"]), Ok(Provisioning::Unknown)),
        ("software", ca::path(&["ROOT", "software", "leaf"]), Ok(Provisioning::Unknown)),
        (
            "both names: the stricter counts",
            ca::path(&["ROOT", "SN/Droid CA2/Google LLC", "server", "phone", "leaf"]),
            Ok(Provisioning::Remote { info: vec![], certificates_issued: None }),
        ),
        ("both names, as long as from the factory", ca::path(&["ROOT", "SN/Droid CA2/Google LLC", "phone", "leaf"]), wrong(4, &[5])),
        ("a factory's name with the servers' extension", ca::path(&["ROOT", "SN", "phone+info", "leaf"]), Ok(Provisioning::Unknown)),
        ("a serial number lower down", ca::path(&["ROOT", "other", "SN", "leaf"]), Ok(Provisioning::Unknown)),
    ];
    for (name, path, expected) in rows {
        let got = judge(&path.ders, &trust(&path.root_pem), NOW);
        assert_eq!(got, *expected, "{name}");
        // Only the factory's certificates outlive their dates.
        let later = judge(&path.ders, &trust(&path.root_pem), EXPIRED);
        match expected {
            Ok(Provisioning::Factory) => assert_eq!(later, Ok(Provisioning::Factory), "{name}, later"),
            Ok(_) => assert!(matches!(later, Err(AttestRefusal::CertificateExpired { .. })), "{name}, later: {later:?}"),
            Err(refusal) => assert_eq!(later, Err(refusal.clone()), "{name}, later"),
        }
    }
}

/// Some makers' certificates directly above the attested key say that they are no authorities, and their phones are genuine.
#[test]
fn who_may_issue_an_attested_key() {
    let no_ca = |b: &mut Blueprint| b.attesting_ca = IsCa::ExplicitNoCa;
    let silent = |b: &mut Blueprint| (b.attesting_ca, b.attesting_usages) = (IsCa::NoCa, vec![]);
    let unused = |b: &mut Blueprint| b.attesting_usages = vec![KeyUsagePurpose::DigitalSignature];
    let sony = |b: &mut Blueprint| (b.attesting_ca, b.attesting_usages) = (IsCa::ExplicitNoCa, vec![KeyUsagePurpose::DigitalSignature]);
    let above = |b: &mut Blueprint| b.intermediate_ca = IsCa::ExplicitNoCa;
    let above_silent = |b: &mut Blueprint| (b.intermediate_ca, b.intermediate_usages) = (IsCa::NoCa, vec![]);
    let above_unused = |b: &mut Blueprint| b.intermediate_usages = vec![KeyUsagePurpose::DigitalSignature];
    let attests = |b: &mut Blueprint| {
        b.attesting_ca = IsCa::ExplicitNoCa;
        let content = encode(&ca::description(Made::Factory)).expect("a description");
        b.attesting_extensions = vec![extension(ca::ATTESTATION, &content, false)];
    };
    let narrow = |b: &mut Blueprint| b.attesting_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    type Change = fn(&mut Blueprint);
    let not_allowed = |index| Err(AttestRefusal::IssuerNotAllowed { index });
    let rows: &[(&str, Made, Change, Result<(), AttestRefusal>)] = &[
        ("factory: `CA:FALSE`", Made::Factory, no_ca, Ok(())),
        ("factory: no constraints, no usage", Made::Factory, silent, Ok(())),
        ("factory: no `keyCertSign`", Made::Factory, unused, Ok(())),
        ("factory: neither, as on a Sony Xperia 10 III", Made::Factory, sony, Ok(())),
        ("factory: an authority for keys alone", Made::Factory, narrow, Ok(())),
        ("factory: the same one certificate higher", Made::Factory, above, not_allowed(2)),
        ("factory: no constraints higher", Made::Factory, above_silent, not_allowed(2)),
        ("factory: no `keyCertSign` higher", Made::Factory, above_unused, not_allowed(2)),
        ("factory: with an attestation of its own", Made::Factory, attests, Err(AttestRefusal::ChainExtended { attested: 1 })),
        ("remote: `CA:FALSE`", Made::Remote, no_ca, not_allowed(1)),
        ("remote: no constraints, no usage", Made::Remote, silent, not_allowed(1)),
        ("remote: no `keyCertSign`", Made::Remote, unused, not_allowed(1)),
        ("software: `CA:FALSE`", Made::Software, no_ca, not_allowed(1)),
        ("software: no constraints, no usage", Made::Software, silent, not_allowed(1)),
    ];
    for (name, made, change, expected) in rows {
        let phone = make(&blueprint(*made, change));
        assert_eq!(judge(&phone.ders, &trust(&phone.root_pem), NOW).map(drop), *expected, "{name}");
    }
}

/// Everything that an attested key can sign stays caught, with an authority above it and without.
#[test]
fn an_attested_key_certifies_nothing() {
    for made in [Made::Factory, Made::Remote, Made::Software] {
        for ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::ExplicitNoCa] {
            let phone = make(&blueprint(made, |b| b.attesting_ca = ca));
            let trusted = trust(&phone.root_pem);
            let better = encode(&ca::description(made)).expect("a description");
            for (name, content) in [("attested", Some(better)), ("plain", None), ("nonsense", Some(vec![0]))] {
                let longer = append(&phone, content);
                let extended = Err(AttestRefusal::ChainExtended { attested: 1 });
                assert_eq!(judge(&longer, &trusted, NOW).map(drop), extended, "{name}");
                // With any one certificate left out, so that the length fits again, nothing holds together.
                for left_out in 1..longer.len() {
                    let mut shorter = longer.clone();
                    shorter.remove(left_out);
                    assert!(judge(&shorter, &trusted, NOW).is_err(), "{name}, without {left_out}");
                }
            }
        }
    }
}

/// The phone's copy of a root is not dated: its key alone is trusted.
#[test]
fn the_dates_of_a_root_do_not_count() {
    let phone = make(&honest(Made::Software));
    let trusted = trust(&phone.root_pem);
    let again = ca::roots_again(&phone);
    for root in &again[..2] {
        let ders: Vec<_> = phone.ders.iter().take(3).chain([root]).cloned().collect();
        assert_eq!(judge(&ders, &trusted, NOW), Ok(Provisioning::Unknown));
    }
}
