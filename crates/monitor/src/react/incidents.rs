//! Open incidents, found by what they are about. Their number is bounded: whatever an attacker makes up, the oldest are dropped first.

use std::collections::HashMap;

use countersign_core::{DeviceId, IncidentId, Limits, Seconds, SessionId, Signal, SignalKind, UnixMillis, UserId};
use countersign_store::{ActionTaken, Incident, IncidentState};

/// Subject of an incident: a person where one is known, otherwise a device, otherwise a session, otherwise everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum About {
    Person(UserId),
    Device(DeviceId),
    Session(SessionId),
    Everybody,
}

impl About {
    fn of(user: Option<&UserId>, device: Option<&DeviceId>, session: Option<&SessionId>) -> Self {
        match (user, device, session) {
            (Some(user), _, _) => Self::Person(user.clone()),
            (None, Some(device), _) => Self::Device(device.clone()),
            (None, None, Some(session)) => Self::Session(session.clone()),
            (None, None, None) => Self::Everybody,
        }
    }
}

/// Statement whether an incident in memory is the same as in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    No,
    Yes,
}

/// An incident after a signal was added.
#[derive(Debug)]
pub(crate) struct Noticed {
    /// Incident that the signal belongs to, with the signal counted.
    pub incident: Incident,
    /// An older incident about the same subject that is over now.
    pub over: Option<Incident>,
}

/// The open incidents, by kind and subject.
#[derive(Debug, Default)]
pub(crate) struct OpenIncidents(HashMap<(SignalKind, About), (Incident, Kept)>);

impl OpenIncidents {
    /// The incidents that were open when the process ended.
    pub fn of(incidents: impl IntoIterator<Item = Incident>) -> Self {
        let mut open = Self::default();
        incidents.into_iter().for_each(|incident| open.put(incident));
        open
    }

    /// Takes in an incident as it is stored. Of two about the same subject, the one that restricts somebody is followed, otherwise the
    /// later one.
    pub fn put(&mut self, incident: Incident) {
        let about = About::of(incident.user.as_ref(), incident.device.as_ref(), incident.session.as_ref());
        let weight = |incident: &Incident| (!incident.deeds.is_empty(), incident.last_at);
        let key = (incident.kind, about);
        if self.0.get(&key).is_none_or(|(held, _)| held.id == incident.id || weight(held) < weight(&incident)) {
            self.0.insert(key, (incident, Kept::Yes));
        }
    }

    /// The incident that a signal belongs to, or a new one with the identifier `id`.
    ///
    /// A signal belongs to an incident that was last noticed within `together`, or that still restricts somebody. If the latter were
    /// forgotten, nobody would lift the restriction when its time is over.
    pub fn merge_signal(&mut self, signal: &Signal, id: impl FnOnce() -> IncidentId, together: Seconds) -> Noticed {
        let about = About::of(signal.user.as_ref(), signal.device.as_ref(), signal.session.as_ref());
        let key = (signal.kind, about);
        let same = |incident: &Incident| signal.at.seconds().since(incident.last_at.seconds()) <= together || !incident.deeds.is_empty();
        let (held, over) = match self.0.remove(&key) {
            Some((held, _)) if same(&held) => (Some(held), None),
            Some((held, _)) => (None, Some(held)),
            None => (None, None),
        };
        let mut incident = held.unwrap_or_else(|| Incident {
            id: id(),
            kind: signal.kind,
            state: IncidentState::Open,
            user: signal.user.clone(),
            device: signal.device.clone(),
            session: signal.session.clone(),
            first_at: signal.at,
            last_at: signal.at,
            count: 0,
            score: 0,
            deeds: Vec::new(),
            timeline: Vec::new(),
        });
        incident.count = incident.count.saturating_add(1);
        incident.last_at = incident.last_at.max(signal.at);
        incident.score = incident.score.max(signal.view.score);
        if self.0.len() >= Limits::OPEN_INCIDENTS_MAX {
            // Incidents that restrict nobody are dropped first.
            let least = self.0.iter().min_by_key(|(_, (incident, _))| (!incident.deeds.is_empty(), incident.last_at));
            let least = least.map(|(key, _)| key.clone());
            least.and_then(|least| self.0.remove(&least));
        }
        self.0.insert(key, (incident.clone(), Kept::No));
        Noticed { incident, over }
    }

    /// Takes an incident out.
    pub fn take(&mut self, id: &IncidentId) -> Option<Incident> {
        let key = self.0.iter().find(|(_, (incident, _))| incident.id == *id).map(|(key, _)| key.clone())?;
        self.0.remove(&key).map(|(incident, _)| incident)
    }

    /// Incidents for which this session was changed.
    pub(crate) fn touching(&self, session: &SessionId) -> Vec<IncidentId> {
        let touched = |incident: &Incident| incident.deeds.iter().any(|deed| deed.session == *session);
        self.0.values().filter(|(incident, _)| touched(incident)).map(|(incident, _)| incident.id.clone()).collect()
    }

    /// Incidents whose action began where `deed` had led, changed so that they lead back to the state before it.
    pub(crate) fn lead_past(&self, deed: &ActionTaken) -> Vec<Incident> {
        let continues = |other: &ActionTaken| other.session == deed.session && other.from == deed.to;
        let held = self.0.values().map(|(incident, _)| incident).filter(|incident| incident.deeds.iter().any(continues));
        held.map(|incident| {
            let mut led = incident.clone();
            led.deeds.iter_mut().filter(|other| continues(other)).for_each(|other| other.from = deed.from);
            led
        })
        .collect()
    }

    /// Incidents that were last noticed at `instant` or before.
    pub(crate) fn quiet_since(&self, instant: UnixMillis) -> Vec<IncidentId> {
        self.0.values().filter(|(incident, _)| incident.last_at <= instant).map(|(incident, _)| incident.id.clone()).collect()
    }

    /// Incidents that were counted on since they were stored. The caller stores them and calls [`Self::put`].
    pub fn changed(&self) -> Vec<Incident> {
        self.0.values().filter(|(_, kept)| *kept == Kept::No).map(|(incident, _)| incident.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::{Reason, RiskView};

    use super::*;

    fn signal(kind: SignalKind, user: Option<u8>, second: u64) -> Signal {
        Signal {
            kind,
            reason: Reason::RiskRaised,
            session: Some(SessionId::from_random([9; 16])),
            device: None,
            user: user.map(|byte| UserId::from_random([byte; 16])),
            view: RiskView { score: 50, reasons: Vec::new() },
            at: UnixMillis(second * 1000),
        }
    }

    #[test]
    fn what_is_alike_is_one_incident() {
        let mut open = OpenIncidents::default();
        let mut number = 0_u8;
        let mut notice = |kind, user, second| {
            let id = || {
                number += 1;
                IncidentId::from_random([number; 16])
            };
            let Noticed { incident, .. } = open.merge_signal(&signal(kind, user, second), id, Seconds(60));
            (incident.id, incident.count)
        };
        let (first, _) = notice(SignalKind::Scraping, Some(1), 100);
        assert_eq!(notice(SignalKind::Scraping, Some(1), 160), (first.clone(), 2), "in its last second");
        assert_ne!(notice(SignalKind::Scraping, Some(2), 160).0, first, "another person");
        assert_ne!(notice(SignalKind::RateBurst, Some(1), 160).0, first, "another kind");
        assert_ne!(notice(SignalKind::Scraping, None, 160).0, first, "nobody known");
        let (later, count) = notice(SignalKind::Scraping, Some(1), 221);
        assert_eq!((later != first, count), (true, 1), "a second too late");
    }

    #[test]
    fn made_up_people_make_room_for_each_other() {
        let mut open = OpenIncidents::default();
        for n in 0..3_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_be_bytes());
            let signal = Signal { user: Some(UserId::from_random(name)), ..signal(SignalKind::Scraping, None, u64::from(n)) };
            open.merge_signal(&signal, || IncidentId::from_random(name), Seconds(60));
        }
        assert_eq!(open.0.len(), Limits::OPEN_INCIDENTS_MAX);
        let changed = open.changed();
        assert_eq!(changed.len(), Limits::OPEN_INCIDENTS_MAX);
        changed.into_iter().for_each(|incident| open.put(incident));
        assert_eq!(open.changed().len(), 0, "kept is kept");
    }

    fn restricting(user: u8, second: u64, id: u8) -> Incident {
        let mut open = OpenIncidents::default();
        let Noticed { mut incident, .. } =
            open.merge_signal(&signal(SignalKind::UnusualUse, Some(user), second), || IncidentId::from_random([id; 16]), Seconds(60));
        let session = SessionId::from_random([9; 16]);
        let decision = countersign_core::DecisionId::from_random([id; 8]);
        incident.deeds.push(ActionTaken {
            session,
            from: countersign_core::SessionState::Active,
            to: countersign_core::SessionState::Limited,
            decision,
        });
        incident
    }

    #[test]
    fn what_restricts_somebody_is_never_lost_sight_of() {
        let mut open = OpenIncidents::default();
        open.put(restricting(1, 100, 1));
        let Noticed { incident, over } =
            open.merge_signal(&signal(SignalKind::UnusualUse, Some(1), 10_000), || IncidentId::from_random([2; 16]), Seconds(60));
        assert_eq!((incident.id, incident.count, over), (IncidentId::from_random([1; 16]), 2, None), "the same, long after");
        // A restart finds two about the same.
        let quiet = Incident { id: IncidentId::from_random([3; 16]), deeds: Vec::new(), ..restricting(1, 20_000, 3) };
        for order in [[restricting(1, 100, 1), quiet.clone()], [quiet, restricting(1, 100, 1)]] {
            let open = OpenIncidents::of(order);
            assert_eq!(open.touching(&SessionId::from_random([9; 16])), [IncidentId::from_random([1; 16])]);
        }
        // Floods of made-up people take the place of each other.
        for n in 0..3_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_be_bytes());
            let signal = Signal { user: Some(UserId::from_random(name)), ..signal(SignalKind::Scraping, None, 30_000) };
            open.merge_signal(&signal, || IncidentId::from_random(name), Seconds(60));
        }
        assert_eq!(open.touching(&SessionId::from_random([9; 16])), [IncidentId::from_random([1; 16])]);
    }

    #[test]
    fn what_restricts_nobody_is_over_when_it_comes_again() {
        let mut open = OpenIncidents::default();
        let mut notice = |second, id: u8| {
            open.merge_signal(&signal(SignalKind::ProofReplayed, Some(1), second), || IncidentId::from_random([id; 16]), Seconds(60))
        };
        assert!(notice(100, 1).over.is_none());
        assert!(notice(160, 2).over.is_none());
        assert_eq!(notice(221, 3).over.map(|over| (over.id, over.count)), Some((IncidentId::from_random([1; 16]), 2)));
    }
}
