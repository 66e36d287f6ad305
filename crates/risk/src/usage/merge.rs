//! Merging of one person's habits that were learned on several nodes.
//!
//! For every value the greater one is kept. Merging a state a second time then changes nothing, so that no part is ever counted twice and
//! no node has to remember what it was given. Amounts that two nodes counted apart are therefore not added up. There is one exception that
//! matters: sets of different objects are united, so that a scraper whose requests are spread over nodes is counted whole.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    maths::{age, remaining},
    profile::HALF_LIFE,
    usage::habits::Habits,
};

const HOUR: u32 = 3600;
const DAY: u32 = 86_400;

/// Relation of two windows that were opened at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Windows {
    /// The windows overlap; the merged one began at the earlier time, in seconds since 1970.
    Both(u32),
    /// Ours is the later window.
    Ours,
    /// Theirs is the later window.
    Theirs,
}

impl Windows {
    fn of(ours: u32, theirs: u32, length: u32) -> Self {
        if ours.abs_diff(theirs) < length {
            Self::Both(ours.min(theirs))
        } else if ours > theirs {
            Self::Ours
        } else {
            Self::Theirs
        }
    }
}

impl Habits {
    /// Merges what another node learned of the same person, with counts faded to the later of the two states. Merging twice changes
    /// nothing, and the order does not matter while all values fit and windows overlap. Memory stays within the same bounds. Sessions that
    /// run on this node stay as they are.
    pub fn merge(&mut self, other: &Self) {
        self.history.merge(&other.history);
        self.hours.merge(&other.hours);
        self.merge_networks(other);
        self.objects_per_hour.merge(other.objects_per_hour);
        self.objects_per_day.merge(other.objects_per_day);
        self.requests_per_minute.merge(other.requests_per_minute);
        self.megabytes_per_hour.merge(other.megabytes_per_hour);
        self.rate.merge(other.rate);
        self.failures.merge(other.failures);
        self.volume.merge(other.volume);
        self.merge_hour(other);
        self.merge_day(other);
        // SECURITY: days of strange use make it usual in the end. The smaller number is kept, so that nobody collects such days over
        // several nodes.
        self.strange_days = self.strange_days.min(other.strange_days);
        self.strange_day = self.strange_day.max(other.strange_day);
    }

    fn merge_networks(&mut self, other: &Self) {
        // Both are faded to the later time first; otherwise their counts could not be compared.
        let at = self.network_at.max(other.network_at);
        let (mut sites, mut networks, mut countries) = (other.sites.clone(), other.networks.clone(), other.countries.clone());
        let fading = |since: u32| match age(UnixSeconds(u64::from(at)), since) {
            Seconds(0) => None,
            span => Some(remaining(span, HALF_LIFE)),
        };
        if let Some(factor) = fading(self.network_at) {
            self.sites.fade(factor);
            self.networks.fade(factor);
            self.countries.fade(factor);
        }
        if let Some(factor) = fading(other.network_at) {
            sites.fade(factor);
            networks.fade(factor);
            countries.fade(factor);
        }
        self.sites.merge(&sites);
        self.networks.merge(&networks);
        self.countries.merge(&countries);
        self.network_at = at;
    }

    fn merge_hour(&mut self, other: &Self) {
        match Windows::of(self.hour_since, other.hour_since, HOUR) {
            Windows::Both(since) => {
                self.objects_hour.merge(&other.objects_hour);
                self.rate_peak = self.rate_peak.max(other.rate_peak);
                self.volume_peak = self.volume_peak.max(other.volume_peak);
                self.hour_since = since;
            }
            Windows::Ours => {}
            Windows::Theirs => {
                self.objects_hour = other.objects_hour.clone();
                (self.rate_peak, self.volume_peak, self.hour_since) = (other.rate_peak, other.volume_peak, other.hour_since);
            }
        }
    }

    fn merge_day(&mut self, other: &Self) {
        match Windows::of(self.day_since, other.day_since, DAY) {
            Windows::Both(since) => {
                self.objects_day.merge(&other.objects_day);
                self.day_since = since;
            }
            Windows::Ours => {}
            Windows::Theirs => {
                self.objects_day = other.objects_day.clone();
                self.day_since = other.day_since;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fingerprint::Fingerprint,
        frequency::Vouched,
        network::NetworkKind,
        sequence::{Operation, Population},
        usage::{Ending, UseFeature, UseObservation, UseRule},
    };

    /// A Monday, 06:00 UTC.
    const MONDAY: u64 = 1_789_344_000 + 6 * 3600;

    fn observation(at: u64, operation: u8, object: u64, site: u32) -> UseObservation {
        UseObservation {
            at: UnixSeconds(at),
            session: 1,
            operation: Operation::named(&operation.to_string()),
            object: Some(object),
            prefix: Fingerprint(site),
            network: Some(Fingerprint(site)),
            country: Some(Fingerprint(1)),
            kind: NetworkKind::Fixed,
            position: None,
            phone: None,
            ending: Ending::Good,
        }
    }

    fn lived(requests: &[(u16, u8, u8, u8)]) -> Habits {
        let (rule, everybody, mut habits) = (UseRule::default(), Population::new(), Habits::default());
        let mut at = MONDAY;
        for (minutes, operation, object, site) in requests {
            at += u64::from(*minutes) * 60;
            rule.judge(&observation(at, operation % 8, u64::from(*object), u32::from(site % 3) + 1), &mut habits, &everybody);
            rule.answered(u64::from(*object) * 4096, Ending::Good, &mut habits, UnixSeconds(at));
        }
        habits.sittings.clear();
        habits
    }

    fn joined(a: &Habits, b: &Habits) -> Habits {
        let mut joined = a.clone();
        joined.merge(b);
        joined
    }

    fn requests(minutes_max: u16) -> impl Strategy<Value = Vec<(u16, u8, u8, u8)>> {
        prop::collection::vec((0..minutes_max, any::<u8>(), any::<u8>(), any::<u8>()), 0..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn order_and_repetition_change_nothing(a in requests(600), b in requests(600)) {
            let (a, b) = (lived(&a), lived(&b));
            let ab = joined(&a, &b);
            prop_assert_eq!(&ab, &joined(&b, &a));
            prop_assert_eq!(&joined(&ab, &b), &ab);
            prop_assert_eq!(&joined(&ab, &a), &ab);
            prop_assert_eq!(Habits::restore(&ab.snapshot()), Ok(ab));
        }

        // Windows of one hour, all opened together, and not so long that counts would have to be rounded differently.
        #[test]
        fn three_nodes_join_in_any_grouping(a in requests(1), b in requests(1), c in requests(1)) {
            let [a, b, c] = [a, b, c].map(|requests| lived(&requests));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        }
    }

    #[test]
    fn a_scraper_who_is_dealt_out_is_counted_whole() {
        let (rule, everybody) = (UseRule::default(), Population::new());
        let part = |objects: std::ops::Range<u64>| {
            let mut habits = Habits::default();
            for object in objects {
                rule.judge(&observation(MONDAY + object, 1, object, 1), &mut habits, &everybody);
            }
            habits
        };
        let (left, right) = (part(0..80), part(80..160));
        let objects = |mut habits: Habits| {
            rule.judge(&observation(MONDAY + 161, 1, 1, 1), &mut habits, &everybody).evidence.weight(UseFeature::Objects)
        };
        let (alone, together) = (objects(left.clone()), objects(joined(&left, &right)));
        assert!(alone < rule.step_up && together > rule.step_up, "{alone} alone, {together} together");
    }

    #[test]
    fn what_is_older_has_faded_as_far_as_what_is_newer() {
        let visit = |days: u64| {
            let mut habits = Habits::default();
            let of = crate::usage::habits::NetworkSeen { prefix: Fingerprint(1), network: None, country: None };
            habits.learn_network(&of, Vouched::No, UnixSeconds(MONDAY + days * 86_400));
            habits
        };
        let (old, new) = (visit(0), visit(120));
        let counts = |habits: &Habits| habits.sites.entries().first().map(|seen| (seen.count, seen.first));
        assert_eq!(counts(&joined(&old, &new)), Some((1.0, u32::try_from(MONDAY).unwrap_or(0))));
        assert_eq!(joined(&old, &new), joined(&new, &old));
        let mut faded = old;
        faded.merge(&Habits { network_at: u32::try_from(MONDAY + 120 * 86_400).unwrap_or(0), ..Habits::default() });
        assert!(counts(&faded).is_some_and(|(count, _)| (count - 0.25).abs() < 1e-3), "two half-lives: {faded:?}");
    }

    #[test]
    fn strange_days_are_not_saved_up_over_nodes() {
        let strange = |days: std::ops::Range<u64>| {
            let mut habits = Habits::default();
            days.for_each(|day| {
                habits.strange(UnixSeconds(MONDAY + day * 86_400));
            });
            habits
        };
        let both = joined(&strange(0..2), &strange(1..2));
        assert_eq!(both.strange_days, 1);
    }
}
