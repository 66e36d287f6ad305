//! The incidents that are open, by what they are about. Bounded: whatever an attacker makes up, the oldest make room.

use std::collections::HashMap;

use countersign_core::{DeviceId, IncidentId, Seconds, SessionId, Signal, SignalKind, UnixMillis, UserId};
use countersign_store::{Incident, IncidentState};

/// Incidents that are open at a time.
const OPEN_MAX: usize = 2_000;

/// What an incident is about: a person where one is known, else a device, else a session, else everybody.
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

/// Whether an incident is as it was last kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    No,
    Yes,
}

/// The open incidents.
#[derive(Debug, Default)]
pub struct OpenIncidents(HashMap<(SignalKind, About), (Incident, Kept)>);

impl OpenIncidents {
    /// Those that were open when the process ended.
    pub fn of(incidents: impl IntoIterator<Item = Incident>) -> Self {
        let mut open = Self::default();
        incidents.into_iter().for_each(|incident| open.put(incident));
        open
    }

    /// Takes an incident up, as it was kept.
    pub fn put(&mut self, incident: Incident) {
        let about = About::of(incident.user.as_ref(), incident.device.as_ref(), incident.session.as_ref());
        self.0.insert((incident.kind, about), (incident, Kept::Yes));
    }

    /// The incident that a signal belongs to: the one that was noticed within `together`, or a new one named `id`.
    pub fn noticed(&mut self, signal: &Signal, id: impl FnOnce() -> IncidentId, together: Seconds) -> Incident {
        let about = About::of(signal.user.as_ref(), signal.device.as_ref(), signal.session.as_ref());
        let key = (signal.kind, about);
        let fresh = |incident: &Incident| signal.at.seconds().since(incident.last_at.seconds()) <= together;
        let held = self.0.get(&key).map(|(incident, _)| incident).filter(|incident| fresh(incident)).cloned();
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
        if self.0.len() >= OPEN_MAX && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, (incident, _))| incident.last_at).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(key, (incident.clone(), Kept::No));
        incident
    }

    /// Takes an incident out.
    pub fn take(&mut self, id: &IncidentId) -> Option<Incident> {
        let key = self.0.iter().find(|(_, (incident, _))| incident.id == *id).map(|(key, _)| key.clone())?;
        self.0.remove(&key).map(|(incident, _)| incident)
    }

    /// Those for which this session was changed.
    pub fn that_touched(&self, session: &SessionId) -> Vec<IncidentId> {
        let touched = |incident: &Incident| incident.deeds.iter().any(|deed| deed.session == *session);
        self.0.values().filter(|(incident, _)| touched(incident)).map(|(incident, _)| incident.id.clone()).collect()
    }

    /// Those that were last noticed at `instant` or before.
    pub fn quiet_since(&self, instant: UnixMillis) -> Vec<IncidentId> {
        self.0.values().filter(|(incident, _)| incident.last_at <= instant).map(|(incident, _)| incident.id.clone()).collect()
    }

    /// Those that were counted on since they were kept; they count as kept then.
    pub fn take_changed(&mut self) -> Vec<Incident> {
        let changed = self.0.values_mut().filter(|(_, kept)| *kept == Kept::No);
        changed
            .map(|(incident, kept)| {
                *kept = Kept::Yes;
                incident.clone()
            })
            .collect()
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
            let incident = open.noticed(&signal(kind, user, second), id, Seconds(60));
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
            open.noticed(&signal, || IncidentId::from_random(name), Seconds(60));
        }
        assert_eq!(open.0.len(), OPEN_MAX);
        assert_eq!(open.take_changed().len(), OPEN_MAX);
        assert_eq!(open.take_changed().len(), 0, "kept is kept");
    }
}
