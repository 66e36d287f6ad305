//! The few functions of real numbers that scores consist of, with the same result on every machine.
//!
//! The standard library's `ln`, `exp2` and `sin` come from the platform and may differ in the last bit; those of `libm` are software.
//! Square roots and the four basic operations are exact by IEEE 754 and need no such care. Nothing here uses fused multiply-add, which
//! rounds differently.

use countersign_core::{Seconds, UnixSeconds};

/// Natural logarithm. Values at or below the smallest normal number count as that number, so the result is always finite.
#[must_use]
pub(crate) fn ln(value: f64) -> f64 {
    libm::log(if value > f64::MIN_POSITIVE { value } else { f64::MIN_POSITIVE })
}

/// Clamps `value` to `[low, high]`. A value that is not a number becomes `low`, where `f64::clamp` would keep it.
#[must_use]
pub fn within(value: f64, low: f64, high: f64) -> f64 {
    if value > high {
        high
    } else if value > low {
        value
    } else {
        low
    }
}

/// Share of 1 that remains after `age` when it halves every `half_life`; 0 when the half-life is 0.
#[must_use]
pub fn remaining(age: Seconds, half_life: Seconds) -> f64 {
    if half_life.0 == 0 { 0.0 } else { libm::exp2(-(seconds(age) / seconds(half_life))) }
}

/// Number of seconds of `span`; spans above 136 years count as 136 years.
#[must_use]
pub fn seconds(span: Seconds) -> f64 {
    f64::from(u32::try_from(span.0).unwrap_or(u32::MAX))
}

/// `instant` in the 32 bits that states keep of it (good until the year 2106).
#[must_use]
pub(crate) fn stamp(instant: UnixSeconds) -> u32 {
    u32::try_from(instant.0).unwrap_or(u32::MAX)
}

/// Time from the stored instant `then` until `now`; zero when `then` lies in the future.
#[must_use]
pub fn age(now: UnixSeconds, then: u32) -> Seconds {
    now.since(UnixSeconds(u64::from(then)))
}

/// Greatest whole number at or below `value`, at most `max`. A negative value or one that is not a number becomes 0.
#[must_use]
// Counted up instead of cast, because casts that may truncate are not allowed here; `max` bounds the loop.
pub fn floor_index(value: f64, max: u8) -> u8 {
    let mut index = 0_u8;
    let mut edge = 1.0_f64;
    while index < max && value >= edge {
        index = index.saturating_add(1);
        edge += 1.0;
    }
    index
}

/// `value` rounded to the 32-bit float that states keep.
#[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest 32-bit float is what keeping means")]
#[must_use]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_finite_and_known_to_the_bit() {
        assert_eq!(ln(2.0).to_bits(), 0x3fe6_2e42_fefa_39ef);
        assert!(ln(0.0).is_finite() && ln(f64::NAN).is_finite() && ln(-1.0).is_finite());
    }

    #[test]
    fn bounds_hold_on_both_sides() {
        let rows = [("below", -2.0, -1.0), ("lowest", -1.0, -1.0), ("inside", 0.5, 0.5), ("highest", 1.0, 1.0), ("above", 1.5, 1.0)];
        for (name, value, expected) in rows {
            assert!((within(value, -1.0, 1.0) - expected).abs() < f64::EPSILON, "{name}");
        }
        assert!((within(f64::NAN, -1.0, 1.0) + 1.0).abs() < f64::EPSILON);
        let rows = [("no number", f64::NAN, 0), ("negative", -1.0, 0), ("below one", 0.99, 0), ("one", 1.0, 1), ("beyond", 1e9, 7)];
        for (name, value, expected) in rows {
            assert_eq!(floor_index(value, 7), expected, "{name}");
        }
    }

    #[test]
    fn half_of_it_is_left_after_a_half_life() {
        assert!((remaining(Seconds(60), Seconds(60)) - 0.5).abs() < f64::EPSILON);
        assert!((remaining(Seconds(0), Seconds(60)) - 1.0).abs() < f64::EPSILON);
        assert!(remaining(Seconds(1), Seconds(0)).abs() < f64::EPSILON);
        assert_eq!(age(UnixSeconds(5), 9), Seconds(0));
    }
}
