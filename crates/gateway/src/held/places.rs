//! How many connections are open, and how all of them end.

use std::{future::Future, sync::Arc};

use countersign_core::Reason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::HeldConfig;

/// The places for open connections.
pub(crate) struct Places {
    config: HeldConfig,
    free: Arc<Semaphore>,
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// A place, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Places {
    pub(crate) fn new(config: HeldConfig) -> Self {
        let free = Arc::new(Semaphore::new(config.connections_max));
        Self { config, free, ending: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// How connections are held open.
    pub(crate) const fn config(&self) -> &HeldConfig {
        &self.config
    }

    /// A place, if there is one.
    pub(crate) fn take(&self) -> Result<Place, Reason> {
        if self.ending.is_cancelled() {
            return Err(Reason::GatewayEnding);
        }
        Arc::clone(&self.free).try_acquire_owned().map(Place).map_err(|_| Reason::ConnectionsTooMany)
    }

    /// Waits until all connections must end.
    pub(crate) async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// Runs what serves an open connection.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Ends all, and waits for it; every task has a bound on its farewell.
    pub(crate) async fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
