//! Numbers and names of Keymaster's `SecurityLevel`.

use countersign_core::SecurityLevel;

/// The level with this number; `None` for a number that no version defines.
pub(super) const fn from_number(number: u8) -> Option<SecurityLevel> {
    match number {
        0 => Some(SecurityLevel::Software),
        1 => Some(SecurityLevel::TrustedEnvironment),
        2 => Some(SecurityLevel::StrongBox),
        _ => None,
    }
}

/// Number of the level.
pub(super) const fn number(level: SecurityLevel) -> u8 {
    match level {
        SecurityLevel::Software => 0,
        SecurityLevel::TrustedEnvironment => 1,
        SecurityLevel::StrongBox => 2,
    }
}

/// Name of the level in Google's verifier.
pub(super) const fn name(level: SecurityLevel) -> &'static str {
    match level {
        SecurityLevel::Software => "SOFTWARE",
        SecurityLevel::TrustedEnvironment => "TRUSTED_ENVIRONMENT",
        SecurityLevel::StrongBox => "STRONG_BOX",
    }
}
