//! What stands where in the data directory, besides what the store keeps there.

/// The directory of the audit log's segments.
pub const LOG: &str = "log";

/// The log's public key, for whoever verifies.
pub const LOG_KEY: &str = "log.pub";

/// The sets of rules that were in use, a file each.
pub const RULES: &str = "rules";

/// What the monitor learned.
pub const WATCH: &str = "watch.state";

/// The socket of the admin API.
pub const ADMIN_SOCKET: &str = "admin.sock";
