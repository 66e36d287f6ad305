//! What became of every event, and the figures that come of it.

use crate::curve::{Curve, ratio};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// One scored event.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scored {
    /// Answer of the model.
    pub score: f64,
    /// Attack that the event is part of; `None` for an ordinary event.
    pub attack: Option<Attack>,
    /// Depth of the history that the event met, as an index into the names given to [`Tally::report`].
    pub depth: usize,
}

/// Place of an event in an attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attack {
    /// Class of the attack, as an index into the names given to [`Tally::report`].
    pub class: usize,
    /// Number that all events of one attack share.
    pub episode: usize,
}

/// Results of an evaluation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Number of events that were scored.
    pub events: usize,
    /// Number of events that belong to attacks.
    pub attacks: usize,
    /// Figures of all events together.
    pub curve: Curve,
    /// Detection at 1 % false positives, by class of attack.
    pub by_class: Vec<Group>,
    /// Detection and false alarms at the same threshold, by depth of history.
    pub by_depth: Vec<Group>,
    /// Detection of attacks as wholes, at the same threshold.
    pub episodes: Episodes,
    /// Cost in time and memory.
    pub cost: Cost,
}

/// Group of events, by class of attack or depth of history.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// Number of attack events in the group.
    pub attacks: usize,
    /// Share of these attack events that is detected.
    pub detected: f64,
    /// Number of ordinary events in the group.
    pub ordinary: usize,
    /// Share of these ordinary events that raises an alarm.
    pub false_alarms: f64,
}

/// Detection of attacks as wholes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Episodes {
    /// Number of attacks.
    pub attacks: usize,
    /// Share of the attacks of which at least one event is detected.
    pub detected: f64,
    /// Share of the attacks that are detected at their first event.
    pub detected_at_once: f64,
    /// Median of the events until detection, among the detected attacks; 1 means the first event.
    pub median_events: Option<usize>,
}

/// Cost of the model in time and memory.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Cost {
    /// Mean time to score and learn an event, in microseconds.
    pub mean_micros: f64,
    /// Median time, in microseconds.
    pub median_micros: f64,
    /// Time at the 99th percentile, in microseconds.
    pub p99_micros: f64,
    /// Bytes of all state at the end.
    pub state_bytes: usize,
    /// Bytes of state per scored event.
    pub bytes_per_event: f64,
}

/// Collector of scored events.
#[derive(Default)]
pub(crate) struct Tally {
    scored: Vec<Scored>,
    took: Vec<Duration>,
}

impl Tally {
    /// Adds an event with the time that scoring and learning it took.
    pub(crate) fn add(&mut self, scored: Scored, took: Duration) {
        self.scored.push(scored);
        self.took.push(took);
    }

    /// Computes the figures. `per` is the number of events in one measured step (a block of commands is many).
    #[must_use]
    pub fn report(self, classes: &[String], depths: &[&str], state_bytes: usize, per: u32) -> Report {
        let pairs: Vec<_> = self.scored.iter().map(|s| (s.score, s.attack.is_some())).collect();
        let curve = Curve::of(&pairs);
        let threshold = curve.threshold_at_one_percent().unwrap_or(f64::INFINITY);
        let of_class = |at: usize| self.scored.iter().filter(move |s| s.attack.is_some_and(|a| a.class == at));
        let of_depth = |at: usize| self.scored.iter().filter(move |s| s.depth == at);
        let by_class = classes.iter().enumerate().map(|(at, name)| group(name, of_class(at), threshold)).collect();
        let by_depth = depths.iter().enumerate().map(|(at, name)| group(name, of_depth(at), threshold)).collect();
        Report {
            events: self.scored.len(),
            attacks: pairs.iter().filter(|(_, attack)| *attack).count(),
            curve,
            by_class,
            by_depth,
            episodes: episodes(&self.scored, threshold),
            cost: cost(self.took, state_bytes, per),
        }
    }
}

fn group<'a>(name: &str, of: impl Iterator<Item = &'a Scored>, threshold: f64) -> Group {
    let (mut attacks, mut detected, mut ordinary, mut alarmed) = (0_usize, 0_usize, 0_usize, 0_usize);
    for scored in of {
        let above = usize::from(scored.score > threshold);
        let (all, hit) = if scored.attack.is_some() { (&mut attacks, &mut detected) } else { (&mut ordinary, &mut alarmed) };
        *all = all.saturating_add(1);
        *hit = hit.saturating_add(above);
    }
    let (detected, false_alarms) = (ratio(detected, attacks), ratio(alarmed, ordinary));
    Group { name: name.to_owned(), attacks, detected, ordinary, false_alarms }
}

fn episodes(scored: &[Scored], threshold: f64) -> Episodes {
    // Per episode: events so far, and the first that was detected.
    let mut all: BTreeMap<usize, (usize, Option<usize>)> = BTreeMap::new();
    for event in scored {
        let Some(attack) = event.attack else { continue };
        let (events, first) = all.entry(attack.episode).or_default();
        *events = events.saturating_add(1);
        if event.score > threshold && first.is_none() {
            *first = Some(*events);
        }
    }
    let mut firsts: Vec<_> = all.values().filter_map(|(_, first)| *first).collect();
    firsts.sort_unstable();
    Episodes {
        attacks: all.len(),
        detected: ratio(firsts.len(), all.len()),
        detected_at_once: ratio(firsts.iter().filter(|n| **n == 1).count(), all.len()),
        median_events: firsts.get(firsts.len() / 2).copied(),
    }
}

fn cost(mut took: Vec<Duration>, state_bytes: usize, per: u32) -> Cost {
    took.sort_unstable();
    let per_event = |d: Duration| d.as_secs_f64() * 1e6 / f64::from(per.max(1));
    let at = |percent: usize| took.get(took.len().saturating_mul(percent) / 100).copied().map_or(0.0, per_event);
    let sum: Duration = took.iter().sum();
    let events = f64::from(u32::try_from(took.len()).unwrap_or(u32::MAX)).max(1.0);
    Cost {
        mean_micros: per_event(sum) / events,
        median_micros: at(50),
        p99_micros: at(99),
        state_bytes,
        bytes_per_event: f64::from(u32::try_from(state_bytes).unwrap_or(u32::MAX)) / (events * f64::from(per.max(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_everything() {
        let mut tally = Tally::default();
        // A hundred ordinary events score 0 to 99: one of them may stand above the threshold of 98.
        for n in 0..100 {
            tally.add(Scored { score: f64::from(n), attack: None, depth: usize::from(n >= 50) }, Duration::from_micros(2));
        }
        // One attack is seen at once, one at its second event, one never.
        for (score, class, episode) in [(100.0, 0, 1), (50.0, 0, 1), (98.0, 1, 2), (98.5, 1, 2), (3.0, 1, 3)] {
            let attack = Some(Attack { class, episode });
            tally.add(Scored { score, attack, depth: 1 }, Duration::from_micros(4));
        }
        let report = tally.report(&["seen".to_owned(), "late".to_owned()], &["young", "old"], 1050, 1);
        assert_eq!((report.events, report.attacks), (105, 5));
        let classes: Vec<_> = report.by_class.iter().map(|g| (g.name.as_str(), g.attacks, g.detected)).collect();
        assert_eq!(classes, [("seen", 2, 0.5), ("late", 3, 1.0 / 3.0)]);
        let depths: Vec<_> = report.by_depth.iter().map(|g| (g.name.as_str(), g.ordinary, g.false_alarms, g.detected)).collect();
        assert_eq!(depths, [("young", 50, 0.0, 0.0), ("old", 50, 0.02, 0.4)]);
        let episodes = Episodes { attacks: 3, detected: 2.0 / 3.0, detected_at_once: 1.0 / 3.0, median_events: Some(2) };
        assert_eq!(report.episodes, episodes);
        assert_eq!((report.cost.median_micros, report.cost.p99_micros, report.cost.bytes_per_event), (2.0, 4.0, 10.0));
    }

    #[test]
    fn nothing_is_reported_as_nothing() {
        let report = Tally::default().report(&[], &[], 0, 1);
        assert_eq!((report.events, report.curve.auc, report.episodes.median_events), (0, None, None));
    }
}
