//! The report about a chain that somebody extended, as an operator sees it.

use std::{fs, path::Path};

use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{RawChain, Requirements, StatusRule, Trust, inspect},
};
use countersign_core::UnixSeconds;

#[test]
fn an_extended_chain_is_drawn() {
    let read = |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file)).expect("a vector");
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
    let anchors = Anchors::parse(source, &read("anchors/plain_key_appended.pem")).expect("an anchor");
    let raw = RawChain::from_pem(&read("chains/plain_key_appended.pem")).expect("a chain");
    let trust = Trust { anchors, status: StatusRule::NotAsked };
    let report = inspect(&raw, &trust, &Requirements::observe(), None, UnixSeconds(1_751_328_000));
    // Keys are new whenever the vectors are made; what is drawn around their digests is not.
    let text: Vec<_> = report.text().lines().filter(|line| !line.contains("sha-256")).map(str::to_owned).collect();
    insta::assert_snapshot!(text.join("\n"));
}
