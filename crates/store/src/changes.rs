//! News of changes, for whatever was judged before and still goes on: open connections.
//!
//! Within one process. It says what changed and never to what: whoever hears it asks again, so that a piece of news that comes
//! twice, late or for nothing does no harm, and one that was missed is heard as [`Change::Everything`].

use countersign_core::{DeviceId, Limits, SessionId, UserId};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};

/// What may have another answer now. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A device: its posture, or whether it may act.
    Device(DeviceId),
    /// Anything: the listener was behind and missed some.
    Everything,
    /// Operations, policies, requirements or revocation lists.
    Rules,
    /// A session: its state.
    Session(SessionId),
    /// A person: account or roles.
    User(UserId),
}

/// A change, and when it was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What changed.
    pub change: Change,
    /// Since when; for measuring how long its effect took.
    pub at: Instant,
}

/// Where changes are announced. Clones share their listeners.
#[derive(Clone, Debug)]
pub struct Changes(broadcast::Sender<News>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(Limits::CHANGES_WAITING_MAX))
    }
}

impl Changes {
    /// Tells all listeners; never waits.
    pub fn announce(&self, change: Change) {
        // Nobody listens while no connection is open.
        let _ = self.0.send(News { change, at: Instant::now() });
    }

    /// A change that begins now: it is announced when the answer goes out of scope, however it ended. Take it before the gate of
    /// a cache, so that it is announced after the gate is free.
    pub(crate) fn at_end(&self, change: Change) -> Beginning<'_> {
        Beginning { changes: self, change }
    }

    /// Hears of every change from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// A change under way.
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

/// Who hears of changes.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<News>);

impl Listener {
    /// Waits for the next change; `None` when nobody can announce one any more. Safe to drop at any point.
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
