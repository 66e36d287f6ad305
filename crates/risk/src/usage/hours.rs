//! The hours and sorts of days at which a person comes.

use countersign_core::UnixSeconds;

use crate::{
    maths::{ln, within},
    snapshot::{Reader, SnapshotRefusal, Writer},
};

/// Number of cells: the hours of a working day, then those of a day of rest.
const CELLS: usize = 48;
/// Seconds that count as one visit: a hundred taps within them are one.
const VISIT: u64 = 900;
/// Number of visits after which all counts are halved.
const MEMORY: u16 = 1500;
/// Weight of visits on the other sort of day.
const OTHER_DAYS: f64 = 0.3;

/// Visits by hour (UTC) and sort of day: 112 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hours {
    visits: [u16; CELLS],
    total: u16,
    last: u32,
}

impl Default for Hours {
    fn default() -> Self {
        Self { visits: [0; CELLS], total: 0, last: 0 }
    }
}

/// Hour of the day, and the first cell of its sort of day. The epoch was a Thursday (day 0), so Saturday and Sunday are days 2 and 3 modulo
/// 7.
fn place(now: UnixSeconds) -> (usize, usize) {
    let hour = usize::try_from((now.0 / 3600) % 24).unwrap_or(0);
    let rest = matches!((now.0 / 86_400) % 7, 2 | 3);
    (hour, if rest { 24 } else { 0 })
}

impl Hours {
    /// Counts a visit, at most one in a quarter of an hour.
    pub(crate) fn learn(&mut self, now: UnixSeconds) {
        let visit = u32::try_from(now.0 / VISIT).unwrap_or(u32::MAX);
        // Covers a clock that was set back as well.
        if visit <= self.last {
            return;
        }
        self.last = visit;
        let (hour, days) = place(now);
        if let Some(cell) = self.visits.get_mut(days.saturating_add(hour)) {
            *cell = cell.saturating_add(1);
        }
        self.total = self.total.saturating_add(1);
        if self.total >= MEMORY {
            self.visits.iter_mut().for_each(|cell| *cell /= 2);
            self.count();
        }
    }

    /// Merges another node's visits: for each hour the greater count.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.visits.iter_mut().zip(other.visits) {
            *ours = theirs.max(*ours);
        }
        self.last = self.last.max(other.last);
        self.count();
        while self.total >= MEMORY {
            self.visits.iter_mut().for_each(|cell| *cell /= 2);
            self.count();
        }
    }

    fn count(&mut self) {
        self.total = self.visits.iter().fold(0, |sum: u16, cell| sum.saturating_add(*cell));
    }

    /// Number of visits remembered.
    pub(crate) const fn visits(&self) -> u16 {
        self.total
    }

    /// Evidence from the hour in nats, shrunk while few visits are known: how much likelier the hour is for somebody who comes at any time.
    pub(crate) fn weigh(&self, most: f64, now: UnixSeconds) -> f64 {
        let (hour, days) = place(now);
        let at = |days: usize, hour: usize| f64::from(self.visits.get(days.saturating_add(hour % 24)).copied().unwrap_or(0));
        // Neighbouring hours count, too, since people are not punctual.
        let around = |days: usize| 0.5 * at(days, hour) + 0.25 * (at(days, hour.saturating_add(1)) + at(days, hour.saturating_add(23)));
        let sum = |days: usize| (0..24).fold(0.0, |sum, hour| sum + at(days, hour));
        let other = if days == 0 { 24 } else { 0 };
        let here = around(days) + OTHER_DAYS * around(other);
        let all = sum(days) + OTHER_DAYS * sum(other);
        // Six visits' worth of belief that all hours are alike, so that one visit does not decide.
        let share = (here + 6.0 / 24.0) / (all + 6.0);
        // With 20 visits the evidence counts half.
        within(ln((1.0 / 24.0) / share), -0.3, most) * all / (all + 20.0)
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        self.visits.iter().for_each(|cell| out.u16(*cell));
        out.u32(self.last);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotRefusal> {
        let mut read = Self::default();
        for cell in &mut read.visits {
            *cell = from.u16()?;
            read.total = read.total.saturating_add(*cell);
        }
        read.last = from.u32()?;
        if read.total >= MEMORY { Err(SnapshotRefusal::Value) } else { Ok(read) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday, 00:00 UTC.
    const MONDAY: u64 = 1_789_344_000;

    #[test]
    fn strange_hours_weigh_and_usual_ones_do_not() {
        let mut hours = Hours::default();
        assert!(hours.weigh(0.9, UnixSeconds(MONDAY)).abs() < 1e-9);
        for day in 0..28 {
            for hour in [7, 8, 12, 13, 18, 20, 21] {
                hours.learn(UnixSeconds(MONDAY + day * 86_400 + hour * 3600));
            }
        }
        let weigh = |hour: u64| hours.weigh(0.9, UnixSeconds(MONDAY + 28 * 86_400 + hour * 3600));
        assert!(weigh(20) < 0.0, "{}", weigh(20));
        assert!(weigh(3) > 0.7, "{}", weigh(3));
        assert!((weigh(3) - weigh(27)).abs() < 1e-9);
    }

    #[test]
    fn a_quarter_of_an_hour_counts_once() {
        let mut hours = Hours::default();
        (0..1000).for_each(|n| hours.learn(UnixSeconds(MONDAY + n % 900)));
        assert_eq!(hours.total, 1);
    }

    #[test]
    fn memory_is_halved_and_days_of_rest_are_saturday_and_sunday() {
        let mut hours = Hours::default();
        (0..4000).for_each(|n| hours.learn(UnixSeconds(MONDAY + n * 900)));
        assert!(hours.total < MEMORY);
        let sort = |day: u64| place(UnixSeconds(MONDAY + day * 86_400)).1;
        assert_eq!([sort(0), sort(4), sort(5), sort(6), sort(7)], [0, 0, 24, 24, 0]);
    }
}
