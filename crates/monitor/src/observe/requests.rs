//! Scoring of requests: the habits of everybody, in shards by person, so that requests of different people rarely wait for each other.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use countersign_core::{SignalKind, UnixSeconds};
use countersign_risk::{
    Operation, Population, SnapshotRefusal,
    admission::{Admission, Tenure},
    usage::{Ending, Habits, UseAssessment, UseFeature, UseObservation, UseRule},
};

use crate::observe::alarms::Alarms;

/// Number of shards, each with a lock; two people share one only by chance.
const SHARDS: usize = 64;

/// Number of people who are serialised at a time while their shard waits: about 100 microseconds.
const WRITTEN_AT_ONCE: usize = 32;

/// State of one person.
#[derive(Clone, Debug, Default)]
struct Person {
    habits: Habits,
    alarms: Alarms,
}

/// State of all people.
pub(crate) struct Requests {
    rule: UseRule,
    everybody: RwLock<Population>,
    shards: Vec<Mutex<Admission<Person>>>,
}

/// Score of a request, with the signal that follows from it.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Evidence and score of the request.
    pub assessment: UseAssessment,
    /// Kind of signal whose threshold was crossed, when one was.
    pub crossed: Option<SignalKind>,
}

impl Requests {
    /// An empty state for about `people_max` people at most.
    pub fn new(rule: UseRule, people_max: usize) -> Self {
        let share = people_max.div_ceil(SHARDS);
        let shards = (0..SHARDS).map(|_| Mutex::new(Admission::new(share))).collect();
        Self { rule, everybody: RwLock::new(Population::default()), shards }
    }

    /// Scores a request and learns from it. `None` only when there is no place for the person.
    pub fn observe(&self, person: u64, observation: &UseObservation) -> Option<Looked> {
        let looked = {
            let mut shard = self.shard(person)?;
            let (held, tenure) = shard.enter(person)?;
            // INVARIANT: the shard's lock is taken before everybody's, and nobody holds everybody's while taking a shard's.
            let everybody = self.everybody.read().unwrap_or_else(PoisonError::into_inner);
            let assessment = self.rule.judge(observation, &mut held.habits, &everybody);
            let high = assessment.evidence.total() >= self.rule.step_up;
            let kind = if high { assessment.evidence.heaviest().map(kind) } else { None };
            let crossed = kind.filter(|kind| held.alarms.raise(*kind, observation.at));
            if tenure == Tenure::Guest && held.habits.established() {
                shard.admit(person);
            }
            Looked { assessment, crossed }
        };
        self.learn(looked.assessment.learned.as_deref());
        Some(looked)
    }

    /// Counts the answer to a request.
    pub fn answered(&self, person: u64, bytes_out: u64, ending: Ending, now: UnixSeconds) {
        if let Some(mut shard) = self.shard(person)
            && let Some(held) = shard.get_mut(person)
        {
            self.rule.answered(bytes_out, ending, &mut held.habits, now);
        }
    }

    /// Learns the recent use of the session as the person's own, because they passed a step-up.
    pub(crate) fn vouch(&self, person: u64, session: u64, now: UnixSeconds) {
        let learned = self.shard(person).and_then(|mut shard| {
            let held = shard.get_mut(person)?;
            held.alarms.clear();
            self.rule.vouch(session, &mut held.habits, now)
        });
        self.learn(learned.as_deref());
    }

    /// Number of people held, and the memory of their habits in bytes.
    pub fn size(&self) -> (usize, usize) {
        let locked = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        locked.fold((0, 0), |(people, bytes): (usize, usize), shard| {
            let held = shard.iter().fold(0_usize, |sum, (_, person)| sum.saturating_add(person.habits.bytes()));
            (people.saturating_add(shard.len()), bytes.saturating_add(held))
        })
    }

    /// Everybody's habits together, serialised.
    pub fn everybody(&self) -> Vec<u8> {
        self.everybody.read().unwrap_or_else(PoisonError::into_inner).snapshot()
    }

    /// Gives each person's habits, serialised, to `give`. A shard waits for a few people at a time; a person who arrives meanwhile is in
    /// the next snapshot.
    pub fn each(&self, mut give: impl FnMut(u64, Vec<u8>) -> std::io::Result<()>) -> std::io::Result<()> {
        for shard in &self.shards {
            let people = shard.lock().unwrap_or_else(PoisonError::into_inner).keys();
            for people in people.chunks(WRITTEN_AT_ONCE) {
                let states: Vec<_> = {
                    let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                    people.iter().filter_map(|person| Some((*person, shard.peek(*person)?.habits.snapshot()))).collect()
                };
                states.into_iter().try_for_each(|(person, bytes)| give(person, bytes))?;
            }
        }
        Ok(())
    }

    /// Merges states that [`Self::everybody`] and [`Self::each`] gave, here before a restart or on another node. All are merged or none.
    // Everything is parsed before anything is merged, so that a bad state changes nothing.
    pub fn restore(&self, everybody: &[u8], people: &[(u64, &[u8])]) -> Result<(), SnapshotRefusal> {
        let everybody = Population::restore(everybody)?;
        let people = people.iter().map(|(person, bytes)| Ok((*person, Habits::restore(bytes)?))).collect::<Result<Vec<_>, _>>()?;
        self.everybody.write().unwrap_or_else(PoisonError::into_inner).merge(&everybody);
        for (person, habits) in people {
            let Some(mut shard) = self.shard(person) else { continue };
            let mut joined = shard.peek(person).cloned().unwrap_or_default();
            if joined.habits == Habits::default() {
                joined.habits = habits;
            } else {
                joined.habits.merge(&habits);
            }
            let tenure = if joined.habits.established() { Tenure::Known } else { Tenure::Guest };
            shard.put(person, joined, tenure);
        }
        Ok(())
    }

    fn learn(&self, block: Option<&[Operation]>) {
        if let Some(block) = block {
            self.everybody.write().unwrap_or_else(PoisonError::into_inner).learn(block);
        }
    }

    fn shard(&self, person: u64) -> Option<MutexGuard<'_, Admission<Person>>> {
        let shards = u64::try_from(self.shards.len()).ok()?;
        // The high bits choose the shard, so that keys within one shard still differ in their low bits.
        let at = usize::try_from((person >> 32).checked_rem(shards)?).ok()?;
        self.shards.get(at).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Kind of signal for the feature that weighs most.
const fn kind(feature: UseFeature) -> SignalKind {
    match feature {
        UseFeature::Objects | UseFeature::Volume => SignalKind::Scraping,
        UseFeature::Rate => SignalKind::RateBurst,
        UseFeature::Location | UseFeature::Simultaneous | UseFeature::Travel => SignalKind::ImpossibleTravel,
        UseFeature::Failures | UseFeature::Hour | UseFeature::Network | UseFeature::NetworkKind | UseFeature::Operations => {
            SignalKind::UnusualUse
        }
    }
}
