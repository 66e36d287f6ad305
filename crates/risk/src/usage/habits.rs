//! The state of how one person uses the service.

use countersign_core::UnixSeconds;

use crate::{
    fingerprint::Fingerprint,
    frequency::{Seen, Tally, Vouched},
    maths::{age, remaining, stamp},
    profile::HALF_LIFE,
    sequence::History,
    snapshot::{Kind, Reader, SnapshotRefusal, Writer},
    usage::{distinct::Distinct, fading::Fading, hours::Hours, sitting::Sitting, usual::Usual},
};

/// Number of sessions of one person that are followed at a time.
pub(super) const SITTINGS_MAX: usize = 3;
/// Number of sites remembered of one person.
const SITES: usize = 6;
/// Number of networks remembered of one person.
const NETWORKS: usize = 4;
/// Number of countries remembered of one person.
const COUNTRIES: usize = 3;
/// Seconds after which the same network counts as another observation.
const VISIT: u64 = 3600;
/// Number of quarters of an hour in which a person came, without anything odd, before the person counts as known.
const KNOWN_AFTER: u16 = 4;

/// Habits of one person: 0.9 KiB on average, 3.2 KiB at most, in fingerprints and counts only.
#[derive(Clone, Debug, PartialEq)]
pub struct Habits {
    pub(super) history: History,
    pub(super) hours: Hours,
    pub(super) sites: Tally<SITES>,
    pub(super) networks: Tally<NETWORKS>,
    pub(super) countries: Tally<COUNTRIES>,
    pub(super) objects_hour: Distinct<8>,
    pub(super) objects_day: Distinct<16>,
    pub(super) objects_per_hour: Usual,
    pub(super) objects_per_day: Usual,
    pub(super) rate: Fading<30>,
    pub(super) rate_peak: f32,
    pub(super) requests_per_minute: Usual,
    pub(super) failures: Fading<600>,
    pub(super) volume: Fading<3600>,
    pub(super) volume_peak: f32,
    pub(super) megabytes_per_hour: Usual,
    pub(super) hour_since: u32,
    pub(super) day_since: u32,
    pub(super) network_at: u32,
    /// Number of days on which blocks were strange without consequences.
    pub(super) strange_days: u8,
    pub(super) strange_day: u32,
    pub(super) sittings: Vec<Sitting>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            history: History::small(),
            hours: Hours::default(),
            sites: Tally::default(),
            networks: Tally::default(),
            countries: Tally::default(),
            objects_hour: Distinct::default(),
            objects_day: Distinct::default(),
            objects_per_hour: Usual::default(),
            objects_per_day: Usual::default(),
            rate: Fading::default(),
            rate_peak: 0.0,
            requests_per_minute: Usual::default(),
            failures: Fading::default(),
            volume: Fading::default(),
            volume_peak: 0.0,
            megabytes_per_hour: Usual::default(),
            hour_since: 0,
            day_since: 0,
            network_at: 0,
            strange_days: 0,
            strange_day: 0,
            sittings: Vec::new(),
        }
    }
}

/// Amounts that are ordinary for everyone; the person's own marks are learned relative to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floors {
    pub(super) objects_hour: f64,
    pub(super) objects_day: f64,
    pub(super) rate: f64,
    pub(super) megabytes: f64,
}

impl Habits {
    /// Number of operations remembered, the depth of the history.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.history.depth()
    }

    /// True when the person came on several occasions and did what people do. Nobody becomes known within half an hour, or by refused
    /// requests, so an attacker cannot make known identities quickly.
    #[must_use]
    pub fn established(&self) -> bool {
        self.hours.visits() >= KNOWN_AFTER && self.depth() > 0
    }

    /// Memory that these habits take now, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tallies =
            self.sites.entries().len().saturating_add(self.networks.entries().len()).saturating_add(self.countries.entries().len());
        let sittings = self.sittings.iter().fold(0, |sum: usize, sitting| {
            sum.saturating_add(size_of::<Sitting>()).saturating_add(sitting.block.capacity().saturating_mul(4))
        });
        size_of::<Self>()
            .saturating_sub(size_of::<History>())
            .saturating_add(self.history.bytes())
            .saturating_add(tallies.saturating_mul(size_of::<Seen>()))
            .saturating_add(sittings)
    }

    /// Closes the hour's and day's windows that have ended, and learns their amounts.
    pub(super) fn turn(&mut self, floors: &Floors, now: UnixSeconds) {
        if age(now, self.hour_since).0 >= 3600 {
            self.objects_per_hour.learn(self.objects_hour.count(), floors.objects_hour);
            self.objects_hour.clear();
            self.requests_per_minute.learn(f64::from(self.rate_peak), floors.rate);
            self.rate_peak = 0.0;
            self.megabytes_per_hour.learn(f64::from(self.volume_peak), floors.megabytes);
            self.volume_peak = 0.0;
            self.hour_since = stamp(now);
        }
        if age(now, self.day_since).0 >= 86_400 {
            self.objects_per_day.learn(self.objects_day.count(), floors.objects_day);
            self.objects_day.clear();
            self.day_since = stamp(now);
        }
    }

    /// Closes all windows because the person passed a step-up: the amounts were theirs, and they become a little more usual.
    pub(super) fn close(&mut self, floors: &Floors, now: UnixSeconds) {
        // Time zero makes `turn` close both windows now.
        self.hour_since = 0;
        self.day_since = 0;
        self.turn(floors, now);
        // The counters start anew, so that the next request is not judged by what was just confirmed.
        self.rate = Fading::default();
        self.failures = Fading::default();
        self.volume = Fading::default();
    }

    /// Learns a network: once an hour, or at once when it is another one or a step-up confirmed it.
    pub(super) fn learn_network(&mut self, of: &NetworkSeen, vouched: Vouched, now: UnixSeconds) {
        let again = self.sites.get(of.prefix).is_some() && age(now, self.network_at).0 < VISIT;
        // Otherwise every request would be an observation, and one day of use would outweigh months.
        if again && vouched == Vouched::No {
            return;
        }
        if self.network_at > 0 {
            // Counts fade when something is added, so nothing has to run in between.
            let factor = remaining(age(now, self.network_at), HALF_LIFE);
            self.sites.fade(factor);
            self.networks.fade(factor);
            self.countries.fade(factor);
        }
        self.network_at = stamp(now);
        self.sites.add(of.prefix, 0, vouched, now);
        if let Some(network) = of.network {
            self.networks.add(network, 0, vouched, now);
        }
        if let Some(country) = of.country {
            self.countries.add(country, 0, vouched, now);
        }
    }

    /// Notes a block that did not look like the person but had no consequences. Returns the number of days with such blocks in a row of
    /// days with gaps of at most two weeks.
    pub(super) fn strange(&mut self, now: UnixSeconds) -> u8 {
        let day = u32::try_from(now.0 / 86_400).unwrap_or(u32::MAX);
        // After two weeks without a strange block, earlier ones no longer count.
        if day.saturating_sub(self.strange_day) > 14 {
            self.strange_days = 0;
        }
        if day > self.strange_day {
            self.strange_days = self.strange_days.saturating_add(1);
            self.strange_day = day;
        }
        self.strange_days
    }

    /// The state of `session`. A new session takes the place of the one that has been silent for longest.
    pub(super) fn sitting(&mut self, session: u64) -> Option<&mut Sitting> {
        let held = self.sittings.iter().position(|sitting| sitting.session == session);
        let at = match held {
            Some(at) => at,
            None => {
                if self.sittings.len() >= SITTINGS_MAX {
                    let oldest = self.sittings.iter().enumerate().min_by_key(|(_, sitting)| sitting.at).map(|(at, _)| at);
                    self.sittings.swap_remove(oldest?);
                }
                if self.sittings.is_empty() {
                    // Most people have one session, so memory for four (the default growth of a list) would be wasted.
                    self.sittings.reserve_exact(1);
                }
                self.sittings.push(Sitting::new(session));
                self.sittings.len().checked_sub(1)?
            }
        };
        self.sittings.get_mut(at)
    }

    /// Serialises the state, without the running sessions.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.history.write(&mut out);
        self.hours.write(&mut out);
        write_tally(&self.sites, &mut out);
        write_tally(&self.networks, &mut out);
        write_tally(&self.countries, &mut out);
        self.objects_hour.write(&mut out);
        self.objects_day.write(&mut out);
        for usual in [self.objects_per_hour, self.objects_per_day, self.requests_per_minute, self.megabytes_per_hour] {
            usual.write(&mut out);
        }
        self.rate.write(&mut out);
        self.failures.write(&mut out);
        self.volume.write(&mut out);
        out.f32(self.rate_peak);
        out.f32(self.volume_peak);
        for at in [self.hour_since, self.day_since, self.network_at, u32::from(self.strange_days), self.strange_day] {
            out.u32(at);
        }
        out.seal(Kind::Use)
    }

    /// Restores the state that [`Self::snapshot`] wrote.
    ///
    /// # Errors
    /// A refusal when the bytes were damaged, cut off, or belong to another model or version. Nothing of them is used then.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotRefusal> {
        let mut from = Reader::open(bytes, Kind::Use)?;
        let read = Self {
            history: History::read_small(&mut from)?,
            hours: Hours::read(&mut from)?,
            sites: read_tally(&mut from)?,
            networks: read_tally(&mut from)?,
            countries: read_tally(&mut from)?,
            objects_hour: Distinct::read(&mut from)?,
            objects_day: Distinct::read(&mut from)?,
            objects_per_hour: Usual::read(&mut from)?,
            objects_per_day: Usual::read(&mut from)?,
            requests_per_minute: Usual::read(&mut from)?,
            megabytes_per_hour: Usual::read(&mut from)?,
            rate: Fading::read_from(&mut from)?,
            failures: Fading::read_from(&mut from)?,
            volume: Fading::read_from(&mut from)?,
            rate_peak: from.count()?,
            volume_peak: from.count()?,
            hour_since: from.u32()?,
            day_since: from.u32()?,
            network_at: from.u32()?,
            strange_days: u8::try_from(from.u32()?).map_err(|_| SnapshotRefusal::Value)?,
            strange_day: from.u32()?,
            sittings: Vec::new(),
        };
        from.close()?;
        Ok(read)
    }
}

/// A network as fingerprints: site, autonomous system, country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NetworkSeen {
    pub(super) prefix: Fingerprint,
    pub(super) network: Option<Fingerprint>,
    pub(super) country: Option<Fingerprint>,
}

fn write_tally<const CAPACITY: usize>(tally: &Tally<CAPACITY>, out: &mut Writer) {
    out.len(tally.entries().len());
    for seen in tally.entries() {
        out.u32(seen.value.0);
        out.f32(seen.count);
        out.u32(seen.first);
        out.u32(seen.last);
        out.u32(u32::from(seen.vouched == Vouched::Yes));
    }
    out.f32(tally.total());
    out.f32(tally.fresh());
}

fn read_tally<const CAPACITY: usize>(from: &mut Reader<'_>) -> Result<Tally<CAPACITY>, SnapshotRefusal> {
    let mut entries = Vec::new();
    for _ in 0..from.len(CAPACITY)? {
        let (value, count, first, last) = (Fingerprint(from.u32()?), from.count()?, from.u32()?, from.u32()?);
        let vouched = match from.u32()? {
            0 => Vouched::No,
            1 => Vouched::Yes,
            _ => return Err(SnapshotRefusal::Value),
        };
        entries.push(Seen { value, count, first, last, note: 0, vouched });
    }
    Ok(Tally::from_parts(entries, from.count()?, from.count()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_somebody_was_fades_and_where_they_are_grows() {
        let mut habits = Habits::default();
        let mut visit = |site: u32, day: u64| {
            let of = NetworkSeen { prefix: Fingerprint(site), network: None, country: None };
            habits.learn_network(&of, Vouched::No, UnixSeconds(day * 86_400));
            habits.sites.get(Fingerprint(1)).map_or(0.0, |seen| seen.count)
        };
        for day in 1000..1060 {
            visit(1, day);
        }
        let lived = visit(1, 1060);
        let left = visit(2, 1060 + 60);
        assert!((left - lived / 2.0).abs() < 1e-3, "half is left after sixty days: {left} of {lived}");
        // Six other sites come up often, and the old one makes room.
        assert!((0..900).all(|n| visit(2 + n % 6, 1121 + u64::from(n)) < lived));
        assert_eq!(habits.sites.get(Fingerprint(1)), None);
    }
}
