//! What is required of phones: the config's requirements, with the keys of systems that are accepted beside the makers'.

use std::{collections::BTreeSet, path::Path};

use countersign_attest::{
    android::{
        self, AppRule, ApplicationsRule, BootKeyRule, BootloaderRule, KeyRule, OriginRule, PurposeRule, Requirements as KeyRequirements,
        RollbackRule, RootOfTrustRule,
    },
    boot_keys::BootKeys,
};
use countersign_compliance::{self as compliance, Apps, FeedKind, Requirements, Rule};
use countersign_core::{AppId, BootKey, BootState, SecurityLevel, Stage};
use countersign_feeds::content::Content;

use crate::{
    config::{App, DeviceRules, Fault, Faults, replaced},
    files,
    settings::fetched::Fetched,
};

/// The registry of apps that a configuration, whose own file is `file`, has, whether or not a node runs by it.
///
/// # Errors
/// Each file of boot keys that is missing or is not what it should be.
pub fn apps(file: &Path, apps: &[App], device: &DeviceRules, fetched: &Fetched<'_>) -> Result<Apps, Faults> {
    let keys = boot_keys(file, device, fetched)?;
    let registered = |app: &App| {
        // A bundle id that is no name of an app is refused with the app's other settings; no phone belongs to it.
        let bundle = app.ios.as_ref().and_then(|ios| AppId::parse(&ios.bundle).ok());
        compliance::App { package: app.package.clone(), bundle, requirements: of_app(device, app, &keys) }
    };
    Ok(apps.iter().map(|app| (app.client.clone(), registered(app))).collect())
}

fn of_app(device: &DeviceRules, app: &App, accepted: &BTreeSet<BootKey>) -> Requirements {
    let mut all = replaced(device.requirements.clone(), app.overrides.clone());
    for requirement in &mut all {
        if let Rule::Boot { keys, .. } = &mut requirement.rule {
            keys.extend(accepted.iter().cloned());
        }
    }
    Requirements(all)
}

fn boot_keys(config: &Path, device: &DeviceRules, fetched: &Fetched<'_>) -> Result<BTreeSet<BootKey>, Faults> {
    let mut faults = Faults::default();
    let mut fault = |line: usize, what: String, remedy: String| faults.push(Fault::at(config, line, what, remedy));
    let mut accepted = BTreeSet::new();
    for (file, line) in &device.boot_keys {
        let text = files::read_text(file).map_err(|e| format!("give a readable file ({e})"));
        match text.and_then(|text| BootKeys::parse(&text).map_err(|why| why.to_string())) {
            Ok(keys) => accepted.extend(keys.of(None).cloned()),
            Err(why) => fault(*line, format!("the boot keys `{}` cannot be used", file.display()), why),
        }
    }
    // What is shipped is pinned by a test, so that without it nothing is accepted, and nothing else goes wrong. What was fetched
    // takes its place.
    let shipped = match fetched.of(FeedKind::BootKeys) {
        Some(Content::BootKeys(keys)) => Some(keys),
        Some(Content::Anchors(_) | Content::StatusList(_)) | None => BootKeys::shipped().ok(),
    };
    for (system, line) in &device.systems {
        let known: Vec<_> = shipped.iter().flat_map(|keys| keys.of(Some(system))).cloned().collect();
        if known.is_empty() {
            let all: Vec<_> = shipped.iter().flat_map(BootKeys::systems).map(|system| format!("`{system}`")).collect();
            fault(
                *line,
                format!("`systems` cannot hold `{system}`"),
                format!("it can hold {}; for other systems, list their keys in `boot_keys`", all.join(", ")),
            );
        }
        accepted.extend(known);
    }
    faults.or(accepted)
}

/// What a key has to be to count as a device key of this app, at whatever stage: made by the app, for itself, where it lives,
/// for signing. All that concerns the phone is judged from its posture. Where everybody's key has to live in hardware that is
/// asked first, because what a key in software says of itself is worth nothing. `also` are signers beyond the app's own: the
/// software phone's on a development node.
#[must_use]
pub fn key_requirements(app: &App, requirements: &Requirements, device: &DeviceRules, also: &[[u8; 32]]) -> KeyRequirements {
    let enforced = requirements.0.iter().filter(|requirement| requirement.rollout.stage_for(None) == Stage::Enforce);
    let level = enforced.filter_map(|requirement| if let Rule::SecurityLevel(min) = requirement.rule { Some(min) } else { None });
    let signers = app.signers.iter().chain(also).copied().collect();
    let attested = &device.attested;
    KeyRequirements {
        security_level_min: level.max().unwrap_or(SecurityLevel::Software),
        security_level_exact: attested.security_level_exact,
        attestation_version_min: attested.attestation_version_min,
        key_mint_version_min: attested.keymint_version_min,
        rollback: if attested.rollback_resistance { RollbackRule::Resistant } else { RollbackRule::Any },
        attestation_age_max: attested.age_max,
        boot_states: vec![BootState::Verified, BootState::SelfSigned, BootState::Unverified, BootState::Failed],
        boot_keys: BootKeyRule::Any,
        bootloader: BootloaderRule::Any,
        root_of_trust: RootOfTrustRule::Optional,
        patch_level_min: None,
        app: AppRule::OneOf(vec![android::App { package: app.package.clone(), signers }]),
        applications: ApplicationsRule::OnlyItsOwn,
        key: KeyRule::P256,
        origin: OriginRule::Generated,
        purpose: PurposeRule::SignOnly,
    }
}
