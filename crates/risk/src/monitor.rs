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
        let key = self.key(subject);
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
        let population = Frame::Population { population: Box::new(self.population.clone()) };
        let people = self.people.iter().map(|(key, profile)| Frame::Person { key, profile: Box::new(profile.clone()) });
        let end = Frame::End { people: u64::try_from(self.people.len()).unwrap_or(u64::MAX) };
        std::iter::once(population).chain(people).chain(std::iter::once(end)).map(|frame| write(&frame, self.salt))
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
