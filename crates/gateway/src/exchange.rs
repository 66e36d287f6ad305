//! One connection as its listener sees it, and the exchanges on it: each a request with its answer, from the head of the one to the last
//! byte of the other.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU8, AtomicU64, Ordering},
};
use std::time::Duration;

use countersign_core::Limits;
use tokio::time::Instant;

use crate::{
    buffers::{Full, Kept, OfConnection},
    crowd::Place,
};

/// One connection: its place, what is kept in memory for it, and what waits to be read at its other end.
#[derive(Debug)]
pub(crate) struct Connection {
    place: Place,
    kept: OfConnection,
    unread: Mutex<Unread>,
    next: AtomicU64,
}

/// Answers that wait until the client takes more of them.
#[derive(Debug)]
struct Unread {
    waiting: Vec<Waiting>,
    /// Moment at which the client took something at last.
    taken: Instant,
}

#[derive(Debug)]
struct Waiting {
    exchange: u64,
    since: Instant,
}

/// Patience with a client that does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Longest time without anything being read where something waits.
    pub reader_max: Duration,
    /// Longest wait of one answer while others are read.
    pub answer_max: Duration,
}

impl Patience {
    /// Patience that [`Limits`] names.
    pub const USUAL: Self =
        Self { reader_max: Duration::from_secs(Limits::READER_WAIT_MAX.0), answer_max: Duration::from_secs(Limits::ANSWER_WAIT_MAX.0) };
}

impl Connection {
    pub(crate) fn new(place: Place, kept: OfConnection) -> Arc<Self> {
        let unread = Unread { waiting: Vec::new(), taken: Instant::now() };
        Arc::new(Self { place, kept, unread: Mutex::new(unread), next: AtomicU64::new(0) })
    }

    /// Begins an exchange on this connection.
    pub(crate) fn begin(self: &Arc<Self>) -> Arc<Exchange> {
        self.place.begins();
        Arc::new(Exchange {
            connection: Arc::clone(self),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            kept: Kept::new(self.kept.clone()),
            stage: AtomicU8::new(Stage::Arriving.number()),
            began: Instant::now(),
        })
    }

    /// Waits until the place is taken away.
    pub(crate) async fn taken_away(&self) {
        self.place.taken_away().await;
    }

    /// Since when there was no exchange; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.place.idle_since()
    }

    /// Says whether the client has not read for longer than it is waited for.
    pub(crate) fn is_unread(&self, patience: Patience, now: Instant) -> bool {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |since: Instant| now.saturating_duration_since(since);
        let nothing_read = unread.waiting.iter().any(|one| waits(one.since.max(unread.taken)) >= patience.reader_max);
        nothing_read || unread.waiting.iter().any(|one| waits(one.since) >= patience.answer_max)
    }
}

/// Stage that an exchange has come to; what its request's body is held to depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody has said that it may pass.
    Arriving,
    /// The sender is known; whether it may pass depends on what it says.
    Proven,
    /// It may pass, and is watched.
    Admitted,
    /// It may pass, as a stream that is declared and has rules of its own.
    Declared,
}

impl Stage {
    const fn number(self) -> u8 {
        match self {
            Self::Arriving => 0,
            Self::Proven => 1,
            Self::Admitted => 2,
            Self::Declared => 3,
        }
    }

    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Arriving,
            1 => Self::Proven,
            2 => Self::Admitted,
            _ => Self::Declared,
        }
    }
}

/// A request and its answer. It lasts as long as anybody holds it: the handler, the answer's body, a tunnel that came of it.
#[derive(Debug)]
pub(crate) struct Exchange {
    connection: Arc<Connection>,
    number: u64,
    kept: Kept,
    stage: AtomicU8,
    began: Instant,
}

impl Exchange {
    /// Moment at which its head was there.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    /// Stage that it has come to.
    pub(crate) fn stage(&self) -> Stage {
        Stage::of(self.stage.load(Ordering::Relaxed))
    }

    /// Notes that it has come to this stage.
    pub(crate) fn reaches(&self, stage: Stage) {
        self.stage.store(stage.number(), Ordering::Relaxed);
    }

    /// Takes room for bytes that are kept until its end.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), Full> {
        self.kept.take(bytes)
    }

    /// The answer waits until the client takes more of it.
    pub(crate) fn waits(&self, now: Instant) {
        let mut unread = self.connection.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.waiting.retain(|one| one.exchange != self.number);
        unread.waiting.push(Waiting { exchange: self.number, since: now });
    }

    /// The client has taken what was given.
    pub(crate) fn is_read(&self, now: Instant) {
        let mut unread = self.connection.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.waiting.retain(|one| one.exchange != self.number);
        unread.taken = now;
    }

    /// Nobody waits any more.
    pub(crate) fn is_over(&self) {
        let mut unread = self.connection.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.waiting.retain(|one| one.exchange != self.number);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.place.ends(Instant::now());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        buffers::{Budget, Buffers},
        crowd::{Crowd, Places, Share},
    };
    use countersign_core::Site;

    pub(crate) fn connection(budget: Budget) -> Arc<Connection> {
        let site = Site::of(std::net::IpAddr::from([192, 0, 2, 1]));
        let place = Crowd::new(Places { all: 1, of_a_site: 1 }).enter(site, Share::OfASite, Instant::now()).expect("a place");
        Connection::new(place, OfConnection::new(Buffers::new(budget), site))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_read_is_noticed() {
        let second = Duration::from_secs(1);
        let patience = Patience { reader_max: 10 * second, answer_max: 40 * second };
        let connection = connection(Budget::USUAL);
        let (one, two) = (connection.begin(), connection.begin());
        let begun = Instant::now();
        let is_unread = |after: u32| connection.is_unread(patience, begun + after * second);
        assert!(!is_unread(1000), "nothing waits");
        one.waits(begun);
        assert!(!is_unread(9) && is_unread(10));
        two.waits(begun + 5 * second);
        two.is_read(begun + 9 * second);
        assert!(!is_unread(18) && is_unread(19), "others are read");
        two.is_read(begun + 39 * second);
        assert!(!is_unread(39) && is_unread(40), "but not this one");
        one.is_over();
        assert!(!is_unread(1000));
        assert_eq!(connection.idle_since(), None);
        drop((one, two));
        assert!(connection.idle_since().is_some());
    }
}
