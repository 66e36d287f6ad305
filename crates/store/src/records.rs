//! Promise: what was acknowledged as recorded is never lost.

use async_trait::async_trait;
use countersign_audit::Entry;

use crate::unavailable::Unavailable;

/// Acknowledgement that an entry is on disk and under a signed checkpoint. Only a [`Recorder`] makes one.
#[derive(Debug)]
#[must_use]
pub struct Receipt {
    seq: u64,
}

impl Receipt {
    pub(crate) const fn new(seq: u64) -> Self {
        Self { seq }
    }

    /// The entry's number, counted from 0.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

/// Takes entries before their effect (law 8).
#[async_trait]
pub trait Recorder: Send + Sync {
    /// Records `entry`; returns when it would survive `kill -9` and a power cut.
    ///
    /// # Errors
    /// Our fault only, and then nothing that depends on the entry may happen.
    async fn record(&self, entry: Entry) -> Result<Receipt, Unavailable>;
}
