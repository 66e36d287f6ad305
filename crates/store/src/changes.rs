//! News of changes, for whatever was judged before and still goes on: open connections.
//!
//! The news stay within one process. They say what changed and never to what: listeners ask the store again. So news that come twice, late
//! or without a change do no harm, and news that were missed are heard as [`Change::Everything`].

use countersign_core::{DeviceId, Limits, SessionId, UserId};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};

/// Subject about which the store may give another answer now. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A device's posture, or its permission to act.
    Device(DeviceId),
    /// Anything: the listener was slow and missed some news.
    Everything,
    /// Operations, policies, requirements or revocation lists.
    Rules,
    /// The state of a session.
    Session(SessionId),
    /// A person's account or roles.
    User(UserId),
}

/// Change and the instant of its announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Subject of the change.
    pub change: Change,
    /// Instant of the announcement, for measuring how long the change took to have its effect.
    pub at: Instant,
}

/// Sender of news. Clones share their listeners.
#[derive(Clone, Debug)]
pub struct Changes(broadcast::Sender<News>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(Limits::CHANGES_WAITING_MAX))
    }
}

impl Changes {
    /// Tells all listeners, and never waits.
    pub fn announce(&self, change: Change) {
        // An error means that nobody listens, as while no connection is open.
        let _ = self.0.send(News { change, at: Instant::now() });
    }

    /// Begins a change that is announced when the returned value goes out of scope, however the change ended. Take it before the gate of a
    /// cache, so that the announcement comes after the gate is free.
    pub(crate) fn at_end(&self, change: Change) -> Beginning<'_> {
        Beginning { changes: self, change }
    }

    /// Makes a listener that hears of every change from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// Change under way, announced when dropped.
#[must_use]
pub(crate) struct Beginning<'a> {
    changes: &'a Changes,
    change: Change,
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        self.changes.announce(self.change.clone());
    }
}

/// Listener for news of changes.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<News>);

impl Listener {
    /// Waits for the next change; `None` when nobody can announce one any more. A caller may drop the future at any point and loses no
    /// news.
    pub async fn next(&mut self) -> Option<News> {
        match self.0.recv().await {
            Ok(news) => Some(news),
            Err(RecvError::Lagged(_)) => Some(News { change: Change::Everything, at: Instant::now() }),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str) -> Change {
        Change::Session(SessionId::parse(id).expect("an id"))
    }

    async fn heard(listener: &mut Listener) -> Option<Change> {
        listener.next().await.map(|news| news.change)
    }

    #[tokio::test]
    async fn who_listens_hears_what_changed_since() {
        let changes = Changes::default();
        changes.announce(session("s_before"));
        let (mut one, mut other) = (changes.listen(), changes.clone().listen());
        changes.announce(session("s_1"));
        drop(changes.at_end(Change::Rules));
        drop(changes);
        for listener in [&mut one, &mut other] {
            assert_eq!(heard(listener).await, Some(session("s_1")));
            assert_eq!(heard(listener).await, Some(Change::Rules));
            assert_eq!(heard(listener).await, None);
        }
    }

    #[tokio::test]
    async fn who_is_behind_is_told_that_everything_changed() {
        let changes = Changes::default();
        let mut listener = changes.listen();
        for _ in 0..=Limits::CHANGES_WAITING_MAX {
            changes.announce(session("s_1"));
        }
        assert_eq!(heard(&mut listener).await, Some(Change::Everything));
        assert_eq!(heard(&mut listener).await, Some(session("s_1")));
    }
}
