//! The login scores of one node: finds the person's state, lets the rule judge, and learns from the outcome.
//!
//! This type does not lock anything: the caller makes sure that one login at a time uses it.

use countersign_core::UnixSeconds;

use crate::{
    bytes::FrameRefusal,
    fingerprint::{Field, Salt},
    frames::{Frame, read_all, write},
    login::{Assessment, Login, LoginRule, Settled},
    population::Population,
    profile::Profile,
    subjects::Subjects,
};

/// Rule, salt and the states of everyone. Memory: about 47 KiB, plus 0.9 KiB per person on average (2 KiB at most).
#[derive(Clone)]
pub struct LoginMonitor {
    rule: LoginRule,
    salt: Salt,
    population: Population,
    people: Subjects<Profile>,
}

impl LoginMonitor {
    /// A monitor without any history, for at most `people_max` people at a time.
    #[must_use]
    pub fn new(rule: LoginRule, salt: Salt, people_max: usize) -> Self {
        Self { rule, salt, population: Population::default(), people: Subjects::new(people_max) }
    }

    /// Judges a login of `subject`. Being judged alone does not create a state for the person.
    pub fn assess(&mut self, subject: &str, login: &Login<'_>, now: UnixSeconds) -> Assessment {
        let (key, observation) = (self.key(subject), login.observation(self.salt, now));
        match self.people.get_mut(key) {
            Some(profile) => self.rule.assess(&observation, profile, &mut self.population),
            // A stranger is judged against an empty state that is dropped at once.
            None => self.rule.assess(&observation, &mut Profile::default(), &mut self.population),
        }
    }

    /// Learns the outcome of a login of `subject` that was judged. A person who never got in takes no memory.
    pub fn settle(&mut self, subject: &str, assessment: &Assessment, settled: Settled) {
        self.settle_key(self.key(subject), assessment, settled);
    }

    /// Does what [`Self::settle`] does, for callers that keep the hash of a person's name instead of the name.
    pub fn settle_key(&mut self, key: u64, assessment: &Assessment, settled: Settled) {
        if let Some(profile) = self.people.get_mut(key) {
            self.rule.settle(assessment, settled, profile, &mut self.population);
            return;
        }
        // SECURITY: names that an attacker makes up never get a state, so they cannot evict those of real people.
        if settled == Settled::StepUpFailed {
            return;
        }
        let mut profile = Profile::default();
        self.rule.settle(assessment, settled, &mut profile, &mut self.population);
        self.people.insert(key, profile);
    }

    /// The rule by which this monitor judges.
    #[must_use]
    pub const fn rule(&self) -> &LoginRule {
        &self.rule
    }

    /// The states of all people held.
    #[must_use]
    pub const fn people(&self) -> &Subjects<Profile> {
        &self.people
    }

    /// The state of everyone together.
    #[must_use]
    pub const fn population(&self) -> &Population {
        &self.population
    }

    /// The states as the frames of one snapshot, made one by one.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> {
        let people = self.people.iter().map(|(key, profile)| self.frame_of(key, profile));
        let end = self.last_frame(u64::try_from(self.people.len()).unwrap_or(u64::MAX));
        std::iter::once(self.first_frame()).chain(people).chain(std::iter::once(end))
    }

    /// First frame of a snapshot: everyone together. With [`Self::person_frame`] and [`Self::last_frame`] the caller can write a snapshot
    /// in parts and let logins go on in between.
    #[must_use]
    pub fn first_frame(&self) -> Vec<u8> {
        write(&Frame::Population { population: Box::new(self.population.clone()) }, self.salt)
    }

    /// Frame of the person with `key`, when the person is held.
    #[must_use]
    pub fn person_frame(&self, key: u64) -> Option<Vec<u8>> {
        self.people.peek(key).map(|profile| self.frame_of(key, profile))
    }

    /// Last frame of a snapshot, which states the number of people in it.
    #[must_use]
    pub fn last_frame(&self, people: u64) -> Vec<u8> {
        write(&Frame::End { people }, self.salt)
    }

    fn frame_of(&self, key: u64, profile: &Profile) -> Vec<u8> {
        write(&Frame::Person { key, profile: Box::new(profile.clone()) }, self.salt)
    }

    /// A monitor with the states of a snapshot.
    ///
    /// # Errors
    /// A refusal when anything about the snapshot is wrong. Nothing of it is used then; the caller starts with empty states and reports it.
    pub fn restore<'a>(
        rule: LoginRule,
        salt: Salt,
        people_max: usize,
        frames: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, FrameRefusal> {
        let (population, people) = read_all(frames, salt)?;
        let mut monitor = Self::new(rule, salt, people_max);
        monitor.population = population;
        for (key, profile) in people {
            monitor.people.insert(key, profile);
        }
        Ok(monitor)
    }

    /// Merges the states of a snapshot or of another node into those held.
    pub fn join(&mut self, population: &Population, people: impl IntoIterator<Item = (u64, Profile)>) {
        self.population.merge(population);
        for (key, profile) in people {
            match self.people.get_mut(key) {
                Some(held) => held.merge(&profile),
                None => self.people.insert(key, profile),
            }
        }
    }

    fn key(&self, subject: &str) -> u64 {
        self.salt.long(Field::Subject, subject.as_bytes())
    }
}
