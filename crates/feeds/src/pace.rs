//! Time of the next look at a source.

use std::time::Duration;

use countersign_core::Seconds;

/// Seconds to wait after a first failure.
const RETRY: u64 = 60;

/// Computes the wait until the next look. After a success it is `every`, a tenth sooner or later by `chance`, so that nodes that were
/// started together do not ask together; after failures it begins with a minute and doubles with each, up to `every`.
#[must_use]
pub(crate) fn next_look(every: Seconds, failures: u32, chance: u16) -> Duration {
    let wait = match failures {
        0 => every.0,
        _ => RETRY.saturating_mul(1_u64.checked_shl(failures.min(32).saturating_sub(1)).unwrap_or(u64::MAX)).min(every.0),
    };
    let millis = wait.saturating_mul(1000);
    // `chance` spreads the wait over a fifth of it, from nine tenths to eleven tenths.
    let later = u128::from(millis / 5).saturating_mul(u128::from(chance)).checked_div(u128::from(u16::MAX)).unwrap_or(0);
    Duration::from_millis((millis - millis / 10).saturating_add(u64::try_from(later).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_spread_and_failures_are_tried_again() {
        let day = Seconds(86_400);
        let rows = [
            ("a day, at the earliest", day, 0, 0, 77_760),
            ("in the middle", day, 0, 32_768, 86_400),
            ("at the latest", day, 0, u16::MAX, 95_040),
            ("after a failure", day, 1, 0, 54),
            ("after another", day, 2, 0, 108),
            ("after many never later than planned", day, 40, 0, 77_760),
            ("a short plan", Seconds(60), 5, 0, 54),
        ];
        for (name, every, failures, chance, expected) in rows {
            assert_eq!(next_look(every, failures, chance).as_secs(), expected, "{name}");
        }
        assert!(next_look(Seconds(u64::MAX), 9, u16::MAX) > Duration::from_secs(0), "no wrap");
    }
}
