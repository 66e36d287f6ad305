//! Instants as people read them: UTC, to the second.

use countersign_core::{UnixMillis, UnixSeconds};

/// `2026-11-23 10:41:22Z`.
pub fn instant(at: UnixSeconds) -> String {
    let (days, second) = (at.0 / 86_400, at.0 % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// `2026-11-23`.
pub fn day(at: UnixSeconds) -> String {
    let (year, month, day) = date(at.0 / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `10:41:22.118`, for lines that follow each other.
pub fn clock(at: UnixMillis) -> String {
    let second = at.0 / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}", second / 3600, second / 60 % 60, second % 60, at.0 % 1000)
}

/// Year, month and day of a day since 1970 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era.saturating_sub(365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year.saturating_sub((153 * shifted + 2) / 5) + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era.saturating_add(era.saturating_mul(400)) + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_the_calendar() {
        let rows: &[(u64, &str)] = &[
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (951_868_800, "2000-03-01 00:00:00Z"),
            (1_709_164_800, "2024-02-29 00:00:00Z"),
            (1_735_689_599, "2024-12-31 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ];
        for (at, expected) in rows {
            assert_eq!(instant(UnixSeconds(*at)), *expected);
        }
        assert_eq!(clock(UnixMillis(1_709_164_801_005)), "00:00:01.005");
        assert_eq!(day(UnixSeconds(u64::MAX)).len(), 18, "the end of time does not wrap");
    }
}
