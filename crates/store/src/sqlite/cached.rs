//! A cache that is never behind the database.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{PoisonError, RwLock},
};

/// Values by key, as the database has them.
///
/// SECURITY: a value enters or changes only while `gate` is held, and its holder reads or writes the database in the same
/// hold. Without that, a reader could load an old row, a writer change row and cache, and the reader then put the old row
/// back: a revoked session would live on. Hits do not take the gate.
pub struct Cached<K, V> {
    gate: tokio::sync::Mutex<()>,
    values: RwLock<HashMap<K, V>>,
    count_max: usize,
}

/// Leave to change the cache.
pub struct Gate<'a, K, V> {
    cached: &'a Cached<K, V>,
    _held: tokio::sync::MutexGuard<'a, ()>,
}

impl<K: Hash + Eq + Clone, V: Clone> Cached<K, V> {
    /// A cache of at most `count_max` values.
    pub fn new(count_max: usize) -> Self {
        Self { gate: tokio::sync::Mutex::default(), values: RwLock::default(), count_max }
    }

    /// The value, if it is at hand.
    pub fn get(&self, key: &K) -> Option<V> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Waits for leave to change it.
    pub async fn gate(&self) -> Gate<'_, K, V> {
        Gate { cached: self, _held: self.gate.lock().await }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Gate<'_, K, V> {
    /// Takes over what the database has now.
    pub fn put(&self, key: K, value: V) {
        let mut values = self.cached.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= self.cached.count_max {
            values.clear();
        }
        values.insert(key, value);
    }

    /// Forgets a value before it is changed, so that a change of unknown end is read from the database again.
    pub fn forget(&self, key: &K) {
        self.cached.values.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
