//! Refusals of strangers: a budget of records for them, and the count of those beyond it.

mod budget;
mod tally;

use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::{Limits, UnixMillis};

use crate::{
    records::StrangerRefusal,
    strangers::{budget::Budget, tally::Tally},
};

pub(crate) use budget::Room;
pub(crate) use tally::Summary;

/// Budget and count of one log.
pub(crate) struct Strangers(Mutex<Held>);

struct Held {
    budget: Budget,
    tally: Tally,
}

/// Moment at which a summary is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now, because the node ends.
    Now,
    /// At the end of [`Limits::SUMMARY_INTERVAL`].
    ByTheClock,
}

impl Strangers {
    /// Makes an empty count, and a budget of so many records a minute.
    pub fn new(per_minute: u32) -> Self {
        Self(Mutex::new(Held { budget: Budget::new(per_minute), tally: Tally::default() }))
    }

    /// Takes room for one record, or counts the refusal.
    pub fn take(&self, refusal: &StrangerRefusal) -> Room {
        let room = self.held().budget.take(refusal.site(), refusal.entry().at);
        if room == Room::Beyond {
            self.count(refusal);
        }
        room
    }

    /// Counts the refusal, for the next summary.
    pub fn count(&self, refusal: &StrangerRefusal) {
        self.held().tally.count(refusal.site(), refusal.entry().event.reasons.first(), refusal.entry().at);
    }

    /// Takes what was counted, if a summary is due.
    pub(crate) fn summary(&self, due: Due, now: UnixMillis) -> Vec<Summary> {
        let mut held = self.held();
        let ready = match due {
            Due::Now => true,
            Due::ByTheClock => held.tally.age(now).is_some_and(|age| age >= Limits::SUMMARY_INTERVAL),
        };
        if ready { held.tally.take() } else { Vec::new() }
    }

    /// Counts again what could not be written.
    pub fn put_back(&self, summary: Summary) {
        self.held().tally.put_back(summary);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
