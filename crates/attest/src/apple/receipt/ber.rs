//! The elements of BER, one level at a time (X.690 section 8.1).
//!
//! The code does not recurse: an element of indefinite length is delimited in one pass with a counter, and its inside is parsed only on
//! request. Elements of definite length are skipped unread, so that certificates reach their own, strict parser unchanged.

use countersign_core::Limits;

use crate::apple::receipt::refusal::BerRefusal;

const END_OF_CONTENTS: u8 = 0x00;
const CONSTRUCTED: u8 = 0x20;
const TAG_NUMBER: u8 = 0x1f;
const LONG: u8 = 0x80;

/// One element of BER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// Identifier octet of the element: class, form and number.
    pub tag: u8,
    /// Contents of the element, without the octets that end an indefinite length.
    pub body: &'a [u8],
    /// The whole element as it was received.
    pub whole: &'a [u8],
}

/// Iterator over the elements that follow each other in some bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The elements of `bytes`.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// True when no bytes are left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Identifier octet of the next element, without reading it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads the next element; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Element<'a>>, BerRefusal> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (header, inside) = header(self.rest)?;
        let (body, rest) = match header.length {
            Length::Definite(length) => inside.split_at_checked(length).ok_or(BerRefusal::Truncated)?,
            Length::Indefinite => until_end(inside)?,
        };
        let used = self.rest.len().saturating_sub(rest.len());
        let (whole, _) = self.rest.split_at_checked(used).ok_or(BerRefusal::Truncated)?;
        self.rest = rest;
        Ok(Some(Element { tag: header.tag, body, whole }))
    }
}

#[derive(Clone, Copy)]
enum Length {
    Definite(usize),
    Indefinite,
}

#[derive(Clone, Copy)]
struct Header {
    tag: u8,
    length: Length,
}

/// Reads the identifier and length octets, and returns them with the bytes that follow.
fn header(bytes: &[u8]) -> Result<(Header, &[u8]), BerRefusal> {
    let (&tag, rest) = bytes.split_first().ok_or(BerRefusal::Truncated)?;
    // Tag numbers above 30 take further octets; Apple uses none.
    if tag & TAG_NUMBER == TAG_NUMBER {
        return Err(BerRefusal::TagTooLong);
    }
    let (&first, rest) = rest.split_first().ok_or(BerRefusal::Truncated)?;
    // End-of-contents is two zero octets (X.690 section 8.1.5).
    if tag == END_OF_CONTENTS && first != 0 {
        return Err(BerRefusal::EndMalformed);
    }
    if first < LONG {
        return Ok((Header { tag, length: Length::Definite(usize::from(first)) }, rest));
    }
    if first == LONG {
        let indefinite = Header { tag, length: Length::Indefinite };
        return if tag & CONSTRUCTED == 0 { Err(BerRefusal::IndefinitePrimitive) } else { Ok((indefinite, rest)) };
    }
    let octets = usize::from(first & !LONG);
    if octets > Limits::RECEIPT_LENGTH_OCTETS_MAX {
        return Err(BerRefusal::LengthTooLong);
    }
    let (octets, rest) = rest.split_at_checked(octets).ok_or(BerRefusal::Truncated)?;
    let length = octets.iter().fold(0_u32, |length, octet| length << 8 | u32::from(*octet));
    let length = usize::try_from(length).map_err(|_| BerRefusal::LengthTooLong)?;
    Ok((Header { tag, length: Length::Definite(length) }, rest))
}

/// Contents of an element of indefinite length, and the bytes after the octets that end it.
fn until_end(inside: &[u8]) -> Result<(&[u8], &[u8]), BerRefusal> {
    let (mut rest, mut open) = (inside, 1_usize);
    loop {
        let at = inside.len().saturating_sub(rest.len());
        let (header, after) = header(rest)?;
        rest = match header.length {
            Length::Definite(_) if header.tag == END_OF_CONTENTS => {
                open = open.saturating_sub(1);
                if open == 0 {
                    let (contents, _) = inside.split_at_checked(at).ok_or(BerRefusal::Truncated)?;
                    return Ok((contents, after));
                }
                after
            }
            Length::Definite(length) => after.get(length..).ok_or(BerRefusal::Truncated)?,
            Length::Indefinite => {
                open = open.saturating_add(1);
                if open > Limits::RECEIPT_DEPTH_MAX {
                    return Err(BerRefusal::DepthExceeded);
                }
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u8, Vec<u8>, usize)>, BerRefusal> {
        let (mut elements, mut out) = (Elements::of(bytes), Vec::new());
        while let Some(element) = elements.next()? {
            out.push((element.tag, element.body.to_vec(), element.whole.len()));
        }
        assert!(elements.is_empty() && elements.peek().is_none());
        Ok(out)
    }

    fn nested(depth: usize) -> Vec<u8> {
        [[0x30, 0x80].repeat(depth), [0, 0].repeat(depth)].concat()
    }

    #[test]
    fn elements_are_delimited() {
        let long = [&[0x04, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let deepest = nested(Limits::RECEIPT_DEPTH_MAX);
        let rows: &[(&str, &[u8], Result<Vec<(u8, Vec<u8>, usize)>, BerRefusal>)] = &[
            ("nothing", &[], Ok(vec![])),
            ("an empty element", &[0x05, 0x00], Ok(vec![(0x05, vec![], 2)])),
            ("two", &[0x02, 0x01, 0x07, 0x04, 0x00], Ok(vec![(0x02, vec![7], 3), (0x04, vec![], 2)])),
            ("a long length", &long, Ok(vec![(0x04, vec![7; 256], 260)])),
            ("a long length where a short one does", &[0x04, 0x81, 0x01, 0x07], Ok(vec![(0x04, vec![7], 4)])),
            ("a length of four octets", &[0x04, 0x84, 0, 0, 0, 1, 7], Ok(vec![(0x04, vec![7], 7)])),
            ("a length of five octets", &[0x04, 0x85, 0, 0, 0, 0, 1, 7], Err(BerRefusal::LengthTooLong)),
            ("a length of 127 octets", &[0x04, 0xff, 0], Err(BerRefusal::LengthTooLong)),
            ("the greatest length", &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], Err(BerRefusal::Truncated)),
            ("one byte too few", &[0x04, 0x02, 0x07], Err(BerRefusal::Truncated)),
            ("no length", &[0x04], Err(BerRefusal::Truncated)),
            ("half a length", &[0x04, 0x82, 0x01], Err(BerRefusal::Truncated)),
            ("a tag of two octets", &[0x1f, 0x01, 0x00], Err(BerRefusal::TagTooLong)),
            ("an indefinite length", &[0x30, 0x80, 0x05, 0x00, 0x00, 0x00], Ok(vec![(0x30, vec![0x05, 0x00], 6)])),
            (
                "an end inside a definite length ends nothing",
                &[0x30, 0x80, 0x04, 0x02, 0x00, 0x00, 0x00, 0x00],
                Ok(vec![(0x30, vec![0x04, 0x02, 0, 0], 8)]),
            ),
            ("an indefinite length without an end", &[0x30, 0x80, 0x05, 0x00], Err(BerRefusal::Truncated)),
            ("a primitive element without a length", &[0x04, 0x80, 0x00, 0x00], Err(BerRefusal::IndefinitePrimitive)),
            ("an end with a length", &[0x30, 0x80, 0x00, 0x01, 0x00], Err(BerRefusal::EndMalformed)),
            (
                "the deepest that is followed",
                &deepest,
                Ok(vec![(0x30, deepest[2..deepest.len() - 2].to_vec(), 4 * Limits::RECEIPT_DEPTH_MAX)]),
            ),
            ("one deeper", &nested(Limits::RECEIPT_DEPTH_MAX + 1), Err(BerRefusal::DepthExceeded)),
            ("very deep", &[0x30, 0x80].repeat(1 << 20), Err(BerRefusal::DepthExceeded)),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(all(bytes), *expected, "{name}");
        }
    }
}
