//! Normal form of member names: two names with one normal form may be bound to one field by some reader.
//!
//! RFC 8259 section 4 compares names code unit by code unit, as this crate does; readers that bind JSON to their own types do not.
//! Go's `encoding/json` folds case, the Kelvin sign and the long s too; ASP.NET Core and Jackson can be told to ignore case; Spring and
//! Newtonsoft.Json drop `_` and `-`; C strings end at a NUL, and trimmed names lose blanks at their ends.

/// Name as the most generous of common readers takes it: full case folding (Unicode section 5.18), without separators and without what
/// cannot be seen.
pub(crate) fn folded(name: &str) -> String {
    if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return name.to_owned();
    }
    // Down, up and down again is case folding with the tables of the standard library: `K` (Kelvin) is `k`, the long s is `s`, the sharp s
    // is `ss`, and both Turkish letters are `i`, as Java's `equalsIgnoreCase` has it.
    let cased = name.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    cased.filter(|c| !is_dropped(*c)).collect()
}

/// Separators, controls, blanks, the dot that remains of a Turkish `İ`, and characters without a glyph.
fn is_dropped(c: char) -> bool {
    matches!(c, '_' | '-' | '\u{307}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        || c.is_control()
        || c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_a_binder_takes_for_one_have_one_normal_form() {
        let rows: &[(&str, &str, &str)] = &[
            ("as declared", "amount", "amount"),
            ("Pascal case", "Amount", "amount"),
            ("all capitals", "AMOUNT", "amount"),
            ("snake case", "max_amount", "maxamount"),
            ("camel case", "maxAmount", "maxamount"),
            ("kebab case", "max-amount", "maxamount"),
            ("separators around", "__amount-", "amount"),
            ("the Kelvin sign", "to\u{212a}en", "token"),
            ("the long s", "\u{17f}um", "sum"),
            ("the sharp s", "stra\u{df}e", "strasse"),
            ("the capital sharp s", "STRA\u{1e9e}E", "strasse"),
            ("the last sigma", "\u{3bf}\u{3c2}", "\u{3bf}\u{3c3}"),
            ("a ligature", "\u{fb01}eld", "field"),
            ("the Angstrom sign", "\u{212b}", "\u{e5}"),
            ("the micro sign", "\u{b5}", "\u{3bc}"),
            ("a capital I with a dot", "\u{130}ban", "iban"),
            ("a small i without one", "\u{131}ban", "iban"),
            ("blanks around", " amount\t", "amount"),
            ("a NUL behind", "amount\u{0}", "amount"),
            ("a space of no width", "am\u{200b}ount", "amount"),
            ("digits are kept", "line2", "line2"),
            ("other signs are kept", "$type", "$type"),
            ("dots are kept", "a.b", "a.b"),
            ("nothing", "", ""),
        ];
        for (name, given, expected) in rows {
            assert_eq!(folded(given), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn case_and_separators_never_matter(name in "\\PC{0,20}", cut in 0_usize..20) {
            let normal = folded(&name);
            prop_assert_eq!(folded(&normal), normal.clone(), "a normal form is its own");
            prop_assert_eq!(folded(&name.to_uppercase()), normal.clone());
            prop_assert_eq!(folded(&name.to_lowercase()), normal.clone());
            let separated: String = name.chars().take(cut).chain(['_']).chain(name.chars().skip(cut)).collect();
            prop_assert_eq!(folded(&separated), normal);
        }
    }
}
