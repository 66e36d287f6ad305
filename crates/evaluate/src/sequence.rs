//! `evaluate sequence`: blocks of commands, some typed by another person, against histories.

use crate::input::{EvaluateError, Lines};
use crate::tally::{Attack, Report, Scored, Tally};
use countersign_core::Limits;
use countersign_risk::{Familiarity, History, Operation, Population};
use std::path::Path;
use std::time::Duration;

/// Number of commands at the beginning that are known to be the person's own.
const TRAINING: usize = 5000;
/// Number of commands in a block.
const BLOCK: usize = 100;

/// Trains on the first 5,000 commands of everybody, then scores block after block: everybody's first, everybody's second and so on. `clock`
/// returns the time that has passed since a fixed moment.
///
/// `input` has one line per person: names separated by spaces. `labels` has one line per block and one column per person, `1` where another
/// person typed the block. The first `skip` people are part of the population, but not of the figures; `labels` may leave out their
/// columns. A block is learned, by its person's history and by the population, only when its own score allows that. No label is looked at
/// before its block is scored.
///
/// # Errors
/// An error when a file cannot be read, or the labels do not fit the people and their blocks.
pub fn run(input: &Path, labels: &Path, skip: usize, clock: &dyn Fn() -> Duration) -> Result<Report, EvaluateError> {
    let people = read_people(input)?;
    let labels = read_labels(labels)?;
    let first_column = first_column(&labels, people.len(), skip)?;
    let mut population = Population::new();
    let mut histories = Vec::with_capacity(people.len());
    for commands in &people {
        let training = commands.get(..TRAINING).unwrap_or(commands);
        let mut history = History::new();
        for block in training.chunks(BLOCK) {
            history.learn(block);
            population.learn(block);
        }
        histories.push(history);
    }
    let mut tally = Tally::default();
    let mut episodes = Episodes { running: vec![None; people.len()], count: 0 };
    for (number, row) in labels.iter().enumerate() {
        for (person, (commands, history)) in people.iter().zip(&mut histories).enumerate() {
            let from = number.saturating_mul(BLOCK).saturating_add(TRAINING);
            let Some(block) = commands.get(from..from.saturating_add(BLOCK)) else { continue };
            let depth = depth_of(history.depth());
            let began = clock();
            let score = population.score(history, block);
            match score.familiarity() {
                Familiarity::Familiar => {
                    history.learn(block);
                    population.learn(block);
                }
                Familiarity::Strange => {}
            }
            let took = clock().saturating_sub(began);
            let Some(label) = person.checked_sub(first_column).and_then(|column| row.get(column)) else { continue };
            let attack = episodes.place(person, *label);
            if person >= skip {
                tally.add(Scored { score: score.score, attack, depth }, took);
            }
        }
    }
    let state = histories.iter().map(History::bytes).sum();
    let depths = ["below 6,000 commands", "below 8,000", "below 10,000", "10,000 or more"];
    Ok(tally.report(&["masquerade".to_owned()], &depths, state, u32::try_from(BLOCK).unwrap_or(1)))
}

fn depth_of(commands: u32) -> usize {
    [6000, 8000, 10_000].iter().filter(|limit| commands >= **limit).count()
}

/// Numbers the runs of consecutive masquerade blocks.
struct Episodes {
    running: Vec<Option<usize>>,
    count: usize,
}

impl Episodes {
    fn place(&mut self, person: usize, masquerade: bool) -> Option<Attack> {
        let running = self.running.get_mut(person)?;
        if !masquerade {
            *running = None;
            return None;
        }
        let episode = running.unwrap_or_else(|| {
            self.count = self.count.saturating_add(1);
            self.count
        });
        *running = Some(episode);
        Some(Attack { class: 0, episode })
    }
}

fn read_people(path: &Path) -> Result<Vec<Vec<Operation>>, EvaluateError> {
    let mut lines = Lines::open(path)?;
    let mut line = String::new();
    let mut people = Vec::new();
    while lines.next_into(&mut line)? {
        let commands: Vec<_> = line.split_ascii_whitespace().map(Operation::named).collect();
        if commands.len() < TRAINING.saturating_add(BLOCK) {
            return Err(lines.wrong(format!("has fewer than {TRAINING} commands and one block of {BLOCK}")));
        }
        people.push(commands);
        if people.len() > Limits::COMMANDS_PEOPLE_MAX {
            return Err(lines.wrong(format!("more than {} people", Limits::COMMANDS_PEOPLE_MAX)));
        }
    }
    if people.is_empty() { Err(lines.empty()) } else { Ok(people) }
}

fn read_labels(path: &Path) -> Result<Vec<Vec<bool>>, EvaluateError> {
    let mut lines = Lines::open(path)?;
    let mut line = String::new();
    let mut rows = Vec::new();
    while lines.next_into(&mut line)? {
        let row = line.split_ascii_whitespace().map(|label| match label {
            "0" => Ok(false),
            "1" => Ok(true),
            other => Err(lines.wrong(format!("`{other}` is neither 0 nor 1"))),
        });
        rows.push(row.collect::<Result<Vec<_>, _>>()?);
    }
    if rows.is_empty() { Err(lines.empty()) } else { Ok(rows) }
}

/// Finds the person of the first column: the labels are everybody's, or those of all who are not skipped.
fn first_column(labels: &[Vec<bool>], people: usize, skip: usize) -> Result<usize, EvaluateError> {
    let columns = labels.first().map_or(0, Vec::len);
    if labels.iter().any(|row| row.len() != columns) {
        return Err(EvaluateError::Labels("the lines of labels differ in length".to_owned()));
    }
    if columns == people && skip < people {
        return Ok(0);
    }
    if people.checked_sub(skip) == Some(columns) && columns > 0 {
        return Ok(skip);
    }
    Err(EvaluateError::Labels(format!("{columns} columns of labels fit neither {people} people nor those after the first {skip}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_labels() {
        let rows: &[(&str, usize, usize, usize, Option<usize>)] = &[
            ("everybody's", 50, 50, 0, Some(0)),
            ("everybody's, some skipped", 50, 50, 30, Some(0)),
            ("only of those not skipped", 20, 50, 30, Some(30)),
            ("one too few", 19, 50, 30, None),
            ("everybody skipped", 50, 50, 50, None),
            ("more skipped than there are", 20, 50, 51, None),
        ];
        for (name, columns, people, skip, expected) in rows {
            assert_eq!(first_column(&[vec![false; *columns]], *people, *skip).ok(), *expected, "{name}");
        }
        assert!(first_column(&[vec![false], vec![false, true]], 1, 0).is_err());
    }

    /// A person who does the same round of ten commands for ever, except in the blocks that are said to be a thief's.
    fn person(number: usize, stolen: &[usize]) -> String {
        let command = |n: usize| {
            let thief = n >= TRAINING && stolen.contains(&((n - TRAINING) / BLOCK));
            format!("c{}", if thief { (number + 1) * 10 + n % 10 } else { number * 10 + (n * n) % 10 })
        };
        (0..TRAINING + 4 * BLOCK).map(command).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_masquerade_is_found_and_broken_files_are_not_read() {
        let people = [person(0, &[]), person(1, &[2, 3]), person(2, &[1])].join("\n");
        let short = "ls ".repeat(5099);
        let rows: &[(&str, &str, &str, usize, Result<(usize, usize), &str>)] = &[
            ("everybody", &people, "0 0 0\n0 0 1\n0 1 0\n0 1 0\n", 0, Ok((12, 3))),
            ("but the first", &people, "0 0 0\n0 0 1\n0 1 0\n0 1 0\n", 1, Ok((8, 3))),
            ("labels of the last only", &people, "0\n1\n0\n0\n", 2, Ok((4, 1))),
            ("labels of nobody known", &people, "0 1\n", 0, Err("2 columns of labels")),
            ("labels of different length", &people, "0 1 0\n0 1\n", 0, Err("differ in length")),
            ("labels that say maybe", &people, "0 2 0\n", 0, Err("neither 0 nor 1")),
            ("no labels", &people, "", 0, Err("holds no events")),
            ("nobody", "", "0\n", 0, Err("holds no events")),
            ("a short history", &short, "0\n", 0, Err("fewer than")),
        ];
        for (name, people, labels, skip, expected) in rows {
            let files = [tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap()];
            std::fs::write(files[0].path(), people).unwrap();
            std::fs::write(files[1].path(), labels).unwrap();
            match (run(files[0].path(), files[1].path(), *skip, &|| Duration::ZERO), expected) {
                (Ok(report), Ok(figures)) => {
                    assert_eq!((report.events, report.attacks), *figures, "{name}");
                    assert_eq!(report.curve.auc, Some(1.0), "{name}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
    }
}
