//! The budget: so many records a minute for all strangers, and a share of it for each site.

use std::collections::HashMap;

use countersign_core::{Limits, Site, UnixMillis};

/// A record in the unit of the buckets: with it, a bucket that fills by `per_minute` records a minute fills by `per_minute` units a
/// millisecond.
const RECORD: u64 = 60_000;

/// Sites that are held before those with a full share are dropped for the first time.
const SWEEP_FROM: usize = 64;

/// Place of a refusal: inside or outside of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is to be counted.
    Beyond,
    /// It is to be recorded.
    Within,
}

/// Budget of records, for all strangers and for each site.
pub(crate) struct Budget {
    per_minute: u32,
    all: Bucket,
    sites: HashMap<Site, Bucket>,
    sweep_at: usize,
}

/// Rest of one share. It holds at most what a minute brings.
#[derive(Clone, Copy)]
struct Bucket {
    left: u64,
    at: UnixMillis,
}

impl Budget {
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, all: Bucket::full(per_minute, UnixMillis(0)), sites: HashMap::new(), sweep_at: SWEEP_FROM }
    }

    /// Takes room for one record, from the site's share and from the whole, or from neither.
    pub fn take(&mut self, site: Site, now: UnixMillis) -> Room {
        let share = share(self.per_minute);
        self.all.fill(self.per_minute, now);
        if !self.all.has_room() {
            return Room::Beyond;
        }
        let bucket = self.sites.entry(site).or_insert_with(|| Bucket::full(share, now));
        bucket.fill(share, now);
        if !bucket.has_room() {
            return Room::Beyond;
        }
        bucket.left = bucket.left.saturating_sub(RECORD);
        self.all.left = self.all.left.saturating_sub(RECORD);
        self.sweep(share, now);
        Room::Within
    }

    /// Drops sites whose share is full again: they are as if they had never come. What is left took a record within the last minute,
    /// so the budget bounds their number.
    fn sweep(&mut self, share: u32, now: UnixMillis) {
        if self.sites.len() < self.sweep_at {
            return;
        }
        self.sites.retain(|_, bucket| {
            bucket.fill(share, now);
            bucket.left < capacity(share)
        });
        self.sweep_at = self.sites.len().saturating_mul(2).max(SWEEP_FROM);
    }
}

impl Bucket {
    fn full(per_minute: u32, at: UnixMillis) -> Self {
        Self { left: capacity(per_minute), at }
    }

    fn fill(&mut self, per_minute: u32, now: UnixMillis) {
        // A clock that was set back brings nothing, and does not stop the filling either.
        let passed = now.0.saturating_sub(self.at.0);
        self.left = self.left.saturating_add(passed.saturating_mul(u64::from(per_minute))).min(capacity(per_minute));
        self.at = now;
    }

    const fn has_room(&self) -> bool {
        self.left >= RECORD
    }
}

fn capacity(per_minute: u32) -> u64 {
    u64::from(per_minute).saturating_mul(RECORD)
}

/// The share of one site, and at least one record.
fn share(per_minute: u32) -> u32 {
    (per_minute.saturating_mul(Limits::STRANGER_SITE_FIFTHS) / 5).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn site(number: u32) -> Site {
        Site::of(IpAddr::V4(Ipv4Addr::from(number << 8)))
    }

    fn taken(budget: &mut Budget, sites: impl IntoIterator<Item = u32>, second: u64) -> usize {
        let now = UnixMillis(second * 1000);
        sites.into_iter().filter(|number| budget.take(site(*number), now) == Room::Within).count()
    }

    #[test]
    fn one_site_has_a_share_and_leaves_the_rest() {
        let mut budget = Budget::new(10);
        assert_eq!(taken(&mut budget, [1; 1000], 0), 4, "a flood has its share");
        assert_eq!(taken(&mut budget, [2, 3, 4, 2], 0), 4, "others are recorded all the same");
        assert_eq!(taken(&mut budget, 5..10_000, 0), 2, "ten in all, from however many sites");
        assert_eq!(taken(&mut budget, [1, 7], 0), 0);
    }

    #[test]
    fn over_a_day_a_flood_takes_what_the_minutes_bring() {
        for sites in [1, 10_000_u32] {
            let mut budget = Budget::new(10);
            let taken: usize = (0..86_400).map(|second| taken(&mut budget, [(u32::try_from(second).unwrap() % sites)], second)).sum();
            let expected = if sites == 1 { 4 * 1440 + 3 } else { 10 * 1440 + 9 };
            assert!(taken <= expected + 1 && taken + 10 > expected, "{sites} sites: {taken}");
            assert!(budget.sites.len() <= 2 * SWEEP_FROM, "{}", budget.sites.len());
        }
    }

    #[test]
    fn a_clock_that_moves_gives_nothing_for_nothing_and_stops_nothing() {
        let mut budget = Budget::new(10);
        assert_eq!(taken(&mut budget, 0..100, 1_000_000), 10);
        assert_eq!(taken(&mut budget, 0..100, 10), 0, "ten years back");
        assert_eq!(taken(&mut budget, 0..100, 22), 2, "it fills from there on");
        assert_eq!(taken(&mut budget, 0..100, 900_000_000), 10, "a year ahead is one minute's worth");
    }

    #[test]
    fn the_smallest_budget_is_one_record_a_minute() {
        let mut budget = Budget::new(1);
        assert_eq!((taken(&mut budget, 0..9, 0), taken(&mut budget, 0..9, 59), taken(&mut budget, 0..9, 60)), (1, 0, 1));
    }
}
