//! Keys and entries for the tests of several files.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use countersign_core::{DecisionId, Secret, UnixMillis, UserId};

use crate::{
    checkpoint::{CheckpointKey, CheckpointVerifier},
    entry::Entry,
    event::{Event, Recorded},
    format2::SealBytes,
    identity::Identity,
    person_key::PersonKey,
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
        event: Event::allowed(Recorded::Request(Box::default())),
        person: Some(UserId::from_random([number; 16])),
        identity: Identity {
            address: Some("203.0.113.0".to_owned()),
            user: UserId::parse(&format!("u_{number}")).ok(),
            ..Identity::default()
        },
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
