//! Keys and entries for the tests of several files.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use countersign_core::{DecisionId, Outcome, Secret, UnixMillis, UserId};

use crate::{
    checkpoint::{CheckpointKey, CheckpointVerifier},
    entry::{Entry, Event, EventKind, PersonalField, PersonalName},
    seal::{PersonKey, SealBytes},
};

/// A new key of the log called `origin`, and what verifies it.
pub fn key(origin: &str) -> (CheckpointKey, CheckpointVerifier) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let key = CheckpointKey::from_pkcs8(origin, &Secret::new(pkcs8.as_ref().to_vec())).expect("its own encoding");
    let verifier = CheckpointVerifier::parse(&key.verifier_text()).expect("its own text");
    (key, verifier)
}

/// An entry with two personal fields.
pub fn entry(number: u8) -> Entry {
    Entry {
        at: UnixMillis(1_700_000_000_000),
        decision: DecisionId::from_random([number; 8]),
        event: Event::new(EventKind::Request, Outcome::Allow),
        person: Some(UserId::from_random([number; 16])),
        personal: vec![
            PersonalField { name: PersonalName::User, value: format!("u_{number}") },
            PersonalField { name: PersonalName::Address, value: "203.0.113.0".to_owned() },
        ],
    }
}

/// Somebody's key.
pub fn person_key(byte: u8) -> PersonKey {
    PersonKey::new(&Secret::new([byte; 32])).expect("a key")
}

/// Bytes that are all the same.
pub fn seal_bytes(byte: u8) -> SealBytes {
    SealBytes::new(&[byte; SealBytes::LENGTH])
}
