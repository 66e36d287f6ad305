//! Promise: what the monitor noticed and did is remembered, and can be undone.

use async_trait::async_trait;
use countersign_core::{DecisionId, DeviceId, IncidentId, Limits, SessionId, SessionState, SignalKind, UnixMillis, UnixSeconds, UserId};

use crate::unavailable::Unavailable;

/// What became of an incident. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IncidentState {
    /// Its time is over; what was limited for it is not any more.
    Closed,
    /// An operator or the person said that it was fine, and what was done was undone.
    Fine,
    /// It holds.
    Open,
}

impl IncidentState {
    /// The word in API and log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Fine => "fine",
            Self::Open => "open",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Closed, Self::Fine, Self::Open].into_iter().find(|state| state.as_str() == text)
    }
}

/// What happened to an incident that somebody is told of. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentChange {
    /// Something was done.
    Acted,
    /// Its time was over.
    Closed,
    /// It was fine.
    Fine,
    /// It is new.
    Opened,
}

impl IncidentChange {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acted => "incident.acted",
            Self::Closed => "incident.closed",
            Self::Fine => "incident.fine",
            Self::Opened => "incident.opened",
        }
    }
}

/// A session that was changed because of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Which.
    pub session: SessionId,
    /// Its state before.
    pub from: SessionState,
    /// Its state since.
    pub to: SessionState,
    /// The number under which the log has it.
    pub decision: DecisionId,
}

/// One line of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: UnixMillis,
    /// What happened, in words for an operator, without line breaks.
    pub what: String,
}

/// One thing that was noticed, however often: of one kind, about one person, device or session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// What was noticed.
    pub kind: SignalKind,
    /// What became of it.
    pub state: IncidentState,
    /// About whom.
    pub user: Option<UserId>,
    /// About which device.
    pub device: Option<DeviceId>,
    /// About which session.
    pub session: Option<SessionId>,
    /// When it was first noticed.
    pub first_at: UnixMillis,
    /// When it was last noticed.
    pub last_at: UnixMillis,
    /// How often.
    pub count: u64,
    /// The highest score, where there was one.
    pub score: u8,
    /// What was done.
    pub deeds: Vec<Deed>,
    /// What happened, oldest first; at most fifty lines.
    pub timeline: Vec<Moment>,
}

impl Incident {
    /// Adds a line, while there is room.
    pub fn note(&mut self, at: UnixMillis, what: &str) {
        if self.timeline.len() < Limits::INCIDENT_MOMENTS_MAX {
            self.timeline.push(Moment { at, what: what.replace(['\n', '\r'], " ") });
        }
    }
}

/// What is not to be reacted to, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Of which kind.
    pub kind: SignalKind,
    /// Only about this person.
    pub user: Option<UserId>,
    /// Until when.
    pub until: UnixSeconds,
}

impl Suppression {
    /// Whether it covers an observation.
    #[must_use]
    pub fn covers(&self, kind: SignalKind, user: Option<&UserId>, now: UnixSeconds) -> bool {
        self.kind == kind && now < self.until && self.user.as_ref().is_none_or(|only| Some(only) == user)
    }
}

/// Incidents and suppressions.
#[async_trait]
pub trait Incidents: Send + Sync {
    /// Remembers an incident, in the place of what was remembered under its name.
    ///
    /// # Errors
    /// Our fault only.
    async fn keep(&self, incident: Incident) -> Result<(), Unavailable>;

    /// The incident of that name.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, id: &IncidentId) -> Result<Option<Incident>, Unavailable>;

    /// The incidents that were noticed last, newest first, at most `count_max`; of one state only, if one is given.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, state: Option<IncidentState>, count_max: u32) -> Result<Vec<Incident>, Unavailable>;

    /// Suppresses, in the place of what was suppressed of that kind about that person.
    ///
    /// # Errors
    /// Our fault only.
    async fn suppress(&self, suppression: Suppression) -> Result<(), Unavailable>;

    /// The suppressions that hold.
    ///
    /// # Errors
    /// Our fault only.
    async fn suppressions(&self, now: UnixSeconds) -> Result<Vec<Suppression>, Unavailable>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppressions_cover_their_kind_person_and_time() {
        let (alice, bob) = (UserId::from_random([1; 16]), UserId::from_random([2; 16]));
        let all = Suppression { kind: SignalKind::Scraping, user: None, until: UnixSeconds(100) };
        let one = Suppression { user: Some(alice.clone()), ..all.clone() };
        let rows = [
            (&all, SignalKind::Scraping, Some(&bob), 99, true),
            (&all, SignalKind::Scraping, None, 99, true),
            (&all, SignalKind::Scraping, None, 100, false),
            (&all, SignalKind::RateBurst, None, 99, false),
            (&one, SignalKind::Scraping, Some(&alice), 99, true),
            (&one, SignalKind::Scraping, Some(&bob), 99, false),
            (&one, SignalKind::Scraping, None, 99, false),
        ];
        for (suppression, kind, user, now, expected) in rows {
            assert_eq!(suppression.covers(kind, user, UnixSeconds(now)), expected, "{suppression:?} {kind:?} {user:?} {now}");
        }
    }
}
