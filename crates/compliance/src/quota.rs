//! Daily limits for questions to a vendor.
//!
//! Google decodes 10,000 tokens of Play Integrity a day unless it is asked for more
//! (<https://developer.android.com/google/play/integrity/overview>). Apple asks big apps to bring App Attest to their people little
//! by little (<https://developer.apple.com/documentation/devicecheck/preparing-to-use-the-app-attest-service>).

use core::fmt;

use countersign_core::{Seconds, UnixSeconds};

const DAY: u64 = 86_400;

/// Number of questions that a day allows. Days begin at midnight in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DailyLimit {
    /// The same number on every day.
    Even(u64),
    /// A number that grows from day to day, compounded.
    Ramp {
        /// Number on the first day, and on every day before it.
        first: u64,
        /// Growth of each day over the day before, in hundredths.
        growth_percent: u32,
        /// Instant in the first day; the whole of that day in UTC has the number `first`.
        from: UnixSeconds,
    },
}

impl DailyLimit {
    /// Number that a day allows; `day` counts days since 1970 in UTC.
    fn on(self, day: u64) -> u64 {
        match self {
            Self::Even(limit) => limit,
            Self::Ramp { first, growth_percent, from } => {
                let mut limit = first;
                for _ in 0..day.saturating_sub(from.0 / DAY) {
                    // At least one more, so that a small beginning grows too; it ends where nothing is limited any more.
                    let more = (limit / 100).saturating_mul(u64::from(growth_percent));
                    let rest = (limit % 100).saturating_mul(u64::from(growth_percent)) / 100;
                    limit = limit.saturating_add(more.saturating_add(rest).max(u64::from(growth_percent > 0)));
                    if limit == u64::MAX || growth_percent == 0 {
                        break;
                    }
                }
                limit
            }
        }
    }
}

/// Count of the questions of one day beside the limit of that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: DailyLimit,
    day: u64,
    used: u64,
}

/// State of a quota after a question was counted. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaState {
    /// This question reached four fifths of the day's limit: time to ask the vendor for a higher one.
    Nearly,
    /// The day's limit is not close, or four fifths of it were reached before this question.
    Plenty,
}

/// Reason why the vendor is asked nothing more. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaRefusal {
    /// The limit of the day is reached.
    Exhausted {
        /// Seconds until the next day begins.
        wait: Seconds,
    },
}

impl fmt::Display for QuotaRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted { wait } => write!(f, "the day's limit is reached; the next day begins in {} seconds", wait.0),
        }
    }
}

impl Quota {
    /// Makes a quota of which nothing is used yet.
    #[must_use]
    pub const fn new(limit: DailyLimit) -> Self {
        Self { limit, day: 0, used: 0 }
    }

    /// Numbers of questions that were asked today and that today allows, in this order.
    #[must_use]
    pub fn today(&self, now: UnixSeconds) -> (u64, u64) {
        let day = now.0 / DAY;
        // A count of an earlier day is not carried over.
        (if day == self.day { self.used } else { 0 }, self.limit.on(day))
    }

    /// Checks that there is room for one more question today.
    ///
    /// # Errors
    /// [`QuotaRefusal::Exhausted`] when there is none.
    pub fn room(&self, now: UnixSeconds) -> Result<(), QuotaRefusal> {
        let (used, limit) = self.today(now);
        if used < limit { Ok(()) } else { Err(QuotaRefusal::Exhausted { wait: Seconds(DAY.saturating_sub(now.0 % DAY)) }) }
    }

    /// Counts one question, also when there was no room for it.
    pub fn count(&mut self, now: UnixSeconds) -> QuotaState {
        let (used, limit) = self.today(now);
        (self.day, self.used) = (now.0 / DAY, used.saturating_add(1));
        let near = limit.saturating_sub(limit / 5);
        // True for one question a day, so that the log has one line about it.
        if used < near && self.used >= near { QuotaState::Nearly } else { QuotaState::Plenty }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_a_limit_and_the_next_begins_anew() {
        let mut quota = Quota::new(DailyLimit::Even(10));
        let (morning, evening) = (UnixSeconds(DAY * 20_000), UnixSeconds(DAY * 20_001 - 60));
        let states: Vec<_> = (0..10).map(|_| quota.room(morning).map(|()| quota.count(morning))).collect();
        let mut expected = vec![Ok(QuotaState::Plenty); 10];
        expected[7] = Ok(QuotaState::Nearly);
        assert_eq!(states, expected, "warned once, at four fifths");
        assert_eq!(quota.room(evening), Err(QuotaRefusal::Exhausted { wait: Seconds(60) }));
        assert_eq!(quota.count(evening), QuotaState::Plenty);
        assert_eq!(quota.today(evening), (11, 10), "what was in flight is counted");
        let next = UnixSeconds(DAY * 20_001);
        assert_eq!((quota.room(next), quota.today(next)), (Ok(()), (0, 10)));
    }

    #[test]
    fn limits_are_those_of_the_day() {
        let ramp = |first, growth_percent| DailyLimit::Ramp { first, growth_percent, from: UnixSeconds(DAY * 100) };
        let rows = [
            ("before the first day", ramp(1000, 50), 0, 1000),
            ("on the first day", ramp(1000, 50), 100, 1000),
            ("on the second", ramp(1000, 50), 101, 1500),
            ("on the third", ramp(1000, 50), 102, 2250),
            ("after a year nothing is limited", ramp(1000, 50), 465, u64::MAX),
            ("a small beginning grows", ramp(1, 10), 103, 4),
            ("no growth", ramp(1000, 0), 1000, 1000),
            ("nobody, then somebody", ramp(0, 50), 101, 1),
            ("the last day of time", ramp(1000, 100), u64::MAX / DAY, u64::MAX),
            ("every day", DailyLimit::Even(10_000), 5, 10_000),
        ];
        for (name, limit, day, expected) in rows {
            assert_eq!(limit.on(day), expected, "{name}");
        }
    }
}
