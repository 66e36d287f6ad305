//! How much of the log is given to keys that are nobody's: anybody makes keys, and the log is for decisions about somebody.

use std::sync::{Mutex, PoisonError};

use countersign_core::{Limits, UnixSeconds};

/// Number of refusals of unknown keys in the current second.
#[derive(Debug, Default)]
pub struct AnonymousLogBudget(Mutex<(u64, u32)>);

impl AnonymousLogBudget {
    /// Takes room for one record and tells whether there was any in this second.
    pub(crate) fn room(&self, now: UnixSeconds) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 != now.0 {
            *held = (now.0, 0);
        }
        held.1 = held.1.saturating_add(1);
        held.1 <= Limits::ANONYMOUS_RECORDS_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_so_much_of_the_log_a_second() {
        let budget = AnonymousLogBudget::default();
        let recorded = |second: u64| (0..1000).filter(|_| budget.room(UnixSeconds(second))).count();
        assert_eq!((recorded(1), recorded(1), recorded(2)), (50, 0, 50));
    }
}
