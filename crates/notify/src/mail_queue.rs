//! Queue of mails about incidents: one mail when an incident opens and one when it ends, however much happens in between. Pure.

use std::collections::{HashMap, VecDeque};

use countersign_core::{IncidentId, Limits, Seconds, UnixMillis};
use countersign_store::{Incident, IncidentChange};

use crate::mail_message::Phase;

/// Pauses after failed attempts: nine attempts in about three hours, which is longer than the maintenance of a mail server.
const PAUSES: [Seconds; 8] = [Seconds(2), Seconds(8), Seconds(30), Seconds(90), Seconds(300), Seconds(900), Seconds(3_600), Seconds(7_200)];

/// Result of adding a change to the queue. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The queue is full, so the change is lost.
    Full,
    /// No new mail is needed: one about this incident was sent, or waits and was updated.
    Known,
    /// A new mail waits.
    Waits,
}

/// Result of putting a failed mail back. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// The mail was tried often enough and is dropped.
    GivenUp,
    /// The mail is tried again later.
    Later,
}

/// A mail that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Incident as of its latest change.
    pub incident: Incident,
    /// Occasion of the mail.
    pub phase: Phase,
    /// Time at which the mail is due.
    due: UnixMillis,
    /// Number of attempts so far.
    tried: usize,
}

/// The queue of mails that wait.
#[derive(Debug, Default)]
pub(crate) struct MailQueue {
    waiting: Vec<Waiting>,
    told: HashMap<IncidentId, ()>,
    order: VecDeque<IncidentId>,
}

impl MailQueue {
    /// Adds a change of an incident. The mail about a new incident waits for `hold`, so that it can say what was done.
    pub(crate) fn put(&mut self, change: IncidentChange, incident: &Incident, hold: Seconds, now: UnixMillis) -> Put {
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.incident.id == incident.id && waiting.phase != Phase::Ended);
        match (change, waiting) {
            (IncidentChange::Acted | IncidentChange::Opened, Some(waiting)) => {
                waiting.incident = incident.clone();
                Put::Known
            }
            (IncidentChange::Closed | IncidentChange::Fine, Some(waiting)) => {
                waiting.incident = incident.clone();
                waiting.phase = Phase::Passed;
                Put::Known
            }
            // One mail when it opens; what is done later stands in the mail about its end.
            (IncidentChange::Acted | IncidentChange::Opened, None) if self.told.contains_key(&incident.id) => Put::Known,
            (IncidentChange::Acted | IncidentChange::Opened, None) => self.push(incident, Phase::Opened, after(now, hold)),
            (IncidentChange::Closed | IncidentChange::Fine, None) => self.push(incident, Phase::Ended, now),
        }
    }

    /// Time at which the next mail is due; `None` when none waits.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// Takes out the mails that are due, oldest incident first.
    pub(crate) fn take_due(&mut self, now: UnixMillis) -> Vec<Waiting> {
        let (mut due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.due <= now);
        self.waiting = rest;
        due.sort_by_key(|waiting| waiting.incident.first_at);
        due
    }

    /// Notes that a mail was delivered.
    pub fn delivered(&mut self, sent: &Waiting) {
        match sent.phase {
            Phase::Opened => self.remember(&sent.incident.id),
            Phase::Ended | Phase::Passed => drop(self.told.remove(&sent.incident.id)),
        }
    }

    /// Puts back a mail that could not be delivered, to be tried again after a growing pause.
    pub(crate) fn put_back(&mut self, mut failed: Waiting, now: UnixMillis) -> Again {
        let Some(pause) = PAUSES.get(failed.tried) else {
            // Counted as delivered, so that later changes of the incident do not start a new series of attempts.
            self.delivered(&failed);
            return Again::GivenUp;
        };
        failed.tried = failed.tried.saturating_add(1);
        failed.due = after(now, *pause);
        self.waiting.push(failed);
        Again::Later
    }

    /// Number of waiting mails.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    fn push(&mut self, incident: &Incident, phase: Phase, due: UnixMillis) -> Put {
        if self.waiting.len() >= Limits::MAILS_WAITING_MAX {
            return Put::Full;
        }
        self.waiting.push(Waiting { incident: incident.clone(), phase, due, tried: 0 });
        Put::Waits
    }

    fn remember(&mut self, id: &IncidentId) {
        if self.told.insert(id.clone(), ()).is_none() {
            self.order.push_back(id.clone());
        }
        while self.order.len() > Limits::MAIL_INCIDENTS_REMEMBERED_MAX {
            self.order.pop_front().and_then(|oldest| self.told.remove(&oldest));
        }
    }
}

fn after(now: UnixMillis, span: Seconds) -> UnixMillis {
    UnixMillis(now.0.saturating_add(span.0.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use countersign_core::SignalKind;
    use countersign_store::IncidentState;

    use super::*;

    const HOLD: Seconds = Seconds(10);

    fn incident(number: u16) -> Incident {
        let mut name = [0; 16];
        name[..2].copy_from_slice(&number.to_be_bytes());
        Incident {
            id: IncidentId::from_random(name),
            kind: SignalKind::Scraping,
            state: IncidentState::Open,
            user: None,
            device: None,
            session: None,
            first_at: UnixMillis(u64::from(number)),
            last_at: UnixMillis(0),
            count: 1,
            score: 0,
            deeds: Vec::new(),
            timeline: Vec::new(),
        }
    }

    #[test]
    fn an_incident_is_one_mail_at_its_beginning_and_one_at_its_end() {
        let mut held = MailQueue::default();
        let at = |second: u64| UnixMillis(second * 1000);
        assert_eq!(held.put(IncidentChange::Opened, &incident(1), HOLD, at(0)), Put::Waits);
        let more = Incident { count: 2, ..incident(1) };
        assert_eq!(held.put(IncidentChange::Acted, &more, HOLD, at(5)), Put::Known);
        assert_eq!((held.next_due(), held.take_due(UnixMillis(9_999)).len()), (Some(at(10)), 0));
        let due = held.take_due(at(10));
        assert_eq!(due.iter().map(|one| (one.phase, one.incident.count)).collect::<Vec<_>>(), [(Phase::Opened, 2)], "as it was last");
        due.iter().for_each(|one| held.delivered(one));
        for _ in 0..5 {
            assert_eq!(held.put(IncidentChange::Acted, &more, HOLD, at(20)), Put::Known);
        }
        assert_eq!(held.put(IncidentChange::Fine, &more, HOLD, at(30)), Put::Waits);
        let due = held.take_due(at(30));
        assert_eq!(due.iter().map(|one| one.phase).collect::<Vec<_>>(), [Phase::Ended], "nothing is held back of what is over");
        due.iter().for_each(|one| held.delivered(one));
        assert!(held.waiting.is_empty() && held.told.is_empty());
    }

    #[test]
    fn what_is_over_before_it_was_told_is_one_mail() {
        let mut held = MailQueue::default();
        held.put(IncidentChange::Acted, &incident(1), HOLD, UnixMillis(0));
        assert_eq!(held.put(IncidentChange::Closed, &incident(1), HOLD, UnixMillis(1)), Put::Known);
        assert_eq!(held.take_due(UnixMillis(10_000)).iter().map(|one| one.phase).collect::<Vec<_>>(), [Phase::Passed]);
    }

    #[test]
    fn a_server_that_is_down_is_tried_again_ever_more_slowly_and_then_given_up() {
        let mut held = MailQueue::default();
        held.put(IncidentChange::Opened, &incident(1), Seconds(0), UnixMillis(0));
        let (mut now, mut pauses) = (UnixMillis(0), Vec::new());
        let last = loop {
            let one = held.take_due(now).pop().expect("one that is due");
            match held.put_back(one, now) {
                Again::GivenUp => break now,
                Again::Later => {
                    let due = held.next_due().expect("one that waits");
                    pauses.push(due.0 - now.0);
                    now = due;
                }
            }
        };
        assert!(pauses.is_sorted() && pauses.len() == PAUSES.len(), "{pauses:?}");
        assert!((10_000_000..15_000_000).contains(&last.0), "{last:?}");
        assert_eq!(held.put(IncidentChange::Acted, &incident(1), HOLD, now), Put::Known, "no mail for every act from now on");
    }

    #[test]
    fn a_flood_fills_the_box_and_no_more() {
        let mut held = MailQueue::default();
        for number in 0..1_500 {
            let expected = if usize::from(number) < Limits::MAILS_WAITING_MAX { Put::Waits } else { Put::Full };
            assert_eq!(held.put(IncidentChange::Opened, &incident(number), HOLD, UnixMillis(0)), expected, "{number}");
        }
        for number in 0..5_000 {
            held.remember(&incident(number).id);
        }
        assert_eq!(
            (held.len(), held.told.len(), held.order.len()),
            (Limits::MAILS_WAITING_MAX, Limits::MAIL_INCIDENTS_REMEMBERED_MAX, Limits::MAIL_INCIDENTS_REMEMBERED_MAX)
        );
    }
}
