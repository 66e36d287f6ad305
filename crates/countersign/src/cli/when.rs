//! Instants as people read them: UTC, to the second.

use countersign_codec::calendar;
use countersign_core::{UnixMillis, UnixSeconds};

/// The instant to the second: `2026-11-23 10:41:22Z`.
pub fn instant(at: UnixSeconds) -> String {
    calendar::instant(at.0)
}

/// The day of the instant: `2026-11-23`.
pub fn day(at: UnixSeconds) -> String {
    calendar::day(at.0)
}

/// The time of day, `10:41:22.118`, for lines that follow each other.
pub fn clock(at: UnixMillis) -> String {
    calendar::clock(at.0)
}
