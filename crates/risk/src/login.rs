//! Login scoring: how much likelier a login is from an attacker than from this person.
//!
//! Each feature gives the logarithm of the likelihood ratio, shrunk while the person's history is short; the weighted logarithms are
//! summed. Networks are judged as a chain (country, autonomous system given the country, site given the system), so that one journey is not
//! counted three times. A value never seen for a person always raises the sum. By how much depends on how often this person, and people
//! with such a history, bring something new.
//!
//! The model follows Freeman et al. (NDSS 2016), whose own formula is in [`crate::freeman`].

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
    profile::{Device, Observation, Profile, round_trip_class},
};

/// Name of the device as the issuer knows it, and how far it can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName<'a> {
    /// The name of a key in attested hardware, which signed this request.
    Attested(&'a str),
    /// A name that the client sent; anybody could copy it.
    Claimed(&'a str),
    /// The client gave no name.
    Unnamed,
}

/// One login before it is allowed, with its values in clear.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Address that the login came from.
    pub address: IpAddr,
    /// Autonomous system of the address, when a list contains it.
    pub network: Option<Asn>,
    /// Country of the address (ISO 3166-1 alpha-2), when a database contains it.
    pub country: Option<&'a str>,
    /// Kind of the network, by the operator's lists.
    pub kind: NetworkKind,
    /// Position of the address, when a database contains it.
    pub position: Option<Position>,
    /// Device that the login came from.
    pub device: DeviceName<'a>,
    /// Operating system with its version; empty when unknown.
    pub os: &'a str,
    /// Client (app or browser) with its version; empty when unknown.
    pub client: &'a str,
    /// Form of the device, such as phone or desktop; empty when unknown.
    pub form: &'a str,
    /// Round-trip time to the phone in milliseconds, when it was measured.
    pub round_trip_ms: Option<u16>,
}

impl Login<'_> {
    /// The login as it is judged and remembered: fingerprints in the place of all values that could identify somebody.
    #[must_use]
    pub fn observation(&self, salt: Salt, now: UnixSeconds) -> Observation {
        let device = match self.device {
            DeviceName::Attested(name) => Device::Attested(salt.fingerprint(Field::Device, name.as_bytes())),
            DeviceName::Claimed(name) => Device::Claimed(salt.fingerprint(Field::Device, name.as_bytes())),
            DeviceName::Unnamed => Device::Unnamed,
        };
        Observation {
            at: now,
            device,
            system: platform::system(self.os, salt),
            platform: platform::platform(self.os, self.client, self.form, salt),
            prefix: salt.fingerprint(Field::Prefix, &site(self.address)),
            network: self.network.map(|Asn(number)| salt.fingerprint(Field::Network, &number.to_le_bytes())),
            country: self.country.map(|code| salt.fingerprint(Field::Country, code.to_ascii_uppercase().as_bytes())),
            kind: self.kind,
            // The address of a carrier or VPN is located worse than databases claim, so each kind has a least radius.
            position: self.position.map(|position| position.no_better_than(self.kind.radius_km_min())),
            round_trip_ms: self.round_trip_ms,
        }
    }
}

/// Weight of each feature. A weight of 1 would be right if features were independent; those that depend on each other get less. Set by
/// measurement on the development logins (`make evaluate`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Weight of the feature [`Feature::Country`].
    pub country: f64,
    /// Weight of the feature [`Feature::Device`].
    pub device: f64,
    /// Weight of the feature [`Feature::Hour`].
    pub hour: f64,
    /// Weight of the feature [`Feature::Network`].
    pub network: f64,
    /// Weight of the feature [`Feature::NetworkKind`].
    pub network_kind: f64,
    /// Weight of the feature [`Feature::Place`].
    pub place: f64,
    /// Weight of the feature [`Feature::Platform`].
    pub platform: f64,
    /// Weight of the feature [`Feature::Prefix`].
    pub prefix: f64,
    /// Weight of the feature [`Feature::Refused`].
    pub refused: f64,
    /// Weight of the feature [`Feature::Rhythm`].
    pub rhythm: f64,
    /// Weight of the feature [`Feature::RoundTrip`].
    pub round_trip: f64,
    /// Weight of [`Feature::Simultaneous`] and [`Feature::Travel`].
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

/// Rule by which logins are judged. The defaults are those of the shipped configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoginRule {
    /// Evidence in nats from which a step-up is required.
    pub step_up: f64,
    /// Evidence in nats below which an allowed login is learned at once. Between here and `step_up` an allowed login waits for `patience`.
    pub learn_below: f64,
    /// Time that an unusual but allowed login waits before it is learned. If a step-up fails meanwhile, it is dropped.
    pub patience: Seconds,
    /// Time for which a new value that no step-up confirmed does not yet count as known.
    pub probation: Seconds,
    /// Time for which a failed step-up counts against its device and site.
    pub refusal_memory: Seconds,
    /// Rule for impossible travel.
    pub travel: TravelRule,
    /// Weights of the features.
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

/// Result of judging one login.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Weights of all features, for and against the person.
    pub evidence: Evidence,
    /// Unusualness, 0 to 100.
    pub score: Score,
    /// Number of earlier logins that it was compared with.
    pub depth: u32,
    /// Action that the rule proposes.
    pub verdict: Verdict,
    /// The login that was judged, as it will be remembered.
    pub observation: Observation,
}

/// Action that the rule proposes. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Allow, and learn the login at once.
    Usual,
    /// Allow, and learn the login after it waited for [`LoginRule::patience`].
    Unusual,
    /// Allow only after a step-up.
    StepUp,
}

/// Outcome of a login after it was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The login was allowed without a step-up.
    Allowed,
    /// The person failed the step-up or gave up.
    StepUpFailed,
    /// The person passed the step-up.
    StepUpPassed,
}

/// Share of account takeovers that come from each kind of network; `None` where the kind says nothing. Assumed, not measured: attackers use
/// data centres, anonymisers and, increasingly, home lines through residential proxies.
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
    /// Judges `sight` against the states of the person and of everyone. Only the passing of time changes the states here: counts fade, and
    /// logins that waited long enough are learned.
    pub fn assess(&self, observation: &Observation, profile: &mut Profile, population: &mut Population) -> Assessment {
        population.fade(observation.at);
        for ripe in profile.ripe(self.patience, observation.at) {
            learn(&ripe, Vouched::No, Timely::Late, profile, population);
        }
        profile.fade(observation.at);
        let evidence = self.weigh(observation, profile, population);
        let total = evidence.total();
        let verdict = if total >= self.step_up {
            Verdict::StepUp
        } else if total >= self.learn_below && profile.depth() > 0 {
            Verdict::Unusual
        } else {
            Verdict::Usual
        };
        Assessment { score: Score::of(total, self.step_up), depth: profile.depth(), evidence, verdict, observation: *observation }
    }

    /// Learns from the outcome of a login that was judged.
    pub fn settle(&self, assessment: &Assessment, settled: Settled, profile: &mut Profile, population: &mut Population) {
        let observation = &assessment.observation;
        match (settled, assessment.verdict) {
            (Settled::StepUpPassed, Verdict::Usual | Verdict::Unusual | Verdict::StepUp) => {
                profile.stop_waiting(observation);
                learn(observation, Vouched::Yes, Timely::Now, profile, population);
            }
            (Settled::StepUpFailed, Verdict::Usual | Verdict::Unusual | Verdict::StepUp) => profile.refuse(observation),
            (Settled::Allowed, Verdict::Usual) => learn(observation, Vouched::No, Timely::Now, profile, population),
            // SECURITY: an unusual login waits before it is learned, so that an intruder's first visit does not make the next one look
            // usual.
            (Settled::Allowed, Verdict::Unusual | Verdict::StepUp) => profile.defer(*observation),
        }
    }

    fn weigh(&self, observation: &Observation, profile: &Profile, population: &Population) -> Evidence {
        let mut evidence = Evidence::default();
        let weights = &self.weights;
        evidence.add(Feature::Refused, weights.refused * self.refused(observation, profile));
        evidence.add(Feature::NetworkKind, weights.network_kind * network_kind(observation, profile, population));
        // Without a history nothing can be new for the person, so only the features that need none are judged.
        if profile.depth() == 0 {
            return evidence;
        }
        let (device, platform) = self.device(observation, profile, population);
        evidence.add(Feature::Device, weights.device * device);
        evidence.add(Feature::Platform, weights.platform * platform);
        let [country, network, prefix] = self.chain(observation, profile, population);
        evidence.add(Feature::Country, weights.country * country);
        evidence.add(Feature::Network, weights.network * network);
        evidence.add(Feature::Prefix, weights.prefix * prefix);
        // A new country is far from every known place. The two describe one journey, so it is counted once.
        let place = within(weights.place * place(observation, profile) - within(weights.country * country, 0.0, f64::MAX), 0.0, f64::MAX);
        evidence.add(Feature::Place, place);
        let (feature, weight) = self.travel(observation, profile);
        evidence.add(feature, weights.travel * weight);
        evidence.add(Feature::Hour, weights.hour * hour(observation, profile, population));
        if let Some(interval) = profile.interval(observation.at) {
            evidence.add(Feature::Rhythm, weights.rhythm * within(population.rhythm(interval), -2.0, 1.5));
        }
        evidence.add(Feature::RoundTrip, weights.round_trip * round_trip(observation, profile));
        evidence
    }

    fn device(&self, observation: &Observation, profile: &Profile, population: &Population) -> (f64, f64) {
        let platform_new = || {
            let everyone = population.platform(observation.platform);
            ln(everyone / (0.5 * profile.platforms.share(observation.platform) + 0.5 * everyone))
        };
        let Some(name) = observation.device.fingerprint() else { return (0.0, platform_new()) };
        // Ten observations' worth of everybody's habits, so that a short history does not decide.
        let new = profile.devices.novelty(population.novelty(Novelty::Device, profile.depth()), 10.0);
        // Share of attackers who hold the device itself (attested) or a copy of its name (claimed). Assumed.
        let stolen = match observation.device {
            Device::Attested(_) => 0.05,
            Device::Claimed(_) | Device::Unnamed => 0.25,
        };
        match profile.devices.known(name, self.probation, observation.at) {
            Some(seen) => {
                // Assumed weights: a phone hardly ever goes back to an older system, and never becomes another one.
                let odd = match platform::change(seen.note, observation.system) {
                    SystemChange::Downgrade => 2.0,
                    SystemChange::Other => 4.0,
                    SystemChange::Same => 0.0,
                };
                (ln(stolen / (1.0 - new)), odd)
            }
            None => (within(ln((1.0 - stolen) / new), 0.0, 4.0), platform_new()),
        }
    }

    fn chain(&self, observation: &Observation, profile: &Profile, population: &Population) -> [f64; 3] {
        let depth = profile.depth();
        let mut country_known = true;
        let mut country = 0.0;
        if let Some(value) = observation.country {
            let link =
                Link { share: population.country(value), local: 0.6, alphabet: 60.0, new: population.novelty(Novelty::Country, depth) };
            (country, country_known) = self.link(value, &link, &profile.countries, observation.at);
            country = within(country, -1.5, 5.5);
        }
        // In a new country, network and site are new as well and add nothing.
        if !country_known {
            return [country, 0.0, 0.0];
        }
        let mut network_known = true;
        let mut network = 0.0;
        if let Some(value) = observation.network {
            let link =
                Link { share: population.network(value), local: 0.8, alphabet: 300.0, new: population.novelty(Novelty::Network, depth) };
            (network, network_known) = self.link(value, &link, &profile.networks, observation.at);
            network = within(network, -2.5, 4.0);
        }
        if !network_known {
            return [country, network, 0.0];
        }
        [country, network, self.prefix(observation, profile, population)]
    }

    /// Evidence of one link of the chain, and whether the person is known to use the value. An attacker is like everyone here with
    /// probability `local`, and comes from anywhere (`alphabet` equally likely values) otherwise.
    fn link<const N: usize>(&self, value: Fingerprint, link: &Link, tally: &Tally<N>, now: UnixSeconds) -> (f64, bool) {
        let new = tally.novelty(link.new, 10.0);
        let attacker = link.local * link.share + (1.0 - link.local) / link.alphabet;
        match tally.known(value, self.probation, now) {
            Some(_) => (ln(attacker / ((1.0 - new) * within(tally.share(value), 0.02, 1.0) + new * link.share)), true),
            // Never below zero, because a new value must not speak for the person.
            None => (within(ln(attacker / (new * link.share)), 0.0, f64::MAX), false),
        }
    }

    fn prefix(&self, observation: &Observation, profile: &Profile, population: &Population) -> f64 {
        let everyone = population.novelty(Novelty::Prefix(observation.kind), profile.depth());
        let known = profile.prefixes.known(observation.prefix, self.probation, observation.at).is_some();
        match observation.kind {
            // A carrier assigns new addresses all the time, so a new one says almost nothing.
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

    /// Evidence from travel alone, in nats; 0 when an airliner could have brought the person here in time.
    #[must_use]
    pub fn travel_evidence(&self, observation: &Observation, profile: &Profile) -> f64 {
        self.travel(observation, profile).1
    }

    fn travel(&self, observation: &Observation, profile: &Profile) -> (Feature, f64) {
        let mut worst = (Feature::Travel, 0.0);
        let Some(here) = observation.whereabouts() else { return worst };
        // At a place where the person is known to be, an error in the position before is likelier than a takeover.
        let familiar = profile.places.iter().any(|place| place.excess_km(here) <= 0.0);
        for step in profile.trail.iter().rev() {
            let interval = age(observation.at, step.at);
            let Some(leap) = self.travel.leap(step.position, here, interval) else { continue };
            // The same attested key on both sides: an error in the database is likelier than two holders of one hardware key.
            let weight = match (step.device, observation.device) {
                (Device::Attested(a), Device::Attested(b)) if a == b => leap.weight / 2.0,
                _ => leap.weight,
            };
            let weight = if familiar { weight / 2.0 } else { weight };
            if weight > worst.1 {
                let both = interval <= self.travel.slack && step.device != observation.device;
                worst = (if both { Feature::Simultaneous } else { Feature::Travel }, weight);
            }
        }
        worst
    }

    fn refused(&self, observation: &Observation, profile: &Profile) -> f64 {
        let device = observation.device.fingerprint();
        let new_device = device.is_some_and(|name| profile.devices.get(name).is_none());
        let new_prefix = profile.prefixes.get(observation.prefix).is_none();
        profile
            .refusals
            .iter()
            .filter(|refusal| age(observation.at, refusal.at) < self.refusal_memory)
            .map(|refusal| {
                let same_device = new_device && refusal.device == device;
                let same_prefix = new_prefix && refusal.prefix == observation.prefix;
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

fn network_kind(observation: &Observation, profile: &Profile, population: &Population) -> f64 {
    let Some(attacker) = attackers_kind(observation.kind) else { return 0.0 };
    let own: f64 = profile.kinds.get(observation.kind.index()).map_or(0.0, |count| f64::from(*count));
    let all: f64 = profile.kinds.iter().map(|count| f64::from(*count)).sum();
    let person = (own + 5.0 * population.kind(observation.kind)) / (all + 5.0);
    within(ln(attacker / person), -1.5, 3.3)
}

/// Evidence from the hour, by the clock at home and by the clock at the present position. Travellers keep the one or the other, so the
/// smaller evidence counts.
fn hour(observation: &Observation, profile: &Profile, population: &Population) -> f64 {
    let all: f64 = profile.hours.iter().map(|count| f64::from(*count)).sum();
    let strange = |at: UnixSeconds| {
        let kernel = hour_kernel(at);
        let person = (smoothed(&profile.hours, &kernel) + 6.0 * population.hour(&kernel)) / (all + 6.0);
        // A stranger comes at every hour alike.
        within(ln(1.0 / 24.0 / person), -1.5, 2.5)
    };
    let at_home = strange(observation.at);
    let shift = observation.whereabouts().zip(profile.places.last()).map_or(Seconds(0), |(here, usual)| solar_shift(*usual, here));
    // A shift below two hours (either way) may come from the time zone and summer time alone and says nothing.
    if !(Seconds(7200)..=Seconds(79_200)).contains(&shift) { at_home } else { within(strange(observation.at.plus(shift)), -1.5, at_home) }
}

/// Difference of solar time between two positions: how far the clock at `there` is ahead of that at `here`, 0 to 24 hours. The sun takes
/// 240 seconds per degree of longitude.
fn solar_shift(here: Position, there: Position) -> Seconds {
    let [_, from, _] = here.parts();
    let [_, to, _] = there.parts();
    let degrees = f64::from(to) - f64::from(from);
    let east = if degrees < 0.0 { degrees + 360.0 } else { degrees };
    Seconds(u64::from(crate::maths::floor_index(east / 3.75, 95)).saturating_mul(900))
}

/// Evidence from the distance to the nearest place where the person was before, radii subtracted: 0.7 nats at 100 km, 2.4 at 1000 km.
fn place(observation: &Observation, profile: &Profile) -> f64 {
    let Some(here) = observation.whereabouts() else { return 0.0 };
    let nearest = profile.places.iter().map(|place| place.excess_km(here)).fold(f64::MAX, f64::min);
    if profile.places.is_empty() { 0.0 } else { within(ln(1.0 + nearest / 100.0), 0.0, 3.3) }
}

fn round_trip(observation: &Observation, profile: &Profile) -> f64 {
    let Some(milliseconds) = observation.round_trip_ms else { return 0.0 };
    let Some(spread) = profile.round_trips.get(round_trip_class(observation.kind)) else { return 0.0 };
    // With fewer measurements the spread means nothing.
    if spread.count < 5.0 {
        return 0.0;
    }
    let deviation = within(f64::from(spread.variance).sqrt(), 0.3, 2.0);
    let off = (ln(f64::from(milliseconds) + 1.0) - f64::from(spread.mean)) / deviation;
    // Only a slower round trip than usual is strange: a tunnel adds time, and nothing can take time away.
    within(off - 1.5, -0.3, 4.0)
}

/// Moment of learning: when the login happens, or after it waited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timely {
    Late,
    Now,
}

fn learn(observation: &Observation, vouched: Vouched, timely: Timely, profile: &mut Profile, population: &mut Population) {
    let depth = profile.depth();
    if depth > 0 {
        // Each field counts as new only when the fields before it in the chain are known, as in `chain`.
        let fresh = |held: bool| if held { Fresh::Known } else { Fresh::New };
        if let Some(device) = observation.device.fingerprint() {
            population.add_novelty(Novelty::Device, depth, fresh(profile.devices.get(device).is_some()));
        }
        let country = observation.country.is_none_or(|value| profile.countries.get(value).is_some());
        let network = observation.network.is_none_or(|value| profile.networks.get(value).is_some());
        population.add_novelty(Novelty::Country, depth, fresh(country));
        if country {
            population.add_novelty(Novelty::Network, depth, fresh(network));
        }
        if country && network {
            population.add_novelty(Novelty::Prefix(observation.kind), depth, fresh(profile.prefixes.get(observation.prefix).is_some()));
        }
    }
    population.add_values(observation.country, observation.network, observation.platform, observation.kind);
    // The interval of a login that waited is left out, since the logins after it are learned already.
    let interval = profile.interval(observation.at).filter(|_| timely == Timely::Now);
    population.add_time(hour_of(observation.at), interval);
    profile.learn(observation, vouched);
}
