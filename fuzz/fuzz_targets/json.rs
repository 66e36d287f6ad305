//! A body: one reading or none, and what is masked is strict again.
#![no_main]
use countersign_core::MaskPath;
use countersign_policy::{mask, strict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let paths: Vec<_> = ["/a", "/*/a", "/a/0/b"].iter().filter_map(|path| MaskPath::parse(path)).collect();
    match (strict(bytes), mask(bytes, &paths)) {
        (Ok(_), Ok(masked)) => assert!(strict(&masked).is_ok()),
        (Err(_), Err(_)) => {}
        (strict, masked) => panic!("strict and mask disagree: {} {}", strict.is_ok(), masked.is_ok()),
    }
});
