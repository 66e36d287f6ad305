//! What is said of a posture: to the phone itself, and in the log.

use countersign_audit::DeviceSeen;
use countersign_core::{BootState, EvidenceTier, Platform, Posture, SecurityLevel, Stage, Unmet};
use serde::Serialize;

/// Part of a posture that the phone may know.
#[derive(Serialize)]
pub struct PostureWire {
    platform: &'static str,
    tier: &'static str,
    trust: u8,
    security_level: &'static str,
    bootloader_locked: Option<bool>,
    boot_state: Option<&'static str>,
    os_version: Option<u64>,
    patch_level: Option<String>,
    app: Option<String>,
    app_version: Option<u64>,
    vouched_by: &'static str,
    /// Whether the session is limited because of requirements that the device does not meet.
    limited: bool,
}

/// Writes a posture and its unmet requirements as facts for the log.
pub fn seen(posture: &Posture, unmet: &[Unmet]) -> DeviceSeen {
    DeviceSeen { posture: posture.into(), lacks: unmet.iter().map(Into::into).collect() }
}

/// Writes a posture for the phone.
pub fn wire(posture: &Posture, unmet: &[Unmet]) -> PostureWire {
    PostureWire {
        platform: match posture.platform {
            Platform::Android => "android",
            Platform::Ios => "ios",
        },
        tier: tier(posture.tier),
        trust: posture.trust(),
        security_level: security_level(posture.security_level),
        bootloader_locked: posture.bootloader_locked,
        boot_state: posture.boot_state.map(boot_state),
        os_version: posture.os_version,
        patch_level: posture.patch_level.map(|level| level.to_string()),
        app: posture.app.as_ref().map(ToString::to_string),
        app_version: posture.app_version,
        vouched_by: posture.by.as_str(),
        limited: unmet.iter().any(|unmet| unmet.stage == Stage::Limit),
    }
}

const fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::None => "none",
        EvidenceTier::SelfReported => "self_reported",
        EvidenceTier::Platform => "platform",
        EvidenceTier::Hardware => "hardware",
    }
}

const fn security_level(level: SecurityLevel) -> &'static str {
    match level {
        SecurityLevel::Software => "software",
        SecurityLevel::TrustedEnvironment => "trusted_environment",
        SecurityLevel::StrongBox => "strong_box",
    }
}

const fn boot_state(state: BootState) -> &'static str {
    match state {
        BootState::Failed => "failed",
        BootState::SelfSigned => "self_signed",
        BootState::Unverified => "unverified",
        BootState::Verified => "verified",
    }
}
