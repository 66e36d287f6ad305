//! Genuine chains of genuine phones, and the same with one thing broken.

use std::{fs, path::Path};

use countersign_attest::cases::{self, Agreement};

#[test]
fn every_shared_vector_gives_the_expected_result() {
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    let Ok(json) = fs::read_to_string(shared.join("android/cases.json")) else {
        println!("skipped: shared/ is not beside the checkout");
        return;
    };
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
