//! Instants and durations as types, and the two traits through which servers reach the clock and the random generator.

use std::fmt;

/// An instant in whole seconds since 1970-01-01T00:00:00Z: JOSE's NumericDate without a fraction (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

/// An instant in milliseconds since 1970-01-01T00:00:00Z, as the audit log and people need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

/// A span of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u64);

impl UnixSeconds {
    /// This instant plus `span`. At the end of the range the result stays there instead of wrapping.
    #[must_use]
    pub const fn plus(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This instant minus `span`. At the epoch the result stays there instead of wrapping.
    #[must_use]
    pub const fn minus(self, span: Seconds) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// Time from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Seconds {
        Seconds(self.0.saturating_sub(earlier.0))
    }

    /// Age at this instant of something that is dated `then`. What is dated a little ahead (`ahead_max`) is new, because clocks differ. What
    /// is dated further ahead was dated by a clock that was wrong: nobody knows its age, and it counts as older than anything.
    #[must_use]
    pub const fn age_of(self, then: Self, ahead_max: Seconds) -> Seconds {
        if then.0 > self.0.saturating_add(ahead_max.0) { Seconds(u64::MAX) } else { self.since(then) }
    }
}

impl UnixMillis {
    /// The whole second in which this instant lies.
    #[must_use]
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1000)
    }
}

impl From<UnixSeconds> for UnixMillis {
    fn from(value: UnixSeconds) -> Self {
        Self(value.0.saturating_mul(1000))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A clock. It is implemented once for production; tests and the demo have clocks of their own.
pub trait Clock: Send + Sync {
    /// The present instant, in milliseconds.
    fn now(&self) -> UnixMillis;
}

/// A source of unpredictable bytes. It is implemented once for production, with the operating system's generator.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_never_wrap() {
        assert_eq!(UnixSeconds(u64::MAX).plus(Seconds(1)), UnixSeconds(u64::MAX));
        assert_eq!(UnixSeconds(3).minus(Seconds(5)), UnixSeconds(0));
        assert_eq!(UnixSeconds(3).since(UnixSeconds(5)), Seconds(0));
        assert_eq!(UnixMillis(1999).seconds(), UnixSeconds(1));
        assert_eq!(UnixMillis::from(UnixSeconds(u64::MAX)), UnixMillis(u64::MAX));
    }

    #[test]
    fn what_is_dated_in_the_future_is_older_than_anything() {
        let (now, ahead_max) = (UnixSeconds(1_000), Seconds(300));
        let rows: &[(&str, u64, u64)] = &[
            ("of this second", 1_000, 0),
            ("an hour old, and before the epoch of the clock", 0, 1_000),
            ("dated a little ahead", 1_300, 0),
            ("one second further ahead", 1_301, u64::MAX),
            ("dated at the end of time", u64::MAX, u64::MAX),
        ];
        for (name, then, expected) in rows {
            assert_eq!(now.age_of(UnixSeconds(*then), ahead_max), Seconds(*expected), "{name}");
        }
        assert_eq!(UnixSeconds(u64::MAX).age_of(UnixSeconds(u64::MAX), ahead_max), Seconds(0));
    }
}
