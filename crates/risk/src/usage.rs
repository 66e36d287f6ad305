//! Whether a session is used as its person uses it: operations, hours, networks, places, amounts.
//!
//! Habits (operations and their order, hour, network) are evidence shrunk by the depth of history, and none of them reaches the
//! threshold alone: a new feature, a sleepless night, a journey are ordinary life. Amounts (different objects, requests, refusals,
//! bytes) reach it alone, at about three times what is ordinary for everyone and for the person.
//!
//! # Poisoning
//! What scored high is not learned. What is ordinary for a person rises by at most a tenth an hour of use, and never beyond a
//! stated multiple of what is ordinary for everyone, so that drifting slowly wins little. A network speaks for the person only half
//! a day after it came.

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

/// How an earlier step of the way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing spoke against the request, or only what the person can cure.
    Good,
    /// It was refused for good: not permitted, malformed, forged.
    Refused,
}

/// One request as it is judged: nothing of it in clear.
#[derive(Clone, Copy, Debug)]
pub struct UseSight {
    /// When.
    pub at: UnixSeconds,
    /// The session's keyed hash.
    pub session: u64,
    /// What was done.
    pub operation: Operation,
    /// The object's keyed hash, when it is about one.
    pub object: Option<u64>,
    /// The site's addresses.
    pub prefix: Fingerprint,
    /// The autonomous system, when known.
    pub network: Option<Fingerprint>,
    /// The country, when known.
    pub country: Option<Fingerprint>,
    /// The kind of network.
    pub kind: NetworkKind,
    /// Where the address is, when known.
    pub position: Option<Position>,
    /// Where the phone says that it is, and when it said so.
    pub phone: Option<(Position, UnixSeconds)>,
    /// How it ended before it was judged.
    pub ending: Ending,
}

/// The rules that use is judged by. The defaults are those of the shipped configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UseRule {
    /// Evidence from which on a step-up is asked, in nats.
    pub step_up: f64,
    /// Evidence below which a request is learned.
    pub learn_below: f64,
    /// Different objects an hour that are ordinary for everyone.
    pub objects_hour: f64,
    /// Different objects a day that are ordinary for everyone.
    pub objects_day: f64,
    /// Requests in a minute that are ordinary for everyone.
    pub rate: f64,
    /// Refusals in ten minutes that are ordinary.
    pub failures: f64,
    /// Megabytes an hour that are ordinary for everyone.
    pub megabytes: f64,
    /// How many times everyone's ordinary amount a person's own may be, whatever was learned.
    pub own_share_max: f64,
    /// How long a network that nobody vouched for is not yet known.
    pub probation: Seconds,
    /// How travel is judged.
    pub travel: TravelRule,
    /// The most that operations weigh.
    pub operations_max: f64,
    /// The most that the hour weighs.
    pub hour_max: f64,
    /// The most that travel and simultaneous presence weigh; half of the rule's, because the device's key signed.
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

/// What a request is found to be.
#[derive(Clone, Debug, PartialEq)]
pub struct UseAssessment {
    /// For and against.
    pub evidence: UseEvidence,
    /// 0 to 100.
    pub score: Score,
    /// With how many operations it was compared.
    pub depth: u32,
    /// Operations that the person's habits learned just now, and that everybody's are to learn too.
    pub learned: Option<Vec<Operation>>,
}

/// Weight of the operations before, at each next one.
const DRIFT_KEPT: f64 = 0.8;
/// Mean evidence per operation below which a block is the person's own.
const BLOCK_LEARNED_BELOW: f64 = 0.15;
/// An operation that weighs more is strange.
const STRANGE: f64 = 1.0;
/// Days after which a new way of use that nothing came of is the person's: apps get new screens.
const PATIENCE_DAYS: u8 = 3;

impl UseRule {
    /// Judges a request by what is known of the person and of everybody, then learns from it if it looked like theirs.
    pub fn judge(&self, sight: &UseSight, habits: &mut Habits, everybody: &Population) -> UseAssessment {
        let floors = self.floors();
        habits.turn(&floors, sight.at);
        let mut evidence = UseEvidence::default();
        self.amounts(sight, habits, &mut evidence);
        let step = self.habits(sight, habits, everybody, &mut evidence);
        self.movement(sight, habits, &mut evidence);
        evidence.add(UseFeature::Location, self.location(sight, habits));
        let learned = self.learn(sight, step, evidence.total(), habits);
        UseAssessment { score: evidence.score(self.step_up), depth: habits.depth(), evidence, learned }
    }

    /// Notes what became of a request.
    pub fn answered(&self, bytes_out: u64, ending: Ending, habits: &mut Habits, now: UnixSeconds) {
        let megabytes = f64::from(u32::try_from(bytes_out / 1024).unwrap_or(u32::MAX)) / 1024.0;
        let volume = habits.volume.add(megabytes, now);
        habits.volume_peak = habits.volume_peak.max(narrow(volume));
        if ending == Ending::Refused {
            habits.failures.add(1.0, now);
        }
    }

    /// The person of `session` proved to be there: what the session did lately is theirs, and so is where it is.
    /// Says what everybody's habits are to learn.
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

    fn amounts(&self, sight: &UseSight, habits: &mut Habits, evidence: &mut UseEvidence) {
        let rate = habits.rate.add(1.0, sight.at);
        let ordinary = habits.requests_per_minute.ordinary(self.rate, self.own_share_max);
        evidence.add(UseFeature::Rate, beyond(rate, ordinary));
        habits.rate_peak = habits.rate_peak.max(narrow(within(rate, 0.0, ordinary)));
        if let Some(object) = sight.object {
            habits.objects_hour.add(object);
            habits.objects_day.add(object);
        }
        let hour = beyond(habits.objects_hour.count(), habits.objects_per_hour.ordinary(self.objects_hour, self.own_share_max));
        let day = beyond(habits.objects_day.count(), habits.objects_per_day.ordinary(self.objects_day, self.own_share_max));
        evidence.add(UseFeature::Objects, if hour > day { hour } else { day });
        let failures = match sight.ending {
            Ending::Refused => habits.failures.add(1.0, sight.at),
            Ending::Good => habits.failures.read(sight.at),
        };
        evidence.add(UseFeature::Failures, within(0.7 * (failures - self.failures), 0.0, 6.0));
        let volume = habits.volume.read(sight.at);
        evidence.add(UseFeature::Volume, beyond(volume, habits.megabytes_per_hour.ordinary(self.megabytes, self.own_share_max)));
    }

    /// Says what the operation alone weighs.
    fn habits(&self, sight: &UseSight, habits: &mut Habits, everybody: &Population, evidence: &mut UseEvidence) -> f64 {
        let before = habits.sitting(sight.session).and_then(|sitting| sitting.last);
        let step = within(everybody.weigh_next(&habits.history, before, sight.operation), -1.0, 2.0);
        let most = self.operations_max;
        if let Some(sitting) = habits.sitting(sight.session) {
            sitting.drift = within(DRIFT_KEPT * sitting.drift + step, -1.0, most);
            evidence.add(UseFeature::Operations, sitting.drift);
        }
        evidence.add(UseFeature::Hour, habits.hours.weigh(self.hour_max, sight.at));
        let shrunk = f64::from(habits.depth()) / (f64::from(habits.depth()) + 60.0);
        evidence.add(UseFeature::Network, shrunk * self.network(sight, habits));
        evidence.add(UseFeature::NetworkKind, shrunk * self.kind(sight, habits));
        step
    }

    fn network(&self, sight: &UseSight, habits: &Habits) -> f64 {
        if habits.sites.known(sight.prefix, self.probation, sight.at).is_some() {
            return -0.2;
        }
        let site = || within(ln(0.9 / habits.sites.novelty(0.15, 5.0)), 0.1, 0.9);
        let Some(network) = sight.network else { return site() };
        if habits.networks.known(network, self.probation, sight.at).is_some() {
            // A carrier deals its addresses out anew each time; a known provider's other lines are a neighbour's.
            return match sight.kind {
                NetworkKind::Mobile => -0.1,
                NetworkKind::Anonymiser | NetworkKind::Fixed | NetworkKind::Hosting | NetworkKind::Satellite | NetworkKind::Unknown => {
                    0.5 * site()
                }
            };
        }
        let abroad = sight.country.is_some_and(|country| habits.countries.known(country, self.probation, sight.at).is_none());
        within(ln(0.9 / habits.networks.novelty(0.15, 5.0)), 0.3, 0.9) + if abroad { 0.3 } else { 0.0 }
    }

    fn kind(&self, sight: &UseSight, habits: &Habits) -> f64 {
        let known = sight.network.is_some_and(|network| habits.networks.known(network, self.probation, sight.at).is_some())
            || habits.sites.known(sight.prefix, self.probation, sight.at).is_some();
        match sight.kind {
            NetworkKind::Anonymiser | NetworkKind::Hosting if !known => 0.8,
            NetworkKind::Anonymiser
            | NetworkKind::Fixed
            | NetworkKind::Hosting
            | NetworkKind::Mobile
            | NetworkKind::Satellite
            | NetworkKind::Unknown => 0.0,
        }
    }

    fn movement(&self, sight: &UseSight, habits: &mut Habits, evidence: &mut UseEvidence) {
        if sight.kind.locates() == Locates::SomethingElse {
            return;
        }
        let Some(here) = sight.position.map(|position| position.no_better_than(sight.kind.radius_km_min())) else { return };
        for sitting in &habits.sittings {
            let Some(there) = sitting.whereabouts.filter(|there| there.prefix != sight.prefix).and_then(|there| there.position) else {
                continue;
            };
            let interval = age(sight.at, sitting.at);
            let Some(leap) = self.travel.leap(there, here, interval) else { continue };
            let weight = within(0.5 * leap.weight, 0.0, self.travel_max);
            let feature = if sitting.session == sight.session { UseFeature::Travel } else { UseFeature::Simultaneous };
            if weight > evidence.weight(feature) {
                evidence.add(feature, weight - evidence.weight(feature));
            }
        }
    }

    /// Whoever holds a session from afar comes by another network than the phone is at. A phone that is where its network is proves
    /// nothing: both can be made up. Carriers let guests out at home, and a network that is known as the person's may be their VPN.
    fn location(&self, sight: &UseSight, habits: &Habits) -> f64 {
        let ((Some((phone, said_at)), Some(network)), NetworkKind::Fixed | NetworkKind::Unknown) =
            ((sight.phone, sight.position), sight.kind)
        else {
            return 0.0;
        };
        let known = habits.sites.known(sight.prefix, self.probation, sight.at).is_some()
            || sight.network.is_some_and(|network| habits.networks.known(network, self.probation, sight.at).is_some());
        let network = network.no_better_than(sight.kind.radius_km_min());
        match self.travel.leap(phone, network, sight.at.since(said_at)) {
            Some(leap) if !known => within(0.5 * leap.weight, 0.0, self.travel_max),
            Some(_) | None => 0.0,
        }
    }

    fn learn(&self, sight: &UseSight, step: f64, total: f64, habits: &mut Habits) -> Option<Vec<Operation>> {
        let own = total < self.learn_below && sight.ending == Ending::Good;
        let here = Whereabouts {
            prefix: sight.prefix,
            kind: sight.kind,
            position: sight
                .position
                .filter(|_| sight.kind.locates() == Locates::ThePerson)
                .map(|position| position.no_better_than(sight.kind.radius_km_min())),
        };
        let sitting = habits.sitting(sight.session)?;
        sitting.last = Some(sight.operation);
        sitting.at = stamp(sight.at);
        if own || sitting.whereabouts.is_none() {
            // A leap stays evidence until the session looks like its person again.
            sitting.whereabouts = Some(here);
        }
        if !own {
            if total >= self.step_up {
                sitting.begin_block();
            }
            return None;
        }
        sitting.block.push(sight.operation);
        sitting.block_weight += step;
        sitting.block_strange = sitting.block_strange.saturating_add(usize::from(step > STRANGE));
        let full = sitting.block.len() >= BLOCK;
        let familiar = sitting.block_weight < BLOCK_LEARNED_BELOW * real_len(BLOCK) && sitting.block_strange <= BLOCK / 2;
        let block = if full { Some(std::mem::take(&mut sitting.block)) } else { None };
        if full {
            sitting.begin_block();
        }
        habits.hours.learn(sight.at);
        let of = NetworkSeen { prefix: sight.prefix, network: sight.network, country: sight.country };
        habits.learn_network(&of, Vouched::No, sight.at);
        let block = block?;
        if !familiar && habits.strange(sight.at) < PATIENCE_DAYS {
            return None;
        }
        habits.history.learn(&block);
        Some(block)
    }
}

/// Three nats for each time the count is e times the ordinary one: the threshold at three times, at most six.
fn beyond(count: f64, ordinary: f64) -> f64 {
    if count > ordinary { within(3.0 * ln(count / ordinary), 0.0, 6.0) } else { 0.0 }
}
