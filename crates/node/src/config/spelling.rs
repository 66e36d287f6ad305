//! What somebody may have meant.

/// The word of `known` that is nearest to `given`, if one is near enough to be worth a suggestion.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|word| (distance(given, word), *word)).min()?;
    // A third of the word may be wrong; beyond that a suggestion is noise.
    (near.0 <= near.1.len().max(given.len()).div_ceil(3)).then_some(near.1)
}

/// Edits between two words (Levenshtein), where swapped neighbours count as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, j).saturating_add(usize::from(x != y));
            let mut least = replaced.min(at(&last, j.saturating_add(1)).saturating_add(1)).min(at(&row, j).saturating_add(1));
            let swapped = i > 0 && j > 0 && a.get(i.wrapping_sub(1)) == Some(y) && b.get(j.wrapping_sub(1)) == Some(x);
            if swapped {
                least = least.min(at(&before_last, j.wrapping_sub(1)).saturating_add(1));
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["public_url", "upstream", "listen", "data"];
        let rows: &[(&str, &str, Option<&str>)] = &[
            ("a letter missing", "public_ur", Some("public_url")),
            ("letters swapped", "upstraem", Some("upstream")),
            ("another separator", "public-url", Some("public_url")),
            ("a plural", "listens", Some("listen")),
            ("something else", "colour", None),
            ("nothing", "", None),
        ];
        for (name, given, expected) in rows {
            assert_eq!(nearest(given, &known), *expected, "{name}");
        }
        assert_eq!(distance("ca", "abc"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
