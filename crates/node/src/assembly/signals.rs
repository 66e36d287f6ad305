//! Where signals go: counted, logged, and handed to the monitor, without ever making a request wait.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use countersign_core::{Clock, Reason, RiskView, Signal, SignalKind, SignalSink};
use metrics::counter;
use tokio::sync::mpsc;

/// Signals that may wait for the monitor.
const QUEUE_MAX: usize = 4096;

/// Takes signals and hands them to whoever reads [`Arrived`].
pub struct Signals {
    queue: mpsc::Sender<Signal>,
    lost: Arc<AtomicU64>,
}

/// The signals as they arrive.
pub struct Arrived {
    queue: mpsc::Receiver<Signal>,
    lost: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl Signals {
    /// A way in, and a way out.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> (Self, Arrived) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        (Self { queue: sender, lost: Arc::clone(&lost) }, Arrived { queue, lost, clock })
    }
}

impl SignalSink for Signals {
    fn emit(&self, signal: Signal) {
        note(&signal);
        if self.queue.try_send(signal).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Arrived {
    /// The next one; `None` when there is no way in any more. That some were lost is a signal too.
    pub async fn next(&mut self) -> Option<Signal> {
        let count = self.lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(count, "signals were lost because the queue was full");
            let lost = Signal {
                kind: SignalKind::SignalsLost,
                reason: Reason::Internal,
                session: None,
                device: None,
                user: None,
                view: RiskView::default(),
                at: self.clock.now(),
            };
            note(&lost);
            return Some(lost);
        }
        self.queue.recv().await
    }
}

/// Whose session and device it was stands in the audit log, sealed; here stands only that it happened.
fn note(signal: &Signal) {
    counter!("countersign_signals_total", "kind" => signal.kind.as_str()).increment(1);
    tracing::info!(kind = signal.kind.as_str(), reason = signal.reason.code(), "signal");
}
