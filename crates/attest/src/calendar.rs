//! Instants as people and files write them (RFC 3339), as our own types.

use countersign_codec::calendar;
use countersign_core::{UnixMillis, UnixSeconds};

/// The instant by RFC 3339 in UTC; beyond the year 9999 its number of seconds since 1970.
pub fn written(instant: UnixSeconds) -> String {
    calendar::rfc3339(instant.0).unwrap_or_else(|| instant.to_string())
}

/// Reads an instant by RFC 3339 section 5.6 in UTC.
pub fn read(text: &str) -> Option<UnixMillis> {
    calendar::read_rfc3339(text).map(UnixMillis)
}
