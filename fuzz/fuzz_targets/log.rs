//! Lines of the log, proofs, notes and keys from files; the key is the one that signed the seeds.
#![no_main]
use countersign_audit::{CheckpointVerifier, Glance, Line, PersonKey, Record, Verifier, check};
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
        // As it is, and as the rest of an entry of format 2.
        for text in [text.to_owned(), format!("{{\"v\":2,{text}")] {
            let glance = Glance::read(&text);
            if let Ok(record) = Record::read(&text) {
                assert_eq!(glance, Some(Glance { at: record.at, kind: record.event.kind() }));
                let _ = record.document();
                let _ = record.open(&key).map(|identity| record.facts(&identity));
            }
        }
    }
});
