//! Lines of the log, proofs, notes and keys from files; the key is the one that signed the seeds.
#![no_main]
use countersign_audit::{CheckpointVerifier, Line, PersonKey, Verifier, check, open};
use countersign_core::Secret;
use libfuzzer_sys::fuzz_target;

const KEY: &str = include_str!("../seeds/log/key");

fuzz_target!(|text: &str| {
    let _ = Line::parse(text);
    let _ = CheckpointVerifier::parse(text);
    if let Ok(key) = CheckpointVerifier::parse(KEY.trim_end()) {
        let _ = key.open_note(text);
        let _ = check(text, &key);
        let mut verifier = Verifier::new(&key, None);
        verifier.segment("fuzz");
        text.lines().for_each(|line| verifier.line(line));
        let _ = verifier.finish();
    }
    if let Some(key) = PersonKey::new(&Secret::new([7; 32])) {
        let _ = open(text, &key);
    }
});
