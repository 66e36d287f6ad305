//! Promise: what the monitor noticed and did is remembered, and can be undone.

use async_trait::async_trait;
use countersign_core::{DecisionId, DeviceId, IncidentId, Limits, SessionId, SessionState, SignalKind, UnixMillis, UnixSeconds, UserId};

use crate::unavailable::Unavailable;

/// State of an incident. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IncidentState {
    /// The incident's time is over, and the limits that it brought are lifted.
    Closed,
    /// An operator or the person found the incident benign, and the actions were undone.
    Fine,
    /// The incident goes on.
    Open,
}

impl IncidentState {
    /// Stable word for the state, in the API and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Fine => "fine",
            Self::Open => "open",
        }
    }

    /// Reads the word that [`Self::as_str`] writes; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Closed, Self::Fine, Self::Open].into_iter().find(|state| state.as_str() == text)
    }
}

/// Change of an incident that others are told of. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentChange {
    /// An action was taken.
    Acted,
    /// The incident's time was over.
    Closed,
    /// The incident was found benign.
    Fine,
    /// The incident is new.
    Opened,
}

impl IncidentChange {
    /// Stable word for the change, on the wire.
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

/// Session that was changed because of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTaken {
    /// The session that was changed.
    pub session: SessionId,
    /// State before the change.
    pub from: SessionState,
    /// State since the change.
    pub to: SessionState,
    /// Number of the decision under which the log has the change.
    pub decision: DecisionId,
}

/// Line of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Instant of the event, in milliseconds.
    pub at: UnixMillis,
    /// Description for an operator, without line breaks.
    pub what: String,
}

/// Observation of one kind about one person, device or session, however often it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Identifier of the incident.
    pub id: IncidentId,
    /// Kind of the observation.
    pub kind: SignalKind,
    /// Current state of the incident.
    pub state: IncidentState,
    /// Person that the incident is about; `None` when no person is known.
    pub user: Option<UserId>,
    /// Device that the incident is about; `None` when no device is known.
    pub device: Option<DeviceId>,
    /// Session that the incident is about; `None` when no session is known.
    pub session: Option<SessionId>,
    /// Instant of the first observation, in milliseconds.
    pub first_at: UnixMillis,
    /// Instant of the last observation, in milliseconds.
    pub last_at: UnixMillis,
    /// Number of observations.
    pub count: u64,
    /// Highest score among the observations; 0 for kinds that are facts and have no score.
    pub score: u8,
    /// Sessions that were changed because of the incident.
    pub deeds: Vec<ActionTaken>,
    /// Events of the incident, oldest first; at most fifty lines.
    pub timeline: Vec<Moment>,
}

impl Incident {
    /// Adds a line to the timeline while there is room; beyond the bound the line is dropped.
    pub fn note(&mut self, at: UnixMillis, what: &str) {
        if self.timeline.len() < Limits::INCIDENT_MOMENTS_MAX {
            self.timeline.push(Moment { at, what: what.replace(['\n', '\r'], " ") });
        }
    }
}

/// Suppression: observations to which there is no reaction for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Kind of the observations.
    pub kind: SignalKind,
    /// Person to whom the suppression is limited; `None` for everybody.
    pub user: Option<UserId>,
    /// End of the suppression, which does not belong to it.
    pub until: UnixSeconds,
}

impl Suppression {
    /// Tells whether the suppression covers an observation.
    #[must_use]
    pub fn covers(&self, kind: SignalKind, user: Option<&UserId>, now: UnixSeconds) -> bool {
        self.kind == kind && now < self.until && self.user.as_ref().is_none_or(|only| Some(only) == user)
    }
}

/// Incidents and suppressions.
#[async_trait]
pub trait Incidents: Send + Sync {
    /// Remembers an incident, in place of an earlier version with the same id.
    ///
    /// # Errors
    /// Our fault only.
    async fn keep(&self, incident: Incident) -> Result<(), Unavailable>;

    /// Finds the incident of this id.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, id: &IncidentId) -> Result<Option<Incident>, Unavailable>;

    /// Lists the incidents that were observed last, newest first, at most `count_max`; of one state only, if one is given.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, state: Option<IncidentState>, count_max: u32) -> Result<Vec<Incident>, Unavailable>;

    /// Remembers a suppression, in place of an earlier one of the same kind about the same person.
    ///
    /// # Errors
    /// Our fault only.
    async fn suppress(&self, suppression: Suppression) -> Result<(), Unavailable>;

    /// Lists the suppressions that hold at `now`.
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
