//! Times in tokens: seconds since 1970 as any JSON number (RFC 7519 section 2, NumericDate). Swift and JavaScript write fractions.

use std::fmt;

use countersign_core::UnixSeconds;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// Last second of the year 9999. What is written with a fraction or an exponent is read as a binary64, which is exact far beyond it.
const LAST: f64 = 253_402_300_799.0;

/// Moment in a token. Its reader says to which second a fraction is rounded: against whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumericDate {
    down: u64,
    up: u64,
}

impl NumericDate {
    /// Second in which it lies: for an end, and for an age.
    #[must_use]
    pub const fn down(self) -> UnixSeconds {
        UnixSeconds(self.down)
    }

    /// First second that is not before it: for a beginning.
    #[must_use]
    pub const fn up(self) -> UnixSeconds {
        UnixSeconds(self.up)
    }
}

/// Refuses what is no number, what is negative (`-0` as well), and fractions beyond the year 9999.
impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<NumericDate, E> {
        Ok(NumericDate { down: seconds, up: seconds })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked, and both are whole numbers")]
    fn visit_f64<E: Error>(self, seconds: f64) -> Result<NumericDate, E> {
        if seconds.is_sign_negative() || !(0.0..=LAST).contains(&seconds) {
            return Err(E::invalid_value(Unexpected::Float(seconds), &self));
        }
        Ok(NumericDate { down: seconds.floor() as u64, up: seconds.ceil() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<(u64, u64)> {
        serde_json::from_str::<NumericDate>(text).ok().map(|date| (date.down().0, date.up().0))
    }

    #[test]
    fn a_time_is_any_number_and_rounded_as_its_reader_says() {
        let rows: &[(&str, Option<(u64, u64)>)] = &[
            ("1000000", Some((1_000_000, 1_000_000))),
            ("1000000.5", Some((1_000_000, 1_000_001))),
            ("1000000.0", Some((1_000_000, 1_000_000))),
            ("1788220800.999999", Some((1_788_220_800, 1_788_220_801))),
            ("1e6", Some((1_000_000, 1_000_000))),
            ("1.5E6", Some((1_500_000, 1_500_000))),
            ("0", Some((0, 0))),
            ("18446744073709551615", Some((u64::MAX, u64::MAX))),
            ("253402300799.0", Some((253_402_300_799, 253_402_300_799))),
            ("253402300799.5", None),
            ("1e300", None),
            ("1e999", None),
            ("-1", None),
            ("-0.5", None),
            ("-0", None),
            ("-0.0", None),
            ("\"1000000\"", None),
            ("null", None),
            ("[1]", None),
            ("01", None),
        ];
        for (text, expected) in rows {
            assert_eq!(read(text), *expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_roundings_stand_about_the_time(seconds in 0..253_402_300_799_u64, millis in 0..1000_u64) {
            let expected = Some((seconds, seconds + u64::from(millis > 0)));
            prop_assert_eq!(read(&format!("{seconds}.{millis:03}")), expected);
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in "[-+0-9.eE]{0,24}") {
            let _ = read(&text);
        }
    }
}
