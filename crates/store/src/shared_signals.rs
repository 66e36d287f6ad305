//! Promise: an event for another party is kept until that party took it, and an event of another party counts once.

use async_trait::async_trait;

use crate::unavailable::Unavailable;

/// Event that waits for its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingSet {
    /// Identifier of the event (`jti`).
    pub id: String,
    /// Event as a signed token (RFC 8417).
    pub set: String,
}

/// History of an event of another party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenSet {
    /// It had, here and perhaps in an earlier process.
    Before,
    /// It had none yet.
    New,
}

/// Events that are exchanged with other parties. All of it outlives the process.
#[async_trait]
pub trait SharedSignals: Send + Sync {
    /// Keeps an event until it is settled. Returns the number of older events that had to be dropped, because more than
    /// [`countersign_core::Limits::OUTBOX_EVENTS_MAX`] wait.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn put(&self, stream: &str, set: WaitingSet) -> Result<u64, Unavailable>;

    /// Lists the oldest events that wait in a stream, at most `count_max`.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn waiting(&self, stream: &str, count_max: u32) -> Result<Vec<WaitingSet>, Unavailable>;

    /// Forgets events of a stream, because its receiver took them or refused them for good. Unknown ones are passed over.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn settle(&self, stream: &str, ids: &[String]) -> Result<(), Unavailable>;

    /// Tells whether the event with this digest of stream and identifier had its effect.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn seen(&self, digest: &[u8; 32]) -> Result<SeenSet, Unavailable>;

    /// Notes that an event had its effect. The oldest of more than [`countersign_core::Limits::SETS_REMEMBERED_MAX`] are forgotten.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn note_seen(&self, digest: [u8; 32]) -> Result<(), Unavailable>;
}
