//! What stands where in the data directory, besides what the store keeps there.

/// The directory of the audit log's segments.
pub const LOG: &str = "log";

/// The log's public key, for whoever verifies.
pub const LOG_KEY: &str = "log.pub";

/// What the monitor learned.
pub const WATCH: &str = "watch.state";

/// The socket of the admin API.
pub const ADMIN_SOCKET: &str = "admin.sock";
