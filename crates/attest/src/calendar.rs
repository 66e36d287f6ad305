//! Instants as people read them.

use std::time::Duration;

use countersign_core::UnixSeconds;
use der::DateTime;

/// The instant by RFC 3339 in UTC; beyond the year 9999 its number of seconds since 1970.
pub fn written(instant: UnixSeconds) -> String {
    DateTime::from_unix_duration(Duration::from_secs(instant.0)).map_or_else(|_| instant.to_string(), |moment| moment.to_string())
}
