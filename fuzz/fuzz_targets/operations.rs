//! A declared operation and the path that looks for it, one a line: template, path, source of an id, field; then the body.
#![no_main]
use countersign_policy::{OperationSpec, Operations, OtherMembers, RequestHeaders};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (template, path, source, field, body) = (line(), line(), line(), line(), line());
    let spec = OperationSpec {
        method: "POST".to_owned(),
        path: template.to_owned(),
        action: "a.b".to_owned(),
        resource: Some("Account".to_owned()),
        id: Some(source.to_owned()),
        owner: None,
        body: [("amount".to_owned(), field.to_owned())].into(),
        body_others: if body.starts_with(' ') { OtherMembers::Open } else { OtherMembers::Closed },
        request_headers: RequestHeaders::Usual,
        body_bytes_max: None,
        when_limited: None,
        evidence_age_max: None,
        stream: None,
    };
    if let Ok(operations) = Operations::new(&[spec]) {
        if let Ok(found) = operations.find("POST", path) {
            let _ = found.fields(body.as_bytes());
        }
    }
});
