//! Runs of operations: their scores, what is learned, and how fast one person may move the model.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use countersign_risk::{Familiarity, History, Operation, Population, SequenceScore, SnapshotRefusal};

/// The habit of a person: a round of operations, with a detour now and then.
fn block(person: usize, number: usize) -> Vec<Operation> {
    (0..100).map(|n| operation(habit(person, number, n))).collect()
}

/// Everybody starts with `open`; then each has ways of their own through forty operations.
fn habit(person: usize, number: usize, n: usize) -> usize {
    match n % 10 {
        0 => 0,
        7 => 1 + (number * 31 + n) % 12,
        step => 1 + (person * 7 + step * (person + 2)) % 40,
    }
}

fn operation(n: usize) -> Operation {
    Operation::named(&format!("operation-{n}"))
}

/// Ten people with thirty blocks each.
fn town() -> (Population, Vec<History>) {
    let (mut population, mut histories) = (Population::new(), vec![History::new(); 10]);
    for (person, history) in histories.iter_mut().enumerate() {
        for number in 0..30 {
            history.learn(&block(person, number));
            population.learn(&block(person, number));
        }
    }
    (population, histories)
}

fn weight(score: &SequenceScore, name: &str) -> f64 {
    score.contributions.iter().find(|c| c.name == name).unwrap().weight
}

#[test]
fn whose_block_it_is() {
    let (population, histories) = town();
    let stuck = |n: usize| vec![operation(n); 100];
    let reversed = || block(0, 50).into_iter().rev().collect::<Vec<_>>();
    let rows: Vec<(&str, Vec<Operation>, Familiarity)> = vec![
        ("the person's own", block(0, 50), Familiarity::Familiar),
        ("another person's", block(5, 50), Familiarity::Strange),
        ("a third person's", block(7, 50), Familiarity::Strange),
        ("nobody's operations", (1000..1100).map(operation).collect(), Familiarity::Strange),
        ("what everybody does", stuck(0), Familiarity::Strange),
        ("one operation nobody ever did", stuck(5000), Familiarity::Strange),
        ("the own operations, backwards", reversed(), Familiarity::Strange),
        ("nothing at all", vec![], Familiarity::Strange),
    ];
    for (name, block, expected) in rows {
        let answer = population.score(&histories[0], &block);
        assert_eq!(answer.familiarity(), expected, "{name}: {answer:?}");
        assert_eq!(answer.operations, block.len(), "{name}");
        let sum: f64 = answer.contributions.iter().map(|c| c.weight).sum();
        assert!((sum - answer.score).abs() < 1e-9, "{name}");
    }
}

#[test]
fn everybody_is_told_from_everybody() {
    let (population, histories) = town();
    for (person, history) in histories.iter().enumerate() {
        let own = population.score(history, &block(person, 60)).score;
        for other in (0..10).filter(|other| *other != person) {
            let strange = population.score(history, &block(other, 60)).score;
            assert!(strange > own + 50.0, "{other} as {person}: {strange}, own {own}");
        }
    }
}

#[test]
fn what_was_never_done_speaks_against_the_person() {
    let (population, histories) = town();
    let own = block(0, 50);
    for (name, intruder) in [("others do it", foreign(&histories[0], &population)), ("nobody does it", operation(777))] {
        let mut with = own.clone();
        with[50] = intruder;
        let (before, after) = (population.score(&histories[0], &own), population.score(&histories[0], &with));
        assert!(after.score > before.score + 1.0, "{name}: {before:?} {after:?}");
        assert!(weight(&after, "new_operations") + weight(&after, "new_steps") > 1.0, "{name}: {after:?}");
    }
}

/// An operation of the town that this person never did.
fn foreign(history: &History, population: &Population) -> Operation {
    let never = |n: &usize| weight(&population.score(history, &[operation(*n)]), "new_operations") > 0.0;
    operation((1..41).find(never).unwrap())
}

#[test]
fn a_stranger_to_the_system_is_no_alarm() {
    let (population, _) = town();
    for (name, population) in [("a lively town", population), ("nobody yet", Population::new())] {
        let answer = population.score(&History::new(), &block(3, 1));
        assert_eq!(answer.score, 0.0, "{name}: {answer:?}");
        assert_eq!(answer.familiarity(), Familiarity::Familiar, "{name}");
    }
}

#[test]
fn a_stranger_learns_into_a_history() {
    let (mut population, _) = town();
    let mut history = History::new();
    let first = population.score(&history, &block(11, 0)).score;
    for number in 0..10 {
        history.learn(&block(11, number));
        population.learn(&block(11, number));
    }
    let later = population.score(&history, &block(11, 10)).score;
    assert!(later < first - 20.0, "{first}, then {later}");
    assert_eq!(history.depth(), 1000);
}

/// Probability that one of the thief's blocks looks stranger than one of the person's own.
fn area(population: &Population, history: &History) -> f64 {
    let scores = |person| (200..230).map(|n| population.score(history, &block(person, n)).score).collect::<Vec<_>>();
    let (own, thief) = (scores(0), scores(5));
    let above = thief.iter().flat_map(|t| own.iter().filter(move |o| t > *o)).count();
    f64::from(u32::try_from(above).unwrap()) / 900.0
}

#[test]
fn a_drift_of_two_percent_a_day_costs_no_area() {
    let (mut population, mut histories) = town();
    let before = area(&population, &histories[0]);
    for day in 1..=30 {
        // A block a day, of which two more operations are the thief's every day.
        let (mut mixed, theirs) = (block(0, 100 + day), block(5, 100 + day));
        mixed[..2 * day].copy_from_slice(&theirs[..2 * day]);
        if population.score(&histories[0], &mixed).familiarity() == Familiarity::Familiar {
            histories[0].learn(&mixed);
            population.learn(&mixed);
        }
    }
    let after = area(&population, &histories[0]);
    assert!(before - after <= 0.05, "{before}, then {after}");
}

#[test]
fn what_may_be_learned() {
    // Name, evidence, operations, strange steps, whether the block may enter the history.
    let rows: &[(&str, f64, usize, usize, Familiarity)] = &[
        ("like the person", -300.0, 100, 0, Familiarity::Familiar),
        ("hardly unlike", 14.9, 100, 0, Familiarity::Familiar),
        ("a little unlike", 15.0, 100, 0, Familiarity::Strange),
        ("the same evidence over more operations", 15.0, 101, 0, Familiarity::Familiar),
        ("half of it strange", -300.0, 100, 50, Familiarity::Familiar),
        ("more than half strange, hidden behind loud habits", -300.0, 100, 51, Familiarity::Strange),
        ("no evidence, because nothing is known", 0.0, 1, 0, Familiarity::Familiar),
        ("nothing to learn", 0.0, 0, 0, Familiarity::Strange),
    ];
    let (population, histories) = town();
    let template = population.score(&histories[0], &[]);
    for (name, score, operations, strange_steps, expected) in rows {
        let answer = SequenceScore { score: *score, operations: *operations, strange_steps: *strange_steps, ..template };
        assert_eq!(answer.familiarity(), *expected, "{name}");
    }
}

#[test]
fn the_state_survives_a_restart() {
    let (population, histories) = town();
    assert_eq!(Population::restore(&population.snapshot()), Ok(population));
    for history in histories {
        assert_eq!(History::restore(&history.snapshot()), Ok(history));
    }
}

#[test]
fn a_damaged_state_is_refused() {
    let (population, histories) = town();
    let (everybody, one) = (population.snapshot(), histories[0].snapshot());
    for at in 0..one.len() {
        let mut bytes = one.clone();
        bytes[at] ^= 2;
        assert!(History::restore(&bytes).is_err(), "byte {at}");
    }
    for at in 0..everybody.len() {
        let mut bytes = everybody.clone();
        bytes[at] ^= 2;
        assert!(Population::restore(&bytes).is_err(), "byte {at}");
    }
    // A state of the other kind is intact, and still the wrong one.
    assert_eq!(History::restore(&everybody), Err(SnapshotRefusal::Magic));
    assert_eq!(Population::restore(&one), Err(SnapshotRefusal::Magic));
}

#[test]
fn memory_is_bounded() {
    let (mut population, mut history) = (Population::new(), History::new());
    for number in 0..3000 {
        let chaos: Vec<_> = (0..100).map(|n| operation((number * 7919 + n * 104_729) % 50_000)).collect();
        history.learn(&chaos);
        population.learn(&chaos);
        assert!(history.depth() < 16_384);
    }
    assert!(history.bytes() <= 9 * 1024 + 512, "{}", history.bytes());
    assert!(population.snapshot().len() < 4096 * 16 + 65_536 * 12 + 64, "{}", population.snapshot().len());
    let mut modest = History::new();
    (0..50).for_each(|number| modest.learn(&block(3, number)));
    assert!(modest.bytes() < 1024, "{}", modest.bytes());
}

#[test]
fn the_numbers_are_the_same_everywhere() {
    let (population, histories) = town();
    let scores: Vec<u64> =
        [block(0, 50), block(5, 50)].iter().map(|block| population.score(&histories[0], block).score.to_bits()).collect();
    assert_eq!(scores, PINNED);
}

/// The bits of the scores, which must be the same on every machine.
const PINNED: [u64; 2] = [0xC080_A7C8_265A_F4C8, 0x4070_53FC_7923_2FC3];
