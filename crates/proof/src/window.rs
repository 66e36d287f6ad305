//! The window of time in which a proof is accepted, and the time for which it must be remembered. One type decides both.

use countersign_core::{Limits, Reason, Thumbprint, UnixSeconds};

use crate::nonce::{Memory, NonceKeys, NonceRefusal, NonceTime};

/// Rule for the nonce of a proof (RFC 9449 sections 8 and 9).
#[derive(Clone, Copy, Debug)]
pub enum NonceRule<'a> {
    /// A nonce of ours for the proof's key sets the time when there is one. Without a nonce, the proof's own `iat` counts.
    Accepted(&'a NonceKeys),
    /// A nonce of ours for the proof's key is required, and the time that a proof states itself does not count: nobody can make proofs
    /// ahead for longer than a nonce lives (RFC 9449 section 11.2).
    Required(&'a NonceKeys),
    /// A nonce of ours is required, for the key that names the proof's key: a request key is new, so no nonce was given to it.
    RequiredOf {
        /// Keys that recognise nonces.
        keys: &'a NonceKeys,
        /// Thumbprint of the key that names the proof's key.
        namer: &'a Thumbprint,
    },
}

/// Reason why the time of a proof is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeRefusal {
    /// The nonce was issued here and has expired.
    NonceStale,
    /// The nonce was never issued here, or was issued for another key.
    NonceUnknown,
    /// The proof has no nonce, and one is required.
    NonceWanted,
    /// The proof's `iat` lies too far in the future.
    TooEarly,
    /// The proof's `iat` lies too far in the past.
    TooOld,
}

impl TimeRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
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

/// The seconds, both ends included, in which one proof is accepted (RFC 9449 section 4.3, checks 10 and 11).
///
/// SECURITY: the time for which the proof must be remembered follows from the last of them. As long as both come from this type, no proof
/// is forgotten while it is still accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptanceWindow {
    first: UnixSeconds,
    last: UnixSeconds,
}

impl AcceptanceWindow {
    /// Window of a proof that states itself when it was made, by a clock that may be a little off.
    #[must_use]
    pub(crate) const fn of_issue(issued_at: UnixSeconds) -> Self {
        Self { first: issued_at.minus(Limits::PROOF_SKEW_MAX), last: issued_at.plus(Limits::PROOF_AGE_MAX) }
    }

    /// Window of a proof with a nonce of ours. The nonce sets the time, whatever the phone's clock says.
    #[must_use]
    pub(crate) const fn of_nonce(nonce: &NonceTime) -> Self {
        Self { first: nonce.first(), last: nonce.last() }
    }

    /// Last second in which the proof must be remembered. The memory outlives the window by the tolerated clock difference, because a clock
    /// may be set back a little and another node's clock may be behind.
    #[must_use]
    pub const fn remember_until(&self) -> UnixSeconds {
        self.last.plus(Limits::PROOF_SKEW_MAX)
    }

    /// Finds the window of a proof by `key`, from its `nonce` or `issued_at`, and checks that `now` lies in it.
    ///
    /// # Errors
    /// The fault of the nonce or the time.
    pub fn admit(
        nonce: Option<&str>,
        key: &Thumbprint,
        issued_at: UnixSeconds,
        rule: NonceRule<'_>,
        now: UnixSeconds,
    ) -> Result<Self, TimeRefusal> {
        let (keys, holder, life) = match rule {
            NonceRule::Accepted(keys) => (keys, key, Limits::NONCE_LIFE),
            NonceRule::Required(keys) => (keys, key, Limits::ISSUER_NONCE_LIFE),
            NonceRule::RequiredOf { keys, namer } => (keys, namer, Limits::ISSUER_NONCE_LIFE),
        };
        match (nonce, rule) {
            (Some(nonce), NonceRule::Accepted(_) | NonceRule::Required(_) | NonceRule::RequiredOf { .. }) => {
                match keys.check(nonce, holder, life, now) {
                    Ok(time) => Ok(Self::of_nonce(&time)),
                    Err(NonceRefusal::Stale) => Err(TimeRefusal::NonceStale),
                    Err(NonceRefusal::Unknown) => Err(TimeRefusal::NonceUnknown),
                }
            }
            (None, NonceRule::Required(_) | NonceRule::RequiredOf { .. }) => Err(TimeRefusal::NonceWanted),
            (None, NonceRule::Accepted(keys)) => {
                let window = Self::of_issue(issued_at);
                if now < window.first {
                    return Err(TimeRefusal::TooEarly);
                }
                if now > window.last {
                    return Err(TimeRefusal::TooOld);
                }
                // SECURITY: after a restart the replay memory is empty. A proof from before must not be accepted again without a nonce.
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
    const KEY: Thumbprint = Thumbprint::from_bytes([9; 32]);

    #[test]
    fn a_proof_from_before_the_memory_needs_a_nonce() {
        let keys = NonceKeys::new(&Secret::new([1; 32]), None).remembering_since(NOW);
        let admit = |nonce: Option<&str>, issued_at, now| {
            AcceptanceWindow::admit(nonce, &KEY, UnixSeconds(issued_at), NonceRule::Accepted(&keys), UnixSeconds(now)).map(|_| ())
        };
        let rows: &[(&str, u64, u64, Result<(), TimeRefusal>)] = &[
            ("made before the memory began", 999_999, 1_000_000, Err(TimeRefusal::NonceWanted)),
            ("made by a clock that was as far ahead as is forgiven", 1_000_005, 1_000_001, Err(TimeRefusal::NonceWanted)),
            ("made after", 1_000_006, 1_000_001, Ok(())),
        ];
        for (name, issued_at, now, expected) in rows {
            assert_eq!(admit(None, *issued_at, *now), *expected, "{name}");
        }
        assert_eq!(admit(Some(&keys.issue(&KEY, NOW)), 0, 1_000_000), Ok(()), "a nonce of this memory is enough");
    }

    #[test]
    fn a_proof_is_remembered_longer_than_it_is_taken() {
        let keys = NonceKeys::new(&Secret::new([1; 32]), None);
        let foreign = NonceKeys::new(&Secret::new([2; 32]), None).issue(&KEY, NOW);
        let nonce = keys.issue(&KEY, NOW);
        let stale = keys.issue(&KEY, NOW.minus(Seconds(1_000)));
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
            let window = AcceptanceWindow::admit(*nonce, &KEY, *issued_at, *rule, NOW);
            assert_eq!(window.map(|_| ()), *expected, "{name}");
            let Ok(window) = window else { continue };
            let last = window.last;
            assert!(AcceptanceWindow::admit(*nonce, &KEY, *issued_at, *rule, last).is_ok(), "{name}: refused in its window");
            let later = last.plus(Seconds(1));
            assert!(AcceptanceWindow::admit(*nonce, &KEY, *issued_at, *rule, later).is_err(), "{name}: taken after its window");
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
