//! Takes signals one by one, restricts what they are about, and keeps the way back.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use countersign_core::{
    Clock, DecisionId, Entropy, IncidentId, RiskReason, Seconds, Session, SessionId, SessionState, Signal, SignalKind, UnixMillis, Watch,
};
use countersign_store::{
    Deed, Incident, IncidentState, Incidents, OpenState, SessionFilter, Sessions, StateChange, Suppression, Unavailable, Whose,
};
use tokio::sync::Mutex;

use crate::react::{
    incidents::{Noticed, OpenIncidents},
    rule::{Mode, ReactRules},
};

/// Sessions that are changed because of one signal; a person has a few.
const SESSIONS_MAX: u32 = 1_000;
/// Open incidents that are taken up again after a restart.
const TAKEN_UP_MAX: u32 = 2_000;

/// Where acts are written down before they are done (law 8).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Writes down that `session` changes to `to` because of `incident`.
    ///
    /// # Errors
    /// Our fault only.
    async fn acted(&self, session: &Session, to: SessionState, incident: &Incident) -> Result<DecisionId, Unavailable>;
}

/// What somebody is told about an incident. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something was done.
    Acted,
    /// Its time was over.
    Closed,
    /// It was fine.
    Fine,
    /// It is new.
    Opened,
}

impl Told {
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

/// Tells whoever wants to know, without making anybody wait.
pub trait Tell: Send + Sync {
    /// Tells of a change of an incident.
    fn tell(&self, told: Told, incident: &Incident);
}

/// Why an incident is not undone. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UndoRefusal {
    /// It was undone or closed before.
    NotOpen,
    /// Our fault.
    Unavailable(Unavailable),
    /// There is none of that name.
    Unknown,
}

impl From<Unavailable> for UndoRefusal {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// The promises that the reactor leans on.
#[derive(Clone)]
pub struct ReactStores {
    /// Incidents.
    pub incidents: Arc<dyn Incidents>,
    /// Sessions.
    pub sessions: Arc<dyn Sessions>,
}

/// What a reactor is built of.
pub struct ReactorParts {
    /// What signals lead to; exchangeable.
    pub rules: Arc<ArcSwap<ReactRules>>,
    /// What it changes.
    pub stores: ReactStores,
    /// Where it writes down what it does.
    pub ledger: Arc<dyn Ledger>,
    /// Whom it tells.
    pub tell: Arc<dyn Tell>,
    /// Who learns what was fine.
    pub watch: Arc<dyn Watch>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes, for names.
    pub entropy: Arc<dyn Entropy>,
}

/// How an incident ends.
#[derive(Clone, Copy)]
struct End {
    state: IncidentState,
    told: Told,
    why: &'static str,
}

impl End {
    const CONFIRMED: Self = Self { state: IncidentState::Fine, told: Told::Fine, why: "the person confirmed" };
    const FINE: Self = Self { state: IncidentState::Fine, told: Told::Fine, why: "an operator said that it was fine" };
    const LAPSED: Self = Self { state: IncidentState::Closed, told: Told::Closed, why: "its time was over" };
}

/// Reacts.
pub struct Reactor {
    parts: ReactorParts,
    /// One signal or order at a time: two that change the same session must not cross.
    open: Mutex<OpenIncidents>,
}

impl Reactor {
    /// A reactor that knows the incidents that were open when the process ended.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn new(parts: ReactorParts) -> Result<Self, Unavailable> {
        let held = parts.stores.incidents.list(Some(IncidentState::Open), TAKEN_UP_MAX).await?;
        Ok(Self { parts, open: Mutex::new(OpenIncidents::of(held)) })
    }

    /// Takes a signal.
    ///
    /// # Errors
    /// When something could not be changed or kept. What could be done was done.
    pub async fn take(&self, signal: &Signal) -> Result<(), Unavailable> {
        let mut open = self.open.lock().await;
        let signal = self.complete(signal).await?;
        if signal.kind == SignalKind::SteppedUp {
            return self.confirmed(&mut open, &signal).await;
        }
        let rules = self.parts.rules.load();
        let now = signal.at.seconds();
        let suppressed = self.parts.stores.incidents.suppressions(now).await?;
        if suppressed.iter().any(|suppression| suppression.covers(signal.kind, signal.user.as_ref(), now)) {
            return Ok(());
        }
        let rule = rules.of(signal.kind);
        let Noticed { mut incident, over } = open.noticed(&signal, || self.name(), rules.together);
        let first = incident.count == 1;
        if first {
            incident.note(signal.at, &noticed(&signal));
        }
        let done = match rule.mode {
            Mode::Observe if first => {
                incident.note(signal.at, &format!("observed only: it would {}", rule.act.as_str()));
                Ok(0)
            }
            Mode::Observe => Ok(0),
            Mode::Enforce => self.act(&mut incident, &signal, rule.act).await,
        };
        if first || !matches!(done, Ok(0)) {
            // What changed is kept at once; what was only counted, with the next tick.
            open.put(incident.clone());
            self.parts.stores.incidents.keep(incident.clone()).await?;
            let told = if matches!(done, Ok(0)) { Told::Opened } else { Told::Acted };
            self.parts.tell.tell(told, &incident);
        }
        if let Some(over) = over {
            self.end(over, End::LAPSED, signal.at).await?;
        }
        done.map(|_| ())
    }

    /// Keeps what was counted, and closes what has been quiet for as long as sessions stay limited.
    ///
    /// # Errors
    /// Our fault only; the next tick tries again.
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

    /// An operator says that it was fine: what was done is undone where it can be, and the watcher learns.
    ///
    /// # Errors
    /// When there is no such open incident, or by our fault.
    pub async fn fine(&self, id: &IncidentId) -> Result<Incident, UndoRefusal> {
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
        Ok(self.end(held, End::FINE, now).await?)
    }

    /// Nothing of this kind, about this person, is reacted to for a while.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn suppress(&self, suppression: Suppression) -> Result<(), Unavailable> {
        self.parts.stores.incidents.suppress(suppression).await
    }

    /// Whose session it was, where the signal does not say.
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

    /// Changes what the signal is about. How many sessions were changed.
    async fn act(&self, incident: &mut Incident, signal: &Signal, act: crate::react::rule::Act) -> Result<usize, Unavailable> {
        let mut changed: usize = 0;
        for session in self.concerned(signal).await? {
            let Some(to) = act.turns(session.state) else { continue };
            let decision = self.parts.ledger.acted(&session, to, incident).await?;
            if let Some(from) = self.change(&session.id, to).await? {
                changed = changed.saturating_add(1);
                incident.note(signal.at, &format!("session {} is {} ({decision})", session.id, to.as_str()));
                incident.deeds.push(Deed { session: session.id, from, to, decision });
            }
        }
        Ok(changed)
    }

    /// The sessions that a signal is about: the one that it names, else those on the device, else the person's.
    async fn concerned(&self, signal: &Signal) -> Result<Vec<Session>, Unavailable> {
        let sessions = &self.parts.stores.sessions;
        match (&signal.session, &signal.device, &signal.user) {
            (Some(id), _, _) => Ok(sessions.find(id).await?.into_iter().collect()),
            (None, None, None) => Ok(Vec::new()),
            (None, device, user) => {
                let live_at = Some(self.parts.clock.now().seconds());
                sessions.list(&SessionFilter { user: user.clone(), device: device.clone(), live_at }, SESSIONS_MAX).await
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

    /// The person stood for the session: what it was limited for was theirs.
    async fn confirmed(&self, open: &mut OpenIncidents, signal: &Signal) -> Result<(), Unavailable> {
        let Some(session) = &signal.session else { return Ok(()) };
        for id in open.that_touched(session) {
            self.confirmed_one(open, &id, session, signal.at).await?;
        }
        Ok(())
    }

    /// An incident may have restricted a thief's sessions, too. Those wait until somebody stands for them.
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

    /// Ends an incident that is open. When that fails it stays open, to be ended by the next try.
    async fn end_open(&self, open: &mut OpenIncidents, id: &IncidentId, how: End, now: UnixMillis) -> Result<(), Unavailable> {
        let Some(incident) = open.take(id) else { return Ok(()) };
        let ended = self.end(incident.clone(), how, now).await;
        if ended.is_err() {
            open.put(incident);
        }
        ended.map(|_| ())
    }

    /// Ends an incident and undoes what it did, where nobody has changed it since.
    async fn end(&self, mut incident: Incident, how: End, now: UnixMillis) -> Result<Incident, Unavailable> {
        incident.state = how.state;
        incident.note(now, how.why);
        for deed in incident.deeds.clone() {
            let Some(session) = self.parts.stores.sessions.find(&deed.session).await? else { continue };
            // Time alone forgives a limit and nothing more, and a session that has ended stays ended.
            let undone = match how.state {
                IncidentState::Closed => deed.to == SessionState::Limited,
                IncidentState::Fine | IncidentState::Open => deed.to != SessionState::Revoked,
            };
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
                    // Somebody made it worse between the two: that stands.
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
                self.parts.watch.stepped_up(user, session, now);
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

/// What was noticed, as a line for people: the kind, the score and what it was made of.
fn noticed(signal: &Signal) -> String {
    let mut line = format!("noticed {}", signal.kind.as_str());
    if signal.view.score > 0 {
        let reasons: Vec<_> =
            signal.view.reasons.iter().map(|reason: &RiskReason| format!("{} {}", reason.name, reason.in_nats())).collect();
        line += &format!(", score {}: {}", signal.view.score, reasons.join(", "));
    }
    line
}
