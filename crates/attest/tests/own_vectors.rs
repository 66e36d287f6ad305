//! The vectors of this repository: one chain or setting for every rule, made by `examples/generate_vectors.rs`.

use std::{collections::BTreeSet, fs, path::Path};

use countersign_attest::cases::{self, Agreement};

#[test]
fn every_own_vector_gives_the_expected_result() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors"));
    let cases = cases::parse(&fs::read_to_string(folder.join("cases.json")).expect("the cases can be read")).expect("the cases parse");
    let mut used = BTreeSet::new();
    for case in &cases {
        let chain = fs::read_to_string(folder.join(case.chain_path())).expect("the chain can be read");
        let read = |name: &String| fs::read_to_string(folder.join(format!("anchors/{name}.pem"))).expect("the anchors can be read");
        let result = case.run(&chain, &case.anchor_names().iter().map(read).collect::<Vec<_>>());
        assert_eq!(result.agreement, Agreement::Passed, "{result:#?}");
        used.insert(case.chain_path().to_owned());
    }
    let files = fs::read_dir(folder.join("chains")).expect("the chains").count();
    assert_eq!(used.len(), files, "each chain is used by a case");
}
