//! The state of everyone: how common values are, how often people bring new ones, and at which hours and intervals they log in.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    fingerprint::Fingerprint,
    frequency::Sketch,
    maths::{age, floor_index, ln, narrow, remaining, seconds, stamp},
    network::NetworkKind,
};

/// Half-life of the state: logins of three months ago count half.
pub(crate) const HALF_LIFE: Seconds = Seconds(90 * 86_400);
/// Number of hours in a day.
pub(crate) const HOURS: usize = 24;
/// Number of classes of intervals between two logins: two for each doubling, from a quarter of an hour to four years.
pub(crate) const INTERVALS: usize = 32;
/// Number of classes of the depth of a history: 0, 1-2, 3-6, 7-14, 15-30, 31-62 and more logins.
pub(crate) const DEPTHS: usize = 7;
/// Number of fields whose novelty is counted: country, device, network, and prefix by kind of network.
pub(crate) const NOVELTIES: usize = 9;

/// Field in which a login may bring a value that is new for the person. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novelty {
    /// The country of the address.
    Country,
    /// The device's name or key.
    Device,
    /// The autonomous system of the address.
    Network,
    /// The address range of the site, on a network of this kind.
    Prefix(NetworkKind),
}

impl Novelty {
    /// Position of the field in the state.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Country => 0,
            Self::Device => 1,
            Self::Network => 2,
            Self::Prefix(kind) => 3 + kind.index(),
        }
    }

    /// Share of logins that bring a new value, as assumed before any login was counted, for histories of medium depth.
    const fn prior(self) -> f64 {
        match self {
            Self::Country => 0.01,
            Self::Device => 0.05,
            Self::Network => 0.10,
            Self::Prefix(kind) => match kind {
                NetworkKind::Fixed => 0.25,
                NetworkKind::Hosting | NetworkKind::Unknown => 0.3,
                NetworkKind::Anonymiser | NetworkKind::Satellite => 0.5,
                NetworkKind::Mobile => 0.8,
            },
        }
    }
}

/// Number of observations that a prior counts as.
const PRIOR_STRENGTH: f64 = 20.0;

/// Decayed counts of observations and of those that brought a new value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Decayed number of all observations.
    pub all: f32,
    /// Decayed number of observations that brought a new value.
    pub fresh: f32,
}

/// State of everyone together: about 47 KiB, however many logins it has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    /// Time of the last fading, in seconds since 1970; 0 before the first.
    pub(crate) as_of: u32,
    pub(crate) countries: Sketch,
    pub(crate) networks: Sketch,
    pub(crate) platforms: Sketch,
    pub(crate) kinds: [f32; 6],
    pub(crate) hours: [f32; HOURS],
    pub(crate) intervals: [f32; INTERVALS],
    pub(crate) waits: [f32; INTERVALS],
    pub(crate) novelties: [[Rate; DEPTHS]; NOVELTIES],
}

impl Default for Population {
    fn default() -> Self {
        Self {
            as_of: 0,
            countries: Sketch::new(512),
            networks: Sketch::new(2048),
            platforms: Sketch::new(256),
            kinds: [0.0; 6],
            // One observation each, so that no share is zero before the first login.
            hours: [1.0; HOURS],
            intervals: [1.0; INTERVALS],
            waits: [1.0; INTERVALS],
            novelties: [[Rate::default(); DEPTHS]; NOVELTIES],
        }
    }
}

impl Population {
    /// Share of `value` among the countries of all logins. About 250 countries exist; most services see 60.
    #[must_use]
    pub fn country(&self, value: Fingerprint) -> f64 {
        self.countries.share(value, 60.0)
    }

    /// Share of `value` among the autonomous systems of all logins.
    #[must_use]
    pub fn network(&self, value: Fingerprint) -> f64 {
        self.networks.share(value, 300.0)
    }

    /// Share of `value` among the platforms of all logins.
    #[must_use]
    pub fn platform(&self, value: Fingerprint) -> f64 {
        self.platforms.share(value, 50.0)
    }

    /// Share of `kind` among the kinds of networks of all logins, starting from the shares that most services see.
    #[must_use]
    pub fn kind(&self, kind: NetworkKind) -> f64 {
        // Assumed shares. After 20 logins the counted ones weigh as much.
        let usual = match kind {
            NetworkKind::Fixed | NetworkKind::Mobile => 0.45,
            NetworkKind::Anonymiser | NetworkKind::Hosting => 0.035,
            NetworkKind::Satellite | NetworkKind::Unknown => 0.015,
        };
        let all: f64 = self.kinds.iter().map(|count| f64::from(*count)).sum();
        let one = self.kinds.get(kind.index()).map_or(0.0, |count| f64::from(*count));
        (one + PRIOR_STRENGTH * usual) / (all + PRIOR_STRENGTH)
    }

    /// Share of logins, by people with a history of `depth`, that bring a value new for the person.
    #[must_use]
    pub(crate) fn novelty(&self, field: Novelty, depth: u32) -> f64 {
        let class = depth_class(depth);
        // New people bring new values more often.
        let early = match class {
            0 | 1 => 3.0,
            2 => 1.5,
            _ => 1.0,
        };
        let prior = crate::maths::within(field.prior() * early, 0.0, 0.9);
        let rate = self.novelties.get(field.index()).and_then(|depths| depths.get(class)).copied().unwrap_or_default();
        (f64::from(rate.fresh) + PRIOR_STRENGTH * prior) / (f64::from(rate.all) + PRIOR_STRENGTH)
    }

    /// Share of logins around an hour of the day (UTC), weighted by `kernel`.
    #[must_use]
    pub fn hour(&self, kernel: &[f64; HOURS]) -> f64 {
        let all: f64 = self.hours.iter().map(|count| f64::from(*count)).sum();
        smoothed(&self.hours, kernel) / all
    }

    /// Evidence from the interval since the person's last login, in nats: how much likelier it is for a stranger who comes at a random
    /// moment than for the person. The stranger's distribution follows from that of people: a random moment falls into an interval with a
    /// probability that grows with the interval's length.
    #[must_use]
    pub(crate) fn rhythm(&self, interval: Seconds) -> f64 {
        let class = interval_class(interval);
        let share = |counts: &[f32; INTERVALS]| {
            let all: f64 = counts.iter().map(|count| f64::from(*count)).sum();
            counts.get(class).map_or(0.0, |count| f64::from(*count)) / all
        };
        ln(share(&self.waits) / share(&self.intervals))
    }

    /// Counts the values of one login.
    pub(crate) fn add_values(
        &mut self,
        country: Option<Fingerprint>,
        network: Option<Fingerprint>,
        platform: Fingerprint,
        kind: NetworkKind,
    ) {
        if let Some(country) = country {
            self.countries.add(country);
        }
        if let Some(network) = network {
            self.networks.add(network);
        }
        self.platforms.add(platform);
        if let Some(count) = self.kinds.get_mut(kind.index()) {
            *count += 1.0;
        }
    }

    /// Counts whether a login, by a person with a history of `depth`, brought a new value.
    pub(crate) fn add_novelty(&mut self, field: Novelty, depth: u32, fresh: Fresh) {
        if let Some(rate) = self.novelties.get_mut(field.index()).and_then(|depths| depths.get_mut(depth_class(depth))) {
            rate.all += 1.0;
            if fresh == Fresh::New {
                rate.fresh += 1.0;
            }
        }
    }

    /// Counts the hour of a login, and the interval since the person's last one.
    pub(crate) fn add_time(&mut self, hour: usize, interval: Option<Seconds>) {
        if let Some(count) = self.hours.get_mut(hour) {
            *count += 1.0;
        }
        let Some(interval) = interval else { return };
        if let Some(count) = self.intervals.get_mut(interval_class(interval)) {
            *count += 1.0;
        }
        // A stranger who came at a random moment within this interval would have found part of it passed: each class gets a share in
        // proportion to its length. The unit is days, so that one long absence does not outweigh everything else.
        let mut lower = 0.0_f64;
        let whole = seconds(interval);
        for (class, count) in (0_u8..).zip(self.waits.iter_mut()) {
            let upper = interval_edge(class.saturating_add(1));
            let part = crate::maths::within(upper, 0.0, whole) - lower;
            if part <= 0.0 {
                break;
            }
            *count = narrow(f64::from(*count) + part / 86_400.0);
            lower = upper;
        }
    }

    /// Lets all counts fade to `now`. It acts at most once a day, so calling it for every login is cheap.
    pub(crate) fn fade(&mut self, now: UnixSeconds) {
        let since = age(now, self.as_of);
        if self.as_of == 0 {
            self.as_of = stamp(now);
            return;
        }
        if since < Seconds(86_400) {
            return;
        }
        let factor = remaining(since, HALF_LIFE);
        for sketch in [&mut self.countries, &mut self.networks, &mut self.platforms] {
            sketch.fade(factor);
        }
        let counts = self.kinds.iter_mut().chain(&mut self.hours).chain(&mut self.intervals).chain(&mut self.waits);
        for count in counts {
            *count = narrow(f64::from(*count) * factor);
        }
        for rate in self.novelties.iter_mut().flatten() {
            rate.all = narrow(f64::from(rate.all) * factor);
            rate.fresh = narrow(f64::from(rate.fresh) * factor);
        }
        // INVARIANT: these counts stay above zero, so that no share divides by zero.
        for count in self.hours.iter_mut().chain(&mut self.intervals).chain(&mut self.waits) {
            *count = count.max(1e-3);
        }
        self.as_of = stamp(now);
    }

    /// Merges the state of another node, after both were faded to the later of the two times: for each count the greater. Merging twice
    /// changes nothing, and the order does not matter. Counts of the same login type on both nodes are not added up.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        let at = UnixSeconds(u64::from(self.as_of.max(other.as_of)));
        self.fade(at);
        other.fade(at);
        self.countries.merge(&other.countries);
        self.networks.merge(&other.networks);
        self.platforms.merge(&other.platforms);
        let ours = self.kinds.iter_mut().chain(&mut self.hours).chain(&mut self.intervals).chain(&mut self.waits);
        let theirs = other.kinds.iter().chain(&other.hours).chain(&other.intervals).chain(&other.waits);
        for (a, b) in ours.zip(theirs) {
            *a = a.max(*b);
        }
        for (a, b) in self.novelties.iter_mut().flatten().zip(other.novelties.iter().flatten()) {
            a.all = a.all.max(b.all);
            a.fresh = a.fresh.max(b.fresh);
        }
        self.as_of = self.as_of.max(other.as_of);
    }
}

/// Statement whether a value was new for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// The person had this value before.
    Known,
    /// The person never had this value before.
    New,
}

fn depth_class(depth: u32) -> usize {
    // The class is the whole part of log2(depth + 1).
    let bits = u32::BITS.saturating_sub(depth.saturating_add(1).leading_zeros()).saturating_sub(1);
    usize::try_from(bits).unwrap_or(0).min(DEPTHS.saturating_sub(1))
}

fn interval_class(interval: Seconds) -> usize {
    let doublings = ln(1.0 + seconds(interval) / 900.0) / core::f64::consts::LN_2;
    usize::from(floor_index(2.0 * doublings, 31))
}

/// Lower edge of a class of intervals, in seconds.
fn interval_edge(class: u8) -> f64 {
    (libm::exp2(f64::from(class) / 2.0) - 1.0) * 900.0
}

/// Weights over the 24 hours of a day (UTC): a bell curve around `now` with a standard deviation of one and a half hours; they sum to 1.
#[must_use]
pub(crate) fn hour_kernel(now: UnixSeconds) -> [f64; HOURS] {
    let hour = seconds(Seconds(now.0.checked_rem(86_400).unwrap_or(0))) / 3600.0;
    let mut kernel = [0.0_f64; HOURS];
    let mut sum = 0.0;
    for (index, cell) in (0_u8..).zip(kernel.iter_mut()) {
        let apart = (hour - f64::from(index) - 0.5).abs();
        // The day is a circle: 23 and 1 are two hours apart.
        let apart = if apart > 12.0 { 24.0 - apart } else { apart } / 1.5;
        *cell = libm::exp(-0.5 * apart * apart);
        sum += *cell;
    }
    for cell in &mut kernel {
        *cell /= sum;
    }
    kernel
}

/// Hour of the day (UTC), 0 to 23.
#[must_use]
pub(crate) fn hour_of(now: UnixSeconds) -> usize {
    usize::try_from(now.0.checked_rem(86_400).unwrap_or(0).checked_div(3600).unwrap_or(0)).unwrap_or(0)
}

/// Sum of the counts weighted by `kernel`.
#[must_use]
pub(crate) fn smoothed(counts: &[f32; HOURS], kernel: &[f64; HOURS]) -> f64 {
    counts.iter().zip(kernel).map(|(count, share)| f64::from(*count) * share).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_fall_into_classes() {
        for (depth, class) in [(0, 0), (1, 1), (2, 1), (3, 2), (6, 2), (7, 3), (62, 5), (63, 6), (u32::MAX, 6)] {
            assert_eq!(depth_class(depth), class, "{depth}");
        }
    }

    #[test]
    fn a_stranger_comes_at_a_random_moment() {
        let mut population = Population::default();
        for _ in 0..500 {
            population.add_time(0, Some(Seconds(600)));
            population.add_time(0, Some(Seconds(14 * 86_400)));
        }
        assert!(population.rhythm(Seconds(600)) < -3.0, "{}", population.rhythm(Seconds(600)));
        assert!(population.rhythm(Seconds(5 * 86_400)) > 1.0);
        assert!(population.rhythm(Seconds(u64::MAX)).is_finite());
    }

    #[test]
    fn rates_start_at_the_prior_and_follow_what_is_seen() {
        let mut population = Population::default();
        let prior = population.novelty(Novelty::Device, 20);
        assert!((prior - 0.05).abs() < 1e-9);
        for _ in 0..1000 {
            population.add_novelty(Novelty::Device, 20, Fresh::New);
        }
        assert!(population.novelty(Novelty::Device, 20) > 0.9);
        assert!((population.novelty(Novelty::Device, 200) - prior).abs() < 1e-9);
    }

    #[test]
    fn the_kernel_is_a_day_around() {
        let midnight = hour_kernel(UnixSeconds(0));
        assert!((midnight[0] - midnight[23]).abs() < 1e-12);
        assert!((midnight.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(hour_of(UnixSeconds(86_399)), 23);
    }

    #[test]
    fn fading_never_ends_in_a_division_by_zero() {
        let mut population = Population::default();
        population.fade(UnixSeconds(1));
        population.fade(UnixSeconds(4_000_000_000));
        assert!(population.rhythm(Seconds(0)).is_finite());
        assert!(population.hour(&hour_kernel(UnixSeconds(0))).is_finite());
    }
}
