//! Everyone's logins on one node: finds the person's state, has the login judged, remembers what became of it.

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

/// The states and the rule. Memory: about 47 KiB and, per person, 0.9 KiB on average, 2 KiB at most.
#[derive(Clone)]
pub struct LoginMonitor {
    rule: LoginRule,
    salt: Salt,
    population: Population,
    people: Subjects<Profile>,
}

impl LoginMonitor {
    /// Nothing known yet; at most `people_max` people at one time.
    #[must_use]
    pub fn new(rule: LoginRule, salt: Salt, people_max: usize) -> Self {
        Self { rule, salt, population: Population::default(), people: Subjects::new(people_max) }
    }

    /// Judges `login` of `subject`. Nobody becomes known by being asked about.
    pub fn assess(&mut self, subject: &str, login: &Login<'_>, now: UnixSeconds) -> Assessment {
        let (key, sight) = (self.key(subject), login.sight(self.salt, now));
        match self.people.get_mut(key) {
            Some(profile) => self.rule.assess(&sight, profile, &mut self.population),
            None => self.rule.assess(&sight, &mut Profile::default(), &mut self.population),
        }
    }

    /// Remembers what became of a login of `subject` that was judged. Whoever never got in takes no memory.
    pub fn settle(&mut self, subject: &str, assessment: &Assessment, settled: Settled) {
        self.settle_key(self.key(subject), assessment, settled);
    }

    /// [`Self::settle`] for a subject by their key, for whoever does not keep names.
    pub fn settle_key(&mut self, key: u64, assessment: &Assessment, settled: Settled) {
        if let Some(profile) = self.people.get_mut(key) {
            self.rule.settle(assessment, settled, profile, &mut self.population);
            return;
        }
        if settled == Settled::StepUpFailed {
            return;
        }
        let mut profile = Profile::default();
        self.rule.settle(assessment, settled, &mut profile, &mut self.population);
        self.people.insert(key, profile);
    }

    /// The rule that it judges by.
    #[must_use]
    pub const fn rule(&self) -> &LoginRule {
        &self.rule
    }

    /// The states of people.
    #[must_use]
    pub const fn people(&self) -> &Subjects<Profile> {
        &self.people
    }

    /// The state of everyone together.
    #[must_use]
    pub const fn population(&self) -> &Population {
        &self.population
    }

    /// The states as the frames of a snapshot, one by one.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> {
        let people = self.people.iter().map(|(key, profile)| self.frame_of(key, profile));
        let end = self.last_frame(u64::try_from(self.people.len()).unwrap_or(u64::MAX));
        std::iter::once(self.first_frame()).chain(people).chain(std::iter::once(end))
    }

    /// The frame that a snapshot begins with: everyone together. With [`Self::person_frame`] and [`Self::last_frame`] a snapshot is
    /// written in parts, between which logins go on.
    #[must_use]
    pub fn first_frame(&self) -> Vec<u8> {
        write(&Frame::Population { population: Box::new(self.population.clone()) }, self.salt)
    }

    /// The frame of the person with `key`, when they are held.
    #[must_use]
    pub fn person_frame(&self, key: u64) -> Option<Vec<u8>> {
        self.people.peek(key).map(|profile| self.frame_of(key, profile))
    }

    /// The frame that a snapshot of so many people ends with.
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
    /// When anything about the snapshot is wrong; then nothing of it is used, and the caller starts from nothing and says so.
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

    /// Takes over a state from a snapshot or another node, joined with what is held.
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
