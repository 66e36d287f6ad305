//! Genuine chains of genuine phones, and the same with one thing broken.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use countersign_attest::{
    anchors::Anchors,
    android::{RawChain, Requirements, StatusRule, Trust, Verdict, chain_from_der_list, chain_from_pem, inspect, verify},
    cases::{self, Agreement},
};
use countersign_core::UnixSeconds;

/// The folder of the shared vectors, when it is there.
fn shared() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    if folder.is_dir() {
        return Some(folder.to_owned());
    }
    println!("skipped: shared/ is not beside the checkout");
    None
}

#[test]
fn every_shared_vector_gives_the_expected_result() {
    let Some(shared) = shared() else { return };
    let json = fs::read_to_string(shared.join("android/cases.json")).expect("the cases can be read");
    let cases = cases::parse(&json).expect("the file of cases parses");
    let mut differing = Vec::new();
    for case in &cases {
        let chain = fs::read_to_string(shared.join("android").join(case.chain_path())).expect("the chain can be read");
        let read = |name: &String| fs::read_to_string(shared.join(format!("anchors/{name}.pem"))).expect("the anchors can be read");
        let anchors: Vec<String> = case.anchor_names().iter().map(read).collect();
        let result = case.run(&chain, &anchors);
        if result.agreement == Agreement::Differs {
            differing.push(result);
        }
    }
    assert!(differing.is_empty(), "{} of {} differ: {differing:#?}", differing.len(), cases.len());
    assert!(cases.len() >= 176, "only {} cases", cases.len());
}

/// The report names first what a verification would name, and draws every chain, whatever is broken in it.
#[test]
fn every_shared_chain_is_explained() {
    let Some(shared) = shared() else { return };
    let google = || Anchors::google().expect("anchors");
    for file in fs::read_dir(shared.join("android/chains")).expect("the chains") {
        let path = file.expect("a chain").path();
        let pem = fs::read_to_string(&path).expect("the chain can be read");
        for (now, anchors) in [(1_727_389_885, google()), (1_727_389_885, Anchors::none()), (0, google())] {
            let trust = Trust { anchors, status: StatusRule::NotAsked };
            let requirements = Requirements::enforce(vec![]);
            let verified = chain_from_pem(&pem).and_then(|chain| verify(&chain, &trust, &requirements, b"challenge", UnixSeconds(now)));
            let raw = RawChain::from_pem(&pem).expect("within the limits");
            let report = inspect(&raw, &trust, &requirements, Some(b"challenge"), UnixSeconds(now));
            let first = match report.verdict() {
                Verdict::Refused(refusals) => refusals.first().cloned(),
                Verdict::Accepted | Verdict::AcceptedButForChallenge => None,
            };
            assert_eq!(first, verified.err(), "{}", path.display());
            assert_eq!(report.certificates().len(), raw.ders().len(), "{}", path.display());
            assert!(report.text().contains("Verdict: refused"), "{}", path.display());
        }
    }
}

/// Flips a bit in every byte of a genuine chain: whatever phones put into certificates, all of it is covered.
#[test]
fn no_byte_of_a_genuine_chain_can_change() {
    let Some(shared) = shared() else { return };
    let pem = fs::read_to_string(shared.join("android/chains/caiman_sdk36_SB_EC_RKP.pem")).expect("the chain can be read");
    let ders = RawChain::from_pem(&pem).expect("within the limits").ders().to_vec();
    let trust = Trust { anchors: Anchors::google().expect("anchors"), status: StatusRule::NotAsked };
    let judge = |ders: Vec<Vec<u8>>| {
        let chain = chain_from_der_list(ders)?;
        let challenge = b"7ccac1ea-4845-482e-858d-f6fa9aa8c295";
        verify(&chain, &trust, &Requirements::observe(), challenge, UnixSeconds(1_758_900_646))
    };
    assert!(judge(ders.clone()).is_ok(), "the genuine chain");
    for (index, der) in ders.iter().enumerate() {
        for at in 0..der.len() {
            let mut changed = ders.clone();
            changed[index][at] ^= 0x04;
            assert!(judge(changed).is_err(), "certificate {index}, byte {at}");
        }
    }
}
