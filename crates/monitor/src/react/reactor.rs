//! The reactor: takes signals one by one, restricts the sessions that they are about, and keeps what is needed to undo it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use countersign_core::{
    Clock, DecisionId, Entropy, IncidentId, Limits, Observer, RiskReason, Seconds, Session, SessionId, SessionState, Signal, SignalKind,
    UnixMillis, UnixSeconds,
};
use countersign_store::{
    ActionTaken, Incident, IncidentChange, IncidentState, Incidents, OpenState, SessionFilter, Sessions, StateChange, Suppression,
    Unavailable, Whose,
};
use tokio::sync::Mutex;

use crate::react::{
    incidents::{Noticed, OpenIncidents},
    rule::{Mode, ReactRules},
};

/// Log in which changes are recorded before they are made (law 8 of the design).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records that `session` changes to `to` because of `incident`.
    ///
    /// # Errors
    /// [`Unavailable`] when the log cannot be written. The change must not be made then.
    async fn acted(&self, session: &Session, to: SessionState, incident: &Incident) -> Result<DecisionId, Unavailable>;
}

/// Channel to those who want to know of incidents. It never makes the reactor wait.
pub trait IncidentSink: Send + Sync {
    /// Reports a change of an incident.
    fn tell(&self, told: IncidentChange, incident: &Incident);
}

/// Reason why an incident is not undone. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UndoRefusal {
    /// The incident was undone or closed before.
    NotOpen,
    /// The store or log cannot be reached; the fault is ours.
    Unavailable(Unavailable),
    /// There is no incident with this identifier.
    Unknown,
}

impl From<Unavailable> for UndoRefusal {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// Stores that the reactor works on.
#[derive(Clone)]
pub struct ReactStores {
    /// Incidents and suppressions of reactions.
    pub incidents: Arc<dyn Incidents>,
    /// Sessions with their states.
    pub sessions: Arc<dyn Sessions>,
}

/// Parts of a reactor.
pub struct ReactorParts {
    /// Rules for signals; they can be replaced while the node runs.
    pub rules: Arc<ArcSwap<ReactRules>>,
    /// Stores that the reactor works on.
    pub stores: ReactStores,
    /// Log in which changes are recorded before they are made.
    pub ledger: Arc<dyn Ledger>,
    /// Channel to those who want to know of incidents.
    pub tell: Arc<dyn IncidentSink>,
    /// Observer that learns from what turned out to be harmless.
    pub observer: Arc<dyn Observer>,
    /// Clock of the node.
    pub clock: Arc<dyn Clock>,
    /// Source of unpredictable bytes, for identifiers.
    pub entropy: Arc<dyn Entropy>,
}

/// Way in which an incident ends.
#[derive(Clone, Copy)]
struct End {
    state: IncidentState,
    told: IncidentChange,
    why: &'static str,
}

impl End {
    const CONFIRMED: Self = Self { state: IncidentState::Fine, told: IncidentChange::Fine, why: "the person confirmed" };
    const FINE: Self = Self { state: IncidentState::Fine, told: IncidentChange::Fine, why: "an operator marked it as harmless" };
    const LAPSED: Self = Self { state: IncidentState::Closed, told: IncidentChange::Closed, why: "its time has expired" };
}

/// The reactor. It handles one signal or order at a time.
pub struct Reactor {
    parts: ReactorParts,
    /// INVARIANT: held for the whole of one signal or order, because two that change the same session must not interleave.
    open: Mutex<OpenIncidents>,
}

impl Reactor {
    /// A reactor that knows the incidents that were open when the process ended.
    ///
    /// # Errors
    /// [`Unavailable`] when the incidents cannot be loaded.
    pub async fn new(parts: ReactorParts) -> Result<Self, Unavailable> {
        let held =
            parts.stores.incidents.list(Some(IncidentState::Open), u32::try_from(Limits::OPEN_INCIDENTS_MAX).unwrap_or(u32::MAX)).await?;
        Ok(Self { parts, open: Mutex::new(OpenIncidents::of(held)) })
    }

    /// Handles one signal from start to end.
    ///
    /// # Errors
    /// [`Unavailable`] when something could not be changed or stored. Everything that was possible has been done by then.
    pub async fn take(&self, signal: &Signal) -> Result<(), Unavailable> {
        self.take_as_of(signal, UnixSeconds(u64::MAX)).await
    }

    /// Handles one signal about what was there at an instant: sessions that were opened after it are not touched.
    ///
    /// # Errors
    /// As [`Reactor::take`].
    pub(crate) async fn take_as_of(&self, signal: &Signal, there_at: UnixSeconds) -> Result<(), Unavailable> {
        let mut open = self.open.lock().await;
        let signal = self.complete(signal).await?;
        if signal.kind == SignalKind::SteppedUp {
            return self.confirmed(&mut open, &signal).await;
        }
        let rules = self.parts.rules.load();
        let now = signal.at.seconds();
        // Before counting, so that a suppressed kind opens no incident.
        let suppressed = self.parts.stores.incidents.suppressions(now).await?;
        if suppressed.iter().any(|suppression| suppression.covers(signal.kind, signal.user.as_ref(), now)) {
            return Ok(());
        }
        let rule = rules.of(signal.kind);
        let Noticed { mut incident, over } = open.merge_signal(&signal, || self.name(), rules.together);
        let first = incident.count == 1;
        if first {
            incident.note(signal.at, &noticed(&signal));
        }
        let done = match rule.mode {
            Mode::Observe if first => {
                incident.note(signal.at, &format!("observed only: the reaction would be {}", rule.act.as_str()));
                Ok(0)
            }
            Mode::Observe => Ok(0),
            Mode::Enforce => self.act(&mut incident, &signal, rule.act, there_at).await,
        };
        if first || !matches!(done, Ok(0)) {
            // A change is stored at once; a mere count is stored with the next tick, so that a flood of signals costs few writes.
            open.put(incident.clone());
            self.parts.stores.incidents.keep(incident.clone()).await?;
            let told = if matches!(done, Ok(0)) { IncidentChange::Opened } else { IncidentChange::Acted };
            self.parts.tell.tell(told, &incident);
        }
        if let Some(over) = over {
            self.end(&mut open, over, End::LAPSED, signal.at).await?;
        }
        done.map(|_| ())
    }

    /// Stores what was counted since the last tick, and closes incidents that have been quiet for as long as sessions stay limited.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be reached; the next tick tries again.
    pub async fn tick(&self) -> Result<(), Unavailable> {
        let mut open = self.open.lock().await;
        for incident in open.changed() {
            self.parts.stores.incidents.keep(incident.clone()).await?;
            open.put(incident);
        }
        let limited_for = self.parts.rules.load().limited_for;
        let now = self.parts.clock.now();
        for id in open.quiet_since(before(now, limited_for)) {
            self.end_open(&mut open, &id, End::LAPSED, now).await?;
        }
        Ok(())
    }

    /// Resolves an incident as harmless, by order of an operator: what was done is undone where possible, and the observer learns from it.
    ///
    /// # Errors
    /// A refusal when there is no such open incident, or when the store cannot be reached.
    pub async fn false_positive(&self, id: &IncidentId) -> Result<Incident, UndoRefusal> {
        let mut open = self.open.lock().await;
        let held = match open.take(id) {
            Some(held) => held,
            None => self.parts.stores.incidents.find(id).await?.ok_or(UndoRefusal::Unknown)?,
        };
        if held.state != IncidentState::Open {
            return Err(UndoRefusal::NotOpen);
        }
        let now = self.parts.clock.now();
        self.learn(&held, now);
        Ok(self.end(&mut open, held, End::FINE, now).await?)
    }

    /// Suppresses reactions to a kind of signal, for one person or everybody, for some time.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be reached.
    pub async fn suppress(&self, suppression: Suppression) -> Result<(), Unavailable> {
        self.parts.stores.incidents.suppress(suppression).await
    }

    /// Fills in the person and device of the session where the signal names only the session.
    async fn complete(&self, signal: &Signal) -> Result<Signal, Unavailable> {
        let mut signal = signal.clone();
        if let (None, Some(id)) = (&signal.user, &signal.session)
            && let Some(session) = self.parts.stores.sessions.find(id).await?
        {
            signal.user = Some(session.user);
            signal.device = signal.device.or(Some(session.device));
        }
        Ok(signal)
    }

    /// Changes the sessions that the signal is about, and returns the number of those changed.
    async fn act(
        &self,
        incident: &mut Incident,
        signal: &Signal,
        act: crate::react::rule::Reaction,
        there_at: UnixSeconds,
    ) -> Result<usize, Unavailable> {
        let mut changed: usize = 0;
        for session in self.affected_sessions(signal).await?.into_iter().filter(|session| session.created_at <= there_at) {
            // A reaction never makes the state of a session better.
            let Some(to) = act.turns(session.state) else { continue };
            // Recorded first: a change that the log cannot take is not made (law 8 of the design).
            let decision = self.parts.ledger.acted(&session, to, incident).await?;
            if let Some(from) = self.change(&session.id, to).await? {
                changed = changed.saturating_add(1);
                incident.note(signal.at, &format!("session {} is {} ({decision})", session.id, to.as_str()));
                incident.deeds.push(ActionTaken { session: session.id, from, to, decision });
            }
        }
        Ok(changed)
    }

    /// The sessions that a signal is about: the one that it names, otherwise those on the device, otherwise those of the person.
    async fn affected_sessions(&self, signal: &Signal) -> Result<Vec<Session>, Unavailable> {
        let sessions = &self.parts.stores.sessions;
        match (&signal.session, &signal.device, &signal.user) {
            (Some(id), _, _) => Ok(sessions.find(id).await?.into_iter().collect()),
            (None, None, None) => Ok(Vec::new()),
            (None, device, user) => {
                let live_at = Some(self.parts.clock.now().seconds());
                sessions.list(&SessionFilter { user: user.clone(), device: device.clone(), live_at }, Limits::PERSON_SESSIONS_MAX).await
            }
        }
    }

    /// Changes a session, or ends it. The state that it had before, if it was changed.
    async fn change(&self, session: &SessionId, to: SessionState) -> Result<Option<SessionState>, Unavailable> {
        let sessions = &self.parts.stores.sessions;
        let Some(to) = OpenState::of(to) else {
            let ended = sessions.end(&Whose::Session(session.clone()), self.parts.clock.now().seconds()).await?;
            return Ok(ended.sessions.first().map(|session| session.state));
        };
        Ok(match sessions.set_state(session, to).await? {
            StateChange::Changed { from } => Some(from),
            StateChange::Final | StateChange::Unknown => None,
        })
    }

    /// Handles a step-up that the person of a session passed: the session was limited for something that was theirs.
    async fn confirmed(&self, open: &mut OpenIncidents, signal: &Signal) -> Result<(), Unavailable> {
        let Some(session) = &signal.session else { return Ok(()) };
        for id in open.touching(session) {
            self.confirmed_one(open, &id, session, signal.at).await?;
        }
        Ok(())
    }

    /// Lifts the restriction of one session. The same incident may have restricted sessions of a thief, which stay restricted until their
    /// person confirms them.
    async fn confirmed_one(
        &self,
        open: &mut OpenIncidents,
        id: &IncidentId,
        session: &SessionId,
        now: UnixMillis,
    ) -> Result<(), Unavailable> {
        let Some(mut incident) = open.take(id) else { return Ok(()) };
        if incident.deeds.iter().all(|deed| deed.session == *session) {
            open.put(incident);
            return self.end_open(open, id, End::CONFIRMED, now).await;
        }
        incident.deeds.retain(|deed| deed.session != *session);
        incident.note(now, &format!("the person confirmed session {session}; others stay as they are"));
        open.put(incident.clone());
        self.parts.stores.incidents.keep(incident).await
    }

    /// Ends an open incident. If that fails, the incident stays open, and the next attempt ends it.
    async fn end_open(&self, open: &mut OpenIncidents, id: &IncidentId, how: End, now: UnixMillis) -> Result<(), Unavailable> {
        let Some(incident) = open.take(id) else { return Ok(()) };
        let ended = self.end(open, incident.clone(), how, now).await;
        if ended.is_err() {
            open.put(incident);
        }
        ended.map(|_| ())
    }

    /// Ends an incident and undoes what it did, where nobody has changed the session since.
    async fn end(&self, open: &mut OpenIncidents, mut incident: Incident, how: End, now: UnixMillis) -> Result<Incident, Unavailable> {
        incident.state = how.state;
        incident.note(now, how.why);
        // The last change first, so that each leads back to what the one before it had made.
        for deed in incident.deeds.clone().into_iter().rev() {
            let Some(session) = self.parts.stores.sessions.find(&deed.session).await? else { continue };
            // SECURITY: the passing of time lifts a limit and nothing more, and a session that has ended stays ended.
            let undone = match how.state {
                IncidentState::Closed => deed.to == SessionState::Limited,
                IncidentState::Fine | IncidentState::Open => deed.to != SessionState::Revoked,
            };
            if undone && session.state > deed.to {
                // Another incident restricted the session further; its own way back leads past this change from now on.
                for later in open.lead_past(&deed) {
                    self.parts.stores.incidents.keep(later.clone()).await?;
                    open.put(later);
                }
            }
            // What was changed went on before, too: nothing is undone by ending a session.
            if undone
                && session.state == deed.to
                && let Some(before) = OpenState::of(deed.from)
            {
                let decision = self.parts.ledger.acted(&session, deed.from, &incident).await?;
                let change = self.parts.stores.sessions.set_state(&deed.session, before).await?;
                if let StateChange::Changed { from } = change
                    && from > deed.to
                    && let Some(worse) = OpenState::of(from)
                {
                    // Somebody made the state stricter between reading and writing. The stricter state is restored.
                    self.parts.stores.sessions.set_state(&deed.session, worse).await?;
                    continue;
                }
                incident.note(now, &format!("session {} is {} again ({decision})", deed.session, deed.from.as_str()));
            }
        }
        self.parts.stores.incidents.keep(incident.clone()).await?;
        self.parts.tell.tell(how.told, &incident);
        Ok(incident)
    }

    fn learn(&self, incident: &Incident, now: UnixMillis) {
        if let Some(user) = &incident.user {
            for session in incident.deeds.iter().map(|deed| &deed.session).chain(&incident.session) {
                self.parts.observer.stepped_up(user, session, now);
            }
        }
    }

    fn name(&self) -> IncidentId {
        let mut bytes = [0; 16];
        self.parts.entropy.fill(&mut bytes);
        IncidentId::from_random(bytes)
    }
}

fn before(now: UnixMillis, span: Seconds) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(span.0.saturating_mul(1000)))
}

/// Description of a signal in one line: the kind, the score and its parts.
fn noticed(signal: &Signal) -> String {
    let mut line = format!("noticed {}", signal.kind.as_str());
    if signal.view.score > 0 {
        let reasons: Vec<_> =
            signal.view.reasons.iter().map(|reason: &RiskReason| format!("{} {}", reason.name, reason.in_nats())).collect();
        line += &format!(", score {}: {}", signal.view.score, reasons.join(", "));
    }
    line
}
