//! Request keys to which tokens of a session were given: an app that signs out with one of them is no thief.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use countersign_core::{Limits, SessionId, Thumbprint};

/// Request keys of sessions, bounded: the newer half is kept whole, and what has not been noted for longest goes first.
#[derive(Debug, Default)]
pub struct NamedKeys(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    newer: HashSet<(SessionId, Thumbprint)>,
    older: HashSet<(SessionId, Thumbprint)>,
}

impl NamedKeys {
    /// Notes that a token of `session` was bound to `key`.
    pub(crate) fn note(&self, session: &SessionId, key: &Thumbprint) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.newer.len() >= Limits::NAMED_KEYS_MAX / 2 {
            halves.older = std::mem::take(&mut halves.newer);
        }
        halves.newer.insert((session.clone(), *key));
    }

    /// Tells whether a token of `session` was bound to `key`, as far as that is remembered.
    pub(crate) fn names(&self, session: &SessionId, key: &Thumbprint) -> bool {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = (session.clone(), *key);
        halves.newer.contains(&named) || halves.older.contains(&named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_keys_are_remembered_and_no_more() {
        let (keys, session) = (NamedKeys::default(), SessionId::from_random([1; 16]));
        let key = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Thumbprint::from_bytes(bytes)
        };
        for number in 0..Limits::NAMED_KEYS_MAX * 2 {
            keys.note(&session, &key(number));
        }
        assert!(keys.names(&session, &key(Limits::NAMED_KEYS_MAX * 2 - 1)), "the newest");
        assert!(keys.names(&session, &key(Limits::NAMED_KEYS_MAX * 2 - Limits::NAMED_KEYS_MAX / 2)), "the newer half");
        assert!(!keys.names(&session, &key(0)), "the oldest");
        assert!(!keys.names(&SessionId::from_random([2; 16]), &key(Limits::NAMED_KEYS_MAX * 2 - 1)), "another session");
        let halves = keys.0.lock().expect("a lock");
        assert!(halves.newer.len() + halves.older.len() <= Limits::NAMED_KEYS_MAX);
    }
}
