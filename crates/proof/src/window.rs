//! When a proof is taken, and so for how long it must be remembered: one type decides both.

use countersign_core::{Limits, Reason, UnixSeconds};

use crate::nonce::{Memory, NonceKeys, NonceRefusal, NonceTime};

/// What is asked of a proof's nonce (RFC 9449 sections 8 and 9).
#[derive(Clone, Copy, Debug)]
pub enum NonceRule<'a> {
    /// One of ours is the clock when it is there; without one the proof's own `iat` counts.
    Accepted(&'a NonceKeys),
    /// One of ours must be there.
    Required(&'a NonceKeys),
}

/// Why the time of a proof is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeRefusal {
    /// Its nonce was ours and has lapsed.
    NonceStale,
    /// Its nonce was never issued here.
    NonceUnknown,
    /// It has no nonce, and one is required.
    NonceWanted,
    /// Its `iat` lies ahead of us.
    TooEarly,
    /// Its `iat` lies too far behind us.
    TooOld,
}

impl TimeRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NonceStale | Self::NonceUnknown => Reason::ProofNonceStale,
            Self::NonceWanted => Reason::ProofNonceWanted,
            Self::TooEarly => Reason::ProofTooEarly,
            Self::TooOld => Reason::ProofTooOld,
        }
    }
}

/// The seconds, both ends included, in which one proof is taken (RFC 9449 section 4.3, checks 10 and 11).
///
/// SECURITY: how long the proof must be remembered follows from the last of them. As long as both come from here, a proof cannot
/// be forgotten while it still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptanceWindow {
    first: UnixSeconds,
    last: UnixSeconds,
}

impl AcceptanceWindow {
    /// The window of a proof that says itself when it was made, by a clock that may be a little off.
    #[must_use]
    pub const fn of_issue(issued_at: UnixSeconds) -> Self {
        Self { first: issued_at.minus(Limits::PROOF_SKEW_MAX), last: issued_at.plus(Limits::PROOF_AGE_MAX) }
    }

    /// The window of a proof with a nonce of ours: the nonce is the clock, whatever the phone's says.
    #[must_use]
    pub const fn of_nonce(nonce: &NonceTime) -> Self {
        Self { first: nonce.first(), last: nonce.last() }
    }

    /// The last second at which this very proof would be taken again.
    #[must_use]
    pub const fn last(&self) -> UnixSeconds {
        self.last
    }

    /// The last second in which the proof must be remembered. A clock may be set back a little, and another node's may lag: by
    /// as much as is forgiven elsewhere, the memory outlives the window.
    #[must_use]
    pub const fn remember_until(&self) -> UnixSeconds {
        self.last.plus(Limits::PROOF_SKEW_MAX)
    }

    /// Finds the window of a proof by its `nonce` or `issued_at`, and whether `now` lies in it.
    ///
    /// # Errors
    /// What is wrong with its nonce or its clock.
    pub fn admit(nonce: Option<&str>, issued_at: UnixSeconds, rule: NonceRule<'_>, now: UnixSeconds) -> Result<Self, TimeRefusal> {
        match (nonce, rule) {
            (Some(nonce), NonceRule::Accepted(keys) | NonceRule::Required(keys)) => match keys.check(nonce, now) {
                Ok(time) => Ok(Self::of_nonce(&time)),
                Err(NonceRefusal::Stale) => Err(TimeRefusal::NonceStale),
                Err(NonceRefusal::Unknown) => Err(TimeRefusal::NonceUnknown),
            },
            (None, NonceRule::Required(_)) => Err(TimeRefusal::NonceWanted),
            (None, NonceRule::Accepted(keys)) => {
                let window = Self::of_issue(issued_at);
                if now < window.first {
                    return Err(TimeRefusal::TooEarly);
                }
                if now > window.last {
                    return Err(TimeRefusal::TooOld);
                }
                // SECURITY: after a restart, a captured proof must not find an empty memory.
                match keys.may_have_been_used(issued_at) {
                    Memory::TooYoung => Err(TimeRefusal::NonceWanted),
                    Memory::Whole => Ok(window),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{Seconds, Secret};

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    #[test]
    fn a_proof_from_before_the_memory_needs_a_nonce() {
        let keys = NonceKeys::new(&Secret::new([1; 32]), None).remembering_since(NOW);
        let admit = |nonce: Option<&str>, issued_at, now| {
            AcceptanceWindow::admit(nonce, UnixSeconds(issued_at), NonceRule::Accepted(&keys), UnixSeconds(now)).map(|_| ())
        };
        let rows: &[(&str, u64, u64, Result<(), TimeRefusal>)] = &[
            ("made before the memory began", 999_999, 1_000_000, Err(TimeRefusal::NonceWanted)),
            ("made by a clock that was as far ahead as is forgiven", 1_000_005, 1_000_001, Err(TimeRefusal::NonceWanted)),
            ("made after", 1_000_006, 1_000_001, Ok(())),
        ];
        for (name, issued_at, now, expected) in rows {
            assert_eq!(admit(None, *issued_at, *now), *expected, "{name}");
        }
        assert_eq!(admit(Some(&keys.issue(NOW)), 0, 1_000_000), Ok(()), "a nonce of this memory is enough");
    }

    #[test]
    fn a_proof_is_remembered_longer_than_it_is_taken() {
        let keys = NonceKeys::new(&Secret::new([1; 32]), None);
        let foreign = NonceKeys::new(&Secret::new([2; 32]), None).issue(NOW);
        let nonce = keys.issue(NOW);
        let stale = keys.issue(NOW.minus(Seconds(1_000)));
        let (taken, wanted) = (NonceRule::Accepted(&keys), NonceRule::Required(&keys));
        let at = |seconds: i64| UnixSeconds(NOW.0.saturating_add_signed(seconds));
        let rows: &[(&str, Option<&str>, UnixSeconds, NonceRule<'_>, Result<(), TimeRefusal>)] = &[
            ("made now", None, NOW, taken, Ok(())),
            ("the last second ahead", None, at(5), taken, Ok(())),
            ("one second too early", None, at(6), taken, Err(TimeRefusal::TooEarly)),
            ("the end of time", None, UnixSeconds(u64::MAX), taken, Err(TimeRefusal::TooEarly)),
            ("the oldest second", None, at(-60), taken, Ok(())),
            ("one second too old", None, at(-61), taken, Err(TimeRefusal::TooOld)),
            ("the epoch", None, UnixSeconds(0), taken, Err(TimeRefusal::TooOld)),
            ("no nonce where one is wanted", None, NOW, wanted, Err(TimeRefusal::NonceWanted)),
            ("a nonce", Some(&nonce), NOW, wanted, Ok(())),
            ("a nonce and a clock a day behind", Some(&nonce), at(-86_400), taken, Ok(())),
            ("a nonce and a clock at the end of time", Some(&nonce), UnixSeconds(u64::MAX), taken, Ok(())),
            ("an old nonce", Some(&stale), NOW, taken, Err(TimeRefusal::NonceStale)),
            ("a nonce of another house", Some(&foreign), NOW, taken, Err(TimeRefusal::NonceUnknown)),
            ("an empty nonce", Some(""), NOW, taken, Err(TimeRefusal::NonceUnknown)),
        ];
        for (name, nonce, issued_at, rule, expected) in rows {
            let window = AcceptanceWindow::admit(*nonce, *issued_at, *rule, NOW);
            assert_eq!(window.map(|_| ()), *expected, "{name}");
            let Ok(window) = window else { continue };
            let last = window.last();
            assert!(AcceptanceWindow::admit(*nonce, *issued_at, *rule, last).is_ok(), "{name}: refused in its window");
            let later = last.plus(Seconds(1));
            assert!(AcceptanceWindow::admit(*nonce, *issued_at, *rule, later).is_err(), "{name}: taken after its window");
            assert_eq!(window.remember_until(), last.plus(Seconds(5)), "{name}: forgotten before a lagging clock refuses it");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_told_apart_from_a_forgery() {
        let rows = [
            (TimeRefusal::NonceStale, Reason::ProofNonceStale),
            (TimeRefusal::NonceUnknown, Reason::ProofNonceStale),
            (TimeRefusal::NonceWanted, Reason::ProofNonceWanted),
            (TimeRefusal::TooEarly, Reason::ProofTooEarly),
            (TimeRefusal::TooOld, Reason::ProofTooOld),
        ];
        for (refusal, reason) in rows {
            assert_eq!(refusal.reason(), reason);
        }
    }
}
