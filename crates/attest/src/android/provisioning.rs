//! The provisioning information in attestation certificates that Google's servers issue to phones remotely.
//!
//! It is a small CBOR map (RFC 8949): key 1 is the number of certificates issued to the phone in the last thirty days, key 3 the name of
//! the phone's maker or of the server. It is informative only. No decision depends on it, so content that does not parse counts as no
//! information instead of a refusal.

use countersign_core::Limits;

/// Number of certificates issued to the phone in the last thirty days, when the information states it.
pub(super) fn certificates_issued(cbor: &[u8]) -> Option<u64> {
    let (head, mut rest) = item(cbor)?;
    let Item::Map(pairs) = head else { return None };
    // The number comes from the certificate, so it is bounded.
    for _ in 0..pairs.min(Limits::PROVISIONING_PAIRS_MAX) {
        let (key, after_key) = item(rest)?;
        let (value, after_value) = item(after_key)?;
        if let (Item::Unsigned(1), Item::Unsigned(count)) = (key, value) {
            return Some(count);
        }
        rest = after_value;
    }
    None
}

/// Kinds of data items that occur in such a map; none of them nests.
#[derive(Clone, Copy)]
enum Item {
    Map(u64),
    String,
    Unsigned(u64),
}

/// Parses the first data item, in definite length, and returns it with the bytes after it (RFC 8949 section 3). Of a map only the head is
/// read.
fn item(cbor: &[u8]) -> Option<(Item, &[u8])> {
    let (first, rest) = cbor.split_first()?;
    let (argument, rest) = match first & 0x1f {
        small @ 0..=23 => (u64::from(small), rest),
        24 => number::<1>(rest)?,
        25 => number::<2>(rest)?,
        26 => number::<4>(rest)?,
        27 => number::<8>(rest)?,
        _ => return None,
    };
    match first >> 5 {
        0 => Some((Item::Unsigned(argument), rest)),
        2 | 3 => Some((Item::String, rest.get(usize::try_from(argument).ok()?..)?)),
        5 => Some((Item::Map(argument), rest)),
        _ => None,
    }
}

fn number<const N: usize>(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<N>()?;
    Some((digits.iter().fold(0, |value, digit| (value << 8) | u64::from(*digit)), rest))
}

#[cfg(test)]
mod tests {
    use super::certificates_issued;
    use proptest::prelude::*;

    #[test]
    fn provisioning_information_of_real_phones() {
        let rows: &[(&str, &[u8], Option<u64>)] = &[
            ("a count", b"\xa1\x01\x08", Some(8)),
            ("a count and a name", b"\xa3\x01\x18\x20\x02\xf5\x03\x66Google", Some(32)),
            ("a name first", b"\xa2\x03\x66Google\x01\x08", Some(8)),
            ("no count", b"\xa1\x03\x66Google", None),
            ("nothing", b"", None),
            ("no map", b"\x08", None),
            ("a name that is longer than the rest", b"\xa2\x03\x7b\xff\xff\xff\xff\xff\xff\xff\xffG\x01\x08", None),
            ("an endless map", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x02\x02", None),
        ];
        for (name, cbor, expected) in rows {
            assert_eq!(certificates_issued(cbor), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(cbor in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = certificates_issued(&cbor);
        }
    }
}
