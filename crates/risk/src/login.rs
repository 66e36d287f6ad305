//! Logins judged by how likely they are from an attacker and from this person: the logarithms of the ratios, feature by feature,
//! shrunk by the depth of history, summed.
//!
//! Networks are judged as a chain (country, autonomous system given the country, site given the system), so that one journey is
//! not counted three times. A value never seen for a person always raises the sum; by how much follows from how often people of
//! such a history, and this person, bring something new. After Freeman et al. (NDSS 2016), whose formula is [`crate::freeman`].

use core::net::IpAddr;

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    evidence::{Evidence, Feature, Score},
    fingerprint::{Field, Fingerprint, Salt},
    frequency::{Tally, Vouched},
    geo::{Position, TravelRule},
    maths::{age, ln, within},
    network::{Asn, NetworkKind, site},
    platform::{self, SystemChange},
    population::{Fresh, Novelty, Population, hour_kernel, hour_of, smoothed},
    profile::{Device, Profile, Sight, round_trip_class},
};

/// A device as the front door knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName<'a> {
    /// A key in attested hardware, which signed this request.
    Attested(&'a str),
    /// A name that came with the request.
    Claimed(&'a str),
    /// None.
    Unnamed,
}

/// One login, before it is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Where it came from.
    pub address: IpAddr,
    /// The autonomous system of the address, when a list knows it.
    pub network: Option<Asn>,
    /// The country of the address (ISO 3166-1 alpha-2), when a database knows it.
    pub country: Option<&'a str>,
    /// The kind of the network.
    pub kind: NetworkKind,
    /// Where the address is, when a database knows it.
    pub position: Option<Position>,
    /// On what.
    pub device: DeviceName<'a>,
    /// The operating system with its version; empty when unknown.
    pub os: &'a str,
    /// The client with its version; empty when unknown.
    pub client: &'a str,
    /// Phone, desktop, ...; empty when unknown.
    pub form: &'a str,
    /// Milliseconds to the phone and back, when measured.
    pub round_trip_ms: Option<u16>,
}

impl Login<'_> {
    /// The login at `now` as it is judged and remembered: nothing of it in clear.
    #[must_use]
    pub fn sight(&self, salt: Salt, now: UnixSeconds) -> Sight {
        let device = match self.device {
            DeviceName::Attested(name) => Device::Attested(salt.fingerprint(Field::Device, name.as_bytes())),
            DeviceName::Claimed(name) => Device::Claimed(salt.fingerprint(Field::Device, name.as_bytes())),
            DeviceName::Unnamed => Device::Unnamed,
        };
        Sight {
            at: now,
            device,
            system: platform::system(self.os, salt),
            platform: platform::platform(self.os, self.client, self.form, salt),
            prefix: salt.fingerprint(Field::Prefix, &site(self.address)),
            network: self.network.map(|Asn(number)| salt.fingerprint(Field::Network, &number.to_le_bytes())),
            country: self.country.map(|code| salt.fingerprint(Field::Country, code.to_ascii_uppercase().as_bytes())),
            kind: self.kind,
            position: self.position.map(|position| position.no_better_than(self.kind.radius_km_min())),
            round_trip_ms: self.round_trip_ms,
        }
    }
}

/// How much each feature counts beside the others. 1 would be right for features that know nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// [`Feature::Country`].
    pub country: f64,
    /// [`Feature::Device`].
    pub device: f64,
    /// [`Feature::Hour`].
    pub hour: f64,
    /// [`Feature::Network`].
    pub network: f64,
    /// [`Feature::NetworkKind`].
    pub network_kind: f64,
    /// [`Feature::Place`].
    pub place: f64,
    /// [`Feature::Platform`].
    pub platform: f64,
    /// [`Feature::Prefix`].
    pub prefix: f64,
    /// [`Feature::Refused`].
    pub refused: f64,
    /// [`Feature::Rhythm`].
    pub rhythm: f64,
    /// [`Feature::RoundTrip`].
    pub round_trip: f64,
    /// [`Feature::Simultaneous`] and [`Feature::Travel`].
    pub travel: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            country: 0.6,
            device: 1.0,
            hour: 1.0,
            network: 0.7,
            network_kind: 1.0,
            place: 1.0,
            platform: 0.8,
            prefix: 1.3,
            refused: 1.0,
            rhythm: 1.2,
            round_trip: 0.5,
            travel: 1.0,
        }
    }
}

/// The rules that logins are judged by. The defaults are those of the shipped configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoginRule {
    /// Evidence from which on a step-up is asked, in nats.
    pub step_up: f64,
    /// Evidence below which an allowed login is learned at once; between here and `step_up` it waits for `patience`.
    pub learn_below: f64,
    /// How long an unusual login that was allowed waits before it is learned.
    pub patience: Seconds,
    /// How long a value that nobody vouched for is not yet known.
    pub probation: Seconds,
    /// How long a failed step-up is held against its device and site.
    pub refusal_memory: Seconds,
    /// How travel is judged.
    pub travel: TravelRule,
    /// How features are weighed.
    pub weights: Weights,
}

impl Default for LoginRule {
    fn default() -> Self {
        Self {
            step_up: 3.3,
            learn_below: -1.5,
            patience: Seconds(86_400),
            probation: Seconds(43_200),
            refusal_memory: Seconds(3 * 86_400),
            travel: TravelRule::default(),
            weights: Weights::default(),
        }
    }
}

/// What a login is found to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// For and against.
    pub evidence: Evidence,
    /// 0 to 100.
    pub score: Score,
    /// How many logins it was compared with.
    pub depth: u32,
    /// What the rule does.
    pub verdict: Verdict,
    /// What was judged, as it will be remembered.
    pub sight: Sight,
}

/// What the rule does with a login. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Allowed and learned.
    Usual,
    /// Allowed, and learned after a while.
    Unusual,
    /// Allowed after a step-up only.
    StepUp,
}

/// What became of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was allowed without being asked for more.
    Allowed,
    /// A step-up was failed or given up.
    StepUpFailed,
    /// A step-up was passed.
    StepUpPassed,
}

/// What strangers come from, as shares: takeovers through data centres, anonymisers and, increasingly, homes (residential proxies).
const fn attackers_kind(kind: NetworkKind) -> Option<f64> {
    match kind {
        NetworkKind::Anonymiser => Some(0.18),
        NetworkKind::Fixed => Some(0.40),
        NetworkKind::Hosting => Some(0.22),
        NetworkKind::Mobile => Some(0.17),
        NetworkKind::Satellite => Some(0.03),
        NetworkKind::Unknown => None,
    }
}

impl LoginRule {
    /// Judges `sight` by what is known of the person and of everyone. Changes nothing but what time changes: `profile` and
    /// `population` fade, and logins that waited long enough are learned.
    pub fn assess(&self, sight: &Sight, profile: &mut Profile, population: &mut Population) -> Assessment {
        population.fade(sight.at);
        for ripe in profile.ripe(self.patience, sight.at) {
            learn(&ripe, Vouched::No, Timely::Late, profile, population);
        }
        profile.fade(sight.at);
        let evidence = self.weigh(sight, profile, population);
        let total = evidence.total();
        let verdict = if total >= self.step_up {
            Verdict::StepUp
        } else if total >= self.learn_below && profile.depth() > 0 {
            Verdict::Unusual
        } else {
            Verdict::Usual
        };
        Assessment { score: Score::of(total, self.step_up), depth: profile.depth(), evidence, verdict, sight: *sight }
    }

    /// Learns from what became of a login.
    pub fn settle(&self, assessment: &Assessment, settled: Settled, profile: &mut Profile, population: &mut Population) {
        let sight = &assessment.sight;
        match (settled, assessment.verdict) {
            (Settled::StepUpPassed, Verdict::Usual | Verdict::Unusual | Verdict::StepUp) => {
                profile.stop_waiting(sight);
                learn(sight, Vouched::Yes, Timely::Now, profile, population);
            }
            (Settled::StepUpFailed, Verdict::Usual | Verdict::Unusual | Verdict::StepUp) => profile.refuse(sight),
            (Settled::Allowed, Verdict::Usual) => learn(sight, Vouched::No, Timely::Now, profile, population),
            (Settled::Allowed, Verdict::Unusual | Verdict::StepUp) => profile.defer(*sight),
        }
    }

    fn weigh(&self, sight: &Sight, profile: &Profile, population: &Population) -> Evidence {
        let mut evidence = Evidence::default();
        let weights = &self.weights;
        evidence.add(Feature::Refused, weights.refused * self.refused(sight, profile));
        evidence.add(Feature::NetworkKind, weights.network_kind * network_kind(sight, profile, population));
        if profile.depth() == 0 {
            return evidence;
        }
        let (device, platform) = self.device(sight, profile, population);
        evidence.add(Feature::Device, weights.device * device);
        evidence.add(Feature::Platform, weights.platform * platform);
        let [country, network, prefix] = self.chain(sight, profile, population);
        evidence.add(Feature::Country, weights.country * country);
        evidence.add(Feature::Network, weights.network * network);
        evidence.add(Feature::Prefix, weights.prefix * prefix);
        // A new country is far from every known place: one journey, counted once.
        let place = within(weights.place * place(sight, profile) - within(weights.country * country, 0.0, f64::MAX), 0.0, f64::MAX);
        evidence.add(Feature::Place, place);
        let (feature, weight) = self.travel(sight, profile);
        evidence.add(feature, weights.travel * weight);
        evidence.add(Feature::Hour, weights.hour * hour(sight, profile, population));
        if let Some(interval) = profile.interval(sight.at) {
            evidence.add(Feature::Rhythm, weights.rhythm * within(population.rhythm(interval), -2.0, 1.5));
        }
        evidence.add(Feature::RoundTrip, weights.round_trip * round_trip(sight, profile));
        evidence
    }

    fn device(&self, sight: &Sight, profile: &Profile, population: &Population) -> (f64, f64) {
        let platform_new = || {
            let everyone = population.platform(sight.platform);
            ln(everyone / (0.5 * profile.platforms.share(sight.platform) + 0.5 * everyone))
        };
        let Some(name) = sight.device.fingerprint() else { return (0.0, platform_new()) };
        let new = profile.devices.novelty(population.novelty(Novelty::Device, profile.depth()), 10.0);
        // Of those who take accounts over, so many hold the very device, or a copy of its name.
        let stolen = match sight.device {
            Device::Attested(_) => 0.05,
            Device::Claimed(_) | Device::Unnamed => 0.25,
        };
        match profile.devices.known(name, self.probation, sight.at) {
            Some(seen) => {
                let odd = match platform::change(seen.note, sight.system) {
                    SystemChange::Downgrade => 2.0,
                    SystemChange::Other => 4.0,
                    SystemChange::Same => 0.0,
                };
                (ln(stolen / (1.0 - new)), odd)
            }
            None => (within(ln((1.0 - stolen) / new), 0.0, 4.0), platform_new()),
        }
    }

    fn chain(&self, sight: &Sight, profile: &Profile, population: &Population) -> [f64; 3] {
        let depth = profile.depth();
        let mut country_known = true;
        let mut country = 0.0;
        if let Some(value) = sight.country {
            let link =
                Link { share: population.country(value), local: 0.6, alphabet: 60.0, new: population.novelty(Novelty::Country, depth) };
            (country, country_known) = self.link(value, &link, &profile.countries, sight.at);
            country = within(country, -1.5, 5.5);
        }
        if !country_known {
            return [country, 0.0, 0.0];
        }
        let mut network_known = true;
        let mut network = 0.0;
        if let Some(value) = sight.network {
            let link =
                Link { share: population.network(value), local: 0.8, alphabet: 300.0, new: population.novelty(Novelty::Network, depth) };
            (network, network_known) = self.link(value, &link, &profile.networks, sight.at);
            network = within(network, -2.5, 4.0);
        }
        if !network_known {
            return [country, network, 0.0];
        }
        [country, network, self.prefix(sight, profile, population)]
    }

    /// One link of the chain: how likely `value` is from an attacker, who with probability `local` is like everyone here and else
    /// from anywhere, and from this person.
    fn link<const N: usize>(&self, value: Fingerprint, link: &Link, tally: &Tally<N>, now: UnixSeconds) -> (f64, bool) {
        let new = tally.novelty(link.new, 10.0);
        let attacker = link.local * link.share + (1.0 - link.local) / link.alphabet;
        match tally.known(value, self.probation, now) {
            Some(_) => (ln(attacker / ((1.0 - new) * within(tally.share(value), 0.02, 1.0) + new * link.share)), true),
            None => (within(ln(attacker / (new * link.share)), 0.0, f64::MAX), false),
        }
    }

    fn prefix(&self, sight: &Sight, profile: &Profile, population: &Population) -> f64 {
        let everyone = population.novelty(Novelty::Prefix(sight.kind), profile.depth());
        let known = profile.prefixes.known(sight.prefix, self.probation, sight.at).is_some();
        match sight.kind {
            // A carrier deals its addresses out anew each time: a new one says next to nothing.
            NetworkKind::Mobile => {
                if known {
                    -0.7
                } else {
                    within(ln(0.97 / everyone), 0.0, 0.5)
                }
            }
            NetworkKind::Anonymiser | NetworkKind::Fixed | NetworkKind::Hosting | NetworkKind::Satellite | NetworkKind::Unknown => {
                let new = profile.prefixes.novelty(everyone, 20.0);
                if known { within(ln(0.05 / (1.0 - new)), -3.0, 0.0) } else { within(ln(0.97 / new), 0.0, 4.0) }
            }
        }
    }

    /// What travel alone says about `sight`, in nats; 0 when an airliner could have brought the person here.
    #[must_use]
    pub fn travel_evidence(&self, sight: &Sight, profile: &Profile) -> f64 {
        self.travel(sight, profile).1
    }

    fn travel(&self, sight: &Sight, profile: &Profile) -> (Feature, f64) {
        let mut worst = (Feature::Travel, 0.0);
        let Some(here) = sight.whereabouts() else { return worst };
        // Where the person is known to be, it is rather the position before that was wrong.
        let familiar = profile.places.iter().any(|place| place.excess_km(here) <= 0.0);
        for step in profile.trail.iter().rev() {
            let interval = age(sight.at, step.at);
            let Some(leap) = self.travel.leap(step.position, here, interval) else { continue };
            // The same key in the same hardware: the map is wrong rather than the person.
            let weight = match (step.device, sight.device) {
                (Device::Attested(a), Device::Attested(b)) if a == b => leap.weight / 2.0,
                _ => leap.weight,
            };
            let weight = if familiar { weight / 2.0 } else { weight };
            if weight > worst.1 {
                let both = interval <= self.travel.slack && step.device != sight.device;
                worst = (if both { Feature::Simultaneous } else { Feature::Travel }, weight);
            }
        }
        worst
    }

    fn refused(&self, sight: &Sight, profile: &Profile) -> f64 {
        let device = sight.device.fingerprint();
        let new_device = device.is_some_and(|name| profile.devices.get(name).is_none());
        let new_prefix = profile.prefixes.get(sight.prefix).is_none();
        profile
            .refusals
            .iter()
            .filter(|refusal| age(sight.at, refusal.at) < self.refusal_memory)
            .map(|refusal| {
                let same_device = new_device && refusal.device == device;
                let same_prefix = new_prefix && refusal.prefix == sight.prefix;
                if same_device || same_prefix { 3.0 } else { 0.5 }
            })
            .fold(0.0, f64::max)
    }
}

struct Link {
    share: f64,
    local: f64,
    alphabet: f64,
    new: f64,
}

fn network_kind(sight: &Sight, profile: &Profile, population: &Population) -> f64 {
    let Some(attacker) = attackers_kind(sight.kind) else { return 0.0 };
    let own: f64 = profile.kinds.get(sight.kind.index()).map_or(0.0, |count| f64::from(*count));
    let all: f64 = profile.kinds.iter().map(|count| f64::from(*count)).sum();
    let person = (own + 5.0 * population.kind(sight.kind)) / (all + 5.0);
    within(ln(attacker / person), -1.5, 3.3)
}

/// The hour, by the clock at home and by the clock of where the person seems to be: who travels keeps the one or the other.
fn hour(sight: &Sight, profile: &Profile, population: &Population) -> f64 {
    let all: f64 = profile.hours.iter().map(|count| f64::from(*count)).sum();
    let strange = |at: UnixSeconds| {
        let kernel = hour_kernel(at);
        let person = (smoothed(&profile.hours, &kernel) + 6.0 * population.hour(&kernel)) / (all + 6.0);
        within(ln(1.0 / 24.0 / person), -1.5, 2.5)
    };
    let at_home = strange(sight.at);
    let shift = sight.whereabouts().zip(profile.places.last()).map_or(Seconds(0), |(here, usual)| solar_shift(*usual, here));
    // A step of the clock that a time zone may well have anyway says nothing.
    if !(Seconds(7200)..=Seconds(79_200)).contains(&shift) { at_home } else { within(strange(sight.at.plus(shift)), -1.5, at_home) }
}

/// How far the sun's clock at `there` is ahead of that at `here`: 0 to 24 hours, 240 seconds per degree of longitude.
fn solar_shift(here: Position, there: Position) -> Seconds {
    let [_, from, _] = here.parts();
    let [_, to, _] = there.parts();
    let degrees = f64::from(to) - f64::from(from);
    let east = if degrees < 0.0 { degrees + 360.0 } else { degrees };
    Seconds(u64::from(crate::maths::floor_index(east / 3.75, 95)).saturating_mul(900))
}

/// How far beyond every place the person is known at, in radii already taken off: 0.7 nats at 100 km, 2.4 at 1000 km.
fn place(sight: &Sight, profile: &Profile) -> f64 {
    let Some(here) = sight.whereabouts() else { return 0.0 };
    let nearest = profile.places.iter().map(|place| place.excess_km(here)).fold(f64::MAX, f64::min);
    if profile.places.is_empty() { 0.0 } else { within(ln(1.0 + nearest / 100.0), 0.0, 3.3) }
}

fn round_trip(sight: &Sight, profile: &Profile) -> f64 {
    let Some(milliseconds) = sight.round_trip_ms else { return 0.0 };
    let Some(spread) = profile.round_trips.get(round_trip_class(sight.kind)) else { return 0.0 };
    if spread.count < 5.0 {
        return 0.0;
    }
    let deviation = within(f64::from(spread.variance).sqrt(), 0.3, 2.0);
    let off = (ln(f64::from(milliseconds) + 1.0) - f64::from(spread.mean)) / deviation;
    // Only slower than ever is strange: a tunnel adds time, nothing takes it away.
    within(off - 1.5, -0.3, 4.0)
}

/// Whether a login is learned when it happens or after it waited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timely {
    Late,
    Now,
}

fn learn(sight: &Sight, vouched: Vouched, timely: Timely, profile: &mut Profile, population: &mut Population) {
    let depth = profile.depth();
    if depth > 0 {
        let fresh = |held: bool| if held { Fresh::Known } else { Fresh::New };
        if let Some(device) = sight.device.fingerprint() {
            population.add_novelty(Novelty::Device, depth, fresh(profile.devices.get(device).is_some()));
        }
        let country = sight.country.is_none_or(|value| profile.countries.get(value).is_some());
        let network = sight.network.is_none_or(|value| profile.networks.get(value).is_some());
        population.add_novelty(Novelty::Country, depth, fresh(country));
        if country {
            population.add_novelty(Novelty::Network, depth, fresh(network));
        }
        if country && network {
            population.add_novelty(Novelty::Prefix(sight.kind), depth, fresh(profile.prefixes.get(sight.prefix).is_some()));
        }
    }
    population.add_values(sight.country, sight.network, sight.platform, sight.kind);
    let interval = profile.interval(sight.at).filter(|_| timely == Timely::Now);
    population.add_time(hour_of(sight.at), interval);
    profile.learn(sight, vouched);
}
