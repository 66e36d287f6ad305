//! Promise: the node's own keys outlive the process, and a person's key can be destroyed.

use async_trait::async_trait;
use countersign_core::{KeyId, Secret, UnixSeconds, UserId};

use crate::unavailable::Unavailable;

/// Purpose of a key of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Signs access tokens (PKCS#8, ES256).
    AccessToken,
    /// Signs the audit log's checkpoints (PKCS#8, Ed25519).
    Checkpoint,
    /// Makes the fingerprints by which a person's behaviour is remembered (32 bytes).
    Fingerprints,
    /// Makes pairwise subjects (32 bytes).
    Pairwise,
    /// Makes refresh tokens (32 bytes).
    Refresh,
    /// Signs shared signals for other services (PKCS#8, RSA).
    SharedSignals,
    /// Signs statements to upstreams (PKCS#8, ES256).
    Statement,
}

impl KeyPurpose {
    /// Stable word for the purpose, in the store.
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

/// Key of the node, as stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Identifier of the key.
    pub id: KeyId,
    /// Key material: PKCS#8 or raw bytes, as the purpose says.
    pub secret: Secret<Vec<u8>>,
    /// Instant at which the key was made.
    pub created_at: UnixSeconds,
}

/// Keys of the node.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Lists all keys for a purpose, oldest first.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn list(&self, purpose: KeyPurpose) -> Result<Vec<StoredKey>, Unavailable>;

    /// Remembers a new key.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn add(&self, purpose: KeyPurpose, key: StoredKey) -> Result<(), Unavailable>;

    /// Forgets a key that is no longer needed.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn remove(&self, purpose: KeyPurpose, id: &KeyId) -> Result<(), Unavailable>;
}

/// Keys that seal people's personal fields in the log.
#[async_trait]
pub trait SubjectKeys: Send + Sync {
    /// Returns the person's key: the existing one, or else `fresh`, which is then remembered. Atomic: racing callers get one key. After
    /// [`SubjectKeys::destroy`] the person is erased, and the answer is `None` for good.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn key(&self, user: &UserId, fresh: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable>;

    /// Finds the person's key; `None` when there is none, or when it was destroyed.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find(&self, user: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable>;

    /// Destroys the key, so that everything that it sealed is unreadable for ever.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn destroy(&self, user: &UserId) -> Result<(), Unavailable>;
}
