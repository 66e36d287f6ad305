//! Whether a run of operations is one person's, or anybody else's.
//!
//! The evidence is a log-likelihood ratio: how likely everybody else is to do this, against how likely this person is, for
//! each operation (naive Bayes with updating, Maxion and Townsend, DSN 2002) and for each step from one operation to the next
//! (bigrams with the smoothing of Witten and Bell, 1991). What differs from those, and why, measured on the users 1-30 of the
//! masquerade data of Schonlau et al. (Statistical Science, 2001):
//! - a person's own share is taken out of everybody's counts, and both go on learning: with everybody's counts frozen after
//!   training, hits at 1 % false positives fall from 0.75 to 0.68;
//! - what a person never did gets the belief of a few observations, half of it after everybody's habits: with a hundredth of
//!   an observation, as usual, and none for steps, hits at 1 % fall to 0.61;
//! - evidence is shrunk while little is known of a person, so that a newcomer is no alarm;
//! - one operation or step weighs at most eight nats: no single rarity decides.
//!
//! Tried and worse: carrying suspicion over from the block before (a hidden Markov filter: hits at 5 % fall from 0.92 to 0.82
//! and lower, because people's new projects come in runs as well), discounting repetitions within a block (hits at 0.1 % fall
//! from 0.26 to 0.05, at 1 % to 0.52), measuring against the spread of the person's own blocks (AUC 0.958 for 0.980), counts in
//! hashed buckets instead of exact ones (256 buckets for operations: 0.934; 1,024 for steps: 0.83), operations alone (0.959),
//! steps alone (0.970), steps over one or two operations between (no gain for twice the memory).
//!
//! # Poisoning
//! A block is learned only when its evidence is below 0.15 nats per operation and at most half of its steps are strange. What an attacker can teach is the strange
//! behaviour that stays below, one block at a time, against the weight of up to 16,384 remembered operations.

mod counts;
mod history;
mod operation;
mod population;

use crate::contribution::{Contribution, total};
use crate::numbers::{real, real_len};
pub use history::History;
pub use operation::Operation;
pub use population::Population;

/// Mean evidence per operation, in nats, below which a block counts as the person's own.
const LEARNED_BELOW: f64 = 0.15;
/// Observations' worth of belief in operations that a person was never seen to do.
const UNSEEN_OPERATIONS: f64 = 5.0;
/// The same for steps, from each operation.
const UNSEEN_STEPS: f64 = 1.0;
/// The part of these beliefs that follows everybody's habits; the rest follows chance, or the person's own operations.
const LIKE_EVERYBODY: f64 = 0.5;
/// What an operation that a person never did weighs at least, in nats: chance must not speak for what is new.
const NEW_OPERATION: f64 = 1.0;
/// The same for a step.
const NEW_STEP: f64 = 0.5;
/// A step that weighs more is strange, in nats; a block is learned only when at most half of its steps are.
const STRANGE_STEP: f64 = 1.0;
/// What one operation or step may weigh at most, in nats.
const WEIGHT_MAX: f64 = 8.0;
/// Weight of operations against steps: they are not independent, and a step says more.
const OPERATION_WEIGHT: f64 = 0.5;
/// Operations known of a person at which evidence counts half.
const SHALLOW: f64 = 100.0;
/// Observations added to each of everybody's counts.
const EVERYBODY_FLOOR: f64 = 0.5;

/// Whether a block may be learned as a person's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Familiarity {
    /// It may.
    Familiar,
    /// Nothing of it may enter the history unless the person proves to be who they are.
    Strange,
}

/// Evidence, in nats, that a block of operations is somebody else's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SequenceScore {
    /// Positive: more like somebody else; negative: more like this person. The sum of the contributions.
    pub score: f64,
    /// How many operations it is about.
    pub operations: usize,
    /// In how many of them the step was more than e times likelier for somebody else.
    pub strange_steps: usize,
    /// `new_operations` (never done by this person), `known_operations`, `new_steps`, `known_steps`.
    pub contributions: [Contribution<'static>; 4],
}

impl SequenceScore {
    /// Whether the block may be learned.
    #[must_use]
    pub fn familiarity(&self) -> Familiarity {
        // The second condition keeps a block from being half this person's, half a thief's.
        let own = self.score < LEARNED_BELOW * real_len(self.operations) && self.strange_steps <= self.operations / 2;
        if own { Familiarity::Familiar } else { Familiarity::Strange }
    }
}

impl Population {
    /// Weighs a block of operations: this person's, or anybody else's?
    #[must_use]
    pub fn score(&self, history: &History, block: &[Operation]) -> SequenceScore {
        let (mut new_operations, mut known_operations, mut new_steps, mut known_steps) = (0.0, 0.0, 0.0, 0.0);
        let depth = real(u64::from(history.depth()));
        let shrunk = depth / (depth + SHALLOW);
        let mut strange_steps = 0_usize;
        let mut previous = None;
        for operation in block {
            let odds = Odds::of(self, history, *operation);
            let weight = shrunk * OPERATION_WEIGHT;
            match history.count(*operation) {
                0 => new_operations += weight * odds.weight().max(NEW_OPERATION),
                _ => known_operations += weight * odds.weight(),
            }
            if let Some(before) = previous {
                let step = odds.after(self, history, before, *operation).weight();
                match history.steps(Operation::then(before, *operation)) {
                    0 => new_steps += shrunk * step.max(NEW_STEP),
                    _ => known_steps += shrunk * step,
                }
                strange_steps = strange_steps.saturating_add(usize::from(step > STRANGE_STEP));
            }
            previous = Some(*operation);
        }
        let contributions = [
            Contribution { name: "new_operations", weight: new_operations },
            Contribution { name: "known_operations", weight: known_operations },
            Contribution { name: "new_steps", weight: new_steps },
            Contribution { name: "known_steps", weight: known_steps },
        ];
        SequenceScore { score: total(&contributions), operations: block.len(), strange_steps, contributions }
    }
}

impl Population {
    /// What `operation` after `before` weighs in nats, shrunk as in [`Population::score`]: one request, as it comes.
    #[must_use]
    pub fn weigh_next(&self, history: &History, before: Option<Operation>, operation: Operation) -> f64 {
        let depth = real(u64::from(history.depth()));
        let odds = Odds::of(self, history, operation);
        let floor = |weight: f64, seen: u16, least: f64| if seen == 0 { weight.max(least) } else { weight };
        let mut sum = OPERATION_WEIGHT * floor(odds.weight(), history.count(operation), NEW_OPERATION);
        if let Some(before) = before {
            let step = odds.after(self, history, before, operation).weight();
            sum += floor(step, history.steps(Operation::then(before, operation)), NEW_STEP);
        }
        sum * depth / (depth + SHALLOW)
    }
}

/// How likely something is, among all others and for this person. Both are above 0.
struct Odds {
    others: f64,
    own: f64,
}

impl Odds {
    fn of(population: &Population, history: &History, operation: Operation) -> Self {
        let own = u64::from(history.count(operation));
        let depth = u64::from(history.depth());
        let vocabulary = population.vocabulary();
        let all = population.total_without(depth) + EVERYBODY_FLOOR * vocabulary;
        let others = (population.count_without(operation, own) + EVERYBODY_FLOOR) / all;
        let unseen = LIKE_EVERYBODY * others + (1.0 - LIKE_EVERYBODY) / vocabulary;
        Self { others, own: (real(own) + UNSEEN_OPERATIONS * unseen) / (real(depth) + UNSEEN_OPERATIONS) }
    }

    /// The odds of the same operation when `before` came before it.
    fn after(&self, population: &Population, history: &History, before: Operation, operation: Operation) -> Self {
        let step = before.then(operation);
        let (own_step, own_before) = (u64::from(history.steps(step)), u64::from(history.count(before)));
        let (starts, followers) = (population.count_without(before, own_before), population.followers(before));
        let others = mixed(&[(population.steps_without(step, own_step), starts), (followers * self.others, followers)], self.others);
        let unseen = LIKE_EVERYBODY * others + (1.0 - LIKE_EVERYBODY) * self.own;
        let followers = history.followers(before);
        let seen = (real(own_step), real(own_before));
        Self { others, own: mixed(&[seen, (followers * self.own, followers), (UNSEEN_STEPS * unseen, UNSEEN_STEPS)], self.own) }
    }

    /// In nats, for somebody else.
    fn weight(&self) -> f64 {
        (libm::log(self.others) - libm::log(self.own)).clamp(-WEIGHT_MAX, WEIGHT_MAX)
    }
}

/// The share of hits in tries, over several (hits, tries); `base` where nothing was tried.
fn mixed(parts: &[(f64, f64)], base: f64) -> f64 {
    let (hits, tries) = parts.iter().fold((0.0, 0.0), |(hits, tries), part| (hits + part.0, tries + part.1));
    if tries > 0.0 { hits / tries } else { base }
}
