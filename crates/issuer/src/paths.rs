//! Paths of endpoints that something besides the table of endpoints names: the metadata, and handlers that read their own path.

/// Path that gives challenges for evidence.
pub const CHALLENGE: &str = "/countersign/v1/challenge";
/// Path that enrols devices.
pub const DEVICES: &str = "/countersign/v1/devices";
/// Path of the public keys (RFC 7517 section 5).
pub const JWKS: &str = "/.well-known/jwks.json";
/// Beginning of the paths of what belongs to a person, who shows a token there.
pub(crate) const ME_PREFIX: &str = "/countersign/v1/me/";
/// Path that begins a login.
pub const LOGIN_START: &str = "/countersign/v1/login/start";
/// Path that lists the person's devices; each device has a path below it.
pub const MY_DEVICES: &str = "/countersign/v1/me/devices";
/// Path that begins a registration.
pub const REGISTRATION_START: &str = "/countersign/v1/registration/start";
/// Path at which an app ends its session (RFC 7009).
pub(crate) const REVOKE: &str = "/countersign/v1/revoke";
/// Path of the token endpoint (RFC 6749 section 3.2).
pub const TOKEN: &str = "/countersign/v1/token";
