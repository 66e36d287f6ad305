//! What many share at the doors: guesses at codes, enrolments, and the work of costly checks. The rules are `compliance`'s; here they are
//! counted in this process.

use std::{
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_compliance::{Enroller, Guess, Guesser, Shares, Taking, Voucher, Worker, checked, enrolled, guessed};
use countersign_core::{Clock, Limits, Reason, Site, Thumbprint};
use metrics::counter;

use crate::{context::RequestContext, refusal::Refusal};

/// Shares of everybody at the doors.
pub struct Allowances {
    clock: Arc<dyn Clock>,
    enrolments: Mutex<Shares<Enroller>>,
    guesses: Mutex<Shares<Guesser>>,
    work: Mutex<Shares<Worker>>,
}

/// Share that was taken and may be given back.
#[must_use]
pub(crate) struct Taken<K>(Vec<Taking<K>>);

impl Allowances {
    /// Makes shares of which nothing is taken, counted by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let most = Limits::SHARES_REMEMBERED_MAX;
        Self {
            clock,
            enrolments: Mutex::new(Shares::new(most)),
            guesses: Mutex::new(Shares::new(most)),
            work: Mutex::new(Shares::new(most)),
        }
    }

    /// Takes room for a guess at a code, before it is looked at.
    pub(crate) fn guess(&self, guess: &Guess) -> Result<Taken<Guesser>, Refusal> {
        self.take(&self.guesses, guessed(guess), Reason::LoginAttemptsTooMany)
    }

    /// Gives the room of a guess back that was right.
    pub(crate) fn right(&self, taken: &Taken<Guesser>) {
        give_back(&self.guesses, taken);
    }

    /// Takes room for an enrolment whose evidence has verified.
    pub(crate) fn enrol(&self, voucher: Voucher, context: &RequestContext) -> Result<(), Refusal> {
        let takings = enrolled(voucher, Site::of(context.address)).to_vec();
        self.take(&self.enrolments, takings, Reason::EnrolmentsTooMany).map(|_| ())
    }

    /// Takes room for a costly check. A device that is enrolled has a share of its own, and others share by their site.
    pub(crate) fn check(&self, device: Option<&Thumbprint>, context: &RequestContext) -> Result<Taken<Worker>, Refusal> {
        let takings = checked(device.map(|key| *key.as_bytes()), Site::of(context.address));
        self.take(&self.work, takings, Reason::ChecksTooMany)
    }

    /// Gives the room of a check back whose evidence was good: it led to something that is counted by itself.
    pub(crate) fn good(&self, taken: &Taken<Worker>) {
        give_back(&self.work, taken);
    }

    fn take<K: Clone + Eq + Hash + Ord>(
        &self,
        shares: &Mutex<Shares<K>>,
        takings: Vec<Taking<K>>,
        reason: Reason,
    ) -> Result<Taken<K>, Refusal> {
        let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
        // SECURITY: read here, under the lock. A request that took long brings an older time, which is no step of the clock.
        match shares.take(&takings, self.clock.now()) {
            Ok(()) => Ok(Taken(takings)),
            Err(wait) => {
                counter!("countersign_shares_spent_total", "reason" => reason.code().to_owned()).increment(1);
                Err(Refusal { retry_after: Some(wait), ..Refusal::new(reason) })
            }
        }
    }
}

fn give_back<K: Clone + Eq + Hash + Ord>(shares: &Mutex<Shares<K>>, taken: &Taken<K>) {
    shares.lock().unwrap_or_else(PoisonError::into_inner).give_back(&taken.0);
}
