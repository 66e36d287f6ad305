//! What is remembered of one person: bounded, fading, in fingerprints.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    fingerprint::Fingerprint,
    frequency::{Tally, Vouched},
    geo::Position,
    maths::{age, narrow, remaining, stamp, within},
    network::{Locates, NetworkKind},
    population::{HOURS, hour_of},
};

/// What a person did two months ago counts half.
pub const HALF_LIFE: Seconds = Seconds(60 * 86_400);
/// Positions of the last logins that are kept.
pub const TRAIL_MAX: usize = 3;
/// Places where the person was that are kept.
pub const PLACES_MAX: usize = 4;
/// Unusual logins that wait for being believed.
pub const PENDING_MAX: usize = 3;
/// Failed step-ups that are remembered.
pub const REFUSALS_MAX: usize = 3;

/// What a device says it is, and what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Its key is in hardware and attested: nobody else can have it.
    Attested(Fingerprint),
    /// It names itself; a name can be copied.
    Claimed(Fingerprint),
    /// It says nothing.
    Unnamed,
}

impl Device {
    /// The name, whatever stands behind it.
    #[must_use]
    pub const fn fingerprint(self) -> Option<Fingerprint> {
        match self {
            Self::Attested(fingerprint) | Self::Claimed(fingerprint) => Some(fingerprint),
            Self::Unnamed => None,
        }
    }
}

/// One login as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// When.
    pub at: UnixSeconds,
    /// On what.
    pub device: Device,
    /// The operating system and its version: see [`crate::platform`].
    pub system: u32,
    /// Operating system and client without versions.
    pub platform: Fingerprint,
    /// The site's addresses.
    pub prefix: Fingerprint,
    /// The autonomous system, when known.
    pub network: Option<Fingerprint>,
    /// The country, when known.
    pub country: Option<Fingerprint>,
    /// The kind of network.
    pub kind: NetworkKind,
    /// Where the address is, when known; already no better than its kind allows.
    pub position: Option<Position>,
    /// Milliseconds to the phone and back, when measured.
    pub round_trip_ms: Option<u16>,
}

impl Sight {
    /// The position, when it says where the person is.
    #[must_use]
    pub fn whereabouts(&self) -> Option<Position> {
        match self.kind.locates() {
            Locates::ThePerson => self.position,
            Locates::SomethingElse => None,
        }
    }
}

/// A position of the trail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When, in seconds since 1970.
    pub at: u32,
    /// Where.
    pub position: Position,
    /// On what.
    pub device: Device,
}

/// A step-up that failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// When, in seconds since 1970.
    pub at: u32,
    /// On what, when it had a name.
    pub device: Option<Fingerprint>,
    /// From which site.
    pub prefix: Fingerprint,
}

/// Mean and spread of a quantity, with a memory of about 20 observations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Observations, at most 20.
    pub count: f32,
    /// Mean.
    pub mean: f32,
    /// Variance.
    pub variance: f32,
}

impl Spread {
    /// Takes one more value in.
    pub fn add(&mut self, value: f64) {
        let count = within(f64::from(self.count) + 1.0, 1.0, 20.0);
        let off = value - f64::from(self.mean);
        let mean = f64::from(self.mean) + off / count;
        let variance = f64::from(self.variance) + (off * (value - mean) - f64::from(self.variance)) / count;
        *self = Self { count: narrow(count), mean: narrow(mean), variance: narrow(variance) };
    }
}

/// The state of one person. About 300 bytes for someone with one phone at home and on a carrier, at most 1.4 KiB.
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
    pub(crate) pending: Vec<Sight>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Profile {
    /// How many logins it was made from.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// The interval since the last login that was learned; `None` before the first.
    #[must_use]
    pub fn interval(&self, now: UnixSeconds) -> Option<Seconds> {
        (self.depth > 0).then(|| age(now, self.last))
    }

    /// Bytes that it takes in memory.
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
            + self.pending.len() * size_of::<Sight>()
            + self.refusals.len() * size_of::<Refusal>()
    }

    /// Lets it fade to `now`. Acts once an hour.
    pub fn fade(&mut self, now: UnixSeconds) {
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

    /// Takes out the waiting logins that are `patience` old: nobody objected, so they are believed.
    pub fn ripe(&mut self, patience: Seconds, now: UnixSeconds) -> Vec<Sight> {
        if self.pending.iter().all(|sight| now.since(sight.at) < patience) {
            return Vec::new();
        }
        let (ripe, green) = self.pending.drain(..).partition(|sight: &Sight| now.since(sight.at) >= patience);
        self.pending = green;
        ripe
    }

    /// Lets `sight` wait. Another of the same device, site and kind waits already: then that one speaks for both.
    pub fn defer(&mut self, sight: Sight) {
        let alike = |other: &Sight| other.device == sight.device && other.prefix == sight.prefix && other.country == sight.country;
        if self.pending.iter().any(alike) {
            return;
        }
        if self.pending.len() >= PENDING_MAX {
            self.pending.remove(0);
        }
        self.pending.push(sight);
    }

    /// `sight` need not wait any more: the person stood for it, and it is learned as theirs.
    pub fn stop_waiting(&mut self, sight: &Sight) {
        self.pending.retain(|other| other != sight);
    }

    /// Remembers that `sight` failed a step-up, and forgets what waited from the same device or site.
    pub fn refuse(&mut self, sight: &Sight) {
        let device = sight.device.fingerprint();
        self.pending.retain(|other| other.prefix != sight.prefix && (device.is_none() || other.device.fingerprint() != device));
        if self.refusals.len() >= REFUSALS_MAX {
            self.refusals.remove(0);
        }
        self.refusals.push(Refusal { at: stamp(sight.at), device, prefix: sight.prefix });
    }

    /// Learns `sight`; what the person enrolled with is vouched for.
    pub fn learn(&mut self, sight: &Sight, vouched: Vouched) {
        let vouched = if self.depth == 0 { Vouched::Yes } else { vouched };
        let now = sight.at;
        if let Some(device) = sight.device.fingerprint() {
            self.devices.add(device, sight.system, vouched, now);
        }
        if let Some(network) = sight.network {
            self.networks.add(network, 0, vouched, now);
        }
        if let Some(country) = sight.country {
            self.countries.add(country, 0, vouched, now);
        }
        self.prefixes.add(sight.prefix, 0, vouched, now);
        self.platforms.add(sight.platform, 0, vouched, now);
        if let Some(count) = self.kinds.get_mut(sight.kind.index()) {
            *count += 1.0;
        }
        if let Some(count) = self.hours.get_mut(hour_of(now)) {
            *count += 1.0;
        }
        self.walk(sight);
        if let Some(milliseconds) = sight.round_trip_ms
            && let Some(spread) = self.round_trips.get_mut(round_trip_class(sight.kind))
        {
            spread.add(crate::maths::ln(f64::from(milliseconds) + 1.0));
        }
        if vouched == Vouched::Yes {
            self.refusals.retain(|refusal| refusal.prefix != sight.prefix);
        }
        self.depth = self.depth.saturating_add(1);
        self.last = self.last.max(stamp(now));
    }

    fn walk(&mut self, sight: &Sight) {
        let Some(position) = sight.whereabouts() else { return };
        let step = Step { at: stamp(sight.at), position, device: sight.device };
        if self.trail.len() >= TRAIL_MAX {
            self.trail.remove(0);
        }
        self.trail.push(step);
        self.trail.sort_by_key(|step| step.at);
        if let Some(index) = self.places.iter().position(|place| place.excess_km(position) <= 0.0) {
            // The place most recently been at is last, and of two guesses of one place the better one stays.
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

    /// Joins what another node holds about the same person, both as they are at the later of the two instants; idempotent and in any
    /// order, but for waiting logins, trails and places, of which so many stay.
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
            if b.count > a.count {
                *a = *b;
            }
        }
        join(&mut self.trail, &other.trail, TRAIL_MAX, |step| u64::from(step.at));
        join(&mut self.pending, &other.pending, PENDING_MAX, |sight| sight.at.0);
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

/// Carriers apart from all others.
#[must_use]
pub const fn round_trip_class(kind: NetworkKind) -> usize {
    match kind {
        NetworkKind::Mobile | NetworkKind::Satellite => 1,
        NetworkKind::Anonymiser | NetworkKind::Fixed | NetworkKind::Hosting | NetworkKind::Unknown => 0,
    }
}
