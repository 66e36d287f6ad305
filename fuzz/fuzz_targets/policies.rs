//! Policy files and files of policy tests.
#![no_main]
use countersign_policy::{OperationSpec, Operations, Policies, PolicySource, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (policies, cases) = texts;
    let spec = OperationSpec { method: "GET".to_owned(), path: "/a".to_owned(), action: "a".to_owned(), ..OperationSpec::default() };
    let Ok(operations) = Operations::new(&[spec]) else { return };
    if policies.len() > 2_000 {
        return;
    }
    let source = PolicySource { file: "f".to_owned(), text: policies.to_owned() };
    if let Ok(policies) = Policies::load(&[source], &operations) {
        let _ = run(&policies, &operations, cases);
    }
});
