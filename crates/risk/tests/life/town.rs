//! A small town whose people log in, from a seed.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a generator for tests")]

use std::net::IpAddr;

use countersign_core::UnixSeconds;
use countersign_risk::{
    fingerprint::Salt,
    geo::Position,
    login::{Assessment, DeviceName, Login, LoginRule, Settled, Verdict},
    monitor::LoginMonitor,
    network::{Asn, NetworkKind},
};

pub const HOUR: u64 = 3600;
pub const DAY: u64 = 86_400;
/// A Monday, midnight UTC.
pub const START: u64 = 1_767_571_200;

/// The generator `SplitMix64`, so that every run is the same.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub fn chance(&mut self, of_1000: u64) -> bool {
        self.below(1000) < of_1000
    }
}

/// Origin of a login, with owned values.
#[derive(Clone, Debug)]
pub struct From {
    pub address: IpAddr,
    pub asn: u32,
    pub country: &'static str,
    pub kind: NetworkKind,
    pub latitude: f64,
    pub longitude: f64,
    pub radius_km: f64,
}

pub fn from(address: [u8; 4], asn: u32, country: &'static str, kind: NetworkKind, place: (f64, f64, f64)) -> From {
    From { address: IpAddr::from(address), asn, country, kind, latitude: place.0, longitude: place.1, radius_km: place.2 }
}

/// Home, somewhere in Berlin, of household `n`.
pub fn home(n: u64) -> From {
    let [a, b, ..] = u16::try_from(n % 60_000).unwrap().to_be_bytes().map(u64::from);
    let place =
        (52.40 + 0.001 * f64::from(u32::try_from(n % 200).unwrap()), 13.2 + 0.002 * f64::from(u32::try_from(n % 200).unwrap()), 10.0);
    from([91, u8::try_from(a).unwrap(), u8::try_from(b).unwrap(), 7], 3000 + u32::try_from(n % 4).unwrap(), "DE", NetworkKind::Fixed, place)
}

/// The carrier: another address each time, located anywhere within some 200 km.
pub fn carrier(n: u64, dice: &mut Dice) -> From {
    let (b, c) = (u8::try_from(dice.below(60)).unwrap(), u8::try_from(dice.below(250)).unwrap());
    let place = (51.5 + 0.1 * f64::from(b % 20), 12.0 + 0.1 * f64::from(c % 20), 200.0);
    from([46, b, c, 9], 3300 + u32::try_from(n % 3).unwrap(), "DE", NetworkKind::Mobile, place)
}

pub fn office() -> From {
    from([193, 10, 10, 10], 3100, "DE", NetworkKind::Fixed, (52.52, 13.40, 10.0))
}

pub fn hotel_in_new_york() -> From {
    from([24, 5, 6, 7], 7922, "US", NetworkKind::Fixed, (40.75, -73.99, 10.0))
}

pub fn hosting_in_singapore() -> From {
    from([128, 199, 3, 4], 14061, "SG", NetworkKind::Hosting, (1.29, 103.85, 20.0))
}

pub fn vpn_in_frankfurt() -> From {
    from([146, 70, 3, 4], 9009, "DE", NetworkKind::Anonymiser, (50.11, 8.68, 20.0))
}

/// A phone or a computer.
#[derive(Clone, Debug)]
pub struct Machine {
    pub name: String,
    pub attested: bool,
    pub os: &'static str,
    pub client: &'static str,
    pub form: &'static str,
}

pub fn phone(name: &str) -> Machine {
    Machine { name: name.to_owned(), attested: false, os: "Android 14", client: "Bank/4.1 okhttp", form: "phone" }
}

pub fn iphone(name: &str) -> Machine {
    Machine { name: name.to_owned(), attested: false, os: "iOS 17.4", client: "Bank/4.1 CFNetwork", form: "phone" }
}

pub fn desktop(name: &str) -> Machine {
    Machine { name: name.to_owned(), attested: false, os: "Windows 11", client: "Chrome 126", form: "desktop" }
}

pub fn login<'a>(machine: &'a Machine, from: &From) -> Login<'a> {
    Login {
        address: from.address,
        network: Some(Asn(from.asn)),
        country: Some(from.country),
        kind: from.kind,
        position: Position::new(from.latitude, from.longitude, from.radius_km).ok(),
        device: if machine.attested { DeviceName::Attested(&machine.name) } else { DeviceName::Claimed(&machine.name) },
        os: machine.os,
        client: machine.client,
        form: machine.form,
        round_trip_ms: None,
    }
}

pub fn monitor() -> LoginMonitor {
    LoginMonitor::new(LoginRule::default(), Salt(7), 10_000)
}

/// Person behind a login, who decides how a step-up ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Attacker,
    Owner,
}

pub fn act(monitor: &mut LoginMonitor, person: &str, login: &Login<'_>, who: Who, at: u64) -> Assessment {
    let assessment = monitor.assess(person, login, UnixSeconds(at));
    let settled = match (assessment.verdict, who) {
        (Verdict::Usual | Verdict::Unusual, _) => Settled::Allowed,
        (Verdict::StepUp, Who::Owner) => Settled::StepUpPassed,
        (Verdict::StepUp, Who::Attacker) => Settled::StepUpFailed,
    };
    monitor.settle(person, &assessment, settled);
    assessment
}

/// One login of an ordinary day of household `n`: at home, on the carrier, now and then in the office or at a friend's.
pub fn ordinary(n: u64, dice: &mut Dice) -> From {
    match dice.below(20) {
        0..10 => home(n),
        10..17 => carrier(n, dice),
        17..19 => office(),
        _ => home(dice.below(1000)),
    }
}

/// 80 people, each logging in about every second day for 60 days; some change phones. Ends at `START + 60 * DAY`.
pub fn town(monitor: &mut LoginMonitor, seed: u64) {
    let mut dice = Dice(seed);
    let mut phones: Vec<Machine> =
        (0..80_u32).map(|n| if n.is_multiple_of(2) { phone(&format!("p{n}")) } else { iphone(&format!("p{n}")) }).collect();
    for day in 0..60 {
        for n in 0..80_u64 {
            if !dice.chance(500) {
                continue;
            }
            let index = usize::try_from(n).unwrap();
            if dice.chance(10) {
                phones[index].name = format!("p{n}-{day}");
            }
            let at = START + day * DAY + (7 + dice.below(15)) * HOUR + n * 17;
            let place = ordinary(n, &mut dice);
            act(monitor, &format!("u{n}"), &login(&phones[index], &place), Who::Owner, at);
            if dice.chance(300) {
                let place = ordinary(n, &mut dice);
                let later = at + 60 + dice.below(4 * HOUR);
                act(monitor, &format!("u{n}"), &login(&phones[index], &place), Who::Owner, later);
            }
        }
    }
}

/// `person` of household `n` with `logins` logins on `machine`, one a day before `START + 60 * DAY`, in the evening.
pub fn habit(monitor: &mut LoginMonitor, person: &str, n: u64, machine: &Machine, logins: u64) {
    let mut dice = Dice(n + 99);
    for back in (1..=logins).rev() {
        let at = START + (60 - back) * DAY + (17 + dice.below(4)) * HOUR + n;
        let place = if back % 3 == 0 { carrier(n, &mut dice) } else { home(n) };
        act(monitor, person, &login(machine, &place), Who::Owner, at);
    }
}
