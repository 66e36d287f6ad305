//! Password guessing and prompt fatigue: brute force, spraying, credential stuffing and repeated prompts, from decayed counts.
//!
//! Counts are kept per account, device, site and network and for everyone, in count-min sketches of fixed size whose cells halve every ten
//! minutes. An attacker's random names therefore cost no memory. A source is judged by how many accounts fail from it against how many
//! succeed: an office behind one address fails too, but mostly succeeds.
//!
//! This module only counts and weighs. Whether a login is refused is decided by the caller.

use countersign_core::{Seconds, UnixSeconds};

use crate::{
    evidence::{Evidence, Feature},
    fingerprint::{Fingerprint, mix},
    maths::{age, ln, narrow, remaining, stamp, within},
};

/// Result of one attempt to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// The secret was wrong or the account does not exist.
    Failed,
    /// The person refused a prompt or let it expire.
    PromptRefused,
    /// The attempt succeeded, and the person got in.
    Succeeded,
}

/// Account that an attempt named, and where the attempt came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Hash of the account name that was given, existing or not: [`crate::fingerprint::Salt::long`].
    pub account: u64,
    /// Fingerprint of the device, when the device has a name.
    pub device: Option<Fingerprint>,
    /// Fingerprint of the address range that the site shares ([`crate::network::site`]).
    pub prefix: Fingerprint,
    /// Fingerprint of the autonomous system, when it is known.
    pub network: Option<Fingerprint>,
}

/// Thresholds beyond which decayed counts become evidence. The defaults are those of the shipped configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CredentialRule {
    /// Failures for one account that are ordinary, since people mistype.
    pub account_failures: f64,
    /// Number of accounts that may fail from one device before it is unusual: those of a family.
    pub device_accounts: f64,
    /// Number of accounts that may fail from one site before it is unusual: those of an office on a Monday morning.
    pub site_accounts: f64,
    /// Number of accounts that may fail from one network before it is unusual: those of a mobile carrier.
    pub network_accounts: f64,
    /// Refused or expired prompts of one account that are ordinary.
    pub prompts: f64,
    /// Factor by which the failures of everyone may exceed their long-run rate before they count as a surge.
    pub surge: f64,
}

impl Default for CredentialRule {
    fn default() -> Self {
        Self { account_failures: 4.0, device_accounts: 3.0, site_accounts: 6.0, network_accounts: 40.0, prompts: 2.0, surge: 4.0 }
    }
}

/// Half-life of the counts of attempts: 10 minutes.
const HALF_LIFE: Seconds = Seconds(600);
/// Half-life of the long-run rate of everyone's failures: 7 days.
const LONG_HALF_LIFE: Seconds = Seconds(7 * 86_400);
/// Columns of each sketch, cells per row.
const WIDTH: u64 = 4096;
/// Rows of each sketch; each row uses another hash of the key.
const ROWS: u64 = 3;

/// One count that halves every half-life. It fades when it is read or added to, so no timer is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fading {
    value: f32,
    at: u32,
}

impl Fading {
    fn read(self, half_life: Seconds, now: UnixSeconds) -> f64 {
        f64::from(self.value) * remaining(age(now, self.at), half_life)
    }

    fn add(&mut self, half_life: Seconds, now: UnixSeconds) {
        let value = narrow(self.read(half_life, now) + 1.0);
        *self = Self { value, at: stamp(now).max(self.at) };
    }
}

/// Fading counts of any number of keys in fixed memory: a count-min sketch (Cormode, Muthukrishnan 2005) whose cells fade on their own.
#[derive(Clone, Debug, PartialEq)]
struct FadingSketch(Vec<Fading>);

impl FadingSketch {
    fn new() -> Self {
        Self(vec![Fading::default(); usize::try_from(WIDTH.saturating_mul(ROWS)).unwrap_or(0)])
    }

    fn read(&self, key: u64, now: UnixSeconds) -> f64 {
        // Keys that share a cell can only raise it, so the least of a key's cells is nearest to its true count.
        let cells = (0..ROWS).filter_map(|row| self.0.get(cell(row, key)));
        within(cells.map(|cell| cell.read(HALF_LIFE, now)).fold(f64::MAX, f64::min), 0.0, 1e9)
    }

    fn add(&mut self, key: u64, now: UnixSeconds) {
        for row in 0..ROWS {
            if let Some(cell) = self.0.get_mut(cell(row, key)) {
                cell.add(HALF_LIFE, now);
            }
        }
    }
}

fn cell(row: u64, key: u64) -> usize {
    let column = mix(key ^ mix(row.wrapping_add(1))).checked_rem(WIDTH).unwrap_or(0);
    usize::try_from(row.saturating_mul(WIDTH).saturating_add(column)).unwrap_or(0)
}

/// Kind of count. Each kind has keys of its own in the sketches, so that the kinds do not mix.
#[derive(Clone, Copy)]
enum Counted {
    AccountFailures,
    AccountPrompts,
    FailingPair,
    FailingAccounts,
    SucceedingPair,
    SucceedingAccounts,
}

/// Kind of origin of an attempt.
#[derive(Clone, Copy)]
enum Origin {
    Device,
    Site,
    Network,
}

/// Choice whether an attempt counts for its site and network, too, or for its device alone.
#[derive(Clone, Copy)]
enum Around {
    Counted,
    Left,
}

/// The counts. Memory is fixed at about 300 KiB, whatever attempts come.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    accounts: FadingSketch,
    pairs: FadingSketch,
    origins: FadingSketch,
    failures: Fading,
    failures_long: Fading,
    since: Option<u32>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            accounts: FadingSketch::new(),
            pairs: FadingSketch::new(),
            origins: FadingSketch::new(),
            failures: Fading::default(),
            failures_long: Fading::default(),
            since: None,
        }
    }
}

impl Credentials {
    /// Counts one attempt for its account, device, site and network.
    pub fn count(&mut self, source: &Source, tried: Try, now: UnixSeconds) {
        self.since.get_or_insert(stamp(now));
        match tried {
            Try::Failed => {
                self.accounts.add(key(Counted::AccountFailures, source.account), now);
                self.fail(source, Around::Counted, now);
            }
            Try::Succeeded => {
                self.count_pairs(source, Around::Counted, PairCounters::SUCCEEDING, now);
            }
            Try::PromptRefused => self.accounts.add(key(Counted::AccountPrompts, source.account), now),
        }
    }

    /// Counts a failure like [`Self::count`]. A device that already failed for more accounts than a family has counts for itself alone from
    /// then on.
    pub fn failed(&mut self, rule: &CredentialRule, source: &Source, now: UnixSeconds) {
        self.accounts.add(key(Counted::AccountFailures, source.account), now);
        self.strayed(rule, source, now);
    }

    /// Counts a failure like [`Self::failed`], but not against the account: the credential was not one of the account's.
    pub fn strayed(&mut self, rule: &CredentialRule, source: &Source, now: UnixSeconds) {
        let alone = origins(source)
            .find(|(origin, _)| matches!(origin, Origin::Device))
            .is_some_and(|(_, of)| self.origins.read(key(Counted::FailingAccounts, of), now) > rule.device_accounts);
        // SECURITY: otherwise one phone that guesses would close its whole site or carrier for everybody behind the same address.
        if alone {
            self.fail(source, Around::Left, now);
        } else {
            self.fail(source, Around::Counted, now);
        }
    }

    fn fail(&mut self, source: &Source, around: Around, now: UnixSeconds) {
        let since = *self.since.get_or_insert(stamp(now));
        self.count_pairs(source, around, PairCounters::FAILING, now);
        self.failures.add(HALF_LIFE, now);
        // The long-run rate starts one half-life late, so that an attack right after the start does not become the usual rate.
        if age(now, since) > HALF_LIFE {
            self.failures_long.add(LONG_HALF_LIFE, now);
        }
    }

    /// Evidence from the counts about an attempt from `source`. Call this before the attempt itself is counted.
    #[must_use]
    pub fn weigh(&self, rule: &CredentialRule, source: &Source, now: UnixSeconds) -> Evidence {
        let mut evidence = Evidence::default();
        let guesses = self.accounts.read(key(Counted::AccountFailures, source.account), now);
        evidence.add(Feature::BruteForce, beyond(guesses, rule.account_failures));
        let spread = origins(source)
            .map(|(origin, of)| {
                let ordinary = match origin {
                    Origin::Device => rule.device_accounts,
                    Origin::Site => rule.site_accounts,
                    Origin::Network => rule.network_accounts,
                };
                let failing = self.origins.read(key(Counted::FailingAccounts, of), now);
                let succeeding = self.origins.read(key(Counted::SucceedingAccounts, of), now);
                // Where most attempts succeed, the failures are typing errors of honest people.
                if failing > succeeding { beyond(failing - succeeding, ordinary) } else { 0.0 }
            })
            .fold(0.0, f64::max);
        evidence.add(Feature::Spraying, spread);
        evidence.add(Feature::Stuffing, self.surge(rule, now));
        let prompts = self.accounts.read(key(Counted::AccountPrompts, source.account), now);
        evidence.add(Feature::PromptFatigue, beyond(prompts, rule.prompts));
        evidence
    }

    /// Evidence of credential stuffing, at most 1.5 nats: how far everyone's failures of the last ten minutes exceed their long-run rate.
    /// Stuffing uses many sources and many accounts with a few attempts each, so no single source stands out. The evidence applies to every
    /// login alike and is too small to challenge anyone by itself.
    fn surge(&self, rule: &CredentialRule, now: UnixSeconds) -> f64 {
        let Some(since) = self.since else { return 0.0 };
        let recent = self.failures.read(HALF_LIFE, now);
        let watched = crate::maths::seconds(age(now, since));
        // `usual` is the mean value that the ten-minute count would have had over the time that is remembered. A count with half-life h
        // holds rate * h / ln 2, which is why both half-lives are divided by ln 2.
        let memory = within(watched, crate::maths::seconds(HALF_LIFE), crate::maths::seconds(LONG_HALF_LIFE) / core::f64::consts::LN_2);
        let usual = self.failures_long.read(LONG_HALF_LIFE, now) * crate::maths::seconds(HALF_LIFE) / core::f64::consts::LN_2 / memory;
        // At least five failures count as usual, so that a quiet installation does not raise an alarm at the first typing error.
        let ordinary = within(usual, 5.0, f64::MAX) * rule.surge;
        if recent > ordinary { within(ln(recent / ordinary), 0.0, 1.5) } else { 0.0 }
    }

    fn count_pairs(&mut self, source: &Source, around: Around, counters: PairCounters, now: UnixSeconds) {
        let PairCounters { pair, accounts } = counters;
        let counted = |origin: &Origin| matches!((origin, around), (Origin::Device, _) | (_, Around::Counted));
        for (_, of) in origins(source).filter(|(origin, _)| counted(origin)) {
            let both = key(pair, of ^ mix(source.account));
            // Each account counts once per origin for as long as the pair is remembered. One person who mistypes again and again is brute
            // force or clumsiness, not spraying.
            if self.pairs.read(both, now) < 0.5 {
                self.origins.add(key(accounts, of), now);
            }
            self.pairs.add(both, now);
        }
    }
}

/// The counters of one outcome: of each pair of origin and account, and of the accounts of each origin.
#[derive(Clone, Copy)]
struct PairCounters {
    pair: Counted,
    accounts: Counted,
}

impl PairCounters {
    const FAILING: Self = Self { pair: Counted::FailingPair, accounts: Counted::FailingAccounts };
    const SUCCEEDING: Self = Self { pair: Counted::SucceedingPair, accounts: Counted::SucceedingAccounts };
}

/// Evidence in nats: half a nat for each count beyond the ordinary ones, at most five nats.
fn beyond(counted: f64, ordinary: f64) -> f64 {
    within(0.5 * (counted - ordinary), 0.0, 5.0)
}

fn origins(source: &Source) -> impl Iterator<Item = (Origin, u64)> {
    let of = |origin: Origin, Fingerprint(bits): Fingerprint| (origin, mix(u64::from(bits) | (u64::from(origin.tag()) << 32)));
    let device = source.device.map(|device| of(Origin::Device, device));
    let network = source.network.map(|network| of(Origin::Network, network));
    device.into_iter().chain([of(Origin::Site, source.prefix)]).chain(network)
}

impl Origin {
    const fn tag(self) -> u8 {
        match self {
            Self::Device => 1,
            Self::Site => 2,
            Self::Network => 3,
        }
    }
}

fn key(counted: Counted, of: u64) -> u64 {
    let tag: u64 = match counted {
        Counted::AccountFailures => 1,
        Counted::AccountPrompts => 2,
        Counted::FailingPair => 3,
        Counted::FailingAccounts => 4,
        Counted::SucceedingPair => 5,
        Counted::SucceedingAccounts => 6,
    };
    mix(of.wrapping_add(mix(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_767_571_200;

    fn source(account: u64, device: Option<u32>, prefix: u32, network: u32) -> Source {
        Source { account: mix(account), device: device.map(Fingerprint), prefix: Fingerprint(prefix), network: Some(Fingerprint(network)) }
    }

    fn weight(credentials: &Credentials, feature: Feature, source: &Source, now: u64) -> f64 {
        let evidence = credentials.weigh(&CredentialRule::default(), source, UnixSeconds(now));
        evidence.contributions().iter().find(|part| part.feature == feature).map_or(0.0, |part| part.weight)
    }

    fn total(credentials: &Credentials, source: &Source, now: u64) -> f64 {
        credentials.weigh(&CredentialRule::default(), source, UnixSeconds(now)).total()
    }

    /// A day of a service: a login every 20 seconds, one in twenty fails once before.
    fn ordinary_day() -> Credentials {
        let mut credentials = Credentials::default();
        for n in 0..4320_u64 {
            let person = mix(n) % 2000;
            let home = u32::try_from(person).unwrap();
            let source = source(person, Some(home), home, home % 7);
            if n % 20 == 0 {
                credentials.count(&source, Try::Failed, UnixSeconds(START + n * 20 - 10));
            }
            assert!(total(&credentials, &source, START + n * 20) < 0.5, "{n}");
            credentials.count(&source, Try::Succeeded, UnixSeconds(START + n * 20));
        }
        credentials
    }

    const EVENING: u64 = START + 86_400;

    /// One phone that guesses closes itself, and neither its site nor its carrier.
    #[test]
    fn one_phone_speaks_for_itself_alone() {
        let rule = CredentialRule::default();
        let mut credentials = ordinary_day();
        for n in 0..200_u64 {
            credentials.failed(&rule, &source(100_000 + n, Some(9), 700, 3), UnixSeconds(EVENING + n));
        }
        let now = EVENING + 200;
        assert!(weight(&credentials, Feature::Spraying, &source(1, Some(9), 700, 3), now) >= 5.0, "the phone itself");
        assert!(weight(&credentials, Feature::Spraying, &source(2, Some(10), 700, 3), now) < 0.5, "its neighbour");
        assert!(weight(&credentials, Feature::Spraying, &source(3, Some(11), 701, 3), now) < 0.5, "its carrier");
    }

    #[test]
    fn guessing_at_one_account_is_brute_force_wherever_it_comes_from() {
        let mut credentials = ordinary_day();
        for n in 0..12_u32 {
            credentials.count(&source(5, None, 1000 + n, 50 + n), Try::Failed, UnixSeconds(EVENING + u64::from(n) * 5));
        }
        assert!(weight(&credentials, Feature::BruteForce, &source(5, None, 7777, 99), EVENING + 60) > 3.0);
        assert!(weight(&credentials, Feature::BruteForce, &source(6, None, 7777, 99), EVENING + 60) <= 0.0);
        assert!(weight(&credentials, Feature::BruteForce, &source(5, None, 7777, 99), EVENING + 3600) <= 0.0);
    }

    #[test]
    fn failures_that_are_ordinary() {
        for (failures, expected) in [(4_u64, 0.0), (5, 0.5)] {
            let mut credentials = Credentials::default();
            for _ in 0..failures {
                credentials.count(&source(5, None, 1, 1), Try::Failed, UnixSeconds(EVENING));
            }
            let weight = weight(&credentials, Feature::BruteForce, &source(5, None, 1, 1), EVENING);
            assert!((weight - expected).abs() < 1e-6, "{failures}: {weight}");
        }
    }

    #[test]
    fn one_password_for_many_accounts_is_spraying() {
        let rows: &[(&str, fn(u64) -> Source)] = &[
            ("from one device", |n| source(9000 + n, Some(77), 2000 + u32::try_from(n).unwrap(), 50 + u32::try_from(n).unwrap())),
            ("from one site", |n| source(9000 + n, None, 2000, 50 + u32::try_from(n).unwrap())),
            ("from one network", |n| source(9000 + n, None, 2000 + u32::try_from(n).unwrap(), 50)),
        ];
        for (name, of) in rows {
            let mut credentials = ordinary_day();
            for n in 0..60_u64 {
                credentials.count(&of(n), Try::Failed, UnixSeconds(EVENING + n));
            }
            let next = of(60);
            assert!(weight(&credentials, Feature::Spraying, &next, EVENING + 60) > 3.0, "{name}");
            // No single account was tried often.
            assert!(weight(&credentials, Feature::BruteForce, &next, EVENING + 60) <= 0.0, "{name}");
        }
    }

    #[test]
    fn an_office_on_a_monday_is_not_spraying() {
        let mut credentials = ordinary_day();
        for n in 0..80_u64 {
            let desk = source(8000 + n, Some(3000 + u32::try_from(n).unwrap()), 42, 3);
            if n % 4 == 0 {
                credentials.count(&desk, Try::Failed, UnixSeconds(EVENING + n * 5));
            }
            assert!(total(&credentials, &desk, EVENING + n * 5 + 3) < 1.0, "{n}");
            credentials.count(&desk, Try::Succeeded, UnixSeconds(EVENING + n * 5 + 3));
        }
    }

    #[test]
    fn many_sources_with_one_try_each_are_stuffing() {
        let mut credentials = ordinary_day();
        let bot = |n: u64| {
            source(
                20_000 + n,
                Some(u32::try_from(50_000 + n).unwrap()),
                u32::try_from(60_000 + n).unwrap(),
                100 + u32::try_from(n % 400).unwrap(),
            )
        };
        for n in 0..300_u64 {
            credentials.count(&bot(n), Try::Failed, UnixSeconds(EVENING + n));
        }
        let hint = weight(&credentials, Feature::Stuffing, &bot(301), EVENING + 300);
        assert!(hint > 1.0, "{hint}");
        // By itself it challenges nobody.
        assert!(total(&credentials, &source(1, Some(1), 1, 1), EVENING + 300) <= 1.5);
        assert!(weight(&credentials, Feature::Stuffing, &bot(301), EVENING + 7200) <= 0.0);
    }

    #[test]
    fn prompts_that_are_refused_again_and_again_are_fatigue() {
        let mut credentials = Credentials::default();
        let person = source(5, Some(5), 5, 5);
        for n in 0..2 {
            credentials.count(&person, Try::PromptRefused, UnixSeconds(EVENING + n * 30 + 20));
        }
        assert!(weight(&credentials, Feature::PromptFatigue, &person, EVENING + 60) <= 0.0);
        for n in 2..8 {
            credentials.count(&person, Try::PromptRefused, UnixSeconds(EVENING + n * 30));
        }
        assert!(weight(&credentials, Feature::PromptFatigue, &person, EVENING + 240) > 2.0);
    }

    #[test]
    fn a_flood_of_names_takes_no_memory() {
        let mut credentials = Credentials::default();
        let cells = credentials.accounts.0.len();
        for n in 0..100_000_u64 {
            credentials.count(&source(mix(n), None, u32::try_from(n).unwrap(), 1), Try::Failed, UnixSeconds(START + n / 100));
        }
        assert_eq!(credentials.accounts.0.len(), cells);
        assert!(total(&credentials, &source(1, None, 1, 1), START + 1000).is_finite());
    }
}
