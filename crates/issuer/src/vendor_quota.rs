//! How fast a vendor is asked: quotas, counted for one app in this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use countersign_compliance::{DailyLimit, Quota, QuotaRefusal, QuotaState};
use countersign_core::{Limits, Reason, Thumbprint, UnixSeconds};
use metrics::{counter, gauge};

use crate::refusal::Refusal;

/// Upper bound on the questions a day about one phone. An honest phone renews its verdict some times a day; more would be taken from all
/// others.
const OF_ONE_PHONE: u64 = 24;

/// Quota of one vendor for an app.
pub struct VendorQuota {
    vendor: &'static str,
    reason: Reason,
    quota: Option<Mutex<Quota>>,
    phones: Mutex<HashMap<Thumbprint, Quota>>,
}

impl VendorQuota {
    /// Makes the quota for tokens of Play Integrity that Google decodes.
    #[must_use]
    pub fn play(quota: Option<Quota>) -> Self {
        Self::new("play", Reason::PlayQuotaExhausted, quota)
    }

    /// Makes the quota for keys of App Attest.
    #[must_use]
    pub fn app_attest(quota: Option<Quota>) -> Self {
        Self::new("app_attest", Reason::AppAttestPaceReached, quota)
    }

    fn new(vendor: &'static str, reason: Reason, quota: Option<Quota>) -> Self {
        Self { vendor, reason, quota: quota.map(Mutex::new), phones: Mutex::default() }
    }

    /// Checks that there is room for one more question today.
    pub(crate) fn room(&self, now: UnixSeconds) -> Result<(), Refusal> {
        let Some(quota) = &self.quota else { return Ok(()) };
        quota.lock().unwrap_or_else(PoisonError::into_inner).room(now).map_err(|why| self.refused(why))
    }

    fn refused(&self, why: QuotaRefusal) -> Refusal {
        counter!("countersign_quota_refused_total", "vendor" => self.vendor).increment(1);
        let QuotaRefusal::Exhausted { wait } = why;
        Refusal { retry_after: Some(wait), ..Refusal::because(self.reason.clone(), why.to_string()) }
    }

    /// Counts one question, and updates the metrics.
    pub(crate) fn count(&self, now: UnixSeconds) {
        let Some(quota) = &self.quota else { return };
        let mut quota = quota.lock().unwrap_or_else(PoisonError::into_inner);
        let state = quota.count(now);
        let (used, limit) = quota.today(now);
        gauge!("countersign_quota_used", "vendor" => self.vendor).set(figure(used));
        gauge!("countersign_quota_limit", "vendor" => self.vendor).set(figure(limit));
        if state == QuotaState::Nearly {
            tracing::warn!(vendor = self.vendor, used, limit, "80 % of the daily quota is used; ask the vendor for a higher quota");
        }
    }

    /// Takes the room of one question about a phone, before the question is asked; it counts whatever the answer.
    pub(crate) fn spend(&self, phone: &Thumbprint, now: UnixSeconds) -> Result<(), Refusal> {
        self.room(now)?;
        if self.quota.is_some() {
            self.share(phone, now)?;
        }
        self.count(now);
        Ok(())
    }

    fn share(&self, phone: &Thumbprint, now: UnixSeconds) -> Result<(), Refusal> {
        let mut phones = self.phones.lock().unwrap_or_else(PoisonError::into_inner);
        if phones.len() >= Limits::VENDOR_QUOTA_PHONES_MAX && !phones.contains_key(phone) {
            phones.retain(|_, quota| quota.today(now).0 > 0);
        }
        let nobody_new = phones.len() >= Limits::VENDOR_QUOTA_PHONES_MAX && !phones.contains_key(phone);
        if nobody_new {
            return Quota::new(DailyLimit::Even(0)).room(now).map_err(|why| self.refused(why));
        }
        let quota = phones.entry(*phone).or_insert(Quota::new(DailyLimit::Even(OF_ONE_PHONE)));
        quota.room(now).map_err(|why| self.refused(why))?;
        quota.count(now);
        Ok(())
    }
}

/// Converts a count for a metric; counts beyond four billion are all the same to it.
fn figure(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::Seconds;

    #[test]
    fn one_phone_does_not_use_up_the_day() {
        let now = UnixSeconds(86_400 * 20_000);
        let (greedy, honest) = (Thumbprint::from_bytes([1; 32]), Thumbprint::from_bytes([2; 32]));
        let quota = VendorQuota::play(Some(Quota::new(DailyLimit::Even(10_000))));
        let asked = (0..10_000).filter(|_| quota.spend(&greedy, now).is_ok()).count();
        assert_eq!(asked, 24);
        assert_eq!(quota.spend(&greedy, now).map_err(|refusal| refusal.reason), Err(Reason::PlayQuotaExhausted));
        assert_eq!(quota.spend(&honest, now), Ok(()));
        assert_eq!(quota.spend(&greedy, now.plus(Seconds(86_400))), Ok(()), "the next day");
    }

    #[test]
    fn a_full_day_is_refused_with_the_wait_until_the_next() {
        let now = UnixSeconds(86_400 * 20_000 + 400);
        let phone = Thumbprint::from_bytes([1; 32]);
        let quota = VendorQuota::play(Some(Quota::new(DailyLimit::Even(1))));
        assert_eq!(quota.spend(&phone, now), Ok(()));
        let refusal = quota.spend(&phone, now).expect_err("full");
        assert_eq!((refusal.reason, refusal.retry_after), (Reason::PlayQuotaExhausted, Some(Seconds(86_000))));
        let keys = VendorQuota::app_attest(Some(Quota::new(DailyLimit::Even(0))));
        assert_eq!(keys.room(now).map_err(|refusal| refusal.reason), Err(Reason::AppAttestPaceReached));
        let unlimited = VendorQuota::app_attest(None);
        unlimited.count(now);
        assert_eq!(unlimited.room(now), Ok(()));
    }
}
