//! Whatever is recorded in these tests is read back, opened, and decided again: the answer is the recorded one.

use std::sync::OnceLock;

use countersign_audit::{Entry, PersonKey, Record, SealBytes, seal};
use countersign_core::Secret;
use countersign_gateway::Rules;
use countersign_policy::{Replayed, replay};

use crate::rules;

/// The rules of all tests here, loaded once.
fn usual() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(rules::rules)
}

/// The property that policy replay stands on: for every recorded decision, deciding again by the recorded set of rules from the
/// record alone gives the same outcome, reasons and obligations. Refusals before a decision have nothing to decide again.
pub fn decides_again(entry: &Entry) {
    let key = PersonKey::new(&Secret::new([9; 32])).expect("a key");
    let json = seal(entry, Some(&key), &SealBytes::new(&[5; SealBytes::LENGTH])).expect("sealed");
    let record = Record::read(&json).expect("an entry");
    assert_eq!((&record.event, record.at, &record.decision), (&entry.event, entry.at, &entry.decision), "{json}");
    let identity = record.open(&key).expect("opens");
    assert_eq!(identity, entry.identity, "{json}");
    let Some(decision) = record.event.decision() else { return };
    assert_eq!(record.event.judged().and_then(|judged| judged.rules), Some(usual().digest));
    let facts = record.facts(&identity).expect("all facts");
    assert_eq!(replay(&usual().policies, &facts, &decision), Replayed::Same, "{json}");
}
