//! What the caller decides, besides the config.

use std::sync::Arc;

use countersign_core::{Clock, Entropy};

use crate::config::Dev;

/// What the caller decides, besides the config.
pub struct Options {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Whether it is a development node even if the config does not say so.
    pub dev: Dev,
    /// SHA-256 of the certificates that sign the apps of simulated phones. A development node takes them for every app; any other
    /// node takes none of them.
    pub simulated_signers: Vec<[u8; 32]>,
}

impl Options {
    /// The signers of simulated phones that a node of this kind takes.
    // SECURITY: a node that counts takes none, whatever it is handed: whoever has such a phone can make any number of them.
    #[must_use]
    pub fn signers_of(&self, dev: Dev) -> &[[u8; 32]] {
        match dev {
            Dev::Off => &[],
            Dev::On => &self.simulated_signers,
        }
    }
}
