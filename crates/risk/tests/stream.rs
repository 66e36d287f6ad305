//! The outlier model: distances, refusals, and how fast one subject may move the sample.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use countersign_risk::{OutlierModel, RowOf, SnapshotRefusal, StreamRefusal};

/// Numbers that look random and are the same on every machine.
struct Noise(u64);

impl Noise {
    /// A number in 0.0..1.0.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / 4_294_967_296.0
    }
}

/// Amount around 50, hour around 12, and a flag that never changes.
fn ordinary(noise: &mut Noise) -> [f64; 3] {
    [40.0 + 20.0 * noise.next(), 10.0 + 4.0 * noise.next(), 7.0]
}

fn names() -> Vec<String> {
    ["amount", "hour", "flag"].map(str::to_owned).to_vec()
}

fn trained(rows: u32) -> OutlierModel {
    let (mut model, mut noise) = (OutlierModel::new(names(), 9).unwrap(), Noise(1));
    for n in 0..rows {
        model.learn(&ordinary(&mut noise), RowOf::Subject(u64::from(n % 100))).unwrap();
    }
    model
}

#[test]
fn what_is_far_scores_high_and_says_where() {
    let model = trained(5000);
    // Name, row, score from .. to, the column that says most.
    let rows: &[(&str, [f64; 3], f64, f64, Option<&str>)] = &[
        ("the middle", [50.0, 12.0, 7.0], 0.0, 0.5, None),
        ("a corner", [59.0, 13.8, 7.0], 0.0, 1.0, None),
        ("a large amount", [90.0, 12.0, 7.0], 1.5, 3.0, Some("amount")),
        ("an absurd amount is one column's word", [1e300, 12.0, 7.0], 3.0, 3.5, Some("amount")),
        ("the largest number", [f64::MAX, 12.0, 7.0], 3.0, 3.5, Some("amount")),
        ("at night", [50.0, 3.0, 7.0], 1.5, 3.0, Some("hour")),
        ("a flag that never was", [50.0, 12.0, 7.1], 3.0, 3.5, Some("flag")),
        ("everything at once", [-1e9, 1e9, 0.0], 9.0, 9.0, Some("amount")),
    ];
    for (name, row, from, to, loudest) in rows {
        let answer = model.score(row).unwrap();
        assert!((*from..=*to).contains(&answer.score), "{name}: {}", answer.score);
        let sum: f64 = answer.contributions.iter().map(|c| c.weight).sum();
        assert!((sum - answer.score).abs() < 1e-9, "{name}: {sum} is not {}", answer.score);
        if let Some(loudest) = loudest {
            let most = answer.contributions.iter().fold(answer.contributions[0], |a, b| if b.weight > a.weight { *b } else { a });
            assert_eq!(most.name, *loudest, "{name}");
            assert!(answer.tail < 0.02, "{name}: {}", answer.tail);
        } else {
            assert!(answer.tail > 0.02, "{name}: {}", answer.tail);
        }
    }
}

#[test]
fn nothing_is_unusual_before_32_rows() {
    for (rows, known) in [(0, false), (31, false), (32, true)] {
        let model = trained(rows);
        let answer = model.score(&[1e9, 1e9, 1e9]).unwrap();
        assert_eq!(answer.score > 0.0, known, "{rows} rows");
        assert_eq!(answer.contributions.len(), 3);
        assert_eq!(answer.tail < 1.0, known, "{rows} rows");
    }
}

#[test]
fn what_is_no_row_is_refused() {
    let rows: &[(&str, &[f64], StreamRefusal)] = &[
        ("not a number", &[1.0, f64::NAN, 1.0], StreamRefusal::NotFinite { column: 1 }),
        ("infinite", &[f64::INFINITY, 1.0, 1.0], StreamRefusal::NotFinite { column: 0 }),
        ("minus infinite", &[1.0, 1.0, f64::NEG_INFINITY], StreamRefusal::NotFinite { column: 2 }),
        ("too short", &[1.0, 1.0], StreamRefusal::Width),
        ("too long", &[1.0; 4], StreamRefusal::Width),
        ("empty", &[], StreamRefusal::Width),
    ];
    let mut model = trained(100);
    let before = model.clone();
    for (name, row, expected) in rows {
        assert_eq!(model.score(row).unwrap_err(), *expected, "{name}");
        assert_eq!(model.learn(row, RowOf::Anyone).unwrap_err(), *expected, "{name}");
    }
    assert_eq!(model, before);
    let widths: &[(&str, Vec<String>, bool)] = &[
        ("no column", vec![], false),
        ("one", vec!["a".to_owned()], true),
        ("256", vec!["a".to_owned(); 256], true),
        ("257", vec!["a".to_owned(); 257], false),
        ("a name of 128 bytes", vec!["a".repeat(128)], true),
        ("a name of 129 bytes", vec!["a".repeat(129)], false),
    ];
    for (name, columns, fits) in widths {
        let made = OutlierModel::new(columns.clone(), 1);
        assert_eq!(made.err(), (!fits).then_some(StreamRefusal::Columns), "{name}");
    }
}

#[test]
fn one_subject_cannot_make_itself_usual() {
    let odd = [500.0, 3.0, 7.0];
    let before = trained(5000).score(&odd).unwrap().score;
    // Name, whose, how many, whether it is still far.
    let rows: &[(&str, RowOf, u32, bool)] = &[
        ("a subject, a day", RowOf::Subject(1_000_000), 1_000, true),
        ("a subject, for ever", RowOf::Subject(1_000_000), 100_000, true),
        ("everybody, a burst", RowOf::Anyone, 200, true),
        ("everybody, for ever: it is usual then", RowOf::Anyone, 100_000, false),
    ];
    for (name, of, times, far) in rows {
        let mut model = trained(5000);
        for _ in 0..*times {
            model.learn(&odd, *of).unwrap();
        }
        let after = model.score(&odd).unwrap().score;
        assert_eq!(after > 0.9 * before, *far, "{name}: {before}, then {after}");
    }
}

#[test]
fn a_drift_of_two_percent_a_day_is_noticed_at_its_end() {
    // One of a hundred subjects moves its amounts by 2 % a day, for 30 days.
    let (mut model, mut noise) = (trained(5000), Noise(2));
    let mut factor = 1.0;
    for _day in 0..30 {
        factor *= 1.02;
        for n in 0..100_u64 {
            let mut row = ordinary(&mut noise);
            if n == 0 {
                row[0] *= factor;
            }
            model.learn(&row, RowOf::Subject(n)).unwrap();
        }
    }
    let (honest, drifted) = (model.score(&[50.0, 12.0, 7.0]).unwrap().score, model.score(&[50.0 * factor, 12.0, 7.0]).unwrap().score);
    assert!(drifted > honest + 1.0, "{honest} {drifted}");
}

#[test]
fn the_state_survives_a_restart() {
    let mut one = trained(3000);
    let mut two = OutlierModel::restore(&one.snapshot()).unwrap();
    assert_eq!(one, two);
    let mut noise = Noise(5);
    for _ in 0..2000 {
        let row = ordinary(&mut noise);
        assert_eq!(one.score(&row).unwrap(), two.score(&row).unwrap());
        one.learn(&row, RowOf::Anyone).unwrap();
        two.learn(&row, RowOf::Anyone).unwrap();
    }
    assert_eq!(one.snapshot(), two.snapshot());
}

#[test]
fn a_damaged_state_is_refused() {
    let good = trained(40).snapshot();
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        assert!(OutlierModel::restore(&bytes).is_err(), "byte {at}");
    }
    assert_eq!(OutlierModel::restore(&good[..good.len() - 1]).unwrap_err(), SnapshotRefusal::Length);
    assert_eq!(OutlierModel::restore(&[]).unwrap_err(), SnapshotRefusal::Length);
}

#[test]
fn memory_is_bounded() {
    let empty = trained(0);
    let full = trained(50_000);
    assert_eq!(empty.bytes(), full.bytes());
    assert!(full.bytes() < 10 * 1024 + 600, "{}", full.bytes());
    assert_eq!(trained(300).snapshot().len(), full.snapshot().len());
}

#[test]
fn the_numbers_are_the_same_everywhere() {
    let model = trained(5000);
    let scores: Vec<u64> =
        [[50.0, 12.0, 7.0], [90.0, 12.0, 7.0], [50.0, 3.0, 7.0]].iter().map(|row| model.score(row).unwrap().score.to_bits()).collect();
    assert_eq!(scores, PINNED);
}

/// The bits of the scores, which must be the same on every machine.
const PINNED: [u64; 3] = [0x3FCD_4DFD_CB48_DCFA, 0x4003_CE0D_89E7_95A0, 0x4003_AB75_9D1C_C1E0];
