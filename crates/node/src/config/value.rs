//! The small notations of the file: spans of time, fingerprints, socket addresses.

use countersign_core::{PatchLevel, Seconds, UnixSeconds};

/// Reads `90s`, `2m`, `12h`, `30d`: a whole number and a unit. `None` for anything else, and for more than ten years.
pub fn span(text: &str) -> Option<Seconds> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let canonical = number.bytes().all(|b| b.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
    let number: u64 = number.parse().ok().filter(|_| canonical)?;
    number.checked_mul(seconds).filter(|all| *all <= 10 * 366 * 86_400).map(Seconds)
}

/// Reads a day, `2026-12-01`, as the first second of it (UTC).
pub fn day(text: &str) -> Option<UnixSeconds> {
    let (month, day) = text.rsplit_once('-').filter(|(_, day)| day.len() == 2)?;
    let day: u64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let level = self::month(month)?;
    // The age of a month counts from its first second.
    let first = UnixSeconds(u64::MAX).0.checked_sub(level.age(UnixSeconds(u64::MAX)).0)?;
    first.checked_add(day.checked_sub(1)?.checked_mul(86_400)?).map(UnixSeconds)
}

/// Reads a month, `2026-05`.
pub fn month(text: &str) -> Option<PatchLevel> {
    let (year, month) = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
    PatchLevel::from_number(format!("{year}{month}").parse().ok()?)
}

/// Reads a version of up to three numbers joined by dots as one number, of which each further part has so many digits:
/// Android 14 and iOS 17.5.1 have two (`140000`, `170501`), apps on iOS three (`3.1.0` is `3001000`).
pub fn dotted(text: &str, digits: u32) -> Option<u64> {
    let base = 10_u64.checked_pow(digits)?;
    let mut parts = text.split('.');
    let mut number = 0_u64;
    for place in 0..3 {
        let part = match parts.next() {
            Some(part) if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => part.parse().ok()?,
            Some(_) => return None,
            None => 0,
        };
        if place > 0 && part >= base {
            return None;
        }
        number = number.checked_mul(base)?.checked_add(part)?;
    }
    parts.next().is_none().then_some(number)
}

/// Reads the SHA-256 of a certificate as `keytool`, Play Console and `openssl` write it: hexadecimal in either case, with or
/// without colons.
pub fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: String = if text.contains(':') {
        let parts: Vec<_> = text.split(':').collect();
        parts.iter().all(|part| part.len() == 2).then(|| parts.concat())?
    } else {
        text.to_owned()
    };
    hex::decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        let rows: &[(&str, &str, Option<u64>)] = &[
            ("seconds", "90s", Some(90)),
            ("minutes", "2m", Some(120)),
            ("hours", "12h", Some(43_200)),
            ("days", "30d", Some(2_592_000)),
            ("no time", "0s", Some(0)),
            ("ten years", "3660d", Some(316_224_000)),
            ("more than ten years", "3661d", None),
            ("no unit", "90", None),
            ("no number", "m", None),
            ("two units", "1h30m", None),
            ("a sign", "+1m", None),
            ("a leading zero", "01m", None),
            ("beyond all bounds", "99999999999999999999d", None),
            ("beyond ASCII", "1µ", None),
            ("nothing", "", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(span(text).map(|span| span.0), *expected, "{name}");
        }
    }

    #[test]
    fn versions_are_numbers() {
        let rows: &[(&str, u32, Option<u64>)] = &[
            ("14", 2, Some(140_000)),
            ("17.5.1", 2, Some(170_501)),
            ("3.1.0", 3, Some(3_001_000)),
            ("17.100", 2, None),
            ("1.2.3.4", 2, None),
            ("1..2", 2, None),
            ("v1", 2, None),
            ("", 2, None),
            ("99999999999999999999", 2, None),
        ];
        for (text, digits, expected) in rows {
            assert_eq!(dotted(text, *digits), *expected, "{text}");
        }
    }

    #[test]
    fn days_and_months_are_dates() {
        let rows: &[(&str, Option<u64>)] = &[
            ("2026-11-01", Some(1_793_491_200)),
            ("2026-11-02", Some(1_793_577_600)),
            ("2026-13-01", None),
            ("2026-11", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(day(text).map(|at| at.0), *expected, "{text}");
        }
        assert_eq!(month("2026-05").map(|level| level.number()), Some(202_605));
        assert!(["2026-5", "26-05", "2026-00", "x"].iter().all(|text| month(text).is_none()));
    }

    #[test]
    fn fingerprints_are_taken_as_tools_write_them() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        let rows: &[(&str, &str, bool)] = &[
            ("openssl", &plain, true),
            ("keytool", &colons, true),
            ("a byte short", plain.get(2..).unwrap_or_default(), false),
            ("colons in the wrong place", &colons.replacen("AB:AB", "ABA:B", 1), false),
            ("another alphabet", &plain.replacen('a', "g", 1), false),
            ("nothing", "", false),
        ];
        for (name, text, expected) in rows {
            assert_eq!(fingerprint(text).is_some(), *expected, "{name}");
        }
    }
}
