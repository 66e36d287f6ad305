//! Integers as reals, and a small pseudo-random generator: arithmetic that all streaming models share.
//!
//! Only operations that IEEE 754 rounds exactly are used, so that equal inputs give equal numbers on every machine.

/// `n` as a real number; exact below 2^53.
pub(crate) fn real(n: u64) -> f64 {
    let high = u32::try_from(n >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(n & 0xFFFF_FFFF).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// Length `n` as a real number; exact below 2^53.
pub(crate) fn real_len(n: usize) -> f64 {
    real(u64::try_from(n).unwrap_or(u64::MAX))
}

/// Finaliser of SplitMix64 (Steele et al., OOPSLA 2014): every bit of `x` affects every bit of the result.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The generator SplitMix64: one word of state, so that a snapshot can hold it. Its output is predictable and not fit for secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// A number in `0..bound`, or 0 when `bound` is 0. The bias is below `bound` / 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        // The high half of the product lies in `0..bound`, without a division.
        let wide = u128::from(mix(self.0)).wrapping_mul(u128::from(bound));
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_are_exact_where_they_can_be() {
        for (n, expected) in [(0, 0.0), (1, 1.0), (4_294_967_296, 4_294_967_296.0), ((1 << 53) - 1, 9_007_199_254_740_991.0)] {
            assert_eq!(real(n), expected, "{n}");
        }
    }

    #[test]
    fn draws_stay_below_their_bound_and_repeat() {
        let (mut one, mut two) = (Draw(7), Draw(7));
        for bound in [0, 1, 2, 3, 1000, u64::MAX] {
            for _ in 0..100 {
                let n = one.below(bound);
                assert!(n < bound.max(1), "{n} of {bound}");
                assert_eq!(n, two.below(bound));
            }
        }
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // First output of SplitMix64 seeded with 1234567, as in the tests of other implementations.
        let mut draw = Draw(1_234_567);
        draw.below(1);
        assert_eq!(mix(draw.0), 6_457_827_717_110_365_317);
    }
}
