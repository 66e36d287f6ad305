//! Paths of endpoints that something besides the table of endpoints names: the metadata, and handlers that read their own path.

/// Issues challenges to be attested.
pub const CHALLENGE: &str = "/countersign/v1/challenge";
/// Enrols devices.
pub const DEVICES: &str = "/countersign/v1/devices";
/// Publishes the keys (RFC 7517 section 5).
pub const JWKS: &str = "/.well-known/jwks.json";
/// Begins a login.
pub const LOGIN_START: &str = "/countersign/v1/login/start";
/// Lists the person's devices; a device of theirs stands below it.
pub const MY_DEVICES: &str = "/countersign/v1/me/devices";
/// Begins a registration.
pub const REGISTRATION_START: &str = "/countersign/v1/registration/start";
/// Ends a session, asked by its app (RFC 7009).
pub(crate) const REVOKE: &str = "/countersign/v1/revoke";
/// Issues tokens (RFC 6749 section 3.2).
pub const TOKEN: &str = "/countersign/v1/token";
