//! The `Date` header by our own clock, because phones with a wrong one set theirs by it (RFC 9110 section 5.6.7).

use countersign_core::UnixSeconds;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The last second of the year 9999, beyond which the format has no room.
const LAST: u64 = 253_402_300_799;

/// `now` as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn imf_fixdate(now: UnixSeconds) -> String {
    let seconds = now.0.min(LAST);
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days to the civil date by eras of 400 years that begin on 1 March (Howard Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms", `civil_from_days`). `days` is at most 2,932,896, so nothing overflows.
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era.saturating_add(of_era / 36_524)).saturating_sub((of_era / 1_460).saturating_add(of_era / 146_096)) / 365;
    let before = (year_of_era.saturating_mul(365)).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let of_year = of_era.saturating_sub(before);
    let shifted_month = (of_year.saturating_mul(5)).saturating_add(2) / 153;
    let day = of_year.saturating_sub((shifted_month.saturating_mul(153)).saturating_add(2) / 5).saturating_add(1);
    let month = if shifted_month < 10 { shifted_month.saturating_add(2) } else { shifted_month.saturating_sub(10) };
    let year = (era.saturating_mul(400)).saturating_add(year_of_era).saturating_add(u64::from(month < 2));
    let name = |names: &'static [&'static str], at: u64| usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month));
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let rows = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            // The example of RFC 9110.
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (seconds, text) in rows {
            assert_eq!(imf_fixdate(UnixSeconds(seconds)), text);
        }
    }
}
