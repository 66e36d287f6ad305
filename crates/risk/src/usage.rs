//! Scoring of requests: is a session used as its person uses it? Features are operations, hours, networks, places and amounts.
//!
//! Habits (operations and their order, hour, network) are evidence that is shrunk while the history is short. None of them reaches the
//! threshold alone, because a new feature, a sleepless night and a journey are ordinary life. Amounts (different objects, requests,
//! refusals, bytes) reach it alone, at about three times what is ordinary for everyone and for the person.
//!
//! # Poisoning
//! What scored high is not learned. The ordinary amount of a person rises by at most a tenth per hour of use, and never beyond a fixed
//! multiple of what is ordinary for everyone, so that drifting slowly gains little. A network speaks for the person only half a day after
//! it first came.

mod distinct;
mod evidence;
mod fading;
mod habits;
mod hours;
mod merge;
mod sitting;
mod usual;

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    evidence::Score,
    fingerprint::Fingerprint,
    frequency::Vouched,
    geo::{Position, TravelRule},
    maths::{age, ln, narrow, stamp, within},
    network::{Locates, NetworkKind},
    numbers::real_len,
    sequence::{Operation, Population},
};
pub use evidence::{UseEvidence, UseFeature};
pub use habits::Habits;
use habits::{Floors, NetworkSeen};
pub use sitting::BLOCK;
use sitting::Whereabouts;

/// Outcome of the checks before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No check spoke against the request, or only one that the person can cure (a step-up, for example).
    Good,
    /// The request was refused for good: not permitted, malformed or forged.
    Refused,
}

/// One request as it is judged: fingerprints and hashes, nothing in clear.
#[derive(Clone, Copy, Debug)]
pub struct UseObservation {
    /// Time of the request.
    pub at: UnixSeconds,
    /// Keyed hash of the session's id.
    pub session: u64,
    /// Operation that was called.
    pub operation: Operation,
    /// Keyed hash of the object that the request is about, when there is one.
    pub object: Option<u64>,
    /// Fingerprint of the site's address range.
    pub prefix: Fingerprint,
    /// Fingerprint of the autonomous system, when known.
    pub network: Option<Fingerprint>,
    /// Fingerprint of the country, when known.
    pub country: Option<Fingerprint>,
    /// Kind of the network.
    pub kind: NetworkKind,
    /// Position of the address, when known.
    pub position: Option<Position>,
    /// Position that the app reported, with the time of the report. Claimed, so it can only speak against the person.
    pub phone: Option<(Position, UnixSeconds)>,
    /// Outcome of the checks before this one.
    pub ending: Ending,
}

/// Rule by which requests are judged. The defaults are those of the shipped configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UseRule {
    /// Evidence in nats from which a step-up is required.
    pub step_up: f64,
    /// Evidence in nats below which a request is learned.
    pub learn_below: f64,
    /// Number of different objects an hour that is ordinary for everyone.
    pub objects_hour: f64,
    /// Number of different objects a day that is ordinary for everyone.
    pub objects_day: f64,
    /// Number of requests a minute that is ordinary for everyone.
    pub rate: f64,
    /// Number of refusals in ten minutes that is ordinary.
    pub failures: f64,
    /// Megabytes an hour that are ordinary for everyone.
    pub megabytes: f64,
    /// Greatest multiple of everyone's ordinary amount that a person's own may reach, whatever was learned.
    pub own_share_max: f64,
    /// Time for which a network that no step-up confirmed does not yet count as known.
    pub probation: Seconds,
    /// Rule for impossible travel.
    pub travel: TravelRule,
    /// Greatest weight of operations, in nats.
    pub operations_max: f64,
    /// Greatest weight of the hour, in nats.
    pub hour_max: f64,
    /// Greatest weight of travel and simultaneous presence, in nats; half of the travel rule's, because the device's key signed the
    /// request.
    pub travel_max: f64,
}

impl Default for UseRule {
    fn default() -> Self {
        Self {
            step_up: 3.3,
            learn_below: 2.3,
            objects_hour: 40.0,
            objects_day: 150.0,
            rate: 120.0,
            failures: 5.0,
            megabytes: 50.0,
            own_share_max: 2.5,
            probation: Seconds(43_200),
            travel: TravelRule::default(),
            operations_max: 2.0,
            hour_max: 0.9,
            travel_max: 2.5,
        }
    }
}

/// Result of judging one request.
#[derive(Clone, Debug, PartialEq)]
pub struct UseAssessment {
    /// Weights of all features, for and against the person.
    pub evidence: UseEvidence,
    /// Unusualness, 0 to 100.
    pub score: Score,
    /// Number of earlier operations that it was compared with.
    pub depth: u32,
    /// Operations that the person's habits learned just now; the caller has to teach them to everybody's state, too.
    pub learned: Option<Vec<Operation>>,
}

/// Share of the evidence of earlier operations that is kept at each next one.
const DRIFT_KEPT: f64 = 0.8;
/// Mean evidence per operation, in nats, below which a block is the person's own.
const BLOCK_LEARNED_BELOW: f64 = 0.15;
/// Weight in nats above which an operation is strange.
const STRANGE: f64 = 1.0;
/// Number of days after which a new way of use that had no consequences counts as the person's, since apps get new screens.
const PATIENCE_DAYS: u8 = 3;

impl UseRule {
    /// Judges a request by the states of the person and of everybody, then learns from it if it looked like the person.
    pub fn judge(&self, observation: &UseObservation, habits: &mut Habits, everybody: &Population) -> UseAssessment {
        let floors = self.floors();
        habits.turn(&floors, observation.at);
        let mut evidence = UseEvidence::default();
        // Amounts are counted first, so that this request is in them. Learning comes last, so that a request is never judged by itself.
        self.amounts(observation, habits, &mut evidence);
        let step = self.habits(observation, habits, everybody, &mut evidence);
        self.movement(observation, habits, &mut evidence);
        evidence.add(UseFeature::Location, self.location(observation, habits));
        let learned = self.learn(observation, step, evidence.total(), habits);
        UseAssessment { score: evidence.score(self.step_up), depth: habits.depth(), evidence, learned }
    }

    /// Counts the answer to a request: `bytes_out` bytes that left, and the outcome.
    pub fn answered(&self, bytes_out: u64, ending: Ending, habits: &mut Habits, now: UnixSeconds) {
        // Through kilobytes, since only 32-bit integers convert to floats without loss.
        let megabytes = f64::from(u32::try_from(bytes_out / 1024).unwrap_or(u32::MAX)) / 1024.0;
        let volume = habits.volume.add(megabytes, now);
        habits.volume_peak = habits.volume_peak.max(narrow(volume));
        if ending == Ending::Refused {
            habits.failures.add(1.0, now);
        }
    }

    /// Notes that the person of `session` passed a step-up: the recent use of the session, and its place, are learned as theirs. Returns
    /// the operations that the caller has to teach to everybody's state.
    pub fn vouch(&self, session: u64, habits: &mut Habits, now: UnixSeconds) -> Option<Vec<Operation>> {
        habits.close(&self.floors(), now);
        let sitting = habits.sittings.iter_mut().find(|sitting| sitting.session == session)?;
        sitting.drift = 0.0;
        let block = std::mem::take(&mut sitting.block);
        sitting.begin_block();
        let prefix = sitting.whereabouts.map(|whereabouts| whereabouts.prefix);
        habits.history.learn(&block);
        if let Some(prefix) = prefix {
            habits.sites.add(prefix, 0, Vouched::Yes, now);
        }
        (!block.is_empty()).then_some(block)
    }

    const fn floors(&self) -> Floors {
        Floors { objects_hour: self.objects_hour, objects_day: self.objects_day, rate: self.rate, megabytes: self.megabytes }
    }

    fn amounts(&self, observation: &UseObservation, habits: &mut Habits, evidence: &mut UseEvidence) {
        let rate = habits.rate.add(1.0, observation.at);
        let ordinary = habits.requests_per_minute.ordinary(self.rate, self.own_share_max);
        evidence.add(UseFeature::Rate, beyond(rate, ordinary));
        // The peak is capped at the ordinary amount, so that a burst does not raise what counts as ordinary.
        habits.rate_peak = habits.rate_peak.max(narrow(within(rate, 0.0, ordinary)));
        if let Some(object) = observation.object {
            habits.objects_hour.add(object);
            habits.objects_day.add(object);
        }
        let hour = beyond(habits.objects_hour.count(), habits.objects_per_hour.ordinary(self.objects_hour, self.own_share_max));
        let day = beyond(habits.objects_day.count(), habits.objects_per_day.ordinary(self.objects_day, self.own_share_max));
        evidence.add(UseFeature::Objects, if hour > day { hour } else { day });
        let failures = match observation.ending {
            Ending::Refused => habits.failures.add(1.0, observation.at),
            Ending::Good => habits.failures.read(observation.at),
        };
        evidence.add(UseFeature::Failures, within(0.7 * (failures - self.failures), 0.0, 6.0));
        let volume = habits.volume.read(observation.at);
        evidence.add(UseFeature::Volume, beyond(volume, habits.megabytes_per_hour.ordinary(self.megabytes, self.own_share_max)));
    }

    /// Adds the evidence of habits, and returns the weight of this operation alone.
    fn habits(&self, observation: &UseObservation, habits: &mut Habits, everybody: &Population, evidence: &mut UseEvidence) -> f64 {
        let before = habits.sitting(observation.session).and_then(|sitting| sitting.last);
        // Clamped, so that one rare operation does not fill the whole drift.
        let step = within(everybody.weigh_next(&habits.history, before, observation.operation), -1.0, 2.0);
        let most = self.operations_max;
        if let Some(sitting) = habits.sitting(observation.session) {
            sitting.drift = within(DRIFT_KEPT * sitting.drift + step, -1.0, most);
            evidence.add(UseFeature::Operations, sitting.drift);
        }
        evidence.add(UseFeature::Hour, habits.hours.weigh(self.hour_max, observation.at));
        // With 60 remembered operations, evidence from networks counts half.
        let shrunk = f64::from(habits.depth()) / (f64::from(habits.depth()) + 60.0);
        evidence.add(UseFeature::Network, shrunk * self.network(observation, habits));
        evidence.add(UseFeature::NetworkKind, shrunk * self.kind(observation, habits));
        step
    }

    fn network(&self, observation: &UseObservation, habits: &Habits) -> f64 {
        if habits.sites.known(observation.prefix, self.probation, observation.at).is_some() {
            return -0.2;
        }
        let site = || within(ln(0.9 / habits.sites.novelty(0.15, 5.0)), 0.1, 0.9);
        let Some(network) = observation.network else { return site() };
        if habits.networks.known(network, self.probation, observation.at).is_some() {
            // A carrier assigns new addresses all the time. Another line of a known provider may be a neighbour's.
            return match observation.kind {
                NetworkKind::Mobile => -0.1,
                NetworkKind::Anonymiser | NetworkKind::Fixed | NetworkKind::Hosting | NetworkKind::Satellite | NetworkKind::Unknown => {
                    0.5 * site()
                }
            };
        }
        let abroad = observation.country.is_some_and(|country| habits.countries.known(country, self.probation, observation.at).is_none());
        within(ln(0.9 / habits.networks.novelty(0.15, 5.0)), 0.3, 0.9) + if abroad { 0.3 } else { 0.0 }
    }

    fn kind(&self, observation: &UseObservation, habits: &Habits) -> f64 {
        let known = observation.network.is_some_and(|network| habits.networks.known(network, self.probation, observation.at).is_some())
            || habits.sites.known(observation.prefix, self.probation, observation.at).is_some();
        match observation.kind {
            NetworkKind::Anonymiser | NetworkKind::Hosting if !known => 0.8,
            NetworkKind::Anonymiser
            | NetworkKind::Fixed
            | NetworkKind::Hosting
            | NetworkKind::Mobile
            | NetworkKind::Satellite
            | NetworkKind::Unknown => 0.0,
        }
    }

    /// Evidence of travel: this position against that of every session of the person that is followed.
    fn movement(&self, observation: &UseObservation, habits: &mut Habits, evidence: &mut UseEvidence) {
        if observation.kind.locates() == Locates::SomethingElse {
            return;
        }
        let Some(here) = observation.position.map(|position| position.no_better_than(observation.kind.radius_km_min())) else { return };
        for sitting in &habits.sittings {
            let Some(there) = sitting.whereabouts.filter(|there| there.prefix != observation.prefix).and_then(|there| there.position)
            else {
                continue;
            };
            let interval = age(observation.at, sitting.at);
            let Some(leap) = self.travel.leap(there, here, interval) else { continue };
            // Half of the weight at logins: the device's key signed this request, so the position is rather wrong.
            let weight = within(0.5 * leap.weight, 0.0, self.travel_max);
            // Within one session it is a journey; in two sessions it is two places at once.
            let feature = if sitting.session == observation.session { UseFeature::Travel } else { UseFeature::Simultaneous };
            // Only the worst movement counts; those of several sessions must not add up.
            if weight > evidence.weight(feature) {
                evidence.add(feature, weight - evidence.weight(feature));
            }
        }
    }

    /// Evidence from the position that the app reports, against the position of the network. An attacker who uses a session from afar comes
    /// through a network in another place than the phone.
    ///
    /// Only a difference counts: two positions that agree prove nothing, since both can be made up. Carriers are left out, because they
    /// route roaming guests through their home country. Networks known as the person's are left out, because they may be the person's VPN.
    fn location(&self, observation: &UseObservation, habits: &Habits) -> f64 {
        let ((Some((phone, said_at)), Some(network)), NetworkKind::Fixed | NetworkKind::Unknown) =
            ((observation.phone, observation.position), observation.kind)
        else {
            return 0.0;
        };
        let known = habits.sites.known(observation.prefix, self.probation, observation.at).is_some()
            || observation.network.is_some_and(|network| habits.networks.known(network, self.probation, observation.at).is_some());
        let network = network.no_better_than(observation.kind.radius_km_min());
        match self.travel.leap(phone, network, observation.at.since(said_at)) {
            Some(leap) if !known => within(0.5 * leap.weight, 0.0, self.travel_max),
            Some(_) | None => 0.0,
        }
    }

    fn learn(&self, observation: &UseObservation, step: f64, total: f64, habits: &mut Habits) -> Option<Vec<Operation>> {
        // SECURITY: what scored high, or was refused, is never learned as the person's own.
        let own = total < self.learn_below && observation.ending == Ending::Good;
        let here = Whereabouts {
            prefix: observation.prefix,
            kind: observation.kind,
            position: observation
                .position
                .filter(|_| observation.kind.locates() == Locates::ThePerson)
                .map(|position| position.no_better_than(observation.kind.radius_km_min())),
        };
        let sitting = habits.sitting(observation.session)?;
        sitting.last = Some(observation.operation);
        sitting.at = stamp(observation.at);
        if own || sitting.whereabouts.is_none() {
            // SECURITY: a jump in the trail stays evidence until the session looks like its person again.
            sitting.whereabouts = Some(here);
        }
        if !own {
            // Evidence above the threshold also drops the block being collected, so that the steps that led here are not learned.
            if total >= self.step_up {
                sitting.begin_block();
            }
            return None;
        }
        sitting.block.push(observation.operation);
        sitting.block_weight += step;
        sitting.block_strange = sitting.block_strange.saturating_add(usize::from(step > STRANGE));
        let full = sitting.block.len() >= BLOCK;
        let familiar = sitting.block_weight < BLOCK_LEARNED_BELOW * real_len(BLOCK) && sitting.block_strange <= BLOCK / 2;
        let block = if full { Some(std::mem::take(&mut sitting.block)) } else { None };
        if full {
            sitting.begin_block();
        }
        habits.hours.learn(observation.at);
        let of = NetworkSeen { prefix: observation.prefix, network: observation.network, country: observation.country };
        habits.learn_network(&of, Vouched::No, observation.at);
        let block = block?;
        if !familiar && habits.strange(observation.at) < PATIENCE_DAYS {
            return None;
        }
        habits.history.learn(&block);
        Some(block)
    }
}

/// Evidence of an amount in nats: three for each factor of e above the ordinary one, at most six. The threshold of 3.3 is reached at about
/// three times the ordinary amount.
fn beyond(count: f64, ordinary: f64) -> f64 {
    if count > ordinary { within(3.0 * ln(count / ordinary), 0.0, 6.0) } else { 0.0 }
}
