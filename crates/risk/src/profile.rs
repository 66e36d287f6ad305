//! The state of one person's logins: bounded, fading, and in fingerprints only.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    fingerprint::Fingerprint,
    frequency::{Tally, Vouched},
    geo::Position,
    maths::{age, narrow, remaining, stamp, within},
    network::{Locates, NetworkKind},
    population::{HOURS, hour_of},
};

/// Half-life of the state: logins of two months ago count half.
pub(crate) const HALF_LIFE: Seconds = Seconds(60 * 86_400);
/// Number of positions kept of the last logins, for travel.
pub(crate) const TRAIL_MAX: usize = 3;
/// Number of places kept where the person was.
pub(crate) const PLACES_MAX: usize = 4;
/// Number of unusual logins that may wait to be learned.
pub(crate) const PENDING_MAX: usize = 3;
/// Number of failed step-ups that are remembered.
pub(crate) const REFUSALS_MAX: usize = 3;

/// Fingerprint of a device, and how far it can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The fingerprint of an attested hardware key, which nobody else can use.
    Attested(Fingerprint),
    /// The fingerprint of a name that the client sent; a name can be copied.
    Claimed(Fingerprint),
    /// The client gave no name.
    Unnamed,
}

impl Device {
    /// Fingerprint of the device, however far it can be believed.
    #[must_use]
    pub const fn fingerprint(self) -> Option<Fingerprint> {
        match self {
            Self::Attested(fingerprint) | Self::Claimed(fingerprint) => Some(fingerprint),
            Self::Unnamed => None,
        }
    }
}

/// One login as it is judged and remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Time of the login.
    pub at: UnixSeconds,
    /// Device that the login came from.
    pub device: Device,
    /// Operating system and version, as [`crate::platform::system`] makes them.
    pub system: u32,
    /// Fingerprint of operating system and client without versions.
    pub platform: Fingerprint,
    /// Fingerprint of the site's address range.
    pub prefix: Fingerprint,
    /// Fingerprint of the autonomous system, when known.
    pub network: Option<Fingerprint>,
    /// Fingerprint of the country, when known.
    pub country: Option<Fingerprint>,
    /// Kind of the network.
    pub kind: NetworkKind,
    /// Position of the address, when known, with a radius of at least what its kind allows.
    pub position: Option<Position>,
    /// Round-trip time to the phone in milliseconds, when it was measured.
    pub round_trip_ms: Option<u16>,
}

impl Observation {
    /// The position, when it is that of the person and not of a machine in between.
    #[must_use]
    pub(crate) fn whereabouts(&self) -> Option<Position> {
        match self.kind.locates() {
            Locates::ThePerson => self.position,
            Locates::SomethingElse => None,
        }
    }
}

/// One position of the trail of the last logins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// Time of the login, in seconds since 1970.
    pub at: u32,
    /// Position of the login.
    pub position: Position,
    /// Device of the login.
    pub device: Device,
}

/// A step-up that failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// Time of the failure, in seconds since 1970.
    pub at: u32,
    /// Fingerprint of the device, when it had a name.
    pub device: Option<Fingerprint>,
    /// Fingerprint of the site's address range.
    pub prefix: Fingerprint,
}

/// Running mean and variance of a quantity, with a memory of about 20 observations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    /// Number of observations, at most 20; from then on the oldest fade.
    pub count: f32,
    /// Mean of the observations.
    pub mean: f32,
    /// Variance of the observations.
    pub variance: f32,
}

impl Spread {
    /// Adds one observation to both statistics.
    pub fn add(&mut self, value: f64) {
        // With the count capped at 20, the newest value always has a weight of at least 1/20 (an exponential average).
        let count = within(f64::from(self.count) + 1.0, 1.0, 20.0);
        let off = value - f64::from(self.mean);
        let mean = f64::from(self.mean) + off / count;
        let variance = f64::from(self.variance) + (off * (value - mean) - f64::from(self.variance)) / count;
        *self = Self { count: narrow(count), mean: narrow(mean), variance: narrow(variance) };
    }
}

/// State of one person: about 300 bytes for somebody with one phone at home and on a carrier, at most 1.4 KiB.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    pub(crate) as_of: u32,
    pub(crate) depth: u32,
    pub(crate) last: u32,
    pub(crate) devices: Tally<5>,
    pub(crate) prefixes: Tally<12>,
    pub(crate) networks: Tally<6>,
    pub(crate) countries: Tally<4>,
    pub(crate) platforms: Tally<4>,
    pub(crate) kinds: [f32; 6],
    pub(crate) hours: [f32; HOURS],
    pub(crate) round_trips: [Spread; 2],
    pub(crate) trail: Vec<Step>,
    pub(crate) places: Vec<Position>,
    pub(crate) pending: Vec<Observation>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Profile {
    /// Number of logins that the state was learned from.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Time since the last login that was learned; `None` before the first.
    #[must_use]
    pub fn interval(&self, now: UnixSeconds) -> Option<Seconds> {
        (self.depth > 0).then(|| age(now, self.last))
    }

    /// Memory that the state takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let seen = size_of::<crate::frequency::Seen>();
        let values = self.devices.entries().len()
            + self.prefixes.entries().len()
            + self.networks.entries().len()
            + self.countries.entries().len()
            + self.platforms.entries().len();
        size_of::<Self>()
            + values * seen
            + self.trail.len() * size_of::<Step>()
            + self.places.len() * size_of::<Position>()
            + self.pending.len() * size_of::<Observation>()
            + self.refusals.len() * size_of::<Refusal>()
    }

    /// Lets all counts fade to `now`. It acts at most once an hour.
    pub(crate) fn fade(&mut self, now: UnixSeconds) {
        if self.as_of == 0 {
            self.as_of = stamp(now);
        }
        let since = age(now, self.as_of);
        if since < Seconds(3600) {
            return;
        }
        let factor = remaining(since, HALF_LIFE);
        self.devices.fade(factor);
        self.prefixes.fade(factor);
        self.networks.fade(factor);
        self.countries.fade(factor);
        self.platforms.fade(factor);
        for count in self.kinds.iter_mut().chain(&mut self.hours) {
            *count = narrow(f64::from(*count) * factor);
        }
        self.as_of = stamp(now);
    }

    /// Takes out the waiting logins that are at least `patience` old. Nobody objected to them, so the caller learns them.
    pub(crate) fn ripe(&mut self, patience: Seconds, now: UnixSeconds) -> Vec<Observation> {
        // The usual case, without an allocation: nothing has waited long enough.
        if self.pending.iter().all(|observation| now.since(observation.at) < patience) {
            return Vec::new();
        }
        let (ripe, green) = self.pending.drain(..).partition(|observation: &Observation| now.since(observation.at) >= patience);
        self.pending = green;
        ripe
    }

    /// Lets `sight` wait to be learned. When a login of the same device, site and country waits already, that one counts for both.
    pub(crate) fn defer(&mut self, observation: Observation) {
        let alike = |other: &Observation| {
            other.device == observation.device && other.prefix == observation.prefix && other.country == observation.country
        };
        if self.pending.iter().any(alike) {
            return;
        }
        if self.pending.len() >= PENDING_MAX {
            // The oldest waiting login is dropped. An attacker can push out waiting logins, but never learned ones.
            self.pending.remove(0);
        }
        self.pending.push(observation);
    }

    /// Removes `sight` from the waiting logins, since the person confirmed it by a step-up and it is learned at once.
    pub(crate) fn stop_waiting(&mut self, observation: &Observation) {
        self.pending.retain(|other| other != observation);
    }

    /// Remembers that `sight` failed a step-up, and drops waiting logins from the same device or site.
    pub fn refuse(&mut self, observation: &Observation) {
        let device = observation.device.fingerprint();
        // SECURITY: what came from where a step-up failed must not be learned later, just because time passed.
        self.pending.retain(|other| other.prefix != observation.prefix && (device.is_none() || other.device.fingerprint() != device));
        if self.refusals.len() >= REFUSALS_MAX {
            self.refusals.remove(0);
        }
        self.refusals.push(Refusal { at: stamp(observation.at), device, prefix: observation.prefix });
    }

    /// Learns `sight`. The values of a person's first login count as confirmed, since the person enrolled with them.
    pub fn learn(&mut self, observation: &Observation, vouched: Vouched) {
        let vouched = if self.depth == 0 { Vouched::Yes } else { vouched };
        let now = observation.at;
        if let Some(device) = observation.device.fingerprint() {
            self.devices.add(device, observation.system, vouched, now);
        }
        if let Some(network) = observation.network {
            self.networks.add(network, 0, vouched, now);
        }
        if let Some(country) = observation.country {
            self.countries.add(country, 0, vouched, now);
        }
        self.prefixes.add(observation.prefix, 0, vouched, now);
        self.platforms.add(observation.platform, 0, vouched, now);
        if let Some(count) = self.kinds.get_mut(observation.kind.index()) {
            *count += 1.0;
        }
        if let Some(count) = self.hours.get_mut(hour_of(now)) {
            *count += 1.0;
        }
        self.walk(observation);
        if let Some(milliseconds) = observation.round_trip_ms
            && let Some(spread) = self.round_trips.get_mut(round_trip_class(observation.kind))
        {
            spread.add(crate::maths::ln(f64::from(milliseconds) + 1.0));
        }
        // Only a confirmed login clears a site; an attacker could make an unconfirmed one.
        if vouched == Vouched::Yes {
            self.refusals.retain(|refusal| refusal.prefix != observation.prefix);
        }
        self.depth = self.depth.saturating_add(1);
        self.last = self.last.max(stamp(now));
    }

    fn walk(&mut self, observation: &Observation) {
        let Some(position) = observation.whereabouts() else { return };
        let step = Step { at: stamp(observation.at), position, device: observation.device };
        if self.trail.len() >= TRAIL_MAX {
            self.trail.remove(0);
        }
        self.trail.push(step);
        // A login that waited is learned late, so its step may be older than those already there.
        self.trail.sort_by_key(|step| step.at);
        if let Some(index) = self.places.iter().position(|place| place.excess_km(position) <= 0.0) {
            // The place visited most recently stands last. Of two positions of one place, the more accurate one is kept.
            let known = self.places.remove(index);
            let [_, _, theirs] = known.parts();
            let [_, _, ours] = position.parts();
            self.places.push(if ours < theirs { position } else { known });
            return;
        }
        if self.places.len() >= PLACES_MAX {
            self.places.remove(0);
        }
        self.places.push(position);
    }

    /// Merges the state of another node about the same person, after both were faded to the later of the two times. Merging twice changes
    /// nothing, and the order does not matter, except for waiting logins, the trail and places, of which only a bounded number is kept.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        let at = UnixSeconds(u64::from(self.as_of.max(other.as_of)));
        self.fade(at);
        other.fade(at);
        self.devices.merge(&other.devices);
        self.prefixes.merge(&other.prefixes);
        self.networks.merge(&other.networks);
        self.countries.merge(&other.countries);
        self.platforms.merge(&other.platforms);
        for (a, b) in self.kinds.iter_mut().chain(&mut self.hours).zip(other.kinds.iter().chain(&other.hours)) {
            *a = a.max(*b);
        }
        for (a, b) in self.round_trips.iter_mut().zip(&other.round_trips) {
            // Means cannot be merged without their observations, so the one with more of them is kept.
            if b.count > a.count {
                *a = *b;
            }
        }
        join(&mut self.trail, &other.trail, TRAIL_MAX, |step| u64::from(step.at));
        join(&mut self.pending, &other.pending, PENDING_MAX, |observation| observation.at.0);
        join(&mut self.refusals, &other.refusals, REFUSALS_MAX, |refusal| u64::from(refusal.at));
        for place in &other.places {
            if self.places.len() < PLACES_MAX && self.places.iter().all(|ours| ours.excess_km(*place) > 0.0) {
                self.places.push(*place);
            }
        }
        self.as_of = self.as_of.max(other.as_of);
        self.depth = self.depth.max(other.depth);
        self.last = self.last.max(other.last);
    }
}

fn join<T: Copy + PartialEq>(ours: &mut Vec<T>, theirs: &[T], max: usize, when: impl Fn(&T) -> u64) {
    for item in theirs {
        if !ours.contains(item) {
            ours.push(*item);
        }
    }
    ours.sort_by_key(&when);
    let surplus = ours.len().saturating_sub(max);
    ours.drain(..surplus);
}

/// Index of the round-trip statistics of a kind of network: carriers and satellites are slower, so they have statistics of their own.
#[must_use]
pub(crate) const fn round_trip_class(kind: NetworkKind) -> usize {
    match kind {
        NetworkKind::Mobile | NetworkKind::Satellite => 1,
        NetworkKind::Anonymiser | NetworkKind::Fixed | NetworkKind::Hosting | NetworkKind::Unknown => 0,
    }
}
