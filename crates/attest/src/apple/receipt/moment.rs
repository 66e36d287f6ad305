//! Times as receipts write them.

use countersign_core::UnixMillis;
use der::DateTime;

/// Greatest number of digits of a fraction of a second. Digits beyond milliseconds are dropped.
const FRACTION_DIGITS_MAX: usize = 9;

/// Parses a time by RFC 3339 in UTC, with or without a fraction of a second, such as `2020-11-21T22:13:02.796Z`. `None` for any other form.
pub fn instant(bytes: &[u8]) -> Option<UnixMillis> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let (whole, millis) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, milliseconds(fraction)?),
        None => (text, 0),
    };
    let seconds = format!("{whole}Z").parse::<DateTime>().ok()?.unix_duration().as_secs();
    Some(UnixMillis(seconds.checked_mul(1000)?.checked_add(millis)?))
}

fn milliseconds(fraction: &str) -> Option<u64> {
    let fits = (1..=FRACTION_DIGITS_MAX).contains(&fraction.len()) && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let three: String = fraction.chars().chain("00".chars()).take(3).collect();
    if fits { three.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_strictly() {
        let rows: &[(&str, &str, Option<u64>)] = &[
            ("with milliseconds", "2020-11-21T22:13:02.796Z", Some(1_605_996_782_796)),
            ("without", "2020-11-21T22:13:02Z", Some(1_605_996_782_000)),
            ("one digit", "2020-11-21T22:13:02.7Z", Some(1_605_996_782_700)),
            ("nine digits", "2020-11-21T22:13:02.796999999Z", Some(1_605_996_782_796)),
            ("ten digits", "2020-11-21T22:13:02.7969999999Z", None),
            ("a dot and no digit", "2020-11-21T22:13:02.Z", None),
            ("a fraction that is no number", "2020-11-21T22:13:02.+1Z", None),
            ("the first", "1970-01-01T00:00:00Z", Some(0)),
            ("before the first", "1969-12-31T23:59:59Z", None),
            ("a day that is not in the calendar", "2021-02-29T00:00:00Z", None),
            ("no zone", "2020-11-21T22:13:02.796", None),
            ("another zone", "2020-11-21T22:13:02+00:00", None),
            ("a space between", "2020-11-21 22:13:02Z", None),
            ("a sign", "+020-11-21T22:13:02Z", None),
            ("nothing", "", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(instant(text.as_bytes()), expected.map(UnixMillis), "{name}");
        }
        assert_eq!(instant(&[0xff, b'Z']), None);
    }
}
