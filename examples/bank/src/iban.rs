//! Account numbers that look right: German, with check digits, always the same for the same account.

/// Bank code of the example bank; no bank has it.
const BANK_CODE: u64 = 99_999_999;

/// The IBAN of an account (ISO 13616): country, two check digits, bank code, account number.
pub fn iban(account: &str) -> String {
    let number = account.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % 10_000_000_000;
    let basic = format!("{BANK_CODE:08}{number:010}");
    // `DE00` moves to the end, letters become numbers: D is 13, E is 14.
    let remainder = remainder_97(&format!("{basic}131400"));
    format!("DE{:02}{basic}", 98_u64.saturating_sub(remainder))
}

fn remainder_97(digits: &str) -> u64 {
    digits.chars().filter_map(|c| c.to_digit(10)).fold(0, |rest, digit| (rest * 10 + u64::from(digit)) % 97)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_check_and_stay() {
        // The example of the German Bundesbank: DE21 3012 0400 0000 0152 28.
        assert_eq!(remainder_97("301204000000015228131421"), 1);
        for account in ["", "p_ana-1", "p_ana-2"] {
            let iban = iban(account);
            let (check, basic) = iban.strip_prefix("DE").and_then(|rest| rest.split_at_checked(2)).expect("an IBAN");
            assert_eq!(remainder_97(&format!("{basic}1314{check}")), 1, "{iban}");
        }
        assert_eq!(iban("p_ana-1"), iban("p_ana-1"));
        assert_ne!(iban("p_ana-1"), iban("p_ana-2"));
    }
}
