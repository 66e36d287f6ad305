//! Dates of certificates (RFC 5280 section 4.1.2.5), also those before 1970.

use countersign_core::UnixSeconds;
use der::{DateTime, Decode, Encode, Tag, Tagged, asn1::Any};
use x509_cert::time::Time;

/// The instant that a `Time` of a certificate names; `None` when it is not one in DER. An instant before 1970 counts as the beginning of
/// 1970: for a first second that changes nothing, and a certificate whose last second is so early has expired at every real time.
pub(crate) fn instant(time: &Any) -> Option<UnixSeconds> {
    if let Ok(since) = time.to_der().and_then(|der| Time::from_der(&der)) {
        return Some(UnixSeconds(since.to_unix_duration().as_secs()));
    }
    is_before_1970(time.tag(), time.value()).then_some(UnixSeconds(0))
}

/// True for a well-formed time of the years that the library refuses: 1950 to 1969 as `UTCTime`, 0 to 1969 as `GeneralizedTime`.
fn is_before_1970(tag: Tag, text: &[u8]) -> bool {
    let Some((b'Z', digits)) = text.split_last() else { return false };
    let numbers: Option<Vec<u8>> = digits.chunks(2).map(two_digits).collect();
    // Two digits below 50 are years of this century.
    let (first, year, rest) = match (tag, numbers.as_deref()) {
        (Tag::UtcTime, Some([year, rest @ ..])) => (1950, u16::from(*year).saturating_add(1900), rest),
        (Tag::GeneralizedTime, Some([century, year, rest @ ..])) => {
            (0, u16::from(*century).saturating_mul(100).saturating_add((*year).into()), rest)
        }
        _ => return false,
    };
    let [month, day, hour, minutes, seconds] = *rest else { return false };
    // The calendar repeats every 400 years, so that a date of the past can be tried in the future.
    (first..1970).contains(&year) && DateTime::new(year.saturating_add(2000), month, day, hour, minutes, seconds).is_ok()
}

fn two_digits(pair: &[u8]) -> Option<u8> {
    match *pair {
        [tens @ b'0'..=b'9', units @ b'0'..=b'9'] => tens.checked_sub(b'0')?.checked_mul(10)?.checked_add(units.checked_sub(b'0')?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::instant;
    use countersign_core::UnixSeconds;
    use der::{Tag, asn1::Any};
    use proptest::prelude::*;

    #[test]
    fn dates_are_read() {
        use Tag::{GeneralizedTime, UtcTime};
        let rows: &[(&str, Tag, &str, Option<u64>)] = &[
            ("the first second of 1970", UtcTime, "700101000000Z", Some(0)),
            ("one second later", UtcTime, "700101000001Z", Some(1)),
            ("the second before", UtcTime, "691231235959Z", Some(0)),
            ("the earliest in two digits", UtcTime, "500101000000Z", Some(0)),
            ("two digits of this century", UtcTime, "491231235959Z", Some(2_524_607_999)),
            ("the second before, in four digits", GeneralizedTime, "19691231235959Z", Some(0)),
            ("a year of 1600", GeneralizedTime, "16010101000000Z", Some(0)),
            ("the year nought", GeneralizedTime, "00000101000000Z", Some(0)),
            ("a leap day", UtcTime, "680229000000Z", Some(0)),
            ("the last second there is", GeneralizedTime, "99991231235959Z", Some(253_402_300_799)),
            ("no leap day", UtcTime, "690229000000Z", None),
            ("no leap day in 1900", GeneralizedTime, "19000229000000Z", None),
            ("month 13", UtcTime, "691301000000Z", None),
            ("day nought", UtcTime, "691200000000Z", None),
            ("hour 24", UtcTime, "691231240000Z", None),
            ("without seconds", UtcTime, "6912312359Z", None),
            ("with an offset", UtcTime, "691231235959+0000", None),
            ("without a zone", UtcTime, "691231235959", None),
            ("with a fraction", GeneralizedTime, "19691231235959.5Z", None),
            ("signs instead of digits", UtcTime, "69-2+1235959Z", None),
            ("a text", Tag::Utf8String, "691231235959Z", None),
            ("nothing", UtcTime, "", None),
        ];
        for (name, tag, text, expected) in rows {
            let any = Any::new(*tag, text.as_bytes()).expect("a value");
            assert_eq!(instant(&any), expected.map(UnixSeconds), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..20), utc in any::<bool>()) {
            let tag = if utc { Tag::UtcTime } else { Tag::GeneralizedTime };
            let _ = instant(&Any::new(tag, text).expect("a value"));
        }
    }
}
