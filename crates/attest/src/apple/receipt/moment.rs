//! Times as receipts write them.

use countersign_codec::calendar;
use countersign_core::UnixMillis;

/// Parses a time by RFC 3339 in UTC, with or without a fraction of a second, such as `2020-11-21T22:13:02.796Z`. Apple writes `Z`, so
/// `+00:00` is refused.
pub fn instant(bytes: &[u8]) -> Option<UnixMillis> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.ends_with('Z'))?;
    calendar::read_rfc3339(text).map(UnixMillis)
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
