//! What speaks for and against an observation, named, weighed and summed.

/// A feature that a login is judged by. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Many wrong secrets for one account.
    BruteForce,
    /// The country, against those of the person and of everyone.
    Country,
    /// The device or its key: known or new, and how often this person shows a new one.
    Device,
    /// The hour of the day, against the person's own.
    Hour,
    /// The autonomous system, given the country.
    Network,
    /// Home, carrier, data centre, anonymiser.
    NetworkKind,
    /// Far from every place the person is known at.
    Place,
    /// Operating system and client, given the device.
    Platform,
    /// The household's or site's addresses, given the autonomous system.
    Prefix,
    /// Prompts that the person refused or let lapse, again and again.
    PromptFatigue,
    /// Something of it failed a step-up for this person lately.
    Refused,
    /// The interval since the person's last login, against intervals of people and of strangers who come at random.
    Rhythm,
    /// The round-trip time, against the person's own on such a network.
    RoundTrip,
    /// Two places at once, on two devices.
    Simultaneous,
    /// Wrong secrets for many accounts from one device, site or network.
    Spraying,
    /// Far more wrong secrets everywhere than there usually are.
    Stuffing,
    /// Two places sooner than an airliner.
    Travel,
}

impl Feature {
    /// The word in records, metrics and answers; never renamed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BruteForce => "brute_force",
            Self::Country => "country",
            Self::Device => "device",
            Self::Hour => "hour",
            Self::Network => "network",
            Self::NetworkKind => "network_kind",
            Self::Place => "place",
            Self::Platform => "platform",
            Self::Prefix => "prefix",
            Self::PromptFatigue => "prompt_fatigue",
            Self::Refused => "refused",
            Self::Rhythm => "rhythm",
            Self::RoundTrip => "round_trip",
            Self::Simultaneous => "simultaneous",
            Self::Spraying => "spraying",
            Self::Stuffing => "stuffing",
            Self::Travel => "travel",
        }
    }
}

/// One feature's share of the evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Which.
    pub feature: Feature,
    /// Nats: the logarithm of how much likelier the value is from an attacker than from this person, times the weight that the
    /// feature has beside the others. Negative speaks for the person.
    pub weight: f64,
}

/// The evidence about one login.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    contributions: Vec<Contribution>,
}

impl Evidence {
    /// Adds what `feature` says. What weighs nothing, or is no number, is left out.
    pub fn add(&mut self, feature: Feature, weight: f64) {
        if weight.is_finite() && weight != 0.0 {
            self.contributions.push(Contribution { feature, weight });
        }
    }

    /// The contributions, in the order in which they were added.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// The contributions that speak against the person, heaviest first: the reasons a person reads.
    #[must_use]
    pub fn reasons(&self) -> Vec<Contribution> {
        let mut against: Vec<Contribution> = self.contributions.iter().copied().filter(|c| c.weight > 0.0).collect();
        against.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.feature.cmp(&b.feature)));
        against
    }

    /// How probable it is that this is not the person, when `prior` of all logins are not: Bayes' rule with the sum as logarithm of
    /// the likelihood ratio. Measured on the development logins a nat of the sum was 0.95 nats of log-odds, and the sum stood 1 too
    /// high, because features know of each other; that is taken off here.
    #[must_use]
    pub fn probability(&self, prior: f64) -> f64 {
        let prior = crate::maths::within(prior, 1e-9, 1.0 - 1e-9);
        let odds = self.total() - 1.0 + crate::maths::ln(prior / (1.0 - prior));
        1.0 / (1.0 + libm::exp(-odds))
    }

    /// The sum, in nats.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.contributions.iter().map(|c| c.weight).sum()
    }
}

/// How unusual, from 0 to 100. At [`Score::STEP_UP`] the shipped configuration asks for a step-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

impl Score {
    /// The score of evidence that weighs exactly as much as the threshold.
    pub const STEP_UP: Self = Self(50);

    /// The score of evidence that weighs `total` nats when a step-up is asked from `threshold` on: 12 points per nat near the
    /// threshold, less and less far from it.
    #[must_use]
    pub fn of(total: f64, threshold: f64) -> Self {
        let share = 100.0 / (1.0 + libm::exp((threshold - total) / 2.0));
        Self(crate::maths::floor_index(share, 100))
    }

    /// 0 to 100.
    #[must_use]
    pub const fn points(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_fifty_and_both_ends_hold() {
        let rows = [
            ("at the threshold", 3.0, 50),
            ("just below", 2.999, 49),
            ("two nats above", 5.0, 73),
            ("nothing at all", f64::NEG_INFINITY, 0),
            ("certain", f64::INFINITY, 100),
            ("no number", f64::NAN, 0),
        ];
        for (name, total, points) in rows {
            assert_eq!(Score::of(total, 3.0).points(), points, "{name}");
        }
        assert_eq!(Score::of(3.0, 3.0), Score::STEP_UP);
    }

    #[test]
    fn probabilities_follow_the_prior_and_the_sum() {
        let of = |total: f64, prior: f64| {
            let mut evidence = Evidence::default();
            evidence.add(Feature::Device, total);
            evidence.probability(prior)
        };
        let rows = [
            ("evidence that weighs what the calibration takes off", 1.0, 0.5, 0.5),
            ("against a rare attacker", 5.0, 0.001, 0.0518),
            ("for the person", -4.0, 0.5, 0.0067),
            ("never any attack", 9.0, 0.0, 0.000_003),
            ("no prior", 1.0, f64::NAN, 0.0),
        ];
        for (name, total, prior, expected) in rows {
            assert!((of(total, prior) - expected).abs() < 1e-4, "{name}: {}", of(total, prior));
        }
    }

    #[test]
    fn reasons_are_those_against_heaviest_first() {
        let mut evidence = Evidence::default();
        for (feature, weight) in
            [(Feature::Hour, 0.5), (Feature::Device, 3.0), (Feature::Country, -1.0), (Feature::Place, 0.0), (Feature::Travel, f64::NAN)]
        {
            evidence.add(feature, weight);
        }
        let names: Vec<&str> = evidence.reasons().iter().map(|c| c.feature.as_str()).collect();
        assert_eq!(names, ["device", "hour"]);
        assert!((evidence.total() - 2.5).abs() < f64::EPSILON);
    }
}
