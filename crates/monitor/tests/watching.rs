//! Ordinary lives, which raise no alarm by themselves, and lives that do; states over restarts, and states that were changed.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use countersign_core::{
    Action, AnswerSeen, ClientId, CoarsePlace, DeviceId, LoginDevice, LoginFactor, LoginOutcome, LoginSeen, Observer, Reason, RequestSeen,
    RiskView, SessionId, Signal, SignalKind, SignalSink, UnixMillis, UserId,
};
use countersign_monitor::observe::{LiveObserver, ObserverConfig, Place, Places, SnapshotFault};
use countersign_risk::{
    fingerprint::Salt,
    geo::Position,
    network::{Asn, NetworkKind},
};

/// A Monday, 06:00 UTC.
const MONDAY: u64 = 1_789_344_000 + 6 * 3600;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

const HOME: &str = "10.1.0.7";
const OTHER_HOME: &str = "10.1.99.7";
const CARRIER: &str = "10.2.5.5";
const OFFICE: &str = "10.3.0.1";
const NEW_YORK: &str = "10.4.0.1";
const LAGOS: &str = "10.5.0.1";
const DATA_CENTRE: &str = "10.6.0.1";

/// A map of a small world.
struct Map;

impl Places for Map {
    fn locate(&self, address: IpAddr) -> Place {
        let IpAddr::V4(address) = address else { return Place::UNKNOWN };
        let place = |asn, country: &str, kind, latitude, longitude, radius| Place {
            network: Some(Asn(asn)),
            country: Some(country.to_owned()),
            kind,
            position: Position::new(latitude, longitude, radius).ok(),
        };
        match address.octets() {
            [10, 1, ..] => place(1, "DE", NetworkKind::Fixed, 52.52, 13.40, 10.0),
            [10, 2, ..] => place(2, "DE", NetworkKind::Mobile, 50.11, 8.68, 200.0),
            [10, 3, ..] => place(3, "DE", NetworkKind::Fixed, 52.50, 13.37, 10.0),
            [10, 4, ..] => place(4, "US", NetworkKind::Fixed, 40.71, -74.01, 20.0),
            [10, 5, ..] => place(5, "NG", NetworkKind::Mobile, 6.45, 3.40, 200.0),
            [10, 6, ..] => place(6, "US", NetworkKind::Hosting, 39.04, -77.49, 20.0),
            _ => Place::UNKNOWN,
        }
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<SignalKind>>);

impl SignalSink for Heard {
    fn emit(&self, signal: Signal) {
        self.0.lock().expect("a lock").push(signal.kind);
    }
}

struct Scene {
    watch: LiveObserver,
    heard: Arc<Heard>,
    now: u64,
}

/// A person in a session on a device, by number.
#[derive(Clone, Copy)]
struct Who(u8, u8, u8);

impl Scene {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ObserverConfig)) -> Self {
        let heard = Arc::new(Heard::default());
        let mut config = ObserverConfig::shipped(Salt(7), 10_000);
        change(&mut config);
        let watch = LiveObserver::new(config, Arc::new(Map), Arc::clone(&heard) as _);
        let mut scene = Self { watch, heard, now: MONDAY };
        // Everybody else: what people do in general is known.
        for person in 100..140 {
            for _ in 0..12 {
                scene.look(Who(person, person, person), "10.1.7.7");
            }
        }
        scene.heard();
        scene
    }

    fn heard(&self) -> Vec<SignalKind> {
        std::mem::take(&mut *self.heard.0.lock().expect("a lock"))
    }

    fn ask(&mut self, Who(user, session, device): Who, action: &str, object: Option<u64>, from: &str) -> RiskView {
        let (user, session, device) =
            (UserId::from_random([user; 16]), SessionId::from_random([session; 16]), DeviceId::from_random([device; 16]));
        let seen = RequestSeen {
            user: &user,
            session: &session,
            device: &device,
            client: &ClientId::parse("bank").expect("an id"),
            action: &Action::parse(action).expect("an id"),
            object,
            method: "GET",
            address: from.parse().expect("an address"),
            refused: None,
            at: UnixMillis(self.now * 1000),
        };
        let view = self.watch.request(&seen);
        self.watch.answered(&AnswerSeen { user: &user, session: &session, bytes_out: 2_000, refused: None, at: seen.at });
        self.now += 2;
        view
    }

    /// Opens the app and looks: three requests.
    fn look(&mut self, who: Who, from: &str) -> u8 {
        let own = u64::from(who.0);
        [("profile.read", own), ("accounts.list", own), ("accounts.read", own * 1000)]
            .map(|(action, object)| self.ask(who, action, Some(object), from).score)
            .into_iter()
            .max()
            .unwrap_or(0)
    }

    /// Two weeks of looking in the morning, at noon and in the evening.
    fn habits(&mut self, who: Who) {
        for _ in 0..14 {
            for (hours, from) in [(1, HOME), (5, CARRIER), (8, HOME)] {
                self.now += hours * HOUR;
                self.look(who, from);
            }
            self.now += DAY - 14 * HOUR;
        }
        self.now = self.now / DAY * DAY + 30 * HOUR;
        assert_eq!(self.heard(), [], "two weeks of habits");
    }

    fn log_in(&self, account: &str, device: &str, from: &str, outcome: LoginOutcome) -> RiskView {
        self.log_in_by(LoginFactor::Guessable, [account, device, from], outcome)
    }

    fn log_in_by(&self, factor: LoginFactor, [account, device, from]: [&str; 3], outcome: LoginOutcome) -> RiskView {
        let user = UserId::from_random([account.len() as u8; 16]);
        self.watch.login(&LoginSeen {
            account,
            user: Some(&user),
            session: None,
            device: LoginDevice::Attested(device),
            installation: None,
            os: "Android 16.0",
            app: "bank 42",
            form: "phone",
            address: from.parse().expect("an address"),
            round_trip_ms: None,
            factor,
            outcome,
            at: UnixMillis(self.now * 1000),
        })
    }
}

const ANA: Who = Who(1, 1, 1);

#[test]
fn a_newcomer_raises_no_alarm() {
    let mut scene = Scene::new();
    for from in [HOME, CARRIER, LAGOS, DATA_CENTRE] {
        for action in ["profile.read", "transfers.create", "cards.freeze", "accounts.read"] {
            let view = scene.ask(Who(2, 2, 2), action, Some(1), from);
            assert!(view.score < 50 || from == LAGOS || from == DATA_CENTRE, "{action} from {from}: {view:?}");
        }
        scene.now += DAY;
    }
    assert_eq!(scene.heard(), []);
}

#[test]
fn ordinary_life_raises_no_alarm() {
    type Life = fn(&mut Scene);
    let lives: &[(&str, Life)] = &[
        ("commuting", |scene| {
            for from in [HOME, CARRIER, OFFICE, CARRIER, HOME, CARRIER, OFFICE, HOME] {
                scene.now += HOUR / 2;
                scene.look(ANA, from);
            }
        }),
        ("a flight to New York, and a week there in its own hours", |scene| {
            scene.look(ANA, HOME);
            scene.now += 12 * HOUR;
            for _ in 0..7 {
                scene.look(ANA, NEW_YORK);
                scene.now += DAY + HOUR;
            }
            scene.now += 12 * HOUR;
            scene.look(ANA, HOME);
        }),
        ("a sleepless night", |scene| {
            scene.now = scene.now / DAY * DAY + DAY + 3 * HOUR;
            for _ in 0..6 {
                scene.now += HOUR / 4;
                scene.look(ANA, HOME);
            }
        }),
        ("a new phone", |scene| {
            for day in 0..3 {
                scene.look(Who(1, 50, 50), if day == 1 { CARRIER } else { HOME });
                scene.now += DAY;
            }
        }),
        ("a new feature of the app", |scene| {
            for _ in 0..5 {
                scene.look(ANA, HOME);
                for _ in 0..4 {
                    scene.ask(ANA, "savings.goals", Some(9), HOME);
                }
                scene.now += DAY;
            }
        }),
        ("two people on one phone", |scene| {
            for _ in 0..6 {
                scene.look(ANA, HOME);
                scene.now += HOUR / 6;
                scene.look(Who(3, 33, 1), HOME);
                scene.now += HOUR / 6;
            }
        }),
        ("a busy afternoon", |scene| {
            for object in 0..35 {
                scene.ask(ANA, "accounts.read", Some(object), HOME);
                scene.now += 20;
            }
        }),
        ("a month away", |scene| {
            scene.now += 40 * DAY;
            scene.look(ANA, OTHER_HOME);
        }),
    ];
    for (name, life) in lives {
        let mut scene = Scene::new();
        scene.habits(ANA);
        life(&mut scene);
        assert_eq!(scene.heard(), [], "{name}");
    }
}

#[test]
fn an_office_behind_one_address_is_no_attack() {
    let mut scene = Scene::new();
    for person in 0..60_u8 {
        let name = format!("clerk{person}@example.com");
        let (phone, slip) = (format!("phone{person}"), person % 6 == 0);
        if slip {
            scene.log_in(&name, &phone, OFFICE, LoginOutcome::Failed);
        }
        let asked = scene.log_in(&name, &phone, OFFICE, LoginOutcome::Asked);
        assert!(asked.score < 95, "{name}: {asked:?}");
        scene.log_in(&name, &phone, OFFICE, LoginOutcome::Passed);
        scene.now += 20;
    }
    assert_eq!(scene.heard(), []);
}

#[test]
fn what_is_done_to_ana_by_others_is_noticed() {
    type Attack = fn(&mut Scene) -> u8;
    let attacks: &[(&str, Attack, SignalKind)] = &[
        (
            "Berlin, and five minutes later Lagos",
            |scene| {
                scene.look(ANA, HOME);
                scene.now += 300;
                (0..4).map(|_| scene.ask(ANA, "transfers.create", Some(1), LAGOS).score).max().unwrap_or(0)
            },
            SignalKind::ImpossibleTravel,
        ),
        (
            "at night, elsewhere, for other things",
            |scene| {
                scene.now = scene.now / DAY * DAY + DAY + 3 * HOUR;
                let actions = ["transfers.create", "limits.raise", "cards.order", "payees.add"];
                (0..12).map(|n| scene.ask(ANA, actions[n % 4], Some(1), DATA_CENTRE).score).max().unwrap_or(0)
            },
            SignalKind::UnusualUse,
        ),
        (
            "reading what belongs to others",
            |scene| (0..200).map(|object| scene.ask(ANA, "accounts.read", Some(object), HOME).score).max().unwrap_or(0),
            SignalKind::Scraping,
        ),
        (
            "faster than hands",
            |scene| {
                (0..900)
                    .map(|_| {
                        scene.now -= 2;
                        scene.ask(ANA, "accounts.list", Some(1), HOME).score
                    })
                    .max()
                    .unwrap_or(0)
            },
            SignalKind::RateBurst,
        ),
    ];
    for (name, attack, kind) in attacks {
        let mut scene = Scene::new();
        scene.habits(ANA);
        let score = attack(&mut scene);
        let heard = scene.heard();
        assert!(score >= 50 && heard.contains(kind), "{name}: {score} {heard:?}");
        assert!(heard.len() <= 3, "{name}: once a crossing, not with every request: {heard:?}");
    }
}

#[test]
fn who_stands_for_it_is_usual_again() {
    let mut scene = Scene::new();
    scene.habits(ANA);
    scene.look(ANA, HOME);
    scene.now += 300;
    assert!((0..4).map(|_| scene.ask(ANA, "transfers.create", Some(1), LAGOS).score).max() >= Some(50));
    scene.watch.stepped_up(&UserId::from_random([1; 16]), &SessionId::from_random([1; 16]), UnixMillis(scene.now * 1000));
    scene.heard();
    scene.now += DAY;
    assert!(scene.look(ANA, LAGOS) < 50);
    assert_eq!(scene.heard(), []);
}

#[test]
fn honey_is_sweet() {
    let mut scene = Scene::with(|config| {
        config.honey_accounts = ["admin".to_owned()].into();
        config.honey_operations = [Action::parse("customers.export").expect("an id")].into();
    });
    scene.ask(ANA, "customers.export", None, HOME);
    scene.log_in("admin", "phone", HOME, LoginOutcome::Asked);
    assert_eq!(scene.heard(), [SignalKind::HoneyOperation, SignalKind::HoneyAccount]);
}

#[test]
fn guessing_and_pestering_are_stopped_and_told_once() {
    let mut scene = Scene::new();
    let tries: &[(&str, fn(&Scene, u8) -> RiskView, SignalKind)] = &[
        (
            "many accounts from one phone",
            |scene, n| scene.log_in(&format!("victim{n}"), "thief", HOME, LoginOutcome::Failed),
            SignalKind::PasswordSpraying,
        ),
        (
            "one account from many places",
            |scene, n| scene.log_in("target", &format!("bot{n}"), &format!("10.5.{n}.1"), LoginOutcome::Failed),
            SignalKind::BruteForce,
        ),
        ("prompt after prompt", |scene, _| scene.log_in("sleeper", "her own", HOME, LoginOutcome::PromptRefused), SignalKind::MfaFatigue),
    ];
    for (name, attempt, kind) in tries {
        let scores: Vec<_> = (0..24).map(|n| attempt(&scene, n).score).collect();
        assert_eq!((scores.first(), scores.last()), (Some(&0), Some(&100)), "{name}: {scores:?}");
        let heard = scene.heard();
        assert_eq!(heard.iter().filter(|heard| *heard == kind).count(), 1, "{name}: {heard:?}");
        scene.now += 2 * DAY;
    }
}

#[test]
fn a_stranger_cannot_shut_a_person_out_of_their_own_phone() {
    let mut scene = Scene::new();
    for _ in 0..6 {
        scene.log_in("target", "her own", HOME, LoginOutcome::Passed);
        scene.now += DAY;
    }
    (0..30).for_each(|n| drop(scene.log_in("target", &format!("bot{n}"), &format!("10.5.{n}.1"), LoginOutcome::Failed)));
    assert_eq!(scene.log_in("target", "another bot", "10.5.77.1", LoginOutcome::Asked).score, 100);
    assert!(scene.log_in("target", "her own", HOME, LoginOutcome::Asked).score < 95);
}

/// A login by passkey is scored as if no stranger had ever failed: not by one account, one site, one carrier or everybody. Random sequences
/// of strangers, at the honest person's account and site too; the seed of the run is the number of the round.
#[test]
fn strangers_never_colour_a_login_by_passkey() {
    use LoginOutcome::{Asked, Failed, Passed, PromptRefused, Strayed};
    for round in 1..=24_u64 {
        let (alone, among) = (Scene::new(), Scene::new());
        let mut state = round;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for step in 0..200 {
            let account = ["honest", "target", "nobody", "other"][draw(4) as usize];
            let device = format!("bot{}", draw(40));
            let from = [HOME, OFFICE, CARRIER, "10.5.7.1"][draw(4) as usize];
            let factor = if draw(4) == 0 { LoginFactor::Guessable } else { LoginFactor::Passkey };
            let outcome = [Asked, Failed, Strayed, PromptRefused, Failed][draw(5) as usize];
            among.log_in_by(factor, [account, &device, from], outcome);
            if step % 20 == 0 {
                for scene in [&alone, &among] {
                    scene.heard();
                }
                let [asked, passed] = [Asked, Passed].map(|outcome| {
                    [&alone, &among].map(|scene| scene.log_in_by(LoginFactor::Passkey, ["honest", "her own", HOME], outcome))
                });
                assert!(passed[1].score < 50, "round {round}, step {step}: {passed:?}");
                assert_eq!(passed[0], passed[1], "round {round}, step {step}");
                assert_eq!(asked[1].score, asked[0].score.max(prompted(&asked[1])), "round {round}, step {step}: {asked:?}");
                let guesses = [SignalKind::BruteForce, SignalKind::PasswordSpraying, SignalKind::CredentialStuffing];
                assert!(!among.heard().iter().any(|kind| guesses.contains(kind)), "round {round}, step {step}");
            }
        }
    }
}

/// Score that prompts alone explain: an account that is prompted again and again by its own device key.
fn prompted(view: &RiskView) -> u8 {
    if view.reasons.iter().any(|reason| &*reason.name == "prompt_fatigue") { 100 } else { 0 }
}

#[test]
fn what_was_learned_survives_a_restart_and_nothing_else_does() {
    let mut scene = Scene::new();
    scene.habits(ANA);
    for _ in 0..4 {
        scene.log_in("ana", "her own", HOME, LoginOutcome::Passed);
        scene.now += DAY;
    }
    let mut kept = Vec::new();
    scene.watch.write_snapshot(&mut kept).expect("written");
    let fresh = || LiveObserver::new(ObserverConfig::shipped(Salt(7), 10_000), Arc::new(Map), Arc::new(Heard::default()));
    let restarted = fresh();
    restarted.restore(&kept).expect("restored");
    assert_eq!(restarted.size().0, scene.watch.size().0);
    let mut again = Vec::new();
    restarted.write_snapshot(&mut again).expect("written");
    assert_eq!(kept.len(), again.len(), "the same states");
    // Same state, same events, same numbers.
    let same = fresh();
    same.restore(&kept).expect("restored");
    let scene_of = |watch| Scene { watch, heard: Arc::default(), now: scene.now };
    let (mut one, mut other) = (scene_of(restarted), scene_of(same));
    for from in [HOME, LAGOS, CARRIER, DATA_CENTRE] {
        let view = one.ask(ANA, "cards.order", Some(4), from);
        assert_eq!(view, other.ask(ANA, "cards.order", Some(4), from), "{from}");
        assert!(from == HOME || view.score > 20, "habits were remembered: {from} {view:?}");
    }
    // Every byte counts: a file in which any was changed, or that was cut, is not used.
    for at in (0..kept.len()).step_by(101).chain(kept.len() - 40..kept.len()) {
        let mut bent = kept.clone();
        bent[at] ^= 0x10;
        let watch = fresh();
        assert_eq!(watch.restore(&bent), Err(SnapshotFault::Damaged), "byte {at}");
        assert_eq!(watch.size().0, 0);
    }
    assert_eq!(fresh().restore(&kept[..kept.len() - 1]), Err(SnapshotFault::Damaged));
    assert_eq!(fresh().restore(b""), Err(SnapshotFault::Damaged));
    let salted = LiveObserver::new(ObserverConfig::shipped(Salt(8), 10_000), Arc::new(Map), Arc::new(Heard::default()));
    assert_eq!(salted.restore(&kept), Err(SnapshotFault::Content), "another installation's");
}

#[test]
fn made_up_people_do_not_grow_the_memory() {
    let scene = Scene::with(|config| config.people_max = 640);
    for n in 0..20_000_u32 {
        let mut name = [0; 16];
        name[..4].copy_from_slice(&n.to_be_bytes());
        let (user, session, device) = (UserId::from_random(name), SessionId::from_random(name), DeviceId::from_random(name));
        scene.watch.request(&RequestSeen {
            user: &user,
            session: &session,
            device: &device,
            client: &ClientId::parse("bank").expect("an id"),
            action: &Action::parse("profile.read").expect("an id"),
            object: Some(u64::from(n)),
            method: "GET",
            address: HOME.parse().expect("an address"),
            refused: Some(&Reason::NoPermit),
            at: UnixMillis(MONDAY * 1000),
        });
    }
    let (people, bytes) = scene.watch.size();
    assert!(people <= 640 && bytes < 640 * 4096, "{people} people, {bytes} bytes");
}

/// An attacker who uses a session and changes its use by 2 % a day for a month, so that it looks usual.
#[test]
fn a_month_of_drifting_costs_little() {
    // The area under the curve of who scrapes 30 to 400 objects in an hour, among ordinary hours of 5 to 35.
    let auc = |drifted: bool| {
        let mut scene = Scene::new();
        scene.habits(ANA);
        let mut objects = 20.0_f64;
        for _ in 0..30 {
            let count = if drifted { objects as u64 } else { 20 };
            for object in 0..count {
                scene.ask(ANA, "accounts.read", Some(object), HOME);
                scene.now += 10;
            }
            objects *= 1.02;
            scene.now = scene.now / DAY * DAY + DAY + 8 * HOUR;
        }
        let hour = |scene: &mut Scene, objects: u64| {
            scene.now = scene.now / DAY * DAY + DAY + 8 * HOUR;
            (0..objects).map(|object| scene.ask(ANA, "accounts.read", Some(10_000 + object), HOME).score).max().unwrap_or(0)
        };
        let ordinary: Vec<_> = [5, 8, 12, 16, 20, 24, 28, 32, 35].map(|n| hour(&mut scene, n)).into();
        let scraped: Vec<_> = [60, 80, 120, 160, 200, 260, 320, 400].map(|n| hour(&mut scene, n)).into();
        let pairs = scraped.iter().flat_map(|bad| ordinary.iter().map(move |good| (bad, good)));
        let won: f64 = pairs
            .map(|(bad, good)| {
                if bad > good {
                    1.0
                } else if bad == good {
                    0.5
                } else {
                    0.0
                }
            })
            .sum();
        won / (scraped.len() * ordinary.len()) as f64
    };
    let (before, after) = (auc(false), auc(true));
    assert!(before > 0.95, "{before}");
    assert!(before - after <= 0.05, "{before} fell to {after}");
}

/// The place that a phone reports counts against a client whose network is far from there, and never in anybody's favour.
#[test]
fn a_phone_that_is_elsewhere_costs_trust_and_one_that_is_there_earns_none() {
    let berlin = CoarsePlace::from_tenths(525, 134).expect("a place");
    let new_york = CoarsePlace::from_tenths(407, -740).expect("a place");
    let lagos = CoarsePlace::from_tenths(64, 34).expect("a place");
    let ana = Who(1, 1, 1);
    let device = DeviceId::from_random([1; 16]);
    // From a network that is not hers, right after her phone said where it is.
    let asked = |place: Option<CoarsePlace>, minutes_ago: u64, from: &str| {
        let mut scene = Scene::new();
        scene.habits(ana);
        scene.now += 7 * HOUR;
        if let Some(place) = place {
            scene.watch.located(&device, place, UnixMillis(scene.now * 1000));
        }
        scene.now += minutes_ago * 60;
        let view = scene.ask(Who(1, 9, 1), "accounts.list", Some(1), from);
        (view.score, view.reasons.iter().any(|reason| reason.name == "location"))
    };
    let rows = [
        ("the phone is in Berlin, the network in New York", Some(berlin), 0, NEW_YORK, true),
        ("in Lagos", Some(lagos), 5, NEW_YORK, true),
        ("it is where the network is", Some(new_york), 0, NEW_YORK, false),
        ("it said so too long ago", Some(berlin), 61, NEW_YORK, false),
        ("at home, and the phone says New York: her VPN", Some(new_york), 0, HOME, false),
        ("a carrier lets guests out at home", Some(new_york), 0, CARRIER, false),
    ];
    for (name, place, minutes_ago, from, against) in rows {
        let (silent, (score, named)) = (asked(None, minutes_ago, from).0, asked(place, minutes_ago, from));
        assert_eq!(named, against, "{name}: {score}");
        assert_eq!(score > silent, against, "{name}: {score}, {silent} without a word");
        assert!(score >= silent, "{name}: nobody earns anything by it");
    }
}
