//! How long a session lives: at most so long in all, and at most so long without use.

use countersign_core::{Seconds, UnixSeconds};

/// Parts of the time without use by which an end is put off at least: a session in use is written down so often and no oftener.
const STEPS: u64 = 60;

/// Life of sessions. A session is in use when its tokens are renewed, which every client that sends requests does within the life of an
/// access token (OWASP Session Management Cheat Sheet, "Session Expiration"; NIST SP 800-63B-4 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLife {
    /// Longest life, however it is used.
    pub whole: Seconds,
    /// Longest time without use.
    pub idle: Seconds,
}

impl SessionLife {
    /// The end of a session that begins now and is not used again.
    #[must_use]
    pub fn first_end(self, now: UnixSeconds) -> UnixSeconds {
        now.plus(self.idle.min(self.whole))
    }

    /// The latest end of a session that began at `created_at`.
    #[must_use]
    pub const fn last_end(self, created_at: UnixSeconds) -> UnixSeconds {
        created_at.plus(self.whole)
    }

    /// The end of a session that is in use now, where that is later than the end it has by enough to be written down.
    #[must_use]
    pub fn put_off(self, created_at: UnixSeconds, expires_at: UnixSeconds, now: UnixSeconds) -> Option<UnixSeconds> {
        let end = self.last_end(created_at).min(now.plus(self.idle));
        let step = Seconds((self.idle.0 / STEPS).max(1));
        (end >= expires_at.plus(step)).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_inactivity_and_by_age() {
        let life = SessionLife { whole: Seconds(10_000), idle: Seconds(600) };
        let at = UnixSeconds;
        assert_eq!(life.first_end(at(1000)), at(1600));
        assert_eq!(SessionLife { whole: Seconds(100), ..life }.first_end(at(1000)), at(1100), "the shorter of both");
        // When it is used, the end that it had, and the end that it has now.
        let rows: &[(&str, u64, u64, Option<u64>)] = &[
            ("at once", 1000, 1600, None),
            ("sooner than is written down", 1009, 1600, None),
            ("a step later", 1010, 1600, Some(1610)),
            ("at its end", 1600, 1600, Some(2200)),
            ("near the end of its whole life", 10_500, 10_900, Some(11_000)),
            ("at the end of its whole life", 11_000, 11_000, None),
            ("a clock that went back", 500, 1600, None),
        ];
        for (name, now, had, expected) in rows {
            assert_eq!(life.put_off(at(1000), at(*had), at(*now)), expected.map(at), "{name}");
        }
        let forever = SessionLife { whole: Seconds(u64::MAX), idle: Seconds(u64::MAX) };
        assert_eq!(forever.put_off(at(1), at(u64::MAX), at(2)), forever.put_off(at(1), at(u64::MAX), at(3)), "no overflow");
        assert_eq!(SessionLife { idle: Seconds(0), ..life }.put_off(at(1000), at(1000), at(1000)), None);
    }
}
