//! Unpadded base64url in its one canonical spelling (RFC 7515 section 2, RFC 4648 section 3.5).

use base64::{DecodeSliceError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Refusal of text that is not canonical base64url: another alphabet, padding, an impossible length or left-over bits that are not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCanonical;

/// Writes `bytes` as unpadded base64url.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends `bytes` to `out` as unpadded base64url, so that a long text is built without a copy for each part.
pub fn encode_onto(bytes: impl AsRef<[u8]>, out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// Reads the bytes that `text` spells.
///
/// # Errors
/// [`NotCanonical`] when `text` is not the one canonical spelling of some bytes.
// SECURITY: the engine refuses padding and left-over bits, so that no signed text has a second spelling.
pub fn decode(text: &str) -> Result<Vec<u8>, NotCanonical> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotCanonical)
}

/// Reads the `N` bytes that `text` spells.
///
/// # Errors
/// [`NotCanonical`] when `text` is not the one canonical spelling of exactly `N` bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], NotCanonical> {
    let mut out = [0; N];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut out) {
        // A shorter text would leave zeros at the end of the array, which nobody wrote.
        Ok(written) if written == N => Ok(out),
        Ok(_) | Err(DecodeSliceError::DecodeError(_) | DecodeSliceError::OutputSliceTooSmall) => Err(NotCanonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_one_spelling() {
        let rows: &[(&str, &str, Result<Vec<u8>, NotCanonical>)] = &[
            ("nothing", "", Ok(vec![])),
            ("both odd letters", "-_8", Ok(vec![0xfb, 0xff])),
            ("left-over bits", "-_9", Err(NotCanonical)),
            ("padding", "-_8=", Err(NotCanonical)),
            ("the other alphabet", "+/8", Err(NotCanonical)),
            ("an impossible length", "-_8AA", Err(NotCanonical)),
            ("a space", "-_ 8", Err(NotCanonical)),
            ("a line break at the end", "-_8\n", Err(NotCanonical)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(decode(text), *expected, "{name}");
        }
    }

    #[test]
    fn arrays_have_one_length() {
        assert_eq!(decode_array::<2>("-_8"), Ok([0xfb, 0xff]));
        assert_eq!(decode_array::<1>("-_8"), Err(NotCanonical), "one byte more");
        assert_eq!(decode_array::<3>("-_8"), Err(NotCanonical), "one byte less");
        assert_eq!(decode_array::<2>("-_9"), Err(NotCanonical), "left-over bits");
    }
}
