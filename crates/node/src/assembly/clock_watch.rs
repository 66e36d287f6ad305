//! The clock is watched: a step of it is noticed, told, and survived without a restart.
//!
//! Nothing here sets a clock. What a wrong clock leaves behind is put right: keys are given their turn at the time that it is now, and after
//! a step back the memory of used proofs begins again, as it does after a restart.

use countersign_core::{Limits, Seconds, UnixMillis, UnixSeconds};
use tokio::time::Instant;

/// Direction and size of a step of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The clock was set forward, or the machine slept.
    Ahead(Seconds),
    /// The clock was set back: seconds come a second time.
    Back(Seconds),
}

impl Step {
    /// Word for the direction, in metrics and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ahead(_) => "ahead",
            Self::Back(_) => "back",
        }
    }

    /// Size of the step.
    pub const fn seconds(self) -> Seconds {
        match self {
            Self::Ahead(seconds) | Self::Back(seconds) => seconds,
        }
    }
}

/// Clock and time as they were at the last look.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    wall: UnixMillis,
    at: Instant,
    latest: UnixSeconds,
}

impl ClockWatch {
    /// Begins with the clock as it is now.
    pub const fn new(wall: UnixMillis, at: Instant) -> Self {
        Self { wall, at, latest: wall.seconds() }
    }

    /// Latest second that the clock ever said, at a look.
    pub(crate) const fn latest(&self) -> UnixSeconds {
        self.latest
    }

    /// Compares how far the clock went with how much time went by. `judged` is the latest second by which a proof was judged: a step ahead
    /// and back between two looks is seen by it alone.
    pub fn look(&mut self, wall: UnixMillis, at: Instant, judged: UnixSeconds) -> Option<Step> {
        let went_by = u64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let expected = self.wall.0.saturating_add(went_by);
        (self.wall, self.at) = (wall, at);
        self.latest = self.latest.max(wall.seconds()).max(judged);
        let (ahead, back) = (Seconds(wall.0.saturating_sub(expected) / 1000), Seconds(expected.saturating_sub(wall.0) / 1000));
        let behind = judged.since(wall.seconds());
        let back = back.max(behind);
        if back >= Limits::CLOCK_STEP_MIN {
            return Some(Step::Back(back));
        }
        (ahead >= Limits::CLOCK_STEP_MIN).then_some(Step::Ahead(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WALL: u64 = 1_790_000_000_000;

    #[test]
    fn a_step_is_what_the_clock_went_and_time_did_not() {
        let began = Instant::now();
        let rows: &[(&str, u64, u64, u64, Option<Step>)] = &[
            ("a second later", WALL + 1_000, 1, 0, None),
            ("a clock that stands still for a moment", WALL, 9, 0, None),
            ("a look that came late", WALL + 60_000, 60, 0, None),
            ("just not a step", WALL + 10_999, 1, 0, None),
            ("ahead", WALL + 11_000, 1, 0, Some(Step::Ahead(Seconds(10)))),
            ("far ahead", WALL + 400 * 86_400_000, 0, 0, Some(Step::Ahead(Seconds(400 * 86_400)))),
            ("just not back", WALL - 8_999, 1, 0, None),
            ("back", WALL - 9_000, 1, 0, Some(Step::Back(Seconds(10)))),
            ("back to 1970", 0, 1, 0, Some(Step::Back(Seconds(WALL / 1_000 + 1)))),
            ("ahead and back again between two looks", WALL + 1_000, 1, WALL / 1_000 + 7_201, Some(Step::Back(Seconds(7_200)))),
        ];
        for (name, wall, seconds, judged, expected) in rows {
            let mut watch = ClockWatch::new(UnixMillis(WALL), began);
            let at = began + Duration::from_secs(*seconds);
            assert_eq!(watch.look(UnixMillis(*wall), at, UnixSeconds(*judged)), *expected, "{name}");
            assert_eq!(watch.look(UnixMillis(*wall), at, UnixSeconds(0)), None, "{name}: told once");
            assert!(watch.latest() >= UnixSeconds(WALL / 1_000).max(UnixSeconds(*judged)), "{name}");
        }
    }
}
