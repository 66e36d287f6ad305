//! Which of a key's assertions have been seen: a sliding window over their counters.
//!
//! A key counts its assertions, and Apple asks for each to be greater than the last. Requests overtake one another, though, so the
//! rule here is that of anti-replay windows (RFC 4303 section 3.4.3): a counter passes once, in any order, as long as it is not
//! too far behind the highest. A key that was copied or rolled back repeats counters of the original sooner or later.

use std::fmt;

use countersign_core::Reason;

/// Why a counter is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterRefusal {
    /// It was used before.
    Replayed,
    /// It lies [`CounterWindow::WIDTH`] or more behind the highest, so that nobody knows whether it was used.
    TooOld,
}

impl CounterRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Replayed | Self::TooOld => Reason::AssertionCounterReused,
        }
    }
}

impl fmt::Display for CounterRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replayed => "the assertion's counter was used before",
            Self::TooOld => "the assertion's counter lies too far behind the highest to know whether it was used",
        })
    }
}

impl std::error::Error for CounterRefusal {}

/// The counters of one key that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CounterWindow {
    highest: u32,
    // INVARIANT: bit `n` stands for the counter `highest - n`, so that bit 0 is always set.
    seen: u128,
}

impl CounterWindow {
    /// How many counters, the highest among them, are remembered one by one.
    pub const WIDTH: u32 = u128::BITS;

    /// The window of a key that was just attested: its counter is 0, which the attestation itself has used.
    #[must_use]
    pub const fn fresh() -> Self {
        Self { highest: 0, seen: 1 }
    }

    /// The window that [`Self::parts`] took apart.
    #[must_use]
    pub const fn from_parts(highest: u32, seen: u128) -> Self {
        Self { highest, seen: seen | 1 }
    }

    /// The highest counter seen, and for every number `n` below [`Self::WIDTH`] in bit `n` whether the counter that lies `n` below
    /// it was seen.
    #[must_use]
    pub const fn parts(self) -> (u32, u128) {
        (self.highest, self.seen)
    }

    /// The window after an assertion with this counter.
    ///
    /// # Errors
    /// When the counter was used before, or may have been; the window then stays as it is.
    pub fn accept(self, counter: u32) -> Result<Self, CounterRefusal> {
        if let Some(ahead) = counter.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            let seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            return Ok(Self { highest: counter, seen });
        }
        let behind = self.highest.saturating_sub(counter);
        let bit = 1_u128.checked_shl(behind).ok_or(CounterRefusal::TooOld)?;
        if self.seen & bit == 0 { Ok(Self { seen: self.seen | bit, ..self }) } else { Err(CounterRefusal::Replayed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use std::collections::BTreeSet;

    #[test]
    fn rules_on_counters() {
        let after = |counters: &[u32]| counters.iter().try_fold(CounterWindow::fresh(), |window, counter| window.accept(*counter));
        let rows: &[(&str, &[u32], Result<u32, CounterRefusal>)] = &[
            ("the first", &[1], Ok(1)),
            ("the attestation's own", &[0], Err(CounterRefusal::Replayed)),
            ("one after the other", &[1, 2, 3], Ok(3)),
            ("the same again", &[1, 1], Err(CounterRefusal::Replayed)),
            ("an older one again", &[1, 2, 1], Err(CounterRefusal::Replayed)),
            ("overtaken", &[2, 1], Ok(2)),
            ("overtaken twice", &[2, 1, 1], Err(CounterRefusal::Replayed)),
            ("the farthest back that is known", &[128, 1], Ok(128)),
            ("one farther back", &[129, 1], Err(CounterRefusal::TooOld)),
            ("the attestation's own, far back", &[127, 0], Err(CounterRefusal::Replayed)),
            ("the attestation's own, farther back", &[128, 0], Err(CounterRefusal::TooOld)),
            ("a leap of the whole window", &[1, 129, 1], Err(CounterRefusal::TooOld)),
            ("a leap of nearly the whole window", &[1, 128, 1], Err(CounterRefusal::Replayed)),
            ("a leap to the end", &[1, u32::MAX, u32::MAX - 127], Ok(u32::MAX)),
            ("nothing after the end", &[u32::MAX, u32::MAX], Err(CounterRefusal::Replayed)),
            ("rolled over", &[u32::MAX, 1], Err(CounterRefusal::TooOld)),
        ];
        for (name, counters, expected) in rows {
            assert_eq!(after(counters).map(|window| window.parts().0), *expected, "{name}");
        }
        for refusal in [CounterRefusal::Replayed, CounterRefusal::TooOld] {
            assert_eq!(refusal.reason(), Reason::AssertionCounterReused);
        }
    }

    #[test]
    fn a_window_without_its_highest_counter_is_mended() {
        assert_eq!(CounterWindow::from_parts(7, 0).accept(7), Err(CounterRefusal::Replayed));
        assert_eq!(CounterWindow::from_parts(7, 0).accept(6).map(CounterWindow::parts), Ok((7, 0b11)));
    }

    proptest! {
        /// Near the beginning, near the end, and with leaps: as if every counter were remembered.
        #[test]
        fn as_if_all_were_remembered(start in prop_oneof![Just(0), Just(u32::MAX - 600)], steps in vec((0..600_u32, any::<bool>()), 0..200)) {
            let mut window = CounterWindow::fresh();
            let mut used = BTreeSet::from([0_u32]);
            for (offset, narrow) in steps {
                let counter = start + if narrow { offset / 4 } else { offset };
                let highest = *used.last().expect("never empty");
                let expected = if used.contains(&counter) && highest - counter < 128 {
                    Err(CounterRefusal::Replayed)
                } else if u64::from(counter) + 128 <= u64::from(highest) {
                    Err(CounterRefusal::TooOld)
                } else {
                    Ok(())
                };
                let got = window.accept(counter);
                prop_assert_eq!(got.map(|_| ()), expected);
                if let Ok(next) = got {
                    used.insert(counter);
                    window = next;
                }
                let (highest, seen) = window.parts();
                prop_assert_eq!(CounterWindow::from_parts(highest, seen), window);
                prop_assert_eq!(highest, *used.last().expect("never empty"));
            }
        }
    }
}
