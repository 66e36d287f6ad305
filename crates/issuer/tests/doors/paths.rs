//! The paths as phones know them, written out: whoever changes one of the issuer breaks phones.

pub const ATTEST: &str = "/countersign/v1/attest";
pub const CHALLENGE: &str = "/countersign/v1/challenge";
pub const DEVICES: &str = "/countersign/v1/devices";
pub const JWKS: &str = "/.well-known/jwks.json";
pub const LOGIN_FINISH: &str = "/countersign/v1/login/finish";
pub const LOGIN_START: &str = "/countersign/v1/login/start";
pub const METADATA: &str = "/.well-known/oauth-authorization-server";
pub const MY_DEVICES: &str = "/countersign/v1/me/devices";
pub const MY_NOTICES: &str = "/countersign/v1/me/notices";
pub const REGISTRATION_FINISH: &str = "/countersign/v1/registration/finish";
pub const REGISTRATION_START: &str = "/countersign/v1/registration/start";
pub const REPORT: &str = "/countersign/v1/report";
pub const TOKEN: &str = "/countersign/v1/token";
pub const REVOKE: &str = "/countersign/v1/revoke";
