//! A cache that is never behind the database.

use std::hash::Hash;

use quick_cache::sync::Cache;

/// Values by key, as the database has them. Values that were not used for long make room.
///
/// SECURITY: a value enters or changes only while `gate` is held, and its holder reads or writes the database in the same
/// hold, always on the one connection that writes. Without the gate, a reader could load an old row, a writer change row and
/// cache, and the reader then put the old row back: a revoked session would live on. Without the one connection, the same
/// could happen to a change whose caller went away: the gate is free then, while the change is still under way in the
/// database; only what is asked of the same connection waits for its end. Hits wait for nothing.
pub(crate) struct Cached<K, V> {
    gate: tokio::sync::Mutex<()>,
    values: Cache<K, V>,
}

/// Permission to change the cache, held by one caller at a time.
pub(crate) struct Gate<'a, K, V> {
    cached: &'a Cached<K, V>,
    _held: tokio::sync::MutexGuard<'a, ()>,
}

impl<K: Hash + Eq + Clone, V: Clone> Cached<K, V> {
    /// Makes a cache of at most `count_max` values.
    pub fn new(count_max: usize) -> Self {
        Self { gate: tokio::sync::Mutex::default(), values: Cache::new(count_max) }
    }

    /// Returns the value, if it is in memory.
    pub fn get(&self, key: &K) -> Option<V> {
        self.values.get(key)
    }

    /// Waits for the permission to change the cache.
    pub(crate) async fn gate(&self) -> Gate<'_, K, V> {
        Gate { cached: self, _held: self.gate.lock().await }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Gate<'_, K, V> {
    /// Takes over the value that the database has now.
    pub fn put(&self, key: K, value: V) {
        self.cached.values.insert(key, value);
    }

    /// Forgets a value before it is changed, so that after a change whose outcome is unknown it is read from the database again.
    pub fn forget(&self, key: &K) {
        self.cached.values.remove(key);
    }
}
