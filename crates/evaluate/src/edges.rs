//! `evaluate edges`: who talks to whom, in time, against the edge model.

use crate::input::{EvaluateError, Lines};
use crate::tally::{Attack, Report, Scored, Tally};
use countersign_core::Limits;
use countersign_risk::EdgeModel;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// Seed that makes an evaluation repeatable; a server draws its own.
const SEED: [u64; 2] = [1, 2];
/// Ticks of silence after which the same attack from the same source counts as another one.
const EPISODE_GAP: u64 = 60;

/// Scores every edge before it is learned, in the order of the file. `clock` returns the time that has passed since a fixed moment.
///
/// A line is `source,destination,time,label`; the label `-` (or `0`) is ordinary, any other names the attack. Times are
/// opaque: every time that differs from the line before is one tick later.
///
/// # Errors
/// An error when the file cannot be read, or a line does not have four fields.
pub fn run(input: &Path, clock: &dyn Fn() -> Duration) -> Result<Report, EvaluateError> {
    let mut lines = Lines::open(input)?;
    let mut model = EdgeModel::new(SEED);
    let mut tally = Tally::default();
    let mut attacks = Attacks::default();
    let mut heard: HashMap<String, usize> = HashMap::new();
    let (mut line, mut time, mut tick) = (String::new(), String::new(), 0_u64);
    while lines.next_into(&mut line)? {
        let fields: Vec<_> = line.split(',').collect();
        let [source, destination, at, label] = fields.as_slice() else {
            return Err(lines.wrong("is not `source,destination,time,label`"));
        };
        if time != *at {
            (*at).clone_into(&mut time);
            tick = tick.saturating_add(1);
        }
        let began = clock();
        let score = model.observe(source.as_bytes(), destination.as_bytes(), tick).score;
        let took = clock().saturating_sub(began);
        let depth = depth_of(&mut heard, source);
        let attack = if matches!(*label, "-" | "0") { None } else { attacks.place(source, label, tick) };
        tally.add(Scored { score, attack, depth }, took);
    }
    if tick == 0 {
        return Err(lines.empty());
    }
    let depths = ["source heard below 10 times", "below 100", "below 1,000", "1,000 times or more"];
    Ok(tally.report(&attacks.classes, &depths, EdgeModel::BYTES, 1))
}

/// Step for how often the source was heard before, one of four.
fn depth_of(heard: &mut HashMap<String, usize>, source: &str) -> usize {
    let room = heard.len() < Limits::EDGES_NAMES_MAX;
    let before = match heard.get_mut(source) {
        Some(times) => {
            *times = times.saturating_add(1);
            times.saturating_sub(1)
        }
        None if room => {
            heard.insert(source.to_owned(), 1);
            0
        }
        None => 0,
    };
    [10, 100, 1000].iter().filter(|limit| before >= **limit).count()
}

/// Attacks so far, by name and source.
#[derive(Default)]
struct Attacks {
    classes: Vec<String>,
    /// Episode and last tick of each class and source.
    running: HashMap<(usize, String), (usize, u64)>,
    episodes: usize,
}

impl Attacks {
    fn place(&mut self, source: &str, label: &str, tick: u64) -> Option<Attack> {
        let class = match self.classes.iter().position(|known| known == label) {
            Some(class) => class,
            None if self.classes.len() < 1000 => {
                self.classes.push(label.to_owned());
                self.classes.len().saturating_sub(1)
            }
            None => 0,
        };
        let key = (class, source.to_owned());
        let episode = match self.running.get(&key) {
            Some((episode, last)) if tick.saturating_sub(*last) <= EPISODE_GAP => *episode,
            Some(_) | None => {
                self.episodes = self.episodes.saturating_add(1);
                self.episodes
            }
        };
        if self.running.len() < Limits::EDGES_NAMES_MAX || self.running.contains_key(&key) {
            self.running.insert(key, (episode, tick));
        }
        Some(Attack { class, episode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_found_and_a_broken_file_is_not_read() {
        let life: String = (0..200).map(|tick| format!("a,x,{tick},-\nb,x,{tick},-\nb,y,{tick},0\n")).collect();
        let flood = "c,x,200,flood\n".repeat(300);
        let rows: &[(&str, String, Result<usize, &str>)] = &[
            ("a flood", format!("{life}{flood}"), Ok(1)),
            ("a flood, and another an hour later", format!("{life}{flood}{}", later(&flood)), Ok(2)),
            ("nothing", String::new(), Err("holds no events")),
            ("a field too few", format!("{life}a,x,201\n"), Err("line 601")),
            ("a field too many", format!("{life}a,x,201,-,-\n"), Err("line 601")),
        ];
        for (name, text, expected) in rows {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            match (run(file.path(), &|| Duration::ZERO), expected) {
                (Ok(report), Ok(episodes)) => {
                    assert!(report.curve.auc > Some(0.95), "{name}: {report:?}");
                    assert_eq!(report.episodes.attacks, *episodes, "{name}");
                    assert_eq!(report.by_class.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["flood"], "{name}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
    }

    fn later(flood: &str) -> String {
        let silence: String = (201..300).map(|tick| format!("a,x,{tick},-\n")).collect();
        silence + &flood.replace("200", "300")
    }
}
