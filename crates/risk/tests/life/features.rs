//! Each feature by itself: the one thing that is different, and which way its contribution goes.

use countersign_core::UnixSeconds;
use countersign_risk::{
    evidence::{Evidence, Feature},
    login::{DeviceName, Login},
    monitor::LoginMonitor,
    network::{Asn, NetworkKind},
};
use proptest::prelude::*;

use crate::town::{DAY, From, HOUR, Machine, START, Who, act, desktop, habit, home, hotel_in_new_york, login, monitor, phone, town};

const EVENING: u64 = START + 60 * DAY + 20 * HOUR;

/// Dora, whose phone is 30 ms away, and who has logged in five minutes ago.
fn dora() -> LoginMonitor {
    let mut monitor = monitor();
    town(&mut monitor, 21);
    habit(&mut monitor, "dora", 800, &phone("dora-phone"), 30);
    for back in (1..=12).rev() {
        let machine = phone("dora-phone");
        let near = Login { round_trip_ms: Some(30), ..login(&machine, &home(800)) };
        act(&mut monitor, "dora", &near, Who::Owner, EVENING - back * 300);
    }
    monitor
}

fn weight(evidence: &Evidence, feature: Feature) -> f64 {
    evidence.contributions().iter().find(|part| part.feature == feature).map_or(0.0, |part| part.weight)
}

#[test]
fn one_thing_is_different() {
    let known = phone("dora-phone");
    let other_os = Machine { os: "iOS 17", ..phone("dora-phone") };
    let older_os = Machine { os: "Android 13", ..phone("dora-phone") };
    let (new, thief) = (phone("new"), desktop("thief"));
    let at_home = home(800);
    let elsewhere = From { latitude: 48.1, longitude: 11.6, ..home(800) };
    let rows: Vec<(&str, Feature, Login<'_>, u64)> = vec![
        ("another country", Feature::Country, Login { country: Some("US"), ..login(&known, &at_home) }, EVENING),
        ("a new phone", Feature::Device, login(&new, &at_home), EVENING),
        ("four in the morning", Feature::Hour, login(&known, &at_home), EVENING + 8 * HOUR),
        ("another provider", Feature::Network, Login { network: Some(Asn(9999)), ..login(&known, &at_home) }, EVENING),
        ("a data centre", Feature::NetworkKind, Login { kind: NetworkKind::Hosting, ..login(&known, &at_home) }, EVENING),
        ("500 km away", Feature::Place, login(&known, &elsewhere), EVENING + DAY),
        ("the phone has become another make", Feature::Platform, login(&other_os, &at_home), EVENING),
        ("the phone has become older", Feature::Platform, login(&older_os, &at_home), EVENING),
        ("another household", Feature::Prefix, Login { address: [91, 200, 1, 1].into(), ..login(&known, &at_home) }, EVENING),
        ("twice as long as anyone stays away", Feature::Rhythm, login(&known, &at_home), EVENING + 9 * DAY),
        ("300 ms away", Feature::RoundTrip, Login { round_trip_ms: Some(300), ..login(&known, &at_home) }, EVENING),
        ("two places at once, on two machines", Feature::Simultaneous, login(&thief, &hotel_in_new_york()), EVENING),
        ("another continent within two hours", Feature::Travel, login(&known, &hotel_in_new_york()), EVENING + 2 * HOUR),
    ];
    let usual = dora().assess("dora", &login(&known, &at_home), UnixSeconds(EVENING)).evidence;
    for (name, feature, login, at) in rows {
        let evidence = dora().assess("dora", &login, UnixSeconds(at)).evidence;
        assert!(weight(&evidence, feature) > 0.0, "{name}: {evidence:?}");
        assert!(weight(&evidence, feature) > weight(&usual, feature), "{name}: {evidence:?}");
    }
    assert!(usual.reasons().is_empty(), "{usual:?}");
}

#[test]
fn a_faster_answer_is_no_evidence() {
    let known = phone("dora-phone");
    let fast = Login { round_trip_ms: Some(5), ..login(&known, &home(800)) };
    assert!(weight(&dora().assess("dora", &fast, UnixSeconds(EVENING)).evidence, Feature::RoundTrip) <= 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scores_are_numbers_whatever_comes(
        logins in proptest::collection::vec(
            (any::<[u8; 4]>(), any::<u32>(), 0..6_usize, -90.0..90.0_f64, -180.0..180.0_f64, 0..5_u32, any::<u32>(), any::<Option<u16>>()),
            1..60,
        ),
    ) {
        let mut monitor = monitor();
        for (address, asn, kind, latitude, longitude, name, at, round_trip_ms) in logins {
            let name = format!("m{name}");
            let login = Login {
                address: address.into(),
                network: Some(Asn(asn)),
                country: Some("XX"),
                kind: NetworkKind::ALL.get(kind).copied().unwrap_or(NetworkKind::Unknown),
                position: countersign_risk::geo::Position::new(latitude, longitude, 10.0).ok(),
                device: DeviceName::Claimed(&name),
                os: &name,
                client: "",
                form: "",
                round_trip_ms,
            };
            let who = if at % 3 == 0 { Who::Attacker } else { Who::Owner };
            let assessment = act(&mut monitor, "anyone", &login, who, u64::from(at));
            prop_assert!(assessment.evidence.total().is_finite());
            prop_assert!(assessment.evidence.total().abs() < 40.0);
        }
    }

    #[test]
    fn a_device_never_seen_raises_the_ratio(seed in any::<u64>(), logins in 1..40_u64) {
        let mut monitor = monitor();
        town(&mut monitor, seed);
        habit(&mut monitor, "erna", 900, &phone("erna-phone"), logins);
        let (known, new) = (phone("erna-phone"), phone("never-seen"));
        let of = |machine: &Machine| monitor.clone().assess("erna", &login(machine, &home(900)), UnixSeconds(EVENING)).evidence;
        prop_assert!(weight(&of(&new), Feature::Device) > 0.0);
        prop_assert!(of(&new).total() > of(&known).total());
    }
}
