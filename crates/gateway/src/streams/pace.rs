//! How many messages a client may send: as many at once as in one second, and then one each time one has trickled back.

use tokio::time::Instant;

/// Messages that a client may still send. Of a pace without bound there is no end.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: f64,
    left: f64,
    at: Instant,
}

/// A message came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooFast;

impl Pace {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, left: per_second, at: now }
    }

    /// Counts a message.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), TooFast> {
        let back = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + back).min(self.per_second);
        self.at = now;
        if self.left < 1.0 {
            return Err(TooFast);
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn as_many_as_in_a_second_and_then_one_at_a_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let rows: &[(u64, Result<(), TooFast>)] = &[
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(TooFast)),
            (499, Err(TooFast)),
            (500, Ok(())),
            (500, Err(TooFast)),
            (9000, Ok(())),
            (9000, Ok(())),
            (9000, Err(TooFast)),
        ];
        let mut pace = Pace::new(2, start);
        for (n, (millis, expected)) in rows.iter().enumerate() {
            assert_eq!(pace.take(at(*millis)), *expected, "message {n}");
        }
    }
}
