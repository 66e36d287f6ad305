//! Evidence about a login: named features, each with a weight in nats, and the score that follows from their sum.

/// Feature by which a login is judged. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Many wrong secrets for one account.
    BruteForce,
    /// The country, compared with the countries of this person and of everyone.
    Country,
    /// The device or its key: known or new, and how often this person brings a new one.
    Device,
    /// The hour of the day, compared with the person's own hours.
    Hour,
    /// The autonomous system, given that the country is known.
    Network,
    /// The kind of network: home line, carrier, data centre, anonymiser.
    NetworkKind,
    /// A position far from every place where the person was before.
    Place,
    /// Operating system and client, given the device.
    Platform,
    /// The address range of the household or site, given that the autonomous system is known.
    Prefix,
    /// Prompts that the person refused or let expire, again and again.
    PromptFatigue,
    /// A device or site of this login failed a step-up of this person lately.
    Refused,
    /// The time since the person's last login, compared with the intervals of people and of strangers who come at random moments.
    Rhythm,
    /// The network round-trip time, compared with the person's own on this kind of network.
    RoundTrip,
    /// Two places at the same time, on two devices.
    Simultaneous,
    /// Wrong secrets for many accounts from one device, site or network.
    Spraying,
    /// Far more wrong secrets everywhere than usual.
    Stuffing,
    /// Two places within a time in which no airliner gets from one to the other.
    Travel,
}

impl Feature {
    /// Stable word of the feature in records, metrics and answers; never renamed.
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

/// Weight that one feature adds to the evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// The feature that was weighed.
    pub feature: Feature,
    /// Weight in nats: the logarithm of how much likelier the value is from an attacker than from this person, times the weight of the
    /// feature (features depend on each other). A negative weight speaks for the person.
    pub weight: f64,
}

/// Evidence about one login: the contributions of all features that said something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    contributions: Vec<Contribution>,
}

impl Evidence {
    /// Adds the weight of `feature`. A weight that is zero, infinite or not a number is left out.
    pub fn add(&mut self, feature: Feature, weight: f64) {
        if weight.is_finite() && weight != 0.0 {
            self.contributions.push(Contribution { feature, weight });
        }
    }

    /// All contributions, in the order in which they were added.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// The contributions that speak against the person, heaviest first; this is what operators see as reasons.
    #[must_use]
    pub fn reasons(&self) -> Vec<Contribution> {
        let mut against: Vec<Contribution> = self.contributions.iter().copied().filter(|c| c.weight > 0.0).collect();
        // Ties are ordered by feature, so that every machine gives the same list.
        against.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.feature.cmp(&b.feature)));
        against
    }

    /// Probability, 0 to 1, that the login is not by this person, when the share `prior` of all logins is not. By Bayes' rule, with the sum
    /// as logarithm of the likelihood ratio.
    ///
    /// Measured on the development logins, one nat of the sum was 0.95 nats of log-odds, and the sum was 1 nat too high because features
    /// depend on each other. That nat is taken off here.
    #[must_use]
    pub fn probability(&self, prior: f64) -> f64 {
        let prior = crate::maths::within(prior, 1e-9, 1.0 - 1e-9);
        let odds = self.total() - 1.0 + crate::maths::ln(prior / (1.0 - prior));
        1.0 / (1.0 + libm::exp(-odds))
    }

    /// Sum of all weights, in nats.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.contributions.iter().map(|c| c.weight).sum()
    }
}

/// Unusualness from 0 to 100. At [`Score::STEP_UP`] the shipped configuration asks for a step-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

impl Score {
    /// Score of evidence exactly at the threshold: 50.
    pub const STEP_UP: Self = Self(50);

    /// Score of `total` nats of evidence when a step-up is asked from `threshold` nats on. A logistic curve: 12 points per nat near the
    /// threshold, less far from it.
    #[must_use]
    pub fn of(total: f64, threshold: f64) -> Self {
        // At the threshold the exponent is 0, which gives 50.
        let share = 100.0 / (1.0 + libm::exp((threshold - total) / 2.0));
        Self(crate::maths::floor_index(share, 100))
    }

    /// The score as a number, 0 to 100.
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
