//! How many connections are open, and how all of them end.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_core::{Limits, Reason, SessionId, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::HeldConfig;

/// Open connections of one session, so that one phone does not take the slots of all.
const OF_ONE_SESSION_MAX: u32 = 32;

/// How many connections each session has open.
type Sessions = Arc<Mutex<HashMap<SessionId, u32>>>;

/// Number of exchanges that each person has in progress.
type People = Arc<Mutex<HashMap<UserId, u32>>>;

/// One exchange of a person, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    person: UserId,
    people: People,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let left = people.get(&self.person).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            people.remove(&self.person);
        } else {
            people.insert(self.person.clone(), left);
        }
    }
}

/// The slots for open connections.
pub(crate) struct Slots {
    config: HeldConfig,
    free: Arc<Semaphore>,
    sessions: Sessions,
    people: People,
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// A slot for one open connection, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Slot {
    session: SessionId,
    sessions: Sessions,
    _of_all: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let left = sessions.get(&self.session).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            sessions.remove(&self.session);
        } else {
            sessions.insert(self.session.clone(), left);
        }
    }
}

impl Slots {
    pub(crate) fn new(config: HeldConfig) -> Self {
        let free = Arc::new(Semaphore::new(config.connections_max));
        Self {
            config,
            free,
            sessions: Sessions::default(),
            people: People::default(),
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// How connections are held open.
    pub(crate) const fn config(&self) -> &HeldConfig {
        &self.config
    }

    /// Takes a slot for a connection of `session`, if one is free.
    pub(crate) fn take(&self, session: &SessionId) -> Result<Slot, Reason> {
        if self.ending.is_cancelled() {
            return Err(Reason::GatewayEnding);
        }
        let of_all = Arc::clone(&self.free).try_acquire_owned().map_err(|_| Reason::ConnectionsTooMany)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sessions.entry(session.clone()).or_default();
        if *count >= OF_ONE_SESSION_MAX {
            return Err(Reason::ConnectionsTooMany);
        }
        *count = count.saturating_add(1);
        Ok(Slot { session: session.clone(), sessions: Arc::clone(&self.sessions), _of_all: of_all })
    }

    /// Takes a turn for an exchange of `person`: what is buffered for each is bounded, and so is what is buffered for a person.
    pub(crate) fn enter(&self, person: &UserId) -> Result<Turn, Reason> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let count = people.entry(person.clone()).or_default();
        if *count >= Limits::EXCHANGES_OF_A_PERSON_MAX {
            return Err(Reason::ExchangesTooMany);
        }
        *count = count.saturating_add(1);
        Ok(Turn { person: person.clone(), people: Arc::clone(&self.people) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_are_for_everybody() {
        let slots = Slots::new(HeldConfig { connections_max: 40, ..HeldConfig::USUAL });
        let session = |id: &str| SessionId::parse(id).expect("an id");
        let mut one: Vec<_> = (0..OF_ONE_SESSION_MAX).map(|_| slots.take(&session("s_1")).expect("a slot")).collect();
        assert_eq!(slots.take(&session("s_1")).err(), Some(Reason::ConnectionsTooMany));
        let other: Vec<_> = (0..8).map(|_| slots.take(&session("s_2")).expect("a slot")).collect();
        assert_eq!(slots.take(&session("s_3")).err(), Some(Reason::ConnectionsTooMany));
        one.pop();
        assert!(slots.take(&session("s_1")).is_ok());
        drop((one, other));
        assert!(slots.sessions.lock().expect("a lock").is_empty());
        let person = |id: &str| UserId::parse(id).expect("an id");
        let mut turns: Vec<_> = (0..Limits::EXCHANGES_OF_A_PERSON_MAX).map(|_| slots.enter(&person("u_1")).expect("a turn")).collect();
        assert_eq!(slots.enter(&person("u_1")).err(), Some(Reason::ExchangesTooMany));
        assert!(slots.enter(&person("u_2")).is_ok(), "another person has turns of his own");
        turns.pop();
        assert!(slots.enter(&person("u_1")).is_ok());
        drop(turns);
        assert!(slots.people.lock().expect("a lock").is_empty());
        slots.end().await;
        assert_eq!(slots.take(&session("s_1")).err(), Some(Reason::GatewayEnding));
    }
}
