//! `evaluate stream`: numeric rows, label last, against the outlier model.

use crate::input::{EvaluateError, Lines};
use crate::tally::{Attack, Report, Scored, Tally};
use countersign_risk::{OutlierModel, RowOf, StreamRefusal};
use std::path::Path;
use std::time::Duration;

/// Seed that makes an evaluation repeatable; a server draws its own.
const SEED: u64 = 1;

/// Scores every row before it is learned, in the order of the file. `clock` returns the time that has passed since a fixed moment.
///
/// The first line names the columns. The last column is the label (`0` is ordinary) and is taken off before scoring.
///
/// # Errors
/// An error when the file cannot be read or a line does not fit the first.
pub fn run(input: &Path, clock: &dyn Fn() -> Duration) -> Result<Report, EvaluateError> {
    let mut lines = Lines::open(input)?;
    let mut line = String::new();
    if !lines.next_into(&mut line)? {
        return Err(lines.empty());
    }
    let mut names: Vec<String> = line.split(',').map(|name| name.trim().to_owned()).collect();
    names.pop();
    let mut model = OutlierModel::new(names, SEED).map_err(|refusal| lines.wrong(refusal.to_string()))?;
    let mut tally = Tally::default();
    let mut row = Vec::new();
    let (mut seen, mut episodes, mut in_attack) = (0_usize, 0_usize, false);
    while lines.next_into(&mut line)? {
        let attack = parse(&line, &mut row).map_err(|problem| lines.wrong(problem))?;
        if attack && !in_attack {
            episodes = episodes.saturating_add(1);
        }
        in_attack = attack;
        let began = clock();
        let score = score_then_learn(&mut model, &row).map_err(|refusal| lines.wrong(refusal.to_string()))?;
        let took = clock().saturating_sub(began);
        let depth = usize::from(seen >= 1000).saturating_add(usize::from(seen >= 10_000));
        let attack = attack.then_some(Attack { class: 0, episode: episodes });
        tally.add(Scored { score, attack, depth }, took);
        seen = seen.saturating_add(1);
    }
    if seen == 0 {
        return Err(lines.empty());
    }
    let depths = ["first 1,000 rows", "first 10,000 rows", "later rows"];
    Ok(tally.report(&["outlier".to_owned()], &depths, model.bytes(), 1))
}

fn score_then_learn(model: &mut OutlierModel, row: &[f64]) -> Result<f64, StreamRefusal> {
    let score = model.score(row)?.score;
    model.learn(row, RowOf::Anyone)?;
    Ok(score)
}

/// Puts the values of a line into `row`, and tells whether its label means an outlier.
fn parse(line: &str, row: &mut Vec<f64>) -> Result<bool, String> {
    row.clear();
    for field in line.split(',') {
        row.push(field.trim().parse().map_err(|_| format!("`{field}` is not a number"))?);
    }
    match row.pop() {
        Some(label) if label.is_finite() => Ok(label != 0.0),
        Some(_) | None => Err("the label is not a number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let rows: &[(&str, Result<(bool, Vec<f64>), String>)] = &[
            ("1,2.5,0", Ok((false, vec![1.0, 2.5]))),
            ("-1e3, 2 ,1", Ok((true, vec![-1000.0, 2.0]))),
            ("1,2.5,1.0", Ok((true, vec![1.0, 2.5]))),
            ("1,,0", Err("`` is not a number".to_owned())),
            ("1,2,NaN", Err("the label is not a number".to_owned())),
            ("1,2,yes", Err("`yes` is not a number".to_owned())),
        ];
        for (line, expected) in rows {
            let mut row = Vec::new();
            assert_eq!(parse(line, &mut row).map(|label| (label, row)), *expected, "{line}");
        }
    }

    #[test]
    fn an_outlier_is_found_and_a_broken_file_is_not_read() {
        let usual = (0..500).map(|n| format!("{},{},0\n", n % 7, n % 5)).collect::<String>();
        let rows: &[(&str, String, Result<f64, &str>)] = &[
            ("one outlier", format!("a,b,label\n{usual}900,900,1\n"), Ok(1.0)),
            ("only the heading", "a,b,label\n".to_owned(), Err("holds no events")),
            ("empty", String::new(), Err("holds no events")),
            ("no column but the label", "label\n0\n".to_owned(), Err("line 1")),
            ("too short a row", format!("a,b,label\n{usual}1,0\n"), Err("line 502")),
            ("an infinite value", format!("a,b,label\n{usual}inf,1,0\n"), Err("line 502")),
            ("a word", format!("a,b,label\n{usual}x,1,0\n"), Err("`x` is not a number")),
        ];
        for (name, text, expected) in rows {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            match (run(file.path(), &|| Duration::ZERO), expected) {
                (Ok(report), Ok(auc)) => assert_eq!(report.curve.auc, Some(*auc), "{name}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
    }
}
