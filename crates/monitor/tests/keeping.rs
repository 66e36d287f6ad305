//! Kept states: people under a flood of made-up identities, states while they are written, logins that their person confirmed.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{Arc, Mutex},
};

use countersign_core::{
    Action, AnswerSeen, ClientId, DeviceId, LoginDevice, LoginFactor, LoginOutcome, LoginSeen, Observer, Reason, RequestSeen, RiskView,
    SessionId, Signal, SignalKind, SignalSink, UnixMillis, UserId,
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
const LAGOS: &str = "10.5.0.1";

/// Positions of Berlin and Lagos.
struct Map;

impl Places for Map {
    fn locate(&self, address: IpAddr) -> Place {
        let place = |asn, country: &str, kind, latitude, longitude| Place {
            network: Some(Asn(asn)),
            country: Some(country.to_owned()),
            kind,
            position: Position::new(latitude, longitude, 10.0).ok(),
        };
        match address {
            IpAddr::V4(address) if address.octets()[1] == 1 => place(1, "DE", NetworkKind::Fixed, 52.52, 13.40),
            IpAddr::V4(_) => place(5, "NG", NetworkKind::Fixed, 6.45, 3.40),
            IpAddr::V6(_) => Place::UNKNOWN,
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

fn watch(people_max: usize) -> (LiveObserver, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    (LiveObserver::new(ObserverConfig::shipped(Salt(7), people_max), Arc::new(Map), Arc::clone(&heard) as _), heard)
}

/// One request of a person.
struct Ask {
    person: u32,
    session: u32,
    action: &'static str,
    object: u64,
    from: &'static str,
    refused: Option<Reason>,
    bytes_out: u64,
}

impl Ask {
    /// The ordinary request of a person.
    const fn of(person: u32) -> Self {
        Self { person, session: person, action: "profile.read", object: 1, from: HOME, refused: None, bytes_out: 2_000 }
    }

    fn put(self, watch: &LiveObserver, now: u64) -> RiskView {
        let name = |n: u32| {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_be_bytes());
            name
        };
        let (user, session) = (UserId::from_random(name(self.person)), SessionId::from_random(name(self.session)));
        let at = UnixMillis(now * 1000);
        let view = watch.request(&RequestSeen {
            user: &user,
            session: &session,
            device: &DeviceId::from_random(name(self.session)),
            client: &ClientId::parse("bank").expect("an id"),
            action: &Action::parse(self.action).expect("an id"),
            object: Some(self.object),
            method: "GET",
            address: self.from.parse().expect("an address"),
            refused: self.refused.as_ref(),
            at,
        });
        watch.answered(&AnswerSeen { user: &user, session: &session, bytes_out: self.bytes_out, refused: None, at });
        view
    }
}

/// Twenty days of looking in the morning, four requests each. Returns the end of the last one.
fn habits(watch: &LiveObserver, people: std::ops::Range<u32>) -> u64 {
    for day in 0..20 {
        for person in people.clone() {
            for (n, action) in ["profile.read", "accounts.list", "accounts.read", "cards.list"].into_iter().enumerate() {
                Ask { action, ..Ask::of(person) }.put(watch, MONDAY + day * DAY + n as u64);
            }
        }
    }
    MONDAY + 20 * DAY
}

fn log_in(watch: &LiveObserver, device: &str, from: &str, session: Option<&SessionId>, now: u64) -> u8 {
    let seen = LoginSeen {
        account: "ana",
        user: None,
        session,
        device: LoginDevice::Attested(device),
        installation: None,
        os: "Android 16.0",
        app: "bank 42",
        form: "phone",
        address: from.parse().expect("an address"),
        round_trip_ms: None,
        factor: LoginFactor::Guessable,
        outcome: LoginOutcome::Passed,
        at: UnixMillis(now * 1000),
    };
    watch.login(&seen).score
}

#[test]
fn made_up_people_displace_each_other_and_never_the_known() {
    let (watch, _) = watch(1280);
    let now = habits(&watch, 0..400);
    for n in 100_000..120_000 {
        for _ in 0..3 {
            Ask::of(n).put(&watch, now);
        }
    }
    let (people, bytes) = watch.size();
    assert!(people <= 1280 && bytes < 1280 * 4096, "{people} people, {bytes} bytes");
    // Whoever is still known looks odd elsewhere, at night, doing other things; a newcomer cannot.
    let strange = |person| Ask { action: "transfers.create", from: LAGOS, ..Ask::of(person) }.put(&watch, now + 18 * HOUR).score;
    let remembered = (0..400).filter(|person| strange(*person) >= 20).count();
    assert_eq!((remembered, strange(999_999) < 20), (400, true));
}

#[test]
fn what_is_odd_is_named() {
    type Attack = fn(&LiveObserver, u64) -> RiskView;
    let rows: &[(&str, Attack, SignalKind, &str)] = &[
        (
            "in Lagos with another session while the first is in Berlin",
            |watch, now| {
                Ask::of(1).put(watch, now);
                let there = |n| Ask { session: 77, action: "payees.add", from: LAGOS, ..Ask::of(1) }.put(watch, now + 60 + n);
                (0..3).map(there).max_by_key(|view| view.score).unwrap_or_default()
            },
            SignalKind::ImpossibleTravel,
            "simultaneous",
        ),
        (
            "half a gigabyte in an hour",
            |watch, now| (0..50).map(|n| Ask { bytes_out: 10 << 20, ..Ask::of(1) }.put(watch, now + n)).last().unwrap_or_default(),
            SignalKind::Scraping,
            "volume",
        ),
        (
            "door after door that is shut",
            |watch, now| {
                let knock = |n| Ask { refused: Some(Reason::NoPermit), ..Ask::of(1) }.put(watch, now + n);
                (0..15).map(knock).last().unwrap_or_default()
            },
            SignalKind::UnusualUse,
            "failures",
        ),
    ];
    for (name, attack, kind, word) in rows {
        let (watch, heard) = watch(1000);
        let now = habits(&watch, 0..40);
        assert_eq!(*heard.0.lock().expect("a lock"), [], "{name}: before");
        let view = attack(&watch, now);
        assert!(view.score >= 50 && view.reasons.first().is_some_and(|reason| reason.name == *word), "{name}: {view:?}");
        assert!(heard.0.lock().expect("a lock").contains(kind), "{name}");
    }
}

#[test]
fn a_login_that_its_person_stood_for_is_usual_at_once() {
    for stood in [true, false] {
        let (watch, heard) = watch(1000);
        for day in 0..8 {
            log_in(&watch, "her own", HOME, None, MONDAY + day * DAY);
        }
        let (user, session) = (UserId::from_random([1; 16]), SessionId::from_random([1; 16]));
        let abroad = MONDAY + 10 * DAY;
        assert!(log_in(&watch, "a new one", LAGOS, Some(&session), abroad) >= 50);
        assert_eq!(*heard.0.lock().expect("a lock"), [SignalKind::UnusualLogin]);
        if stood {
            watch.stepped_up(&user, &session, UnixMillis((abroad + 60) * 1000));
        }
        let again = log_in(&watch, "a new one", LAGOS, None, abroad + HOUR);
        assert_eq!(again < 50, stood, "stood for it: {stood}, {again}");
    }
}

/// People use one node or another, and the nodes tell each other what they learned, once or twice.
#[test]
fn what_two_nodes_learned_is_joined() {
    let written = |watch: &LiveObserver| {
        let mut kept = Vec::new();
        watch.write_snapshot(&mut kept).expect("written");
        kept
    };
    let ((left, _), (right, _), (joined, _)) = (watch(1000), watch(1000), watch(1000));
    let now = habits(&left, 0..20);
    habits(&right, 10..40);
    for day in 0..8 {
        let node = if day % 2 == 0 { &left } else { &right };
        log_in(node, "her own", HOME, None, MONDAY + day * DAY);
    }
    for part in [&left, &right, &left] {
        joined.restore(&written(part)).expect("joined");
    }
    assert_eq!(joined.size().0, 40);
    // Each is known by now: at night, elsewhere, doing other things, all of them look odd, as they do where they lived.
    let strange =
        |watch: &LiveObserver, person| Ask { action: "transfers.create", from: LAGOS, ..Ask::of(person) }.put(watch, now + 18 * HOUR).score;
    assert!((0..40).all(|person| strange(&joined, person) >= 20));
    let (here, there) = (strange(&joined, 5), strange(&left, 5));
    assert!(here.abs_diff(there) <= 5, "whom one node alone knows is judged as there: {here}, {there}");
    assert!(strange(&left, 30) < 20, "and where nobody was told, 30 is a newcomer");
    assert!(log_in(&joined, "another", LAGOS, None, MONDAY + 8 * DAY) >= 50);
    assert!(log_in(&joined, "her own", HOME, None, MONDAY + 9 * DAY) < 50);
}

/// The writer takes long, and everybody else goes on meanwhile: with a lock held, this test would never end.
struct Slow<'a> {
    watch: &'a LiveObserver,
    written: Vec<u8>,
}

impl Write for Slow<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for person in 0..4 {
            Ask::of(person).put(self.watch, MONDAY + 30 * DAY);
        }
        log_in(self.watch, "her own", HOME, None, MONDAY + 30 * DAY);
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nobody_waits_while_states_are_written_down() {
    let (watch, _) = watch(1000);
    habits(&watch, 0..40);
    log_in(&watch, "her own", HOME, None, MONDAY);
    let mut slow = Slow { watch: &watch, written: Vec::new() };
    watch.write_snapshot(&mut slow).expect("written");
    let written = slow.written;
    let fresh = self::watch(1000).0;
    fresh.restore(&written).expect("restored");
    assert_eq!(fresh.size().0, 40);
}

#[test]
fn no_byte_of_a_snapshot_can_be_changed() {
    let (learned, _) = watch(64);
    Ask::of(1).put(&learned, MONDAY);
    log_in(&learned, "her own", HOME, None, MONDAY);
    let mut kept = Vec::new();
    learned.write_snapshot(&mut kept).expect("written");
    let (fresh, _) = watch(64);
    for at in 0..kept.len() {
        let bit = 1 << (at % 8);
        kept[at] ^= bit;
        assert_eq!(fresh.restore(&kept), Err(SnapshotFault::Damaged), "byte {at} of {}", kept.len());
        kept[at] ^= bit;
    }
    assert_eq!(fresh.size().0, 0);
    fresh.restore(&kept).expect("unchanged, it is used");
    assert_eq!(fresh.size().0, 1);
}
