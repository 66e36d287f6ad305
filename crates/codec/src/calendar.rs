//! The calendar: instants as people, HTTP and vendors write them (proleptic Gregorian, UTC, no leap seconds).
//!
//! An instant is a count of seconds, or of milliseconds, since the beginning of 1970.

use std::time::{Duration, UNIX_EPOCH};

use der::DateTime;

/// The last second of the year 9999, beyond which neither HTTP nor RFC 3339 has a date.
const LAST: u64 = 253_402_300_799;

/// Digits of a fraction of a second that are read (RFC 3339 section 5.6 sets no end).
const FRACTION_DIGITS_MAX: usize = 9;

/// Text of an instant for people: `2026-11-23 10:41:22Z`.
#[must_use]
pub fn instant(seconds: u64) -> String {
    format!("{} {}Z", day(seconds), time(seconds))
}

/// Text of the day of an instant, in UTC: `2026-11-23`.
#[must_use]
pub fn day(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Text of the time of day with milliseconds, for lines that follow each other: `10:41:22.118`.
#[must_use]
pub fn clock(milliseconds: u64) -> String {
    format!("{}.{:03}", time(milliseconds / 1000), milliseconds % 1000)
}

/// Text of an instant by RFC 3339 section 5.6, `2020-11-21T22:13:00Z`; `None` beyond the year 9999, which that format cannot express.
#[must_use]
pub fn rfc3339(seconds: u64) -> Option<String> {
    (seconds <= LAST).then(|| format!("{}T{}Z", day(seconds), time(seconds)))
}

/// Reads an instant by RFC 3339 section 5.6 as milliseconds: in UTC (`Z` or `+00:00`), with up to nine digits of a fraction, of
/// which the first three count. `None` for anything else.
#[must_use]
pub fn read_rfc3339(text: &str) -> Option<u64> {
    // `-00:00` is refused: it means that the local offset is unknown (RFC 3339 section 4.3).
    let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (whole, milliseconds) = match local.split_once('.') {
        Some((whole, fraction)) => (whole, thousandths(fraction)?),
        None => (local, 0),
    };
    let moment: DateTime = format!("{whole}Z").parse().ok()?;
    moment.unix_duration().as_secs().checked_mul(1000)?.checked_add(milliseconds)
}

/// Text of an instant as HTTP writes it (RFC 9110 section 5.6.7, IMF-fixdate): `Sun, 06 Nov 1994 08:49:37 GMT`. Instants beyond the year
/// 9999 are written as its last second.
#[must_use]
pub fn imf_fixdate(seconds: u64) -> String {
    let instant = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.min(LAST))).unwrap_or(UNIX_EPOCH);
    httpdate::fmt_http_date(instant)
}

/// Reads an IMF-fixdate (RFC 9110 section 5.6.7) as seconds. `None` for anything else: the two obsolete forms, a wrong day of the
/// week, space around it.
#[must_use]
pub fn read_imf_fixdate(text: &str) -> Option<u64> {
    let moment = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    // SECURITY: the library takes three forms and some space; one instant has one spelling here.
    (imf_fixdate(moment) == text).then_some(moment)
}

/// Text of the time of day in whole seconds, in UTC: `10:41:22`.
fn time(seconds: u64) -> String {
    let second = seconds % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

fn thousandths(fraction: &str) -> Option<u64> {
    let fits = (1..=FRACTION_DIGITS_MAX).contains(&fraction.len()) && fraction.bytes().all(|digit| digit.is_ascii_digit());
    // Zeros on the right make three digits of a shorter fraction: `.5` is 500 milliseconds.
    let three: String = fraction.chars().chain("00".chars()).take(3).collect();
    if fits { three.parse().ok() } else { None }
}

/// Year, month and day of the month of a day, counted from 1 January 1970 (H. Hinnant, "chrono-compatible low-level date algorithms",
/// `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years begin on 1 March, so that the leap day is the last of a year.
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
    use proptest::prelude::*;

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
            assert_eq!(instant(*at), *expected);
        }
        assert_eq!(clock(1_709_164_801_005), "00:00:01.005");
        assert_eq!(day(u64::MAX).len(), 18, "the end of time does not wrap");
    }

    #[test]
    fn dates_of_http_are_those_of_the_calendar() {
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
            assert_eq!(imf_fixdate(seconds), text);
        }
    }

    #[test]
    fn dates_of_http_are_read_strictly() {
        let rows = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST)),
            ("Wed, 29 Feb 2023 00:00:00 GMT", None),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 1 GMT", None),
            (" Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(read_imf_fixdate(text), expected, "{text}");
        }
    }

    #[test]
    fn instants_of_rfc_3339_are_read_strictly() {
        let rows: &[(&str, &str, Option<u64>)] = &[
            ("milliseconds", "2020-11-21T22:13:00.187Z", Some(1_605_996_780_187)),
            ("microseconds and an offset of nothing", "2020-11-22T09:48:12.863000+00:00", Some(1_606_038_492_863)),
            ("whole seconds", "2020-11-21T22:13:00Z", Some(1_605_996_780_000)),
            ("tenths", "1970-01-01T00:00:00.5Z", Some(500)),
            ("hundredths", "1970-01-01T00:00:00.05Z", Some(50)),
            ("nine digits", "1970-01-01T00:00:00.123456789Z", Some(123)),
            ("ten digits", "1970-01-01T00:00:00.1234567890Z", None),
            ("no digit", "1970-01-01T00:00:00.Z", None),
            ("a sign in the fraction", "1970-01-01T00:00:00.+12Z", None),
            ("two fractions", "1970-01-01T00:00:00.1.2Z", None),
            ("another offset", "1970-01-01T00:00:00+01:00", None),
            ("no offset", "1970-01-01T00:00:00", None),
            ("a day alone", "1970-01-01", None),
            ("before the first", "1969-12-31T23:59:59Z", None),
            ("a sign", "+020-11-21T22:13:02Z", None),
            ("no such day", "2021-02-29T00:00:00Z", None),
            ("a space", "1970-01-01 00:00:00Z", None),
            ("nothing", "", None),
            ("not ASCII", "１970-01-01T00:00:00Z", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(read_rfc3339(text), *expected, "{name}");
        }
        assert_eq!(rfc3339(1_605_996_780).as_deref(), Some("2020-11-21T22:13:00Z"));
        assert_eq!(rfc3339(LAST).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(rfc3339(LAST + 1), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = read_imf_fixdate(&text);
            let _ = read_rfc3339(&text);
        }

        #[test]
        fn what_is_written_is_read(seconds in 0..=LAST) {
            prop_assert_eq!(read_imf_fixdate(&imf_fixdate(seconds)), Some(seconds));
            prop_assert_eq!(rfc3339(seconds).as_deref().and_then(read_rfc3339), Some(seconds * 1000));
        }
    }
}
