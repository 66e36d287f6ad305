//! Whatever comes, nothing panics, and every answer is a number that its contributions explain.

use countersign_risk::{Contribution, EdgeModel, History, Operation, OutlierModel, Population, RowOf};
use proptest::prelude::*;

fn explains(contributions: &[Contribution<'_>], score: f64) -> bool {
    let sum: f64 = contributions.iter().map(|part| part.weight).sum();
    sum.is_finite() && (sum - score).abs() <= 1e-9 * score.abs().max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows(rows in prop::collection::vec((prop::num::f64::ANY, prop::num::f64::NORMAL), 1..600), seed: u64) {
        let mut model = OutlierModel::new(vec!["a".to_owned(), "b".to_owned()], seed).unwrap();
        for (n, (a, b)) in rows.iter().enumerate() {
            let row = [*a, *b];
            match model.score(&row) {
                Ok(answer) => {
                    prop_assert!((0.0..=6.0).contains(&answer.score), "{}", answer.score);
                    prop_assert!(explains(&answer.contributions, answer.score));
                    prop_assert!(answer.tail > 0.0 && answer.tail <= 1.0);
                    let of = if n % 2 == 0 { RowOf::Anyone } else { RowOf::Subject(seed % 3) };
                    prop_assert!(model.learn(&row, of).is_ok());
                }
                Err(_) => prop_assert!(!a.is_finite()),
            }
        }
        prop_assert_eq!(OutlierModel::restore(&model.snapshot()), Ok(model));
    }

    #[test]
    fn edges(events in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u64>()), 1..200), seed: [u64; 2]) {
        let mut model = EdgeModel::new(seed);
        for (source, destination, tick) in events {
            let answer = model.observe(&[source % 8], &[destination % 8], tick);
            prop_assert!(answer.score >= 0.0 && explains(&answer.contributions, answer.score), "{answer:?}");
        }
        prop_assert_eq!(EdgeModel::restore(&model.snapshot()), Ok(model));
    }

    #[test]
    fn sequences(blocks in prop::collection::vec(prop::collection::vec(0..50_u8, 0..60), 1..20), learned_by_all: bool) {
        let (mut population, mut history) = (Population::new(), History::new());
        for block in blocks {
            let block: Vec<_> = block.iter().map(|n| Operation::named(&n.to_string())).collect();
            let answer = population.score(&history, &block);
            prop_assert!(explains(&answer.contributions, answer.score), "{answer:?}");
            // A history may know what the population does not: nodes exchange them apart.
            history.learn(&block);
            if learned_by_all {
                population.learn(&block);
            }
        }
        prop_assert_eq!(History::restore(&history.snapshot()), Ok(history));
        prop_assert_eq!(Population::restore(&population.snapshot()), Ok(population));
    }

    #[test]
    fn populations_join_in_any_order(parts in prop::collection::vec(prop::collection::vec(0..50_u8, 0..200), 3)) {
        let learned: Vec<Population> = parts
            .iter()
            .map(|part| {
                let mut population = Population::new();
                population.learn(&part.iter().map(|n| Operation::named(&n.to_string())).collect::<Vec<_>>());
                population
            })
            .collect();
        let join = |order: &[usize]| {
            let mut joined = Population::new();
            order.iter().for_each(|at| joined.merge(&learned[*at]));
            joined
        };
        let all = join(&[0, 1, 2]);
        prop_assert_eq!(&join(&[2, 0, 1, 1, 0]), &all);
        prop_assert!(learned.iter().all(|part| part.depth() <= all.depth()));
        prop_assert_eq!(Population::restore(&all.snapshot()), Ok(all));
    }

    #[test]
    fn snapshots_of_noise(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(OutlierModel::restore(&bytes).is_err());
        prop_assert!(EdgeModel::restore(&bytes).is_err());
        prop_assert!(History::restore(&bytes).is_err());
        prop_assert!(Population::restore(&bytes).is_err());
    }
}
