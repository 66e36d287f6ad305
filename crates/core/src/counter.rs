//! Counters that must rise, as seen by a server that receives requests out of order.

use std::fmt;

/// Reason why a counter is refused: a replay, or two copies of one key that count separately. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterRefusal {
    /// The counter was seen before.
    Repeated,
    /// The counter is so far behind the newest one that nobody can tell whether it was seen.
    TooOld,
}

impl fmt::Display for CounterRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "the counter was used before",
            Self::TooOld => "the counter lies too far behind the newest one",
        })
    }
}

/// Record of the counters that were seen: the newest, and those of the last [`CounterWindow::WIDTH`], as in IPsec (RFC 4303 section 3.4.3).
///
/// Requests that overtake each other are accepted, each once. A copy of the key that counts on its own arrives at a counter that was used,
/// or falls behind the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterWindow {
    highest: u32,
    /// Bit `n` is set when the counter `highest - n` was seen.
    seen: u128,
}

impl CounterWindow {
    /// Number of counters back from the newest that are remembered.
    pub const WIDTH: u32 = 128;

    /// Window of a key that was attested with counter 0 and has not been used since.
    pub const FRESH: Self = Self { highest: 0, seen: 1 };

    /// The window, from the parts that were stored.
    #[must_use]
    pub const fn from_parts(highest: u32, seen: u128) -> Self {
        Self { highest, seen }
    }

    /// The parts to be stored: the newest counter and the bits of those seen.
    #[must_use]
    pub const fn parts(self) -> (u32, u128) {
        (self.highest, self.seen)
    }

    /// The window after `counter`, which must not have been seen.
    ///
    /// # Errors
    /// A refusal when the counter was seen, or is too old to tell.
    pub fn after(self, counter: u32) -> Result<Self, CounterRefusal> {
        match self.highest.checked_sub(counter) {
            None => {
                let ahead = counter.saturating_sub(self.highest);
                // After a jump beyond the width, nothing of the past is remembered; those counters are too old from now on.
                let seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                Ok(Self { highest: counter, seen })
            }
            Some(behind) => {
                let bit = 1_u128.checked_shl(behind).ok_or(CounterRefusal::TooOld)?;
                if self.seen & bit == 0 { Ok(Self { seen: self.seen | bit, ..self }) } else { Err(CounterRefusal::Repeated) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_passes_once() {
        let rows: &[(&str, &[u32], u32, Result<(), CounterRefusal>)] = &[
            ("the first", &[], 1, Ok(())),
            ("the attestation's own", &[], 0, Err(CounterRefusal::Repeated)),
            ("the same again", &[1, 2], 2, Err(CounterRefusal::Repeated)),
            ("overtaken", &[1, 3], 2, Ok(())),
            ("overtaken, twice", &[1, 3, 2], 2, Err(CounterRefusal::Repeated)),
            ("the oldest in the window", &[128], 1, Ok(())),
            ("just behind the window", &[129], 1, Err(CounterRefusal::TooOld)),
            ("far ahead", &[1], u32::MAX, Ok(())),
            ("back from the end", &[u32::MAX], 1, Err(CounterRefusal::TooOld)),
            ("the last one twice", &[u32::MAX], u32::MAX, Err(CounterRefusal::Repeated)),
        ];
        for (name, before, counter, expected) in rows {
            let window = before.iter().try_fold(CounterWindow::FRESH, |window, counter| window.after(*counter)).expect("a fresh one");
            assert_eq!(window.after(*counter).map(|_| ()), *expected, "{name}");
            assert_eq!(CounterWindow::from_parts(window.parts().0, window.parts().1), window, "{name}");
        }
    }

    /// Compared with a memory that forgets nothing.
    #[test]
    fn the_window_agrees_with_a_list() {
        let mut state = 1_u32;
        let (mut window, mut list) = (CounterWindow::FRESH, vec![0_u32]);
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let highest = list.iter().copied().max().unwrap_or(0);
            let counter = highest.saturating_add(4).saturating_sub((state >> 16) % 150);
            let expected = match highest.checked_sub(counter) {
                Some(behind) if behind >= CounterWindow::WIDTH => Err(CounterRefusal::TooOld),
                _ if list.contains(&counter) => Err(CounterRefusal::Repeated),
                _ => Ok(()),
            };
            match window.after(counter) {
                Ok(after) => {
                    assert_eq!(expected, Ok(()), "{counter} after {highest}");
                    window = after;
                    list.push(counter);
                }
                Err(refusal) => assert_eq!(expected, Err(refusal), "{counter} after {highest}"),
            }
            list.retain(|seen| highest.saturating_sub(*seen) < 400);
        }
    }
}
