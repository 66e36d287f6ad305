//! The count: how many refusals for which reason from which site, in bounded memory.

use std::{cmp::Reverse, collections::HashMap};

use countersign_audit::{ReasonCount, RefusalsCounted};
use countersign_core::{Limits, Reason, Seconds, Site, UnixMillis};

/// Part of a summary: what came from one site, or from all those that have no part of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Site of all of them; `None` for all the others together.
    pub site: Option<Site>,
    /// Number of refusals, by reason.
    pub counted: RefusalsCounted,
}

/// Count since the last summary.
#[derive(Default)]
pub(crate) struct Tally {
    since: Option<UnixMillis>,
    sites: HashMap<Site, Counts>,
    others: Counts,
}

/// Refusals by reason, in bounded memory.
#[derive(Clone, Default)]
struct Counts {
    reasons: HashMap<Reason, u64>,
    others: u64,
}

impl Tally {
    /// Counts one refusal for its site.
    pub fn count(&mut self, site: Site, reason: Option<&Reason>, now: UnixMillis) {
        self.since.get_or_insert(now);
        self.of(Some(site)).add(reason, 1);
    }

    /// Time for which something has been waiting for a summary. A clock that was set back makes it due.
    pub fn age(&self, now: UnixMillis) -> Option<Seconds> {
        let since = self.since?;
        Some(if now < since { Limits::SUMMARY_INTERVAL } else { Seconds(now.0.saturating_sub(since.0) / 1000) })
    }

    /// Takes everything: the sites with the most refusals by name, the rest as one.
    pub fn take(&mut self) -> Vec<Summary> {
        let Self { since, sites, mut others } = std::mem::take(self);
        let Some(since) = since else { return Vec::new() };
        let mut sites: Vec<_> = sites.into_iter().collect();
        sites.sort_by_key(|(site, counts)| (Reverse(counts.total()), *site));
        let rest = sites.split_off(sites.len().min(Limits::SUMMARY_SITES_MAX));
        let more = u32::try_from(rest.len()).unwrap_or(u32::MAX).saturating_add(u32::from(others.total() > 0));
        rest.into_iter().for_each(|(_, counts)| others.add_all(counts.reasons, counts.others));
        let named = sites.into_iter().map(|(site, counts)| (Some(site), 1, counts));
        let unnamed = (others.total() > 0).then_some((None, more, others));
        let summary = |(site, sites, counts): (_, _, Counts)| Summary { site, counted: counts.into_event(since, sites) };
        named.chain(unnamed).map(summary).collect()
    }

    /// Counts again what was taken and could not be written.
    pub fn put_back(&mut self, summary: Summary) {
        let RefusalsCounted { since, counts, others, .. } = summary.counted;
        self.since = Some(self.since.map_or(since, |held| held.min(since)));
        let reasons = counts.into_iter().map(|ReasonCount { reason, count }| (reason, count));
        self.of(summary.site).add_all(reasons, others);
    }

    fn of(&mut self, site: Option<Site>) -> &mut Counts {
        match site {
            Some(site) if self.sites.len() < Limits::COUNTED_SITES_MAX || self.sites.contains_key(&site) => {
                self.sites.entry(site).or_default()
            }
            Some(_) | None => &mut self.others,
        }
    }
}

impl Counts {
    fn add(&mut self, reason: Option<&Reason>, count: u64) {
        let place = match reason {
            Some(reason) if self.reasons.len() < Limits::COUNTED_REASONS_MAX || self.reasons.contains_key(reason) => {
                self.reasons.entry(reason.clone()).or_default()
            }
            Some(_) | None => &mut self.others,
        };
        *place = place.saturating_add(count);
    }

    fn add_all(&mut self, reasons: impl IntoIterator<Item = (Reason, u64)>, others: u64) {
        reasons.into_iter().for_each(|(reason, count)| self.add(Some(&reason), count));
        self.others = self.others.saturating_add(others);
    }

    fn total(&self) -> u64 {
        self.reasons.values().fold(self.others, |sum, count| sum.saturating_add(*count))
    }

    fn into_event(self, since: UnixMillis, sites: u32) -> RefusalsCounted {
        let mut counts: Vec<_> = self.reasons.into_iter().map(|(reason, count)| ReasonCount { reason, count }).collect();
        counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        RefusalsCounted { since, sites, counts, others: self.others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn site(number: u32) -> Site {
        Site::of(IpAddr::V4(Ipv4Addr::from(number << 8)))
    }

    fn total(summaries: &[Summary]) -> u64 {
        let counted = |summary: &Summary| summary.counted.counts.iter().map(|each| each.count).sum::<u64>() + summary.counted.others;
        summaries.iter().map(counted).sum()
    }

    #[test]
    fn a_summary_names_the_sites_with_the_most_and_sums_up_the_rest() {
        let mut tally = Tally::default();
        for number in 1..=7 {
            (0..number * 10).for_each(|_| tally.count(site(number), Some(&Reason::TokenMissing), UnixMillis(5)));
        }
        tally.count(site(7), Some(&Reason::UnknownOperation), UnixMillis(9));
        let summaries = tally.take();
        let named: Vec<_> = summaries.iter().map(|summary| summary.site).collect();
        assert_eq!(named, [Some(site(7)), Some(site(6)), Some(site(5)), Some(site(4)), None]);
        let counts: Vec<_> = summaries[0].counted.counts.iter().map(|each| (each.reason.code(), each.count)).collect();
        assert_eq!(counts, [("token_missing", 70), ("unknown_operation", 1)]);
        assert_eq!((summaries[4].counted.sites, total(&summaries)), (3, 281));
        assert_eq!(summaries[0].counted.since, UnixMillis(5));
        assert_eq!(tally.take(), [], "what was taken is not counted again");
    }

    #[test]
    fn however_many_sites_and_reasons_the_memory_is_bounded_and_nothing_is_lost() {
        let mut tally = Tally::default();
        let reasons = [
            Reason::TokenMissing,
            Reason::UnknownOperation,
            Reason::ProofMissing,
            Reason::ProofMalformed,
            Reason::PathAmbiguous,
            Reason::MethodUnknown,
            Reason::RequestMalformed,
            Reason::ProofRepeatedHeader,
            Reason::BearerDowngrade,
            Reason::SessionUnknown,
        ];
        for number in 0..5000_u32 {
            for reason in &reasons {
                tally.count(site(number), Some(reason), UnixMillis(0));
            }
        }
        assert_eq!(tally.sites.len(), Limits::COUNTED_SITES_MAX);
        let summaries = tally.take();
        assert_eq!((summaries.len(), total(&summaries)), (Limits::SUMMARY_SITES_MAX + 1, 50_000));
        assert!(summaries.iter().all(|summary| summary.counted.counts.len() <= Limits::COUNTED_REASONS_MAX));
    }

    #[test]
    fn what_could_not_be_written_is_counted_again() {
        let mut tally = Tally::default();
        (0..9).for_each(|number| tally.count(site(number), Some(&Reason::TokenMissing), UnixMillis(7)));
        let summaries = tally.take();
        tally.count(site(1), None, UnixMillis(99));
        summaries.into_iter().for_each(|summary| tally.put_back(summary));
        assert_eq!(tally.age(UnixMillis(60_007)), Some(Seconds(60)), "since the first of them");
        assert_eq!(tally.age(UnixMillis(0)), Some(Limits::SUMMARY_INTERVAL), "a clock that was set back");
        assert_eq!(total(&tally.take()), 10);
    }
}
