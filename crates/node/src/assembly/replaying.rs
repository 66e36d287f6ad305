//! Recorded decisions, made again: from the record alone, opened with its person's key, by the set of rules that decided then.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    path::PathBuf,
};

use countersign_audit::{FactsRefusal, KeyHandle, PersonKey, Record, RulesDigest, SealRefusal};
use countersign_policy::{Policies, Replayed, replay};

use crate::assembly::rule_archive::{self, ArchiveError};

/// What became of one record.
#[derive(Debug)]
pub enum Again {
    /// The decision was made again.
    Decided(Replayed),
    /// Nothing was decided there, or an earlier version wrote it down in words.
    NotADecision,
    /// It is sealed with a key that is not at hand: its person was erased.
    Sealed,
}

/// Why a decision cannot be made again. Alphabetical.
#[derive(Debug)]
pub enum ReplayError {
    /// The set of rules that decided cannot be had.
    Archive(ArchiveError),
    /// The record does not hold all facts.
    Facts(FactsRefusal),
    /// The record does not open.
    Seal(SealRefusal),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(why) => why.fmt(f),
            Self::Facts(why) => why.fmt(f),
            Self::Seal(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Makes decisions again. Sets of rules are loaded once.
pub struct Replayer {
    data: PathBuf,
    keys: HashMap<KeyHandle, PersonKey>,
    loaded: HashMap<RulesDigest, Policies>,
}

impl Replayer {
    /// With the rules that are kept in a data directory and these people's keys.
    #[must_use]
    pub fn new(data: PathBuf, keys: impl IntoIterator<Item = PersonKey>) -> Self {
        Self { data, keys: keys.into_iter().map(|key| (key.handle().clone(), key)).collect(), loaded: HashMap::new() }
    }

    /// Makes the decision of a record again.
    ///
    /// # Errors
    /// When its rules or facts cannot be had.
    pub fn again(&mut self, record: &Record) -> Result<Again, ReplayError> {
        let Some((decision, digest)) = record.event.decision().zip(record.event.judged().and_then(|judged| judged.rules)) else {
            return Ok(Again::NotADecision);
        };
        let Some(key) = record.handle().and_then(|handle| self.keys.get(&handle)) else { return Ok(Again::Sealed) };
        let identity = record.open(key).map_err(ReplayError::Seal)?;
        let facts = record.facts(&identity).map_err(ReplayError::Facts)?;
        let policies = match self.loaded.entry(digest) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => {
                let set = rule_archive::find(&self.data, digest).map_err(ReplayError::Archive)?;
                let refused = |why| ReplayError::Archive(ArchiveError::Refused(self.data.clone(), why));
                free.insert(set.load().map_err(refused)?)
            }
        };
        Ok(Again::Decided(replay(policies, &facts, &decision)))
    }
}
