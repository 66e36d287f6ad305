//! The world as the issuer meets it: time, chance, and those who listen to what happens.

use std::sync::Arc;

use countersign_core::{Clock, Entropy, Observer, SignalSink};

/// Sources of time and randomness, and listeners of what happens.
#[derive(Clone)]
pub struct World {
    /// Clock of this node.
    pub clock: Arc<dyn Clock>,
    /// Source of unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Receiver of signals.
    pub signals: Arc<dyn SignalSink>,
    /// Watcher that judges a login beside what is usual.
    pub observer: Arc<dyn Observer>,
}
