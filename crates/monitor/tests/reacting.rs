//! From signals to sessions and back, over a real store.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use countersign_core::{
    AnswerSeen, Clock, DecisionId, Entropy, LoginSeen, Observer, Reason, RequestSeen, RiskReason, RiskView, Seconds, Session, SessionId,
    SessionState, Signal, SignalKind, UnixMillis, UserId,
};
use countersign_monitor::react::{
    IncidentSink, Ledger, Mode, ReactRule, ReactRules, ReactStores, Reaction, Reactor, ReactorParts, UndoRefusal,
};
use countersign_store::{
    Incident, IncidentChange, IncidentState, Incidents, OpenState, Sessions, Suppression, Unavailable,
    sqlite::Sqlite,
    suite::{NOW, Truth, session},
};
use tempfile::TempDir;

/// Surroundings of a reactor: its log, those whom it informed, and what the observer learned.
#[derive(Default)]
struct Around {
    now: AtomicU64,
    count: AtomicU64,
    written: Mutex<Vec<String>>,
    told: Mutex<Vec<&'static str>>,
    learned: Mutex<Vec<String>>,
}

#[async_trait]
impl Ledger for Around {
    async fn acted(&self, session: &Session, to: SessionState, incident: &Incident) -> Result<DecisionId, Unavailable> {
        let line = format!("{} {}>{}", incident.kind.as_str(), session.state.as_str(), to.as_str());
        self.written.lock().expect("a lock").push(line);
        Ok(DecisionId::from_random([1; 8]))
    }
}

impl IncidentSink for Around {
    fn tell(&self, change: IncidentChange, _: &Incident) {
        self.told.lock().expect("a lock").push(change.as_str());
    }
}

impl Observer for Around {
    fn request(&self, _: &RequestSeen<'_>) -> RiskView {
        RiskView::default()
    }

    fn answered(&self, _: &AnswerSeen<'_>) {}

    fn login(&self, _: &LoginSeen<'_>) -> RiskView {
        RiskView::default()
    }

    fn stepped_up(&self, user: &UserId, _: &SessionId, _: UnixMillis) {
        self.learned.lock().expect("a lock").push(user.to_string());
    }

    fn located(&self, _: &countersign_core::DeviceId, _: countersign_core::CoarsePlace, _: UnixMillis) {}
}

impl Clock for Around {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }
}

impl Entropy for Around {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        buffer.fill(0);
        buffer.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    }
}

struct Scene {
    _directory: TempDir,
    store: Arc<Sqlite>,
    around: Arc<Around>,
    rules: Arc<ArcSwap<ReactRules>>,
    reactor: Reactor,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Sqlite::open(directory.path()).await.expect("a store"));
        let truth = Truth::of(&store);
        for number in 1..=2 {
            truth.open_session(number).await;
        }
        let around = Arc::new(Around::default());
        around.now.store(NOW.0 * 1000, Ordering::SeqCst);
        let rules = Arc::new(ArcSwap::from_pointee(ReactRules::default()));
        let reactor = reactor(&store, &around, &rules).await;
        Self { _directory: directory, store, around, rules, reactor }
    }

    async fn state(&self, number: u16) -> SessionState {
        Sessions::find(&*self.store, &session(number).id).await.expect("a store").expect("a session").state
    }

    async fn take(&self, kind: SignalKind, number: u16) {
        self.reactor.take(&self.signal(kind, number)).await.expect("taken");
    }

    /// A signal about a session that does not name the person.
    fn signal(&self, kind: SignalKind, number: u16) -> Signal {
        let reasons = vec![RiskReason { name: "objects".into(), weight_tenths: 31 }];
        Signal {
            kind,
            reason: Reason::RiskRaised,
            session: Some(session(number).id),
            device: None,
            user: None,
            view: RiskView { score: 87, reasons },
            at: self.around.now(),
        }
    }

    fn pass(&self, span: Seconds) {
        self.around.now.fetch_add(span.0 * 1000, Ordering::SeqCst);
    }

    async fn incidents(&self) -> Vec<Incident> {
        Incidents::list(&*self.store, None, 100).await.expect("a store")
    }

    fn written(&self) -> Vec<String> {
        std::mem::take(&mut *self.around.written.lock().expect("a lock"))
    }
}

async fn reactor(store: &Arc<Sqlite>, around: &Arc<Around>, rules: &Arc<ArcSwap<ReactRules>>) -> Reactor {
    let stores = ReactStores { incidents: Arc::clone(store) as _, sessions: Arc::clone(store) as _ };
    let parts = ReactorParts {
        rules: Arc::clone(rules),
        stores,
        ledger: Arc::clone(around) as _,
        tell: Arc::clone(around) as _,
        observer: Arc::clone(around) as _,
        clock: Arc::clone(around) as _,
        entropy: Arc::clone(around) as _,
    };
    Reactor::new(parts).await.expect("a reactor")
}

#[tokio::test]
async fn every_kind_does_what_its_rule_says() {
    for kind in SignalKind::ALL.iter().copied().filter(|kind| *kind != SignalKind::SteppedUp) {
        let scene = Scene::new().await;
        scene.take(kind, 1).await;
        let expected = match ReactRules::default().of(kind).act {
            Reaction::Alert => SessionState::Active,
            Reaction::Limit => SessionState::Limited,
            Reaction::Challenge => SessionState::Challenged,
            Reaction::Revoke => SessionState::Revoked,
        };
        assert_eq!((scene.state(1).await, scene.state(2).await), (expected, SessionState::Active), "{kind:?}");
        let incidents = scene.incidents().await;
        let [incident] = incidents.as_slice() else { panic!("{kind:?}: one incident, not {incidents:?}") };
        assert_eq!((incident.kind, incident.user.clone()), (kind, Some(session(1).user)), "{kind:?}: the session says whose it is");
        assert_eq!(incident.timeline[0].what, format!("noticed {}, score 87: objects +3.1", kind.as_str()));
        assert_eq!(scene.written().len(), usize::from(expected != SessionState::Active), "{kind:?}: written down before it is done");
    }
}

#[tokio::test]
async fn many_signals_are_one_incident_and_one_act() {
    let scene = Scene::new().await;
    for _ in 0..50 {
        scene.take(SignalKind::UnusualUse, 1).await;
    }
    assert_eq!(scene.written(), ["unusual_use active>limited"]);
    assert_eq!(*scene.around.told.lock().expect("a lock"), ["incident.acted"]);
    scene.reactor.tick().await.expect("kept");
    let incidents = scene.incidents().await;
    assert_eq!((incidents.len(), incidents[0].count, incidents[0].score), (1, 50, 87));
    // Another process takes it up where it was.
    let again = reactor(&scene.store, &scene.around, &scene.rules).await;
    again.take(&scene.signal(SignalKind::UnusualUse, 1)).await.expect("taken");
    again.tick().await.expect("kept");
    assert_eq!((scene.incidents().await.len(), scene.incidents().await[0].count), (1, 51));
}

#[tokio::test]
async fn a_person_who_confirms_is_free_and_may_be_noticed_again() {
    let scene = Scene::new().await;
    scene.take(SignalKind::UnusualUse, 1).await;
    // What the issuer does when a step-up passed.
    scene.store.authenticated(&session(1).id, NOW).await.expect("noted");
    scene.take(SignalKind::SteppedUp, 1).await;
    assert_eq!(scene.state(1).await, SessionState::Active);
    assert_eq!(scene.incidents().await[0].state, IncidentState::Fine);
    scene.take(SignalKind::UnusualUse, 1).await;
    assert_eq!(scene.state(1).await, SessionState::Limited);
    assert_eq!(scene.incidents().await.len(), 2, "a new incident");
}

/// The session of another person was limited together with hers: her step-up counts for her own alone.
#[tokio::test]
async fn whoever_confirms_speaks_for_their_own_session_alone() {
    let scene = Scene::new().await;
    let person = Sessions::find(&*scene.store, &session(1).id).await.expect("a store").expect("a session").user;
    for number in 1..=2 {
        let signal = Signal { user: Some(person.clone()), ..scene.signal(SignalKind::ImpossibleTravel, number) };
        scene.reactor.take(&signal).await.expect("taken");
    }
    assert_eq!(scene.incidents().await.len(), 1, "one incident of one person");
    scene.store.authenticated(&session(1).id, NOW).await.expect("noted");
    scene.take(SignalKind::SteppedUp, 1).await;
    assert_eq!((scene.state(1).await, scene.state(2).await), (SessionState::Active, SessionState::Limited));
    assert_eq!(scene.incidents().await[0].state, IncidentState::Open, "it is not over");
    scene.store.authenticated(&session(2).id, NOW).await.expect("noted");
    scene.take(SignalKind::SteppedUp, 2).await;
    assert_eq!((scene.state(2).await, scene.incidents().await[0].state), (SessionState::Active, IncidentState::Fine));
}

#[tokio::test]
async fn an_operator_undoes_and_the_watcher_learns() {
    let scene = Scene::new().await;
    scene.take(SignalKind::Scraping, 1).await;
    assert_eq!(scene.state(1).await, SessionState::Challenged);
    let id = scene.incidents().await[0].id.clone();
    let undone = scene.reactor.false_positive(&id).await.expect("undone");
    assert_eq!((undone.state, scene.state(1).await), (IncidentState::Fine, SessionState::Active));
    assert!(!scene.around.learned.lock().expect("a lock").is_empty());
    assert_eq!(scene.written(), ["scraping active>challenged", "scraping challenged>active"]);
    assert_eq!(scene.reactor.false_positive(&id).await, Err(UndoRefusal::NotOpen));
    let nobody = countersign_core::IncidentId::from_random([200; 16]);
    assert_eq!(scene.reactor.false_positive(&nobody).await, Err(UndoRefusal::Unknown));
}

/// Limited for one thing and challenged for another: when both were fine, nothing is left of either, whichever is said first.
#[tokio::test]
async fn what_was_built_on_each_other_is_undone_in_any_order() {
    for order in [[SignalKind::UnusualUse, SignalKind::Scraping], [SignalKind::Scraping, SignalKind::UnusualUse]] {
        let scene = Scene::new().await;
        scene.take(SignalKind::UnusualUse, 1).await;
        scene.take(SignalKind::Scraping, 1).await;
        for (kind, left) in order.into_iter().zip([order[1], order[1]]) {
            let incidents = scene.incidents().await;
            let id = &incidents.iter().find(|incident| incident.kind == kind).expect("an incident").id;
            scene.reactor.false_positive(id).await.expect("undone");
            let expected = match (kind == left, left) {
                (true, _) => SessionState::Active,
                (false, SignalKind::Scraping) => SessionState::Challenged,
                (false, _) => SessionState::Limited,
            };
            assert_eq!(scene.state(1).await, expected, "{kind:?} of {order:?}");
        }
    }
}

#[tokio::test]
async fn what_has_ended_or_got_worse_since_stays_so() {
    let scene = Scene::new().await;
    scene.take(SignalKind::HoneyOperation, 1).await;
    scene.take(SignalKind::UnusualUse, 2).await;
    scene.store.set_state(&session(2).id, OpenState::Challenged).await.expect("changed");
    for incident in scene.incidents().await {
        scene.reactor.false_positive(&incident.id).await.expect("undone");
    }
    assert_eq!((scene.state(1).await, scene.state(2).await), (SessionState::Revoked, SessionState::Challenged));
}

#[tokio::test]
async fn time_forgives_a_limit_and_nothing_more() {
    let scene = Scene::new().await;
    scene.take(SignalKind::UnusualUse, 1).await;
    scene.take(SignalKind::Scraping, 2).await;
    scene.pass(Seconds(86_399));
    scene.reactor.tick().await.expect("a tick");
    assert_eq!(scene.state(1).await, SessionState::Limited, "not yet");
    scene.pass(Seconds(1));
    scene.reactor.tick().await.expect("a tick");
    assert_eq!((scene.state(1).await, scene.state(2).await), (SessionState::Active, SessionState::Challenged));
    assert!(scene.incidents().await.iter().all(|incident| incident.state == IncidentState::Closed));
}

#[tokio::test]
async fn who_is_noticed_again_while_limited_waits_from_then_on_and_is_free_in_the_end() {
    let scene = Scene::new().await;
    scene.take(SignalKind::UnusualUse, 1).await;
    scene.pass(Seconds(7_200));
    scene.take(SignalKind::UnusualUse, 1).await;
    scene.pass(Seconds(86_399));
    scene.reactor.tick().await.expect("a tick");
    assert_eq!(scene.state(1).await, SessionState::Limited, "a day since the last time");
    scene.pass(Seconds(1));
    scene.reactor.tick().await.expect("a tick");
    assert_eq!(scene.state(1).await, SessionState::Active);
    let states: Vec<_> = scene.incidents().await.into_iter().map(|incident| (incident.state, incident.count)).collect();
    assert_eq!(states, [(IncidentState::Closed, 2)]);
}

#[tokio::test]
async fn what_only_alerts_is_closed_when_it_comes_again_later() {
    let scene = Scene::new().await;
    scene.take(SignalKind::ProofReplayed, 1).await;
    scene.pass(Seconds(7_200));
    scene.take(SignalKind::ProofReplayed, 1).await;
    let states: Vec<_> = scene.incidents().await.into_iter().map(|incident| incident.state).collect();
    assert_eq!(states, [IncidentState::Open, IncidentState::Closed]);
}

#[tokio::test]
async fn observing_says_what_it_would_do() {
    let scene = Scene::new().await;
    let observe = ReactRule { mode: Mode::Observe, act: Reaction::Revoke };
    scene.rules.store(Arc::new(ReactRules { own: [(SignalKind::Scraping, observe)].into(), ..ReactRules::default() }));
    scene.take(SignalKind::Scraping, 1).await;
    assert_eq!(scene.state(1).await, SessionState::Active);
    assert_eq!(scene.incidents().await[0].timeline[1].what, "observed only: the reaction would be revoke");
}

#[tokio::test]
async fn what_is_suppressed_is_not_reacted_to_for_its_time() {
    let scene = Scene::new().await;
    let suppression = Suppression { kind: SignalKind::Scraping, user: Some(session(1).user), until: NOW.plus(Seconds(60)) };
    scene.reactor.suppress(suppression).await.expect("suppressed");
    scene.take(SignalKind::Scraping, 1).await;
    scene.take(SignalKind::Scraping, 2).await;
    assert_eq!((scene.state(1).await, scene.state(2).await), (SessionState::Active, SessionState::Challenged), "one person only");
    scene.pass(Seconds(60));
    scene.take(SignalKind::Scraping, 1).await;
    assert_eq!(scene.state(1).await, SessionState::Challenged);
}

#[tokio::test]
async fn a_device_or_a_person_stands_for_all_their_sessions() {
    let scene = Scene::new().await;
    let about_device = Signal { session: None, device: Some(session(1).device), ..scene.signal(SignalKind::AssertionReused, 1) };
    scene.reactor.take(&about_device).await.expect("taken");
    let about_person = Signal { session: None, user: Some(session(2).user), ..scene.signal(SignalKind::ImpossibleTravel, 2) };
    scene.reactor.take(&about_person).await.expect("taken");
    let about_nobody = Signal { session: None, ..scene.signal(SignalKind::HoneyOperation, 1) };
    scene.reactor.take(&about_nobody).await.expect("taken");
    assert_eq!((scene.state(1).await, scene.state(2).await), (SessionState::Limited, SessionState::Limited));
}
