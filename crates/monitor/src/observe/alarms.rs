//! Alarms: one signal when a score crosses the threshold, not one for every request while it stays high.

use countersign_core::{Limits, Seconds, SignalKind, UnixSeconds};

/// Time after which a score that stays high is signalled again, so that a rule that was changed meanwhile sees it.
const AGAIN: Seconds = Seconds(600);

/// Kinds that were signalled lately, with the time; few at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms(Vec<(SignalKind, UnixSeconds)>);

impl Alarms {
    /// Returns true when `kind`, whose score is high now, has to be signalled.
    pub fn raise(&mut self, kind: SignalKind, now: UnixSeconds) -> bool {
        match self.0.iter_mut().find(|(held, _)| *held == kind) {
            Some((_, at)) if now.age_of(*at, Limits::CLOCK_AHEAD_MAX) < AGAIN => false,
            Some((_, at)) => {
                *at = now;
                true
            }
            None => {
                self.0.push((kind, now));
                true
            }
        }
    }

    /// Forgets what was signalled, because it was settled. The next crossing is signalled again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_is_signalled_once_in_ten_minutes() {
        let mut alarms = Alarms::default();
        let mut raise = |kind, second| alarms.raise(kind, UnixSeconds(second));
        assert!(raise(SignalKind::Scraping, 1_000));
        assert!(!raise(SignalKind::Scraping, 1_001) && !raise(SignalKind::Scraping, 1_599));
        assert!(raise(SignalKind::RateBurst, 1_001), "another kind");
        assert!(raise(SignalKind::Scraping, 1_600));
        assert!(raise(SignalKind::Scraping, 900), "the clock was ahead: what it said does not silence what is now");
        assert!(!raise(SignalKind::Scraping, 901));
        alarms.clear();
        assert!(alarms.raise(SignalKind::Scraping, UnixSeconds(1_601)));
    }
}
