//! What a future system of Apple's may add to authenticator data without locking every iPhone out at once.
//!
//! | in authenticator data | read how |
//! |---|---|
//! | an extension output of an unknown name, of any type that CTAP2 allows (CTAP 2.1 section 8) | passed over, and reported by its name |
//! | extension outputs without the flag ED, as iOS 27 writes them | read as if the flag were set |
//! | flags that WebAuthn reserves (section 6.1) | not looked at |
//! | a known extension of another type, two extensions of one name, more than sixteen | refused |
//! | an unknown member of the credential's key (WebAuthn section 6.5.1.1 allows no optional ones) | refused |
//! | tags, indefinite lengths, nesting beyond four levels, more than 64 items in one place, bytes behind the map | refused |
//!
//! Why the first row is safe: extension outputs are statements *beside* the key, its app, its environment and its counter, all of which stand
//! at fixed places before them and are compared as ever. Nothing here is required of an extension, so that leaving one unread cannot make a
//! refusal an acceptance; the signature or the nonce covers their bytes, so that nobody on the way can add one; and they are read to their
//! end under the limits of the whole, so that no other reader finds another end. An extension that *restricts* the key would be a change of
//! Apple's contract; its name shows up in `countersign attest inspect` and in `countersign_app_attest_unknown_total` with the first beta.

use countersign_core::Limits;

/// Name of an unknown extension as it may stand in a report: short and printable.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(Limits::EXTENSION_NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn names_are_shown_short_and_printable() {
        let rows: &[(&str, &str, &str)] = &[
            ("a name", "apple_new_02", "apple_new_02"),
            ("lines and colours", "a\n\u{1b}[2Jb", "a[2Jb"),
            ("direction marks", "a\u{202e}b", "ab"),
            ("nothing", "", ""),
        ];
        for (name, text, expected) in rows {
            assert_eq!(shown(text), *expected, "{name}");
        }
        assert_eq!(shown(&"x".repeat(1000)).len(), 64);
    }
}
