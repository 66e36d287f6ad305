//! Names that people give to their account or their phone.

use countersign_core::{Limits, Reason};

use crate::refusal::Refusal;

/// Takes a name: visible text of 1 to [`Limits::NAME_BYTES_MAX`] bytes without control characters or space at its ends.
///
/// # Errors
/// [`Reason::BodyFieldInvalid`] for any other text.
pub fn parse(text: &str) -> Result<String, Refusal> {
    let sized = (1..=Limits::NAME_BYTES_MAX).contains(&text.len()) && text.trim() == text;
    // Characters that reverse or hide the text after them would let one name look like another (Unicode TR 36 section 3.3).
    let deceives =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if sized && !text.contains(deceives) { Ok(text.to_owned()) } else { Err(Reason::BodyFieldInvalid.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_can_be_read() {
        let (longest, too_long) = ("a".repeat(Limits::NAME_BYTES_MAX), "a".repeat(Limits::NAME_BYTES_MAX + 1));
        for good in ["alice", "alice@example.org", "\u{c4}nne von \u{d6}", "\u{611b}", &longest] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["", " alice", "alice ", "a\nb", "a\0", "a\u{202e}b", "a\u{200b}", "\u{feff}a", &too_long] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_taken_as_it_is(text in ".{0,200}") {
            if let Ok(name) = parse(&text) {
                prop_assert_eq!(name, text);
            }
        }
    }
}
