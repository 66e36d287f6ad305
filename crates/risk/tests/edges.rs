//! The edge model: floods, sweeps, ordinary traffic, and how fast one source may move the model.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use countersign_risk::{EdgeModel, EdgeScore, SnapshotRefusal};

/// Twenty people who use five operations, each of them once or twice a tick.
fn lived(ticks: u64) -> EdgeModel {
    let mut model = EdgeModel::new([3, 4]);
    live(&mut model, 0, ticks);
    model
}

fn live(model: &mut EdgeModel, from: u64, ticks: u64) {
    for tick in from..from + ticks {
        for person in 0..20_u64 {
            for operation in 0..5_u64 {
                for _ in 0..=((person + operation + tick) % 2) {
                    event(model, person, operation, tick);
                }
            }
        }
    }
}

fn event(model: &mut EdgeModel, source: u64, destination: u64, tick: u64) -> EdgeScore {
    model.observe(format!("person-{source}").as_bytes(), format!("operation-{destination}").as_bytes(), tick)
}

#[test]
fn floods_and_sweeps_score_high_and_say_what_they_are() {
    /// The score at tick 500 after 500 ordinary ticks; the last event is the one that is scored.
    type Story = fn(&mut EdgeModel) -> EdgeScore;
    let rows: &[(&str, Story, f64, f64, &str)] = &[
        ("an ordinary event", |m| event(m, 1, 1, 500), 0.0, 4.0, "burst_of_edge"),
        ("the second in its tick", |m| repeat(m, 1, 1, 2), 0.0, 5.0, "burst_of_edge"),
        ("a flood on one edge", |m| repeat(m, 1, 1, 500), 10.0, 20.0, "burst_of_edge"),
        ("ten times the flood", |m| repeat(m, 1, 1, 5000), 14.0, 25.0, "burst_of_edge"),
        ("a source that touches everything", |m| (100..400).map(|d| event(m, 1, d, 500)).last().unwrap(), 12.0, 25.0, "fan_out_of_source"),
        ("many sources, one operation", |m| (100..600).map(|s| event(m, s, 1, 500)).last().unwrap(), 10.0, 25.0, "burst_of_destination"),
        ("a newcomer's first event", |m| event(m, 999, 1, 500), 2.0, 8.0, "burst_of_edge"),
    ];
    for (name, story, from, to, loudest) in rows {
        let answer = story(&mut lived(500));
        assert!((*from..=*to).contains(&answer.score), "{name}: {answer:?}");
        assert_eq!(answer.contributions[0].name, *loudest, "{name}: {answer:?}");
        let sum: f64 = answer.contributions.iter().map(|c| c.weight).sum();
        assert!((sum - answer.score).abs() < 1e-9, "{name}");
    }
}

fn repeat(model: &mut EdgeModel, source: u64, destination: u64, times: u64) -> EdgeScore {
    (0..times).map(|_| event(model, source, destination, 500)).last().unwrap()
}

#[test]
fn a_flood_does_not_make_itself_usual() {
    let mut model = lived(500);
    let mut last = Vec::new();
    for tick in 500..520 {
        last.push((0..2000).map(|_| event(&mut model, 1, 1, tick).score).last().unwrap());
    }
    let (first, twentieth) = (last[0], last[19]);
    assert!(twentieth > first - 2.0 && twentieth > 12.0, "{first}, then {twentieth}");
}

#[test]
fn growth_that_lasts_becomes_usual() {
    let mut model = lived(500);
    let answers: Vec<f64> = (500..3000).map(|tick| (0..6).map(|_| event(&mut model, 1, 1, tick).score).last().unwrap()).collect();
    assert!(answers[0] > answers[2499] + 0.5, "{} then {}", answers[0], answers[2499]);
}

#[test]
fn a_drift_of_two_percent_a_day_hides_no_flood() {
    // A person's traffic grows by 2 % a day for thirty days of 24 ticks; then comes a flood, and then an ordinary event.
    let (mut drifted, mut honest) = (lived(100), lived(100));
    let mut per_tick = 10.0_f64;
    for tick in 100..820 {
        per_tick *= if tick % 24 == 0 { 1.02 } else { 1.0 };
        for (model, times) in [(&mut drifted, per_tick), (&mut honest, 10.0)] {
            live(model, tick, 1);
            let mut sent = 0.0;
            while sent < times {
                event(model, 1, 1, tick);
                sent += 1.0;
            }
        }
    }
    let mut after = [&mut drifted, &mut honest].into_iter().map(|model| {
        live(model, 820, 1);
        (0..1000).map(|_| event(model, 1, 1, 820).score).last().unwrap()
    });
    let (drifted, honest) = (after.next().unwrap(), after.next().unwrap());
    assert!(drifted > honest - 1.0 && drifted > 9.0, "{drifted}, without the drift {honest}");
}

#[test]
fn a_late_event_counts_now() {
    let (mut one, mut two) = (lived(50), lived(50));
    assert_eq!(event(&mut one, 1, 1, 10), event(&mut two, 1, 1, 49));
    assert_eq!(one, two);
}

#[test]
fn ticks_may_start_anywhere_and_end_at_the_last() {
    let (mut early, mut late) = (EdgeModel::new([3, 4]), EdgeModel::new([3, 4]));
    for tick in 0..100 {
        assert_eq!(event(&mut early, 1, tick % 3, tick), event(&mut late, 1, tick % 3, tick + 1_000_000_000));
    }
    for tick in [u64::MAX - 1, u64::MAX] {
        assert!(event(&mut late, 1, 1, tick).score.is_finite());
    }
}

#[test]
fn the_state_survives_a_restart() {
    let mut one = lived(50);
    let mut two = EdgeModel::restore(&one.snapshot()).unwrap();
    assert_eq!(one, two);
    for n in 0..1000 {
        assert_eq!(event(&mut one, n % 30, n % 7, 50 + n / 100), event(&mut two, n % 30, n % 7, 50 + n / 100));
    }
    assert_eq!(one.snapshot(), two.snapshot());
    let empty = EdgeModel::new([1, 2]);
    assert_eq!(EdgeModel::restore(&empty.snapshot()), Ok(empty));
}

#[test]
fn a_damaged_state_is_refused() {
    let good = lived(5).snapshot();
    for at in (0..good.len()).step_by(40_009) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(EdgeModel::restore(&bytes).is_err(), "byte {at}");
    }
    assert!(EdgeModel::restore(&good[..good.len() - 1]).is_err());
    assert_eq!(EdgeModel::restore(b"CSRK").unwrap_err(), SnapshotRefusal::Length);
}

#[test]
fn memory_is_the_same_whoever_comes() {
    let mut model = EdgeModel::new([3, 4]);
    let before = model.snapshot().len();
    for n in 0..100_000 {
        event(&mut model, n, n * 7, n / 100);
    }
    assert_eq!(model.snapshot().len(), before);
    assert_eq!(EdgeModel::BYTES, 786_592);
}

#[test]
fn the_numbers_are_the_same_everywhere() {
    let mut model = lived(300);
    let scores: Vec<u64> = [(1, 1), (1, 1), (999, 1), (1, 77)].map(|(s, d)| event(&mut model, s, d, 300).score.to_bits()).to_vec();
    assert_eq!(scores, PINNED);
}

/// The bits of the scores, which must be the same on every machine.
const PINNED: [u64; 4] = [0x0000_0000_0000_0000, 0x3FD0_28FA_90F4_EA64, 0x401B_4CB8_8174_C434, 0x4012_95EA_7813_962E];
