//! How fast a vendor is asked: quotas, counted for one app in this process.

use std::sync::{Mutex, PoisonError};

use countersign_core::{Quota, QuotaRefusal, QuotaState, Reason, UnixSeconds};
use metrics::{counter, gauge};

use crate::refusal::Refusal;

/// A vendor's quota for an app.
pub struct Pace {
    vendor: &'static str,
    reason: Reason,
    quota: Option<Mutex<Quota>>,
}

impl Pace {
    /// For tokens of Play Integrity that Google decodes.
    #[must_use]
    pub const fn play(quota: Option<Quota>) -> Self {
        Self::new("play", Reason::PlayQuotaExhausted, quota)
    }

    /// For keys of App Attest.
    #[must_use]
    pub const fn app_attest(quota: Option<Quota>) -> Self {
        Self::new("app_attest", Reason::AppAttestPaceReached, quota)
    }

    const fn new(vendor: &'static str, reason: Reason, quota: Option<Quota>) -> Self {
        let quota = match quota {
            Some(quota) => Some(Mutex::new(quota)),
            None => None,
        };
        Self { vendor, reason, quota }
    }

    /// Whether there is room for one more today.
    pub(crate) fn room(&self, now: UnixSeconds) -> Result<(), Refusal> {
        let Some(quota) = &self.quota else { return Ok(()) };
        quota.lock().unwrap_or_else(PoisonError::into_inner).room(now).map_err(|why| {
            counter!("countersign_quota_refused_total", "vendor" => self.vendor).increment(1);
            let QuotaRefusal::Exhausted { wait } = why;
            Refusal { retry_after: Some(wait), ..Refusal::because(self.reason.clone(), why.to_string()) }
        })
    }

    /// Counts one.
    pub(crate) fn count(&self, now: UnixSeconds) {
        let Some(quota) = &self.quota else { return };
        let mut quota = quota.lock().unwrap_or_else(PoisonError::into_inner);
        let state = quota.count(now);
        let (used, limit) = quota.today(now);
        gauge!("countersign_quota_used", "vendor" => self.vendor).set(figure(used));
        gauge!("countersign_quota_limit", "vendor" => self.vendor).set(figure(limit));
        if state == QuotaState::Nearly {
            tracing::warn!(vendor = self.vendor, used, limit, "four fifths of the day's quota are used; ask the vendor for more");
        }
    }

    /// Takes the room of one, before something is asked that counts whatever its answer.
    pub(crate) fn spend(&self, now: UnixSeconds) -> Result<(), Refusal> {
        self.room(now)?;
        self.count(now);
        Ok(())
    }
}

/// A count as a figure; beyond four billion nobody looks.
fn figure(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{DailyLimit, Seconds};

    #[test]
    fn a_full_day_is_refused_with_the_wait_until_the_next() {
        let now = UnixSeconds(86_400 * 20_000 + 400);
        let pace = Pace::play(Some(Quota::new(DailyLimit::Even(1))));
        assert_eq!(pace.spend(now), Ok(()));
        let refusal = pace.spend(now).expect_err("full");
        assert_eq!((refusal.reason, refusal.retry_after), (Reason::PlayQuotaExhausted, Some(Seconds(86_000))));
        let keys = Pace::app_attest(Some(Quota::new(DailyLimit::Even(0))));
        assert_eq!(keys.room(now).map_err(|refusal| refusal.reason), Err(Reason::AppAttestPaceReached));
        let unlimited = Pace::app_attest(None);
        unlimited.count(now);
        assert_eq!(unlimited.room(now), Ok(()));
    }
}
