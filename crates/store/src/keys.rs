//! Promise: our own keys outlive the process, and a person's key can be destroyed.

use async_trait::async_trait;
use countersign_core::{KeyId, Secret, UnixSeconds, UserId};

use crate::unavailable::Unavailable;

/// What a key of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Signs access tokens (PKCS#8, ES256).
    AccessToken,
    /// Signs the audit log's checkpoints (PKCS#8, Ed25519).
    Checkpoint,
    /// Makes fingerprints of what behaviour is remembered by (32 bytes).
    Fingerprints,
    /// Makes pairwise subjects (32 bytes).
    Pairwise,
    /// Makes refresh tokens (32 bytes).
    Refresh,
    /// Signs events for others (PKCS#8, RSA).
    SharedSignals,
    /// Signs statements to upstreams (PKCS#8, ES256).
    Statement,
}

impl KeyPurpose {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::Checkpoint => "checkpoint",
            Self::Fingerprints => "fingerprints",
            Self::Pairwise => "pairwise",
            Self::Refresh => "refresh",
            Self::SharedSignals => "shared_signals",
            Self::Statement => "statement",
        }
    }
}

/// A key of ours.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Its name.
    pub id: KeyId,
    /// The key: PKCS#8 or raw bytes, as its purpose says.
    pub secret: Secret<Vec<u8>>,
    /// When it was made.
    pub created_at: UnixSeconds,
}

/// Keys of ours.
#[async_trait]
pub trait Keys: Send + Sync {
    /// All keys for a purpose, oldest first.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, purpose: KeyPurpose) -> Result<Vec<StoredKey>, Unavailable>;

    /// Remembers a key.
    ///
    /// # Errors
    /// Our fault only.
    async fn add(&self, purpose: KeyPurpose, key: StoredKey) -> Result<(), Unavailable>;

    /// Forgets a key whose time is over.
    ///
    /// # Errors
    /// Our fault only.
    async fn remove(&self, purpose: KeyPurpose, id: &KeyId) -> Result<(), Unavailable>;
}

/// The keys that seal people's personal fields in the log.
#[async_trait]
pub trait SubjectKeys: Send + Sync {
    /// The person's key: the one that exists, or else `fresh`, remembered. Atomic: racing callers get one key.
    /// After [`SubjectKeys::destroy`] the person is erased, and the answer is `None` for good.
    ///
    /// # Errors
    /// Our fault only.
    async fn key(&self, user: &UserId, fresh: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable>;

    /// The person's key if there is one.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, user: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable>;

    /// Destroys the key, so that what it sealed is unreadable for ever.
    ///
    /// # Errors
    /// Our fault only.
    async fn destroy(&self, user: &UserId) -> Result<(), Unavailable>;
}
