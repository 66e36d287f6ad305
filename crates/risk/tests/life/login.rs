//! Logins that must not raise an alarm by themselves, and logins that must.

use crate::town::{
    DAY, Dice, From, HOUR, Machine, START, Who, act, carrier, desktop, habit, home, hosting_in_singapore, hotel_in_new_york, iphone, login,
    monitor, office, phone, town, vpn_in_frankfurt,
};
use countersign_core::UnixSeconds;
use countersign_risk::{
    evidence::{Feature, Score},
    login::{Assessment, Verdict},
    monitor::LoginMonitor,
};

/// Nine in the evening, when Alice usually logs in.
const EVENING: u64 = START + 60 * DAY + 20 * HOUR;

fn alice() -> LoginMonitor {
    let mut monitor = monitor();
    town(&mut monitor, 1);
    habit(&mut monitor, "alice", 500, &phone("alice-phone"), 30);
    monitor
}

fn judge(machine: &Machine, from: &From, at: u64) -> Assessment {
    alice().assess("alice", &login(machine, from), UnixSeconds(at))
}

#[test]
fn ordinary_life_is_not_challenged() {
    let mut dice = Dice(5);
    let known = phone("alice-phone");
    let updated = Machine { os: "Android 15", client: "Bank/4.2 okhttp", ..phone("alice-phone") };
    let roaming = From { latitude: 40.7, longitude: -74.0, ..carrier(500, &mut dice) };
    let guess = From { latitude: 47.0, longitude: 7.0, radius_km: 500.0, ..carrier(500, &mut dice) };
    let rows: &[(&str, &Machine, From, u64)] = &[
        ("the usual phone at home", &known, home(500), EVENING),
        ("on the carrier", &known, carrier(500, &mut dice), EVENING),
        ("at the office, never before", &known, office(), EVENING - 10 * HOUR),
        ("a friend's Wi-Fi", &known, home(77), EVENING),
        ("a night's work", &known, home(500), EVENING + 7 * HOUR),
        ("a system update", &updated, home(500), EVENING),
        ("a new phone at home", &phone("alice-new"), home(500), EVENING),
        ("a new phone of another make at home", &iphone("alice-new"), home(500), EVENING),
        ("a new phone of the same make on the carrier", &phone("alice-new"), carrier(500, &mut dice), EVENING),
        ("the family's tablet at home", &iphone("family-tablet"), home(500), EVENING),
        ("a computer at home", &desktop("alice-pc"), home(500), EVENING),
        ("a VPN on the usual phone", &known, vpn_in_frankfurt(), EVENING),
        ("the carrier's address on a wrong map", &known, guess, EVENING),
        ("roaming", &known, roaming, EVENING + 14 * HOUR),
        ("off the plane, in a hotel", &known, hotel_in_new_york(), EVENING + 14 * HOUR),
    ];
    for (name, machine, from, at) in rows {
        let assessment = judge(machine, from, *at);
        assert_ne!(assessment.verdict, Verdict::StepUp, "{name}: {:?}", assessment.evidence);
        assert!(assessment.score < Score::STEP_UP, "{name}");
    }
}

#[test]
fn takeovers_are_challenged_at_the_first_login() {
    let stolen = phone("alice-phone");
    let other_system = Machine { os: "Linux", client: "python-requests 2.31", form: "", ..phone("alice-phone") };
    let thief = desktop("thief");
    let abroad = From { country: "RO", asn: 8708, latitude: 44.4, longitude: 26.1, ..home(9) };
    let rows: &[(&str, &Machine, From, u64)] = &[
        ("a data centre abroad", &thief, hosting_in_singapore(), EVENING),
        ("a VPN in the country", &thief, vpn_in_frankfurt(), EVENING),
        ("a home line abroad", &thief, abroad.clone(), EVENING),
        ("a home line in the same city", &thief, home(41), EVENING + 7 * HOUR),
        ("a replayed token with the device's name, from a data centre", &stolen, hosting_in_singapore(), EVENING),
        ("the device's name on another system", &other_system, vpn_in_frankfurt(), EVENING),
        ("the same phone's make, on another continent within minutes", &phone("thief"), hotel_in_new_york(), EVENING - 20 * HOUR),
    ];
    for (name, machine, from, at) in rows {
        let assessment = judge(machine, from, *at);
        assert_eq!(assessment.verdict, Verdict::StepUp, "{name}: {:?}", assessment.evidence);
        assert!(assessment.score >= Score::STEP_UP, "{name}");
        assert!(!assessment.evidence.reasons().is_empty(), "{name}");
    }
}

#[test]
fn nobody_is_challenged_on_the_first_days() {
    let mut empty = monitor();
    let mut dice = Dice(8);
    for n in 0..20_u64 {
        let machine = phone(&format!("first-{n}"));
        for (step, from) in [home(n), home(n), carrier(n, &mut dice), home(n)].iter().enumerate() {
            let at = START + n * 60 + u64::try_from(step).unwrap() * 15 * DAY;
            let assessment = act(&mut empty, &format!("f{n}"), &login(&machine, from), Who::Owner, at);
            assert_ne!(assessment.verdict, Verdict::StepUp, "person {n}, login {step}: {:?}", assessment.evidence);
        }
    }
}

#[test]
fn a_week_in_another_time_zone_is_not_challenged() {
    let mut monitor = alice();
    let known = phone("alice-phone");
    let away = hotel_in_new_york();
    for day in 0..7 {
        let assessment = act(&mut monitor, "alice", &login(&known, &away), Who::Owner, EVENING + (day + 1) * DAY + 7 * HOUR);
        assert_ne!(assessment.verdict, Verdict::StepUp, "day {day}: {:?}", assessment.evidence);
    }
    let back = act(&mut monitor, "alice", &login(&known, &home(500)), Who::Owner, EVENING + 8 * DAY + HOUR);
    assert_ne!(back.verdict, Verdict::StepUp, "home again: {:?}", back.evidence);
}

#[test]
fn commuting_between_carrier_and_wifi_is_not_challenged() {
    let mut monitor = alice();
    let mut dice = Dice(3);
    let known = phone("alice-phone");
    for step in 0..200 {
        let from = if step % 2 == 0 { carrier(500, &mut dice) } else { home(500) };
        let assessment = act(&mut monitor, "alice", &login(&known, &from), Who::Owner, EVENING + step * 600);
        assert_ne!(assessment.verdict, Verdict::StepUp, "step {step}: {:?}", assessment.evidence);
    }
}

#[test]
fn a_shared_family_phone_is_not_challenged() {
    let mut monitor = alice();
    let shared = phone("family-phone");
    habit(&mut monitor, "bob", 500, &phone("bob-phone"), 20);
    for day in 0..10 {
        for (minute, person) in [(0, "alice"), (5, "bob"), (9, "alice")] {
            let assessment = act(&mut monitor, person, &login(&shared, &home(500)), Who::Owner, EVENING + day * DAY + minute * 60);
            assert_ne!(assessment.verdict, Verdict::StepUp, "{person}, day {day}: {:?}", assessment.evidence);
        }
    }
}

#[test]
fn an_office_of_fifty_behind_one_address_is_not_challenged() {
    let mut monitor = monitor();
    town(&mut monitor, 1);
    for n in 600..650 {
        habit(&mut monitor, &format!("w{n}"), n, &phone(&format!("w{n}-phone")), 12);
    }
    for day in 0..5 {
        for n in 600..650 {
            let machine = phone(&format!("w{n}-phone"));
            let at = START + (60 + day) * DAY + 9 * HOUR + n;
            let assessment = act(&mut monitor, &format!("w{n}"), &login(&machine, &office()), Who::Owner, at);
            assert_ne!(assessment.verdict, Verdict::StepUp, "{n}, day {day}: {:?}", assessment.evidence);
        }
    }
}

#[test]
fn who_failed_a_step_up_is_remembered_on_the_next_network() {
    let mut monitor = alice();
    let thief = desktop("thief");
    let first = act(&mut monitor, "alice", &login(&thief, &hosting_in_singapore()), Who::Attacker, EVENING);
    assert_eq!(first.verdict, Verdict::StepUp);
    let without = judge(&thief, &home(41), EVENING + HOUR).evidence.total();
    let second = act(&mut monitor, "alice", &login(&thief, &home(41)), Who::Attacker, EVENING + HOUR);
    assert!(second.evidence.total() > without + 2.0);
    assert!(second.evidence.reasons().iter().any(|reason| reason.feature == Feature::Refused));
    // The owner, on the own phone at home, has no trouble from it.
    let owner = act(&mut monitor, "alice", &login(&phone("alice-phone"), &home(500)), Who::Owner, EVENING + 2 * HOUR);
    assert_eq!(owner.verdict, Verdict::Usual, "{:?}", owner.evidence);
}

#[test]
fn an_intruder_who_was_allowed_does_not_become_known() {
    let mut monitor = alice();
    let intruder = phone("intruder");
    let from = carrier(500, &mut Dice(4));
    let first = act(&mut monitor, "alice", &login(&intruder, &from), Who::Attacker, EVENING);
    assert_eq!(first.verdict, Verdict::Unusual);
    let later = act(&mut monitor, "alice", &login(&intruder, &from), Who::Attacker, EVENING + 3 * HOUR);
    let device = |assessment: &Assessment| {
        assessment.evidence.contributions().iter().find(|part| part.feature == Feature::Device).map_or(0.0, |part| part.weight)
    };
    assert!(device(&later) > 1.0, "{:?}", later.evidence);
    // What nobody objected to for some days is the owner's new phone.
    let known = act(&mut monitor, "alice", &login(&intruder, &from), Who::Owner, EVENING + 4 * DAY);
    assert!(device(&known) < 0.0, "{:?}", known.evidence);
}

#[test]
fn an_attested_key_halves_what_travel_says() {
    let weight = |attested: bool| {
        let mut monitor = monitor();
        town(&mut monitor, 1);
        let machine = Machine { attested, ..phone("key") };
        habit(&mut monitor, "carol", 700, &machine, 20);
        act(&mut monitor, "carol", &login(&machine, &home(700)), Who::Owner, EVENING);
        let assessment = monitor.assess("carol", &login(&machine, &hotel_in_new_york()), UnixSeconds(EVENING + HOUR));
        assessment.evidence.contributions().iter().find(|part| part.feature == Feature::Travel).map_or(0.0, |part| part.weight)
    };
    assert!(weight(false) > 0.0);
    assert!((weight(true) - weight(false) / 2.0).abs() < 1e-9);
}

#[test]
fn impossible_travel_of_a_copied_name_is_challenged() {
    let copied = phone("alice-phone");
    let los_angeles = |n| From { country: "US", asn: 7018, latitude: 34.05, longitude: -118.24, ..home(n) };
    let hamburg = From { latitude: 53.55, longitude: 9.99, ..home(77) };
    let rows = [
        ("another continent after an hour", los_angeles(40), HOUR, Verdict::StepUp),
        ("another continent after a flight", los_angeles(40), 16 * HOUR, Verdict::Unusual),
        ("another city after a train ride", hamburg, 3 * HOUR, Verdict::Unusual),
    ];
    for (name, from, later, verdict) in rows {
        let mut monitor = alice();
        act(&mut monitor, "alice", &login(&copied, &home(500)), Who::Owner, EVENING);
        let assessment = monitor.assess("alice", &login(&copied, &from), UnixSeconds(EVENING + later));
        assert_eq!(assessment.verdict, verdict, "{name}: {:?}", assessment.evidence);
    }
}

#[test]
fn two_places_at_once_are_named_so() {
    let mut monitor = alice();
    act(&mut monitor, "alice", &login(&phone("alice-phone"), &home(500)), Who::Owner, EVENING);
    let assessment = monitor.assess("alice", &login(&phone("thief"), &hotel_in_new_york()), UnixSeconds(EVENING + 300));
    assert!(assessment.evidence.reasons().iter().any(|reason| reason.feature == Feature::Simultaneous));
    assert_eq!(assessment.verdict, Verdict::StepUp);
}

#[test]
fn what_nobody_knows_is_never_risky() {
    let nothing = countersign_risk::login::Login {
        address: [203, 0, 113, 9].into(),
        network: None,
        country: None,
        kind: countersign_risk::network::NetworkKind::Unknown,
        position: None,
        device: countersign_risk::login::DeviceName::Claimed("alice-phone"),
        os: "Android 14",
        client: "Bank/4.1 okhttp",
        form: "phone",
        round_trip_ms: None,
    };
    let assessment = alice().assess("alice", &nothing, UnixSeconds(EVENING));
    assert_ne!(assessment.verdict, Verdict::StepUp, "{:?}", assessment.evidence);
}
