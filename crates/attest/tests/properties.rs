//! Properties that hold for every input: no panic, one meaning, and no unnoticed change of anything signed.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

mod ca;

use ca::{Made, honest, make};
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{
        ApplicationId, Authorization, AuthorizationList, KeyDescription, Origin, Package, RawChain, Requirements, RootOfTrust, StatusList,
        StatusRule, Tag, Trust, Value, chain_from_der_list, chain_from_pem, encode, inspect, verify,
    },
    cases,
    x509::Certificate,
};
use countersign_core::{BootState, SecurityLevel, UnixSeconds};
use proptest::{collection::vec, prelude::*, sample::select};

fn level() -> impl Strategy<Value = SecurityLevel> {
    select(vec![SecurityLevel::Software, SecurityLevel::TrustedEnvironment, SecurityLevel::StrongBox])
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn integers() -> impl Strategy<Value = Vec<u64>> {
    vec(any::<u64>(), 0..6)
}

fn application() -> impl Strategy<Value = ApplicationId> {
    let package = ("[a-z.]{0,20}", any::<u64>()).prop_map(|(name, version)| Package { name, version });
    (vec(package, 0..4), vec(bytes(), 0..4)).prop_map(|(packages, signers)| ApplicationId { packages, signers })
}

fn root_of_trust() -> impl Strategy<Value = RootOfTrust> {
    let states = vec![BootState::Failed, BootState::SelfSigned, BootState::Unverified, BootState::Verified];
    (bytes(), any::<bool>(), select(states), proptest::option::of(bytes())).prop_map(|(key, device_locked, state, hash)| RootOfTrust {
        verified_boot_key: key,
        device_locked,
        verified_boot_state: state,
        verified_boot_hash: hash,
    })
}

/// All known tags and some unknown ones, each with any value; the list leaves out those that do not fit.
fn authorization() -> impl Strategy<Value = Authorization> {
    let tags: Vec<Tag> = Tag::ALL.iter().copied().chain([Tag::Other(9), Tag::Other(99_999), Tag::Other(u32::MAX)]).collect();
    let value = prop_oneof![
        application().prop_map(Value::Application),
        bytes().prop_map(Value::Bytes),
        any::<u64>().prop_map(Value::Integer),
        integers().prop_map(Value::Integers),
        any::<u64>().prop_map(|number| Value::Origin(Origin::from_number(number))),
        Just(Value::Present),
        root_of_trust().prop_map(Value::RootOfTrust),
        bytes().prop_map(Value::Unknown),
    ];
    (select(tags), value).prop_map(|(tag, value)| Authorization { tag, value })
}

fn list() -> impl Strategy<Value = AuthorizationList> {
    vec(authorization(), 0..120).prop_map(|entries| {
        let mut kept: Vec<Authorization> = Vec::new();
        for entry in entries {
            let fits = AuthorizationList::new([kept.clone(), vec![entry.clone()]].concat()).is_ok();
            kept.extend(fits.then_some(entry));
        }
        AuthorizationList::new(kept).expect("a list")
    })
}

fn description() -> impl Strategy<Value = KeyDescription> {
    (select(KeyDescription::VERSIONS.to_vec()), level(), any::<u32>(), level(), bytes(), bytes(), list(), list()).prop_map(
        |(attestation_version, attested, key_mint_version, key, challenge, unique_id, software_enforced, hardware_enforced)| {
            KeyDescription {
                attestation_version,
                attestation_security_level: attested,
                key_mint_version,
                key_mint_security_level: key,
                challenge,
                unique_id,
                software_enforced,
                hardware_enforced,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(description in description()) {
        let der = encode(&description).expect("a description");
        prop_assert_eq!(KeyDescription::parse(&der), Ok(description));
    }

    /// A description has one encoding only, so no two readers can take it for different things. The exception is the one truth value of
    /// which phones write any byte but zero for "true", as BER reads it.
    #[test]
    fn what_is_read_has_one_encoding(description in description(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut der = encode(&description).expect("a description");
        let position = at.index(der.len());
        der[position] ^= flip;
        if let Ok(parsed) = KeyDescription::parse(&der) {
            let again = encode(&parsed).expect("a description");
            if again != der {
                prop_assert_eq!(again[position], 0xff);
                prop_assert_eq!(&again[position - 2..position], &[1, 1], "the header of a truth value");
                prop_assert!(parsed.hardware_enforced.root_of_trust().or(parsed.software_enforced.root_of_trust()).is_some());
                der[position] = 0xff;
                prop_assert_eq!(again, der);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Certificate::parse(&bytes);
        let _ = KeyDescription::parse(&bytes);
        let _ = chain_from_der_list(vec![bytes.clone(), bytes]);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}", blocks in 0_usize..4) {
        let pem = format!("-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----").repeat(blocks);
        let _ = chain_from_pem(&pem);
        let _ = chain_from_pem(&text);
        let _ = StatusList::parse(&text, UnixSeconds(0));
        let _ = cases::parse(&text);
    }
}

fn trust(root_pem: &str) -> Trust {
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
    Trust { anchors: Anchors::parse(source, root_pem).expect("a root"), status: StatusRule::NotAsked }
}

/// Every byte of every certificate is either signed, or part of the signature, or checked against what is signed.
#[test]
fn no_byte_of_a_chain_can_change() {
    for made in [Made::Factory, Made::Remote] {
        let chain = make(&honest(made));
        let trust = trust(&chain.root_pem);
        let judge = |ders: Vec<Vec<u8>>| {
            let chain = chain_from_der_list(ders)?;
            verify(&chain, &trust, &Requirements::observe(), ca::CHALLENGE, UnixSeconds(ca::NOW))
        };
        assert!(judge(chain.ders.clone()).is_ok(), "the genuine chain");
        for index in 0..chain.ders.len() {
            for at in 0..chain.ders[index].len() {
                for flip in [0x01, 0x80] {
                    let mut ders = chain.ders.clone();
                    ders[index][at] ^= flip;
                    assert!(judge(ders).is_err(), "certificate {index}, byte {at}, flip {flip:#x}");
                }
            }
        }
    }
}

/// A chain that is cut at any byte is refused, and so is a report of it made.
#[test]
fn no_chain_can_end_early() {
    let chain = make(&honest(Made::Factory));
    let trust = trust(&chain.root_pem);
    for index in 0..chain.ders.len() {
        for length in 0..chain.ders[index].len() {
            let mut ders = chain.ders.clone();
            ders[index].truncate(length);
            let raw = RawChain::from_der_list(ders.clone()).expect("within the limits");
            assert!(chain_from_der_list(ders).is_err(), "certificate {index}, {length} bytes");
            let report = inspect(&raw, &trust, &Requirements::observe(), None, UnixSeconds(ca::NOW));
            assert!(report.text().contains("certificate_malformed"), "certificate {index}, {length} bytes");
        }
    }
}

#[test]
fn depth_and_length_are_bounded() {
    // As deep as fits into what is read: sequences within sequences, with true lengths and with endless ones.
    let mut nested = Vec::new();
    while nested.len() < 16_000 {
        let length = u16::try_from(nested.len()).expect("small").to_be_bytes();
        nested = [vec![0x30, 0x82], length.to_vec(), nested].concat();
    }
    let endless = [0x30, 0x80].repeat(8_000);
    let huge = [vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], vec![0; 100]].concat();
    let many_tags = [vec![0x30, 0x82, 0x3a, 0x98], [0xa1, 0x00].repeat(7_500)].concat();
    for bytes in [nested, endless, huge, many_tags] {
        assert!(Certificate::parse(&bytes).is_err());
        assert!(KeyDescription::parse(&bytes).is_err());
        assert!(chain_from_der_list(vec![bytes; 10]).is_err());
    }
}

/// Text from certificates reaches a terminal without control characters.
#[test]
fn reports_are_printable() {
    let mut blueprint = honest(Made::Factory);
    let hostile = "evil\u{1b}[2J\u{202e}\r\nVerdict: accepted";
    blueprint.description.hardware_enforced = ca::hardware_with(Tag::AttestationIdModel, Some(Value::Bytes(hostile.as_bytes().to_vec())));
    let chain = make(&blueprint);
    let raw = RawChain::from_der_list(chain.ders).expect("a chain");
    let text = inspect(&raw, &trust(&chain.root_pem), &Requirements::observe(), None, UnixSeconds(ca::NOW)).text();
    assert!(text.contains("evil"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!text.contains('\u{202e}'));
    assert_eq!(text.lines().filter(|line| line.starts_with("Verdict: ")).count(), 1);
}
