//! Positions with accuracy radii, and the evidence when one person appears at two of them too quickly.

use countersign_core::Seconds;

use crate::maths::{ln, narrow, seconds, within};

/// A position on earth with the radius of its accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    latitude: f32,
    longitude: f32,
    radius_km: f32,
}

/// Reason why numbers are not a position. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionRefusal {
    /// The latitude is outside of -90 to 90 degrees or not a number.
    Latitude,
    /// The longitude is outside of -180 to 180 degrees or not a number.
    Longitude,
    /// The radius is negative, more than half the circumference of the earth (20,040 km), or not a number.
    Radius,
}

impl Position {
    /// A position from latitude and longitude in degrees and an accuracy radius in kilometres.
    ///
    /// # Errors
    /// The first number that is out of range.
    pub fn new(latitude: f64, longitude: f64, radius_km: f64) -> Result<Self, PositionRefusal> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(PositionRefusal::Latitude);
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(PositionRefusal::Longitude);
        }
        if !(0.0..=20_040.0).contains(&radius_km) {
            return Err(PositionRefusal::Radius);
        }
        Ok(Self { latitude: narrow(latitude), longitude: narrow(longitude), radius_km: narrow(radius_km) })
    }

    /// The same position with an accuracy radius of at least `radius_km`.
    #[must_use]
    pub(crate) fn no_better_than(self, radius_km: f32) -> Self {
        Self { radius_km: if self.radius_km > radius_km { self.radius_km } else { radius_km }, ..self }
    }

    /// Distance between the edges of the two circles in kilometres; 0 when they touch or overlap.
    #[must_use]
    pub(crate) fn excess_km(self, other: Self) -> f64 {
        self.excess_km_beyond(other, 1.0)
    }

    /// Distance between the edges in kilometres when each radius is multiplied by `radii`.
    fn excess_km_beyond(self, other: Self, radii: f64) -> f64 {
        within(self.distance_km(other) - radii * (f64::from(self.radius_km) + f64::from(other.radius_km)), 0.0, f64::MAX)
    }

    /// Distance between the two centres in kilometres along a sphere (haversine formula; the error against the ellipsoid is below 0.6 %).
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        let (lat_1, lat_2) = (f64::from(self.latitude).to_radians(), f64::from(other.latitude).to_radians());
        let north = libm::sin((lat_2 - lat_1) / 2.0);
        let east = libm::sin((f64::from(other.longitude) - f64::from(self.longitude)).to_radians() / 2.0);
        let chord = north * north + libm::cos(lat_1) * libm::cos(lat_2) * east * east;
        // 6371.0088 km is the mean radius of the earth; the clamp keeps rounding errors out of the domain of the arcsine.
        2.0 * 6371.0088 * libm::asin(within(chord, 0.0, 1.0).sqrt())
    }

    /// Latitude and longitude in degrees and radius in kilometres, in the precision that states keep.
    #[must_use]
    pub const fn parts(self) -> [f32; 3] {
        [self.latitude, self.longitude, self.radius_km]
    }
}

/// Rule for impossible travel. The defaults are those of the shipped configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TravelRule {
    /// Distance in kilometres, radii already subtracted, below which a movement is never evidence.
    pub distance_km_min: f64,
    /// Multiple of each radius that is subtracted. An accuracy radius holds about two thirds of the cases, and the other third are wrong
    /// positions rather than takeovers.
    pub radii: f64,
    /// Speed in kilometres per hour that airline travel does not exceed from door to door.
    pub speed_kmh_max: f64,
    /// Time added to every interval, since clocks differ, messages queue and logins are noted late.
    pub slack: Seconds,
    /// Greatest weight of one movement, in nats.
    pub weight_max: f64,
}

impl Default for TravelRule {
    fn default() -> Self {
        Self { distance_km_min: 150.0, radii: 2.0, speed_kmh_max: 1000.0, slack: Seconds(600), weight_max: 5.0 }
    }
}

/// A movement that is too fast to be believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leap {
    /// Kilometres beyond both radii.
    pub excess_km: f64,
    /// Speed in kilometres per hour that the excess distance would take.
    pub speed_kmh: f64,
    /// Evidence in nats: 1 at the greatest allowed speed, 2 more for each doubling of the speed, up to the maximum of the rule.
    pub weight: f64,
}

impl TravelRule {
    /// The movement from `from` to `to` within `interval`, when it is too far and too fast; otherwise `None`.
    #[must_use]
    pub fn leap(&self, from: Position, to: Position, interval: Seconds) -> Option<Leap> {
        let excess_km = from.excess_km_beyond(to, self.radii);
        if excess_km < self.distance_km_min {
            return None;
        }
        let hours = (seconds(interval) + seconds(self.slack)) / 3600.0;
        let speed_kmh = excess_km / within(hours, 1.0 / 3600.0, f64::MAX);
        if speed_kmh < self.speed_kmh_max {
            return None;
        }
        let weight = within(1.0 + 2.0 * ln(speed_kmh / self.speed_kmh_max) / core::f64::consts::LN_2, 0.0, self.weight_max);
        Some(Leap { excess_km, speed_kmh, weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64, radius_km: f64) -> Position {
        Position::new(latitude, longitude, radius_km).unwrap_or(Position { latitude: 0.0, longitude: 0.0, radius_km: 0.0 })
    }

    #[test]
    fn numbers_that_are_no_position() {
        let rows = [
            ("north pole", (90.0, 0.0, 0.0), None),
            ("beyond the pole", (90.1, 0.0, 0.0), Some(PositionRefusal::Latitude)),
            ("no latitude", (f64::NAN, 0.0, 0.0), Some(PositionRefusal::Latitude)),
            ("date line", (0.0, -180.0, 0.0), None),
            ("beyond the date line", (0.0, -180.1, 0.0), Some(PositionRefusal::Longitude)),
            ("negative radius", (0.0, 0.0, -1.0), Some(PositionRefusal::Radius)),
            ("infinite radius", (0.0, 0.0, f64::INFINITY), Some(PositionRefusal::Radius)),
        ];
        for (name, (latitude, longitude, radius), refusal) in rows {
            assert_eq!(Position::new(latitude, longitude, radius).err(), refusal, "{name}");
        }
    }

    #[test]
    fn distances_are_those_of_an_atlas() {
        let rows = [
            ("Paris to London", at(48.8566, 2.3522, 0.0), at(51.5074, -0.1278, 0.0), 343.6),
            ("New York to Sydney", at(40.7128, -74.0060, 0.0), at(-33.8688, 151.2093, 0.0), 15_989.0),
            ("across the date line", at(0.0, 179.5, 0.0), at(0.0, -179.5, 0.0), 111.2),
            ("nowhere", at(1.0, 1.0, 0.0), at(1.0, 1.0, 0.0), 0.0),
        ];
        for (name, a, b, km) in rows {
            assert!((a.distance_km(b) - km).abs() < 1.0, "{name}: {}", a.distance_km(b));
        }
    }

    #[test]
    fn only_leaps_that_no_airliner_makes_are_evidence() {
        let rule = TravelRule::default();
        let (berlin, new_york, potsdam) = (at(52.52, 13.40, 25.0), at(40.71, -74.0, 25.0), at(52.39, 13.06, 25.0));
        let rows = [
            ("a flight of nine hours", berlin, new_york, 9 * 3600, false),
            ("the same in five", berlin, new_york, 5 * 3600, true),
            ("next suburb, at once", berlin, potsdam, 0, false),
            ("a carrier's guess far off, at once", berlin, at(53.9, 16.5, 250.0), 0, false),
            ("another continent, at once", berlin, new_york, 0, true),
        ];
        for (name, from, to, interval, evidence) in rows {
            assert_eq!(rule.leap(from, to, Seconds(interval)).is_some(), evidence, "{name}");
        }
    }

    #[test]
    fn boundaries_of_the_rule() {
        let rule = TravelRule { distance_km_min: 100.0, radii: 1.0, speed_kmh_max: 1000.0, slack: Seconds(0), weight_max: 4.0 };
        let (here, there) = (at(0.0, 0.0, 0.0), at(0.0, 1.0, 0.0)); // 111.195 km
        assert!(rule.leap(here, there, Seconds(400)).is_some());
        assert!(rule.leap(here, there, Seconds(401)).is_none());
        let longer = TravelRule { distance_km_min: 111.3, ..rule };
        assert!(longer.leap(here, there, Seconds(0)).is_none());
        let heaviest = rule.leap(here, there, Seconds(0)).map(|leap| leap.weight);
        assert_eq!(heaviest, Some(4.0));
    }
}
