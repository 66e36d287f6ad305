//! A proof's htu: normalising what is normal changes nothing.
#![no_main]
use countersign_proof::target::{Origin, Target};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(target) = Target::parse(text) {
        let again = Target::parse(target.as_str()).expect("what is normal, parses");
        assert_eq!(target.as_str(), again.as_str());
    }
    if let Ok(origin) = Origin::parse("https://api.example.com") {
        let _ = origin.target(text);
    }
    let _ = Origin::parse(text);
});
