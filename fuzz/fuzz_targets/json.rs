//! A body: one reading or none, and what is masked is hidden and strict again.
#![no_main]
use countersign_core::MaskPath;
use countersign_policy::{mask, strict};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let paths: Vec<_> = ["/a", "/*/a", "/a/0/b", "/b/*/0"].iter().filter_map(|path| MaskPath::parse(path)).collect();
    match (strict(bytes), mask(bytes, &paths)) {
        (Ok(_), Ok(masked)) => {
            assert!(strict(&masked).is_ok());
            let Ok(masked) = serde_json::from_slice::<Value>(&masked) else { return };
            assert!(hidden(masked.get("a")));
            assert!(below(&masked).all(|value| hidden(value.get("a"))));
            assert!(masked.get("b").is_none_or(|b| below(b).all(|value| hidden(value.get("0").or_else(|| value.get(0))))));
        }
        (Err(_), Err(_)) => {}
        (strict, masked) => panic!("strict and mask disagree: {} {}", strict.is_ok(), masked.is_ok()),
    }
});

fn hidden(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

fn below(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_object().into_iter().flat_map(|members| members.values()).chain(value.as_array().into_iter().flatten())
}
