//! The position of a phone, as coarse as may be said.

use std::fmt;

/// A place to a tenth of a degree, about 11 km from north to south. The type cannot hold a finer position (personal data is a liability,
/// law 9 of the design).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CoarsePlace {
    latitude: i16,
    longitude: i16,
}

/// Greatest latitude, in tenths of a degree.
const NORTH_MAX: i16 = 900;
/// Greatest longitude, in tenths of a degree.
const EAST_MAX: i16 = 1800;

impl CoarsePlace {
    /// Accuracy radius in kilometres: half the diagonal of the square at the equator, and as much again for phones that know no better.
    pub const RADIUS_KM: f64 = 16.0;

    /// A place from tenths of a degree north and east; `None` when the numbers are out of range.
    #[must_use]
    pub fn from_tenths(latitude: i16, longitude: i16) -> Option<Self> {
        let on_earth = (-NORTH_MAX..=NORTH_MAX).contains(&latitude) && (-EAST_MAX..=EAST_MAX).contains(&longitude);
        on_earth.then_some(Self { latitude, longitude })
    }

    /// Latitude and longitude in degrees, north and east positive.
    #[must_use]
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude) / 10.0, f64::from(self.longitude) / 10.0)
    }
}

// SECURITY: a person's position must not reach a log, so `Debug` shows nothing of it.
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
