//! Where signals go until a monitor listens: metrics and the log, without ever making a request wait.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use countersign_core::{Clock, Reason, Signal, SignalKind, SignalSink};
use metrics::counter;
use tokio::sync::mpsc;

/// Signals that may wait to be written down.
const QUEUE_MAX: usize = 1024;

/// Takes signals and hands them to a task.
pub struct Signals {
    queue: mpsc::Sender<Signal>,
    lost: Arc<AtomicU64>,
}

impl Signals {
    /// Starts the task; it ends when the last sink is dropped.
    #[must_use]
    pub fn start(clock: Arc<dyn Clock>) -> Self {
        let (queue, mut signals) = mpsc::channel(QUEUE_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let missed = Arc::clone(&lost);
        tokio::spawn(async move {
            while let Some(signal) = signals.recv().await {
                note(&signal);
                let count = missed.swap(0, Ordering::Relaxed);
                if count > 0 {
                    let at = clock.now();
                    tracing::warn!(count, "more signals came than could be written down");
                    note(&Signal { kind: SignalKind::SignalsLost, reason: Reason::Internal, session: None, device: None, at });
                }
            }
        });
        Self { queue, lost }
    }
}

impl SignalSink for Signals {
    fn emit(&self, signal: Signal) {
        if self.queue.try_send(signal).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whose session and device it was stands in the audit log, sealed; here stands only that it happened.
fn note(signal: &Signal) {
    counter!("countersign_signals_total", "kind" => signal.kind.as_str()).increment(1);
    tracing::warn!(kind = signal.kind.as_str(), reason = signal.reason.code(), "signal");
}
