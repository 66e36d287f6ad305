//! `Last-Modified`, as today's servers write it (RFC 9110 section 5.6.7, IMF-fixdate).

use std::time::Duration;

use countersign_core::UnixSeconds;
use der::DateTime;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; the day of the week is not believed. `None` for anything else, which then has no date.
#[must_use]
pub fn last_modified(text: &str) -> Option<UnixSeconds> {
    let (_, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)?.checked_add(1)?;
    let mut times = time.split(':');
    let (hour, minute, second) = (times.next()?, times.next()?, times.next()?);
    if parts.next().is_some() || times.next().is_some() {
        return None;
    }
    let (month, day, hour) = (u8::try_from(month).ok()?, digits(day, 2)?, digits(hour, 2)?);
    let moment =
        DateTime::new(digits(year, 4)?, month, u8::try_from(day).ok()?, u8::try_from(hour).ok()?, two(minute)?, two(second)?).ok()?;
    let since: Duration = moment.unix_duration();
    Some(UnixSeconds(since.as_secs()))
}

fn two(text: &str) -> Option<u8> {
    u8::try_from(digits(text, 2)?).ok()
}

fn digits(text: &str, count: usize) -> Option<u16> {
    if text.len() == count && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_strictly() {
        let rows = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
            ("Wed, 29 Feb 2023 00:00:00 GMT", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 1 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(last_modified(text), expected.map(UnixSeconds), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = last_modified(&text);
        }
    }
}
