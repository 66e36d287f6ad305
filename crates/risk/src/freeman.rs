//! The baseline for logins: Freeman, Jain, Duermuth, Biggio, Giacinto, "Who Are You?" (NDSS 2016), equation 4, with the sub-features and
//! weights of Wiefling, Duermuth, Lo Iacono (ACM TOPS 2022, table 3).
//!
//! It stays selectable because others use it and [`crate::login`] is measured against it. Its score is the logarithm of the ratio.

use countersign_core::UnixSeconds;

use crate::{
    fingerprint::{Field, Fingerprint, Salt},
    frequency::{Sketch, Tally, Vouched},
    login::{DeviceName, Login},
    maths::ln,
    network::Asn,
};

/// Weights of the sub-features, in the order of [`values`]: address, network, country; user agent, client, system, form. Each block sums to
/// 1.
const WEIGHTS: [f64; 7] = [0.6, 0.3, 0.1, 0.538_665_384, 0.268_045_150, 0.188_182_951, 0.005_106_515];
/// Number of sub-features in the first block, which describes the network.
const OF_THE_NETWORK: usize = 3;

/// Fingerprints of one login's sub-features, in the order of the weights.
pub type Values = [Fingerprint; 7];

/// The sub-features of `login`. The user agent contains the name of the device, when it has one, since the papers' browsers had none.
#[must_use]
pub fn values(login: &Login<'_>, salt: Salt) -> Values {
    let device = match login.device {
        DeviceName::Attested(name) | DeviceName::Claimed(name) => name,
        DeviceName::Unnamed => "",
    };
    let agent = format!("{}\n{}\n{}\n{device}", login.os, login.client, login.form);
    let Asn(network) = login.network.unwrap_or(Asn(0));
    [
        salt.fingerprint(Field::Address, login.address.to_string().as_bytes()),
        salt.fingerprint(Field::Network, &network.to_le_bytes()),
        salt.fingerprint(Field::Country, login.country.unwrap_or("").as_bytes()),
        salt.fingerprint(Field::Platform, agent.as_bytes()),
        salt.fingerprint(Field::Client, login.client.as_bytes()),
        salt.fingerprint(Field::System, login.os.as_bytes()),
        salt.fingerprint(Field::Form, login.form.as_bytes()),
    ]
}

/// State of one person for the baseline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FreemanProfile {
    logins: u32,
    tallies: [Tally<64>; 7],
}

/// State of everyone together for the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct FreemanPopulation {
    logins: u32,
    people: u32,
    sketches: [Sketch; 7],
    distinct: [f64; 7],
}

impl Default for FreemanPopulation {
    fn default() -> Self {
        Self { logins: 0, people: 0, sketches: core::array::from_fn(|_| Sketch::new(8192)), distinct: [0.0; 7] }
    }
}

impl FreemanPopulation {
    /// Logarithm of the ratio: positive is more like a stranger. `None` for a person without any login, about whom the formula says
    /// nothing.
    #[must_use]
    pub fn score(&self, values: &Values, profile: &FreemanProfile) -> Option<f64> {
        if profile.logins == 0 {
            return None;
        }
        let (logins, own) = (f64::from(self.logins), f64::from(profile.logins));
        let mut ratios = 0.0;
        // Sub-features are summed within the network and within the client; the logarithms of the two ratios are added.
        for block in [0..OF_THE_NETWORK, OF_THE_NETWORK..WEIGHTS.len()] {
            let (mut everyone, mut person) = (0.0, 0.0);
            for index in block {
                let (Some(weight), Some(value), Some(sketch)) = (WEIGHTS.get(index), values.get(index), self.sketches.get(index)) else {
                    continue;
                };
                let count = sketch.count(*value);
                // A value that nobody had gets the mass of one observation.
                let unseen = 1.0 / (logins + self.distinct.get(index).copied().unwrap_or(0.0) + 1.0);
                everyone += weight * if count > 0.0 { count / logins * (1.0 - 1.0 / (logins + 1.0)) } else { unseen };
                let held = profile.tallies.get(index).and_then(|tally| tally.get(*value)).map_or(0.0, |seen| f64::from(seen.count));
                person += weight * held / own;
            }
            // A value never seen for this person would make the ratio infinite. It raises the ratio by a factor of four instead.
            let person = if person > 0.0 { person } else { everyone / 4.0 };
            ratios += ln(everyone / person);
        }
        // Accounts are assumed to be attacked equally often, but people log in more or less often; the last term is that ratio.
        Some(ratios + ln((1.0 / f64::from(self.people.max(1))) / (own / logins)))
    }

    /// Learns a login that was let in.
    pub fn learn(&mut self, values: &Values, profile: &mut FreemanProfile, now: UnixSeconds) {
        if profile.logins == 0 {
            self.people = self.people.saturating_add(1);
        }
        self.logins = self.logins.saturating_add(1);
        profile.logins = profile.logins.saturating_add(1);
        for (index, value) in values.iter().enumerate() {
            if let (Some(sketch), Some(distinct)) = (self.sketches.get_mut(index), self.distinct.get_mut(index)) {
                if sketch.count(*value) <= 0.0 {
                    *distinct += 1.0;
                }
                sketch.add(*value);
            }
            if let Some(tally) = profile.tallies.get_mut(index) {
                // The baseline has no probation, so every value counts at once.
                tally.add(*value, 0, Vouched::Yes, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkKind;

    fn login(device: &str, network: u32) -> Login<'_> {
        Login {
            address: core::net::IpAddr::from([192, 0, 2, 1]),
            network: Some(Asn(network)),
            country: Some("DE"),
            kind: NetworkKind::Fixed,
            position: None,
            device: DeviceName::Claimed(device),
            os: "Android 14",
            client: "App/1.0",
            form: "mobile",
            round_trip_ms: None,
        }
    }

    #[test]
    fn a_value_never_seen_raises_the_ratio() {
        let (mut population, mut profile) = (FreemanPopulation::default(), FreemanProfile::default());
        let usual = values(&login("mine", 1), Salt(1));
        assert_eq!(population.score(&usual, &profile), None);
        for _ in 0..5 {
            population.learn(&usual, &mut profile, UnixSeconds(1));
        }
        let mut other = FreemanProfile::default();
        population.learn(&values(&login("theirs", 2), Salt(1)), &mut other, UnixSeconds(1));
        let of = |device, network| population.score(&values(&login(device, network), Salt(1)), &profile).unwrap_or(f64::NAN);
        assert!(of("mine", 1) < of("new", 1));
        assert!(of("new", 1) < of("new", 2));
    }
}
