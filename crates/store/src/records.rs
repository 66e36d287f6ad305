//! Promise: what was acknowledged as recorded is never lost, and what strangers are refused costs the log no more than its budget.

use async_trait::async_trait;
use countersign_audit::{Entry, EventKind};
use countersign_core::{Outcome, SessionId, SignalKind, Site, UnixSeconds};

use crate::{
    sessions::{LiveError, Sessions},
    unavailable::Unavailable,
};

/// Acknowledgement of an entry. Alphabetical.
#[derive(Debug)]
#[must_use]
pub enum Receipt {
    /// The entry is counted, for the next summary.
    Counted(Counted),
    /// The entry is recorded.
    Recorded(Written),
}

/// Acknowledgement that an entry is on disk and under a signed checkpoint. Only a [`Recorder`] makes one. Whatever is allowed, every
/// theft and every change of state needs one.
#[derive(Debug)]
#[must_use]
pub struct Written {
    seq: u64,
}

impl Written {
    pub(crate) const fn new(seq: u64) -> Self {
        Self { seq }
    }

    /// The entry's number, counted from 0.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

/// Acknowledgement that a refusal is counted. It is made of a [`StrangerRefusal`] and of nothing else.
#[derive(Debug)]
#[must_use]
pub struct Counted(());

impl Counted {
    pub(crate) fn of(refusal: StrangerRefusal) -> Self {
        drop(refusal);
        Self(())
    }
}

/// Witness that a session is not live: it ended, waits for its person, or there is none. Only the store makes one.
#[derive(Debug)]
#[must_use]
pub struct NotLive(());

impl NotLive {
    /// Asks for the session; `None` when it is live.
    ///
    /// # Errors
    /// When the store does not say: whoever has no witness records.
    pub async fn ask(sessions: &dyn Sessions, id: &SessionId, now: UnixSeconds) -> Result<Option<Self>, Unavailable> {
        match sessions.live(id, now).await {
            Ok(_) => Ok(None),
            Err(LiveError::Unavailable(fault)) => Err(fault),
            Err(LiveError::Challenged | LiveError::Expired | LiveError::Revoked | LiveError::Unknown) => Ok(Some(Self(()))),
        }
    }
}

/// Refusal of a caller without a live session: the one kind of entry that may be counted instead of recorded (law 8).
#[derive(Debug)]
#[must_use]
pub struct StrangerRefusal {
    site: Site,
    entry: Entry,
}

/// Caller who is refused, by what was shown.
#[derive(Debug)]
pub struct Stranger {
    /// The network that the caller came from.
    pub site: Site,
    /// Theft that the monitor hears of; `None` when it hears of nothing.
    pub theft: Option<SignalKind>,
    /// The session that was named and is not live. Without it, a theft is one from a live session.
    pub session: Option<NotLive>,
}

impl StrangerRefusal {
    /// Makes one of the entry.
    ///
    /// # Errors
    /// Gives the entry back when it is anything else: something that was allowed or changed, a theft from a live session, or an event
    /// that is no answer to a caller. It must be recorded.
    pub fn of(entry: Entry, caller: &Stranger) -> Result<Self, Box<Entry>> {
        let refused = match entry.event.outcome {
            Outcome::Deny | Outcome::StepUp => answers_a_caller(entry.event.kind()),
            Outcome::Allow | Outcome::Limit => false,
        };
        let theft_from_live = caller.theft.is_some() && caller.session.is_none();
        if refused && !theft_from_live { Ok(Self { site: caller.site, entry }) } else { Err(Box::new(entry)) }
    }

    /// The network that the caller came from.
    #[must_use]
    pub const fn site(&self) -> Site {
        self.site
    }

    /// Entry of the refusal, borrowed.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Entry of the refusal, to be recorded.
    #[must_use]
    pub(crate) fn into_entry(self) -> Entry {
        self.entry
    }
}

const fn answers_a_caller(kind: EventKind) -> bool {
    match kind {
        EventKind::DeviceAttested
        | EventKind::DeviceEnrolled
        | EventKind::DeviceRenamed
        | EventKind::DeviceReported
        | EventKind::DeviceRevoked
        | EventKind::PasskeyRegistered
        | EventKind::Request
        | EventKind::SignedIn
        | EventKind::TokensIssued
        | EventKind::TokensRevoked => true,
        EventKind::ConfigActivated
        | EventKind::ConnectionCut
        | EventKind::DevTokenCreated
        | EventKind::DevTokenRevoked
        | EventKind::IncidentJudged
        | EventKind::LogInterrupted
        | EventKind::PersonErased
        | EventKind::RefusalsCounted
        | EventKind::SessionChanged
        | EventKind::UserChanged
        | EventKind::UserInvited => false,
    }
}

/// Takes entries before their effect (law 8).
#[async_trait]
pub trait Recorder: Send + Sync {
    /// Records `entry`; returns when it would survive `kill -9` and a power cut.
    ///
    /// # Errors
    /// Our fault only, and then nothing that depends on the entry may happen.
    async fn record(&self, entry: Entry) -> Result<Written, Unavailable>;

    /// Records a stranger's refusal while the budget lasts, and counts it beyond. To count needs no disk.
    ///
    /// # Errors
    /// Our fault only: it was to be recorded, and could not be.
    async fn refuse(&self, refusal: StrangerRefusal) -> Result<Receipt, Unavailable>;

    /// Counts a stranger's refusal that nobody wants to read one by one, whatever is left of the budget.
    fn count(&self, refusal: StrangerRefusal) -> Counted;
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_audit::{Actor, ConnectionCut, Event, Identity, PersonErased, Recorded};
    use countersign_core::{DecisionId, UnixMillis};
    use std::net::{IpAddr, Ipv4Addr};

    /// Law 8, row by row: what may be counted, and what must be recorded.
    #[test]
    fn only_refusals_of_strangers_may_be_counted() {
        let request = || Recorded::Request(Box::default());
        let cut = || Recorded::ConnectionCut(ConnectionCut { opened_by: DecisionId::from_random([1; 8]), judged: Box::default() });
        let erased = || Recorded::PersonErased(PersonErased { by: Actor::OperatorUnnamed });
        let theft = Some(SignalKind::ForeignProofKey);
        let rows: &[(&str, Outcome, Recorded, Option<SignalKind>, Option<NotLive>, bool)] = &[
            ("a refusal", Outcome::Deny, request(), None, None, true),
            ("a step-up", Outcome::StepUp, request(), None, None, true),
            ("a refusal in a session that is over", Outcome::Deny, request(), None, Some(NotLive(())), true),
            ("allowed", Outcome::Allow, request(), None, None, false),
            ("allowed with obligations", Outcome::Limit, request(), None, None, false),
            ("a theft", Outcome::Deny, request(), theft, None, false),
            ("a theft from a session that is over", Outcome::Deny, request(), theft, Some(NotLive(())), true),
            ("a cut", Outcome::Deny, cut(), None, None, false),
            ("a change", Outcome::Deny, erased(), None, None, false),
        ];
        for (name, outcome, of, theft, session, counted) in rows {
            let event = Event { outcome: *outcome, reasons: Vec::new(), of: of.clone() };
            let entry =
                Entry { at: UnixMillis(1), decision: DecisionId::from_random([2; 8]), event, person: None, identity: Identity::default() };
            let session = session.as_ref().map(|_| NotLive(()));
            let caller = Stranger { site: Site::of(IpAddr::V4(Ipv4Addr::LOCALHOST)), theft: *theft, session };
            assert_eq!(StrangerRefusal::of(entry, &caller).is_ok(), *counted, "{name}");
        }
    }
}
