//! Instants as people read and write them.

use std::time::Duration;

use countersign_core::{UnixMillis, UnixSeconds};
use der::DateTime;

/// The instant by RFC 3339 in UTC; beyond the year 9999 its number of seconds since 1970.
pub fn written(instant: UnixSeconds) -> String {
    DateTime::from_unix_duration(Duration::from_secs(instant.0)).map_or_else(|_| instant.to_string(), |moment| moment.to_string())
}

/// Reads an instant by RFC 3339 section 5.6: in UTC (`Z` or `+00:00`), with up to nine digits of a fraction, of which the first
/// three count.
pub fn read(text: &str) -> Option<UnixMillis> {
    let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (seconds, fraction) = local.split_once('.').map_or((local, None), |(seconds, fraction)| (seconds, Some(fraction)));
    let moment: DateTime = format!("{seconds}Z").parse().ok()?;
    let millis = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}").get(..3)?.parse().ok()?
        }
        Some(_) => return None,
    };
    let whole = UnixMillis::from(UnixSeconds(moment.unix_duration().as_secs()));
    Some(UnixMillis(whole.0.checked_add(millis)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_strictly() {
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
            ("no such day", "2021-02-29T00:00:00Z", None),
            ("a space", "1970-01-01 00:00:00Z", None),
            ("nothing", "", None),
            ("not ASCII", "１970-01-01T00:00:00Z", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(read(text), expected.map(UnixMillis), "{name}");
        }
        assert_eq!(written(UnixSeconds(1_605_996_780)), "2020-11-21T22:13:00Z");
    }
}
