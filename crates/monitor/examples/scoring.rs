//! Measures the cost of judging one request with a million people in memory, on one thread (`make scoring`).
//!
//! Every person is first seen some times. Then a million requests of random people are timed one by one. Reading the clock costs about 25
//! ns of each.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "measuring reads the clock, and says what it measured"
)]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

use countersign_core::{Action, AnswerSeen, ClientId, DeviceId, Observer, RequestSeen, SessionId, Signal, SignalSink, UnixMillis, UserId};
use countersign_monitor::observe::{LiveObserver, ObserverConfig, Place, Places};
use countersign_risk::{
    fingerprint::Salt,
    geo::Position,
    network::{Asn, NetworkKind},
};

/// Number of people in memory.
const PEOPLE: u64 = 1_000_000;

/// Number of times that each person is seen before anything is measured.
const BEFORE: u64 = 20;

/// Number of requests that are timed.
const TIMED: u64 = 1_000_000;

struct Map;

impl Places for Map {
    fn locate(&self, address: IpAddr) -> Place {
        let IpAddr::V4(address) = address else { return Place::UNKNOWN };
        let [_, b, ..] = address.octets();
        let position = Position::new(f64::from(b) / 3.0, f64::from(b), 25.0).ok();
        Place { network: Some(Asn(u32::from(b))), country: Some("DE".to_owned()), kind: NetworkKind::Fixed, position }
    }
}

struct Nobody;

impl SignalSink for Nobody {
    fn emit(&self, _: Signal) {}
}

/// The generator `SplitMix64`, so that every run sees the same requests.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (b ^ (b >> 31)) % below
    }
}

struct Crowd {
    watch: LiveObserver,
    client: ClientId,
    actions: Vec<Action>,
    now: u64,
}

impl Crowd {
    /// Sends one request of a person, and returns the time in nanoseconds that the observer needed.
    fn ask(&mut self, person: u64, dice: &mut Dice) -> u64 {
        let name = (u128::from(person) << 64 | 7).to_be_bytes();
        let (user, session, device) = (UserId::from_random(name), SessionId::from_random(name), DeviceId::from_random(name));
        let at = usize::try_from(dice.roll(6) * dice.roll(6) / 3).expect("small");
        let action = self.actions.get(at).expect("an action");
        let [a, b] = u16::try_from(person % 60_000).expect("small").to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, a, b, u8::try_from(dice.roll(250)).expect("small")));
        let at = UnixMillis(self.now);
        let seen = RequestSeen {
            user: &user,
            session: &session,
            device: &device,
            client: &self.client,
            action,
            object: Some(dice.roll(8)),
            method: "GET",
            address,
            refused: None,
            at,
        };
        let began = Instant::now();
        std::hint::black_box(self.watch.request(&seen));
        self.watch.answered(&AnswerSeen { user: &user, session: &session, bytes_out: 2_000, refused: None, at });
        u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Memory of the process in bytes (`/proc/self/statm`, second field, pages of 4 KiB); 0 where there is no such file.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn main() {
    let config = ObserverConfig::shipped(Salt(7), usize::try_from(PEOPLE * 11 / 10).expect("a size"));
    let mut crowd = Crowd {
        watch: LiveObserver::new(config, Arc::new(Map), Arc::new(Nobody)),
        client: ClientId::parse("bank").expect("an id"),
        actions: (0..20).map(|n| Action::parse(&format!("accounts.act{n}")).expect("an id")).collect(),
        now: 1_789_344_000_000,
    };
    let mut dice = Dice(1);
    for round in 0..BEFORE {
        for person in 0..PEOPLE {
            crowd.ask(person, &mut dice);
        }
        // Four hours later: six rounds are a day.
        crowd.now += 4 * 3_600_000;
        if round % 5 == 4 {
            println!("{} of {BEFORE} visits of everybody", round + 1);
        }
    }
    let (people, bytes) = crowd.watch.size();
    let mut spans: Vec<_> = (0..TIMED)
        .map(|_| {
            crowd.now += 1;
            let person = dice.roll(PEOPLE);
            crowd.ask(person, &mut dice)
        })
        .collect();
    spans.sort_unstable();
    let at = |share: f64| spans.get(((spans.len() as f64) * share) as usize).copied().unwrap_or(0) as f64 / 1000.0;
    println!("{people} people, {} bytes each; {TIMED} requests judged and answered", bytes / people.max(1));
    println!("{} bytes each with all that the process holds", resident() / PEOPLE);
    println!("p50 {:.2} us   p99 {:.2} us   p99.9 {:.2} us", at(0.5), at(0.99), at(0.999));
    assert!(at(0.5) <= 5.0 && at(0.99) <= 50.0, "judging is to cost 5 us at the median and 50 at p99");
}
