//! The whole scorer on a generated population: how well it tells takeovers, that numbers stay the same everywhere, that slow
//! poisoning costs little, that made-up identities cost no memory.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::town::{
    DAY, Dice, From, HOUR, Machine, START, Who, act, carrier, desktop, home, hosting_in_singapore, iphone, login, monitor, phone, town,
    vpn_in_frankfurt,
};
use countersign_core::UnixSeconds;
use countersign_risk::{
    fingerprint::Salt,
    login::{LoginRule, Settled},
    monitor::LoginMonitor,
};

/// Probability that an attack scores higher than an honest login (the area under the ROC curve).
fn auc(honest: &[f64], attacks: &[f64]) -> f64 {
    let won: f64 = attacks
        .iter()
        .flat_map(|a| {
            honest.iter().map(move |h| {
                if a > h {
                    1.0
                } else if a < h {
                    0.0
                } else {
                    0.5
                }
            })
        })
        .sum();
    won / f64::from(u32::try_from(honest.len() * attacks.len()).unwrap())
}

fn thief(n: u64, dice: &mut Dice) -> (Machine, From) {
    let machine = if dice.chance(500) { desktop(&format!("thief-{n}")) } else { iphone(&format!("thief-{n}")) };
    let from = match dice.below(4) {
        0 => hosting_in_singapore(),
        1 => vpn_in_frankfurt(),
        2 => home(n + 101),
        _ => From { country: "RO", asn: 8708, latitude: 44.4, longitude: 26.1, ..home(n + 300) },
    };
    (machine, from)
}

/// Honest logins and first takeover attempts of day 60 to 90, of people on whom `drift` was tried before or was not.
fn measure(drift: bool) -> (Vec<f64>, Vec<f64>) {
    let mut monitor = monitor();
    town(&mut monitor, 11);
    let mut dice = Dice(12);
    let (mut honest, mut attacks) = (Vec::new(), Vec::new());
    let targets: Vec<(Machine, From)> = (0..80).map(|n| thief(n, &mut dice)).collect();
    for day in 60..90_u64 {
        for (n, (machine, from)) in (0..80_u64).zip(&targets) {
            let person = format!("u{n}");
            if drift {
                nudge(&mut monitor, &person, n, (machine, from), day - 59);
            }
            if dice.chance(500) {
                let known = if n.is_multiple_of(2) { phone(&format!("p{n}")) } else { iphone(&format!("p{n}")) };
                let place = if dice.chance(500) { home(n) } else { carrier(n, &mut dice) };
                let at = START + day * DAY + (7 + dice.below(15)) * HOUR + n * 17;
                honest.push(act(&mut monitor, &person, &login(&known, &place), Who::Owner, at).evidence.total());
            }
        }
    }
    for (n, (machine, from)) in (0..80_u64).zip(&targets) {
        let at = START + 90 * DAY + dice.below(24) * HOUR;
        attacks.push(act(&mut monitor, &format!("u{n}"), &login(machine, from), Who::Attacker, at).evidence.total());
    }
    (honest, attacks)
}

/// The attacker holds a copy of the phone's name and moves what he shows by 2 % a day from the owner's life towards his own: the
/// place, the hour, and how often it is his network. On the last day it is all but his machine.
fn nudge(monitor: &mut LoginMonitor, person: &str, n: u64, (_, target): (&Machine, &From), day: u64) {
    let part = 0.02 * f64::from(u32::try_from(day).unwrap());
    let owner = home(n);
    let of_100 = day * 2;
    let network = if (day * 37 + n * 13) % 100 < of_100 { target.clone() } else { owner.clone() };
    let from = From {
        latitude: owner.latitude + (target.latitude - owner.latitude) * part,
        longitude: owner.longitude + (target.longitude - owner.longitude) * part,
        ..network
    };
    let name = if n.is_multiple_of(2) { phone(&format!("p{n}")) } else { iphone(&format!("p{n}")) };
    let at = START + (59 + day) * DAY + 3 * HOUR + n;
    act(monitor, person, &login(&name, &from), Who::Attacker, at);
}

#[test]
fn slow_poisoning_costs_little() {
    let (honest, attacks) = measure(false);
    let clean = auc(&honest, &attacks);
    let (honest, attacks) = measure(true);
    let poisoned = auc(&honest, &attacks);
    println!("AUC clean {clean:.4}, poisoned {poisoned:.4}");
    assert!(clean > 0.98, "clean {clean}");
    assert!(poisoned > clean - 0.05, "clean {clean}, poisoned {poisoned}");
}

#[test]
fn scores_are_the_same_on_every_machine() {
    let mut monitor = monitor();
    town(&mut monitor, 1);
    let mut dice = Dice(2);
    let mut sum = 0_u64;
    for n in 0..80_u64 {
        let (machine, from) = thief(n, &mut dice);
        let total = monitor.assess(&format!("u{n}"), &login(&machine, &from), UnixSeconds(START + 61 * DAY + n * HOUR)).evidence.total();
        sum = sum.rotate_left(7) ^ total.to_bits();
    }
    // Whoever changes a rule on purpose pins the new number and measures again.
    assert_eq!(sum, PINNED);
}

const PINNED: u64 = 16_408_928_151_855_699_704;

#[test]
fn random_identities_take_no_memory() {
    let mut monitor = LoginMonitor::new(LoginRule::default(), Salt(1), 1000);
    let mut dice = Dice(9);
    let machine = desktop("flood");
    for n in 0..50_000_u64 {
        let person = format!("made-up-{}", dice.roll());
        let assessment = monitor.assess(&person, &login(&machine, &home(n)), UnixSeconds(START + n));
        let settled = if n.is_multiple_of(2) { Settled::StepUpFailed } else { Settled::Allowed };
        monitor.settle(&person, &assessment, settled);
    }
    assert_eq!(monitor.people().len(), 1000);
    let bytes: usize = monitor.people().iter().map(|(_, profile)| profile.bytes()).sum();
    assert!(bytes < 1000 * 1024, "{bytes}");
}

#[test]
fn one_person_takes_bounded_memory() {
    let mut monitor = monitor();
    let mut dice = Dice(10);
    for n in 0..5_000_u64 {
        let machine = phone(&format!("m{}", dice.roll()));
        let from = From {
            asn: u32::try_from(dice.below(100_000)).unwrap(),
            latitude: 50.0 - f64::from(u32::try_from(n % 100).unwrap()),
            ..home(dice.roll())
        };
        let who = if dice.chance(300) { Who::Attacker } else { Who::Owner };
        act(&mut monitor, "eve", &login(&machine, &from), who, START + n * HOUR);
    }
    let bytes: Vec<usize> = monitor.people().iter().map(|(_, profile)| profile.bytes()).collect();
    assert!(bytes.iter().all(|bytes| *bytes <= 2048), "{bytes:?}");
}
