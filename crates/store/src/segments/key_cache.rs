//! People's keys that were used of late, so that the way of a request does not ask the database for each entry.

use std::{collections::HashMap, sync::Arc};

use countersign_audit::PersonKey;
use countersign_core::UserId;

/// Keys in one half of the memory.
const HALF_MAX: usize = 8192;

/// Keys that were used of late. The older half is forgotten whenever the younger one is full.
#[derive(Default)]
pub struct KeyCache {
    young: HashMap<UserId, Arc<PersonKey>>,
    old: HashMap<UserId, Arc<PersonKey>>,
    forgotten: u64,
}

/// When a key was asked for, counted in keys that were forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Asked(u64);

impl KeyCache {
    /// The person's key, or when it was asked for.
    pub fn find(&mut self, user: &UserId) -> Result<Arc<PersonKey>, Asked> {
        if let Some(key) = self.young.get(user) {
            return Ok(Arc::clone(key));
        }
        let Some(key) = self.old.remove(user) else { return Err(Asked(self.forgotten)) };
        self.put(user.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// Keeps a key that was fetched after `asked`, unless some key was forgotten since: it might be this one, and what was
    /// destroyed must not come back.
    pub fn keep(&mut self, user: UserId, key: &Arc<PersonKey>, asked: Asked) {
        if asked == Asked(self.forgotten) {
            self.put(user, Arc::clone(key));
        }
    }

    /// Forgets a person's key.
    pub fn forget(&mut self, user: &UserId) {
        self.forgotten = self.forgotten.wrapping_add(1);
        self.young.remove(user);
        self.old.remove(user);
    }

    fn put(&mut self, user: UserId, key: Arc<PersonKey>) {
        if self.young.len() >= HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(user, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::Secret;

    fn user(number: usize) -> UserId {
        UserId::parse(&format!("u_{number}")).expect("an id")
    }

    fn key() -> Arc<PersonKey> {
        Arc::new(PersonKey::new(&Secret::new([1; 32])).expect("a key"))
    }

    fn asked(keys: &mut KeyCache, user: &UserId) -> Asked {
        keys.find(user).err().expect("not at hand")
    }

    #[test]
    fn a_key_that_was_destroyed_meanwhile_does_not_come_back() {
        let mut keys = KeyCache::default();
        let before = asked(&mut keys, &user(1));
        keys.forget(&user(1));
        keys.keep(user(1), &key(), before);
        let after = asked(&mut keys, &user(1));
        keys.keep(user(1), &key(), after);
        assert!(keys.find(&user(1)).is_ok());
        keys.forget(&user(1));
        assert!(keys.find(&user(1)).is_err());
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let mut keys = KeyCache::default();
        let first = asked(&mut keys, &user(0));
        for number in 0..HALF_MAX * 5 {
            keys.keep(user(number), &key(), first);
            assert!(keys.find(&user(0)).is_ok(), "used all the time");
            assert!(keys.young.len() + keys.old.len() <= 2 * HALF_MAX);
        }
        assert!(keys.find(&user(1)).is_err(), "not used for long");
        // What was forgotten is forgotten in both halves.
        let old = HALF_MAX * 5 - HALF_MAX / 2;
        keys.forget(&user(old));
        assert!(keys.find(&user(old)).is_err());
    }
}
