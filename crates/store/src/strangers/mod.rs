//! Refusals of strangers: a budget of records for them, and the count of those beyond it.

mod budget;
mod tally;

use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_audit::RefusalsCounted;
use countersign_core::{Limits, Site, UnixMillis};

use crate::{
    records::StrangerRefusal,
    strangers::{budget::Budget, tally::Tally},
};

/// Budget and count of one log.
pub struct Strangers(Mutex<Held>);

struct Held {
    budget: Budget,
    tally: Tally,
}

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is to be counted.
    Beyond,
    /// It is to be recorded.
    Within,
}

/// When a summary is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now, because the node ends.
    Now,
    /// When the last is [`Limits::SUMMARY_INTERVAL`] ago.
    ByTheClock,
}

/// Part of a summary: what came from one site, or from all those that have no part of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The site; `None` for all the others together.
    pub site: Option<Site>,
    /// What was counted.
    pub counted: RefusalsCounted,
}

impl Strangers {
    /// Makes an empty count, and a budget of so many records a minute.
    pub fn new(per_minute: u32) -> Self {
        Self(Mutex::new(Held { budget: Budget::new(per_minute), tally: Tally::default() }))
    }

    /// Takes room for one record, or counts the refusal.
    pub fn take(&self, refusal: &StrangerRefusal) -> Room {
        let (mut held, now) = (self.held(), refusal.entry().at);
        let room = held.budget.take(refusal.site(), now);
        if room == Room::Beyond {
            held.tally.count(refusal.site(), refusal.entry().event.reasons.first(), now);
        }
        room
    }

    /// Takes what was counted, if a summary is due.
    pub fn summary(&self, due: Due, now: UnixMillis) -> Vec<Summary> {
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
