//! Where a phone is, as coarsely as it may be said.

use std::fmt;

/// A place to a tenth of a degree: about 11 km north to south. A finer one cannot be said with it (DESIGN.md: little data).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CoarsePlace {
    latitude: i16,
    longitude: i16,
}

/// Tenths of a degree from the equator to a pole.
const NORTH_MAX: i16 = 900;
/// Tenths of a degree from Greenwich to the other side.
const EAST_MAX: i16 = 1800;

impl CoarsePlace {
    /// Kilometres by which the place may be off: half of the diagonal of its square at the equator, and as much again for phones that
    /// know no better.
    pub const RADIUS_KM: f64 = 16.0;

    /// A place from tenths of a degree north and east; `None` for what is not on earth.
    #[must_use]
    pub fn from_tenths(latitude: i16, longitude: i16) -> Option<Self> {
        let on_earth = (-NORTH_MAX..=NORTH_MAX).contains(&latitude) && (-EAST_MAX..=EAST_MAX).contains(&longitude);
        on_earth.then_some(Self { latitude, longitude })
    }

    /// Degrees north and east.
    #[must_use]
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude) / 10.0, f64::from(self.longitude) / 10.0)
    }
}

// Where somebody is does not belong into a log.
impl fmt::Debug for CoarsePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CoarsePlace")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_on_earth_and_do_not_print() {
        let rows = [((525, 134), true), ((-900, 1800), true), ((901, 0), false), ((0, -1801), false), ((i16::MIN, i16::MAX), false)];
        for ((north, east), expected) in rows {
            assert_eq!(CoarsePlace::from_tenths(north, east).is_some(), expected, "{north} {east}");
        }
        let berlin = CoarsePlace::from_tenths(525, 134).expect("a place");
        assert_eq!((berlin.degrees(), format!("{berlin:?}").as_str()), ((52.5, 13.4), "CoarsePlace"));
    }
}
