//! Declared operations and the paths that look for them.
#![no_main]
use countersign_policy::{OperationSpec, Operations};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str, &str, &str)| {
    let (template, path, source, field) = texts;
    let spec = OperationSpec {
        method: "POST".to_owned(),
        path: template.to_owned(),
        action: "a.b".to_owned(),
        resource: Some("Account".to_owned()),
        id: Some(source.to_owned()),
        owner: None,
        body: [("amount".to_owned(), field.to_owned())].into(),
        body_bytes_max: None,
    };
    if let Ok(operations) = Operations::new(&[spec]) {
        if let Ok(found) = operations.find("POST", path) {
            let _ = found.fields(source.as_bytes());
        }
    }
});
