//! The books: who owns which accounts, and what moved. Deterministic, and in memory only.

use std::collections::BTreeMap;

use crate::iban::iban;

/// Customers that are kept; enough for any demo, and a bound.
const CUSTOMERS_MAX: usize = 100_000;

/// Cents on the first account of a new customer.
const OPENING_BALANCE: i64 = 1_000_000;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id: the customer's, `-`, and a number.
    pub id: String,
    /// Its international number.
    pub iban: String,
    /// Cents.
    pub balance: i64,
}

/// A transfer that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// From which of the customer's accounts.
    pub from: String,
    /// To which IBAN.
    pub to: String,
    /// Cents.
    pub amount: i64,
}

/// A transfer that was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Its number, from 1.
    pub number: u64,
    /// Cents left on the account.
    pub balance: i64,
}

/// Why a transfer is not booked. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookRefusal {
    /// The customer has no such account.
    AccountUnknown,
    /// The amount is not positive.
    AmountInvalid,
    /// There is not enough on the account.
    BalanceTooLow,
}

impl BookRefusal {
    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccountUnknown => "account_unknown",
            Self::AmountInvalid => "amount_invalid",
            Self::BalanceTooLow => "balance_too_low",
        }
    }
}

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    customers: BTreeMap<String, Vec<Account>>,
    booked: u64,
}

impl Ledger {
    /// The customer's accounts; a customer who was never seen gets two. `None` when the bank is full.
    pub fn accounts(&mut self, customer: &str) -> Option<&[Account]> {
        self.customer(customer).map(|accounts| accounts.as_slice())
    }

    /// Everybody who has accounts, in alphabetical order.
    pub fn customers(&self) -> impl Iterator<Item = &str> {
        self.customers.keys().map(String::as_str)
    }

    /// Books a transfer.
    pub fn book(&mut self, customer: &str, order: &Order) -> Result<Booked, BookRefusal> {
        if order.amount <= 0 {
            return Err(BookRefusal::AmountInvalid);
        }
        let accounts = self.customer(customer).ok_or(BookRefusal::AccountUnknown)?;
        let account = accounts.iter_mut().find(|account| account.id == order.from).ok_or(BookRefusal::AccountUnknown)?;
        let balance = account.balance.checked_sub(order.amount).filter(|left| *left >= 0).ok_or(BookRefusal::BalanceTooLow)?;
        account.balance = balance;
        self.booked = self.booked.saturating_add(1);
        Ok(Booked { number: self.booked, balance })
    }

    fn customer(&mut self, name: &str) -> Option<&mut Vec<Account>> {
        if self.customers.len() >= CUSTOMERS_MAX && !self.customers.contains_key(name) {
            return None;
        }
        Some(self.customers.entry(name.to_owned()).or_insert_with(|| {
            let account = |number: u8, balance| {
                let id = format!("{name}-{number}");
                Account { iban: iban(&id), id, balance }
            };
            vec![account(1, OPENING_BALANCE), account(2, 0)]
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_moves() {
        let order = |from: &str, amount| Order { from: from.to_owned(), to: "DE02120300000000202051".to_owned(), amount };
        let rows: &[(&str, Order, Result<i64, BookRefusal>)] = &[
            ("all there is", order("ana-1", OPENING_BALANCE), Ok(0)),
            ("a cent more", order("ana-1", OPENING_BALANCE + 1), Err(BookRefusal::BalanceTooLow)),
            ("nothing", order("ana-1", 0), Err(BookRefusal::AmountInvalid)),
            ("less than nothing", order("ana-1", i64::MIN), Err(BookRefusal::AmountInvalid)),
            ("somebody else's account", order("bob-1", 1), Err(BookRefusal::AccountUnknown)),
        ];
        for (name, order, expected) in rows {
            let mut ledger = Ledger::default();
            assert_eq!(ledger.book("ana", order).map(|booked| booked.balance), *expected, "{name}");
        }
    }
}
