//! Posture in the words for the phone itself, and for the log.

use countersign_core::{BootState, EvidenceTier, Lack, Platform, Posture, SecurityLevel, Stage};
use serde::Serialize;

use crate::record::Facts;

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
pub fn facts(posture: &Posture, lacks: &[Lack]) -> Facts {
    let mut facts = Facts::new();
    let mut say = |name: &str, value: Option<String>| facts.extend(value.map(|value| (format!("device.{name}"), value)));
    say("tier", Some(tier(posture.tier).to_owned()));
    say("trust", Some(posture.trust().to_string()));
    say("security_level", Some(security_level(posture.security_level).to_owned()));
    say("boot_state", posture.boot_state.map(|state| boot_state(state).to_owned()));
    say("bootloader_locked", posture.bootloader_locked.map(|locked| locked.to_string()));
    say("os_version", posture.os_version.map(|version| version.to_string()));
    say("patch_level", posture.patch_level.map(|level| level.to_string()));
    say("app", posture.app.as_ref().map(ToString::to_string));
    say("app_version", posture.app_version.map(|version| version.to_string()));
    say("vouched_by", Some(posture.by.as_str().to_owned()));
    let lacks: Vec<_> = lacks.iter().map(|lack| format!("{}={}", lack.reason, lack.stage.as_str())).collect();
    say("lacks", Some(lacks.join(" ")).filter(|lacks| !lacks.is_empty()));
    facts
}

/// Writes a posture for the phone.
pub fn wire(posture: &Posture, lacks: &[Lack]) -> PostureWire {
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
        limited: lacks.iter().any(|lack| lack.stage == Stage::Limit),
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
