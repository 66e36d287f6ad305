//! A policy file and a file of policy tests, with a line `---` between them; and the text of a set of rules.
#![no_main]
use countersign_policy::{OperationSpec, Operations, Policies, PolicySource, RuleSet, run};
use libfuzzer_sys::fuzz_target;

/// Cedar parses by recursion and Cedar's validator enumerates types: a small file already goes everywhere.
const POLICY_BYTES_MAX: usize = 2_000;

fuzz_target!(|text: &str| {
    if let Ok(set) = RuleSet::parse(text) {
        assert_eq!(RuleSet::parse(&set.to_text()).as_ref(), Ok(&set));
    }
    let (policies, cases) = text.split_once("\n---\n").unwrap_or((text, "[]"));
    let spec = OperationSpec { method: "GET".to_owned(), path: "/a".to_owned(), action: "a".to_owned(), ..OperationSpec::default() };
    let Ok(operations) = Operations::new(&[spec]) else { return };
    if policies.len() > POLICY_BYTES_MAX {
        return;
    }
    let source = PolicySource { file: "f".to_owned(), text: policies.to_owned() };
    if let Ok(policies) = Policies::load(&[source], &operations) {
        let _ = run(&policies, &operations, cases);
    }
});
