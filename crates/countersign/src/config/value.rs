//! The small notations of the file: spans of time, fingerprints, socket addresses.

use countersign_core::Seconds;

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
