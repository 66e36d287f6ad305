//! Evidence about a request: named features, each with a weight in nats.

use crate::evidence::Score;

/// Feature by which use is judged. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseFeature {
    /// Refusals that nothing the person can do would cure.
    Failures,
    /// The hour, compared with the person's own hours on such days.
    Hour,
    /// The position that the app reports, compared with that of the network.
    Location,
    /// The network, compared with those where the person is known.
    Network,
    /// A data centre or an anonymiser, for a person who does not come from there.
    NetworkKind,
    /// The number of different objects touched, compared with everyone's and this person's.
    Objects,
    /// The operations and their order, compared with the person's own and everybody's.
    Operations,
    /// The number of requests in the last minute.
    Rate,
    /// Two places at the same time, in two sessions.
    Simultaneous,
    /// Two places in one session, within a time in which no airliner gets from one to the other.
    Travel,
    /// The number of bytes that left.
    Volume,
}

impl UseFeature {
    /// All features, in alphabetical order.
    pub const ALL: [Self; 11] = [
        Self::Failures,
        Self::Hour,
        Self::Location,
        Self::Network,
        Self::NetworkKind,
        Self::Objects,
        Self::Operations,
        Self::Rate,
        Self::Simultaneous,
        Self::Travel,
        Self::Volume,
    ];

    /// Stable word of the feature in records, metrics and answers; never renamed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Hour => "hour",
            Self::Location => "location",
            Self::Network => "network",
            Self::NetworkKind => "network_kind",
            Self::Objects => "objects",
            Self::Operations => "operations",
            Self::Rate => "rate",
            Self::Simultaneous => "simultaneous",
            Self::Travel => "travel",
            Self::Volume => "volume",
        }
    }
}

/// Evidence about one request: the weight of each feature in nats. Needs no heap memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UseEvidence {
    weights: [f64; UseFeature::ALL.len()],
}

impl UseEvidence {
    /// Adds `weight` to `feature`. A weight that is infinite or not a number is left out.
    pub fn add(&mut self, feature: UseFeature, weight: f64) {
        let place = UseFeature::ALL.iter().position(|other| *other == feature);
        if let Some(held) = place.and_then(|at| self.weights.get_mut(at))
            && weight.is_finite()
        {
            *held += weight;
        }
    }

    /// Weight of `feature`, in nats.
    #[must_use]
    pub fn weight(&self, feature: UseFeature) -> f64 {
        self.contributions().find(|(other, _)| *other == feature).map_or(0.0, |(_, weight)| weight)
    }

    /// All features with their weights, in the order of [`UseFeature::ALL`].
    pub fn contributions(&self) -> impl Iterator<Item = (UseFeature, f64)> + '_ {
        UseFeature::ALL.into_iter().zip(self.weights)
    }

    /// The feature that weighs most against the person, when any does.
    #[must_use]
    pub fn heaviest(&self) -> Option<UseFeature> {
        let heaviest = self.contributions().fold(None, |best: Option<(UseFeature, f64)>, next| match best {
            Some(held) if held.1 >= next.1 => Some(held),
            Some(_) | None => Some(next),
        });
        heaviest.filter(|(_, weight)| *weight > 0.0).map(|(feature, _)| feature)
    }

    /// Sum of all weights, in nats.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.weights.iter().fold(0.0, |sum, weight| sum + weight)
    }

    /// Score from 0 to 100; 50 where the total is `step_up`.
    #[must_use]
    pub fn score(&self, step_up: f64) -> Score {
        Score::of(self.total(), step_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::real_len;

    #[test]
    fn the_sum_is_that_of_the_parts() {
        let mut evidence = UseEvidence::default();
        assert_eq!(evidence.heaviest(), None);
        for (n, feature) in UseFeature::ALL.into_iter().enumerate() {
            evidence.add(feature, real_len(n) / 2.0);
        }
        evidence.add(UseFeature::Hour, f64::NAN);
        assert!((evidence.total() - 27.5).abs() < 1e-9);
        assert_eq!(evidence.heaviest(), Some(UseFeature::Volume));
        assert!((evidence.weight(UseFeature::Hour) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn words_are_alphabetical_and_each_its_own() {
        let words: Vec<_> = UseFeature::ALL.iter().map(|feature| feature.as_str()).collect();
        assert!(words.is_sorted());
    }
}
