//! Whom we believe about phones: anchors and revocation list from files, requirements from the config.

use std::{fs, path::Path, time::UNIX_EPOCH};

use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{
        self, AppRule, ApplicationsRule, BootKeyRule, BootloaderRule, KeyRule, OriginRule, PurposeRule, Requirements, RootOfTrustRule,
        StatusList, StatusRule, Trust,
    },
};
use countersign_core::UnixSeconds;

use crate::config::{App, Bootloader, Config, Dev, Fault, Faults};

/// Below the data directory of a development node: further anchors, one PEM file each.
pub const DEV_ANCHORS: &str = "dev/anchors";

/// Reads every file about trust.
///
/// # Errors
/// Each file that is missing or is not what it should be.
pub fn trust(config: &Config, dev: Dev) -> Result<Trust, Faults> {
    let mut faults = Faults::default();
    let mut all = Anchors::google().unwrap_or_else(|_| Anchors::none());
    for (file, line) in &config.device.anchors {
        match anchors(file) {
            Ok(more) => all = all.and(more),
            Err(why) => faults.push(fault(config, *line, format!("the trust anchors `{}` cannot be used", file.display()), why)),
        }
    }
    if dev == Dev::On {
        for file in pem_files(&config.data.join(DEV_ANCHORS)) {
            match anchors(&file) {
                Ok(more) => all = all.and(more),
                Err(why) => faults.push(Fault { file, line: None, what: "the trust anchors cannot be used".to_owned(), remedy: why }),
            }
        }
    }
    let status = match &config.device.status_list {
        None => StatusRule::NotAsked,
        Some((file, line)) => match status_list(file) {
            Ok(list) => StatusRule::Required { list: Some(list), age_max: config.device.status_list_age_max },
            Err(why) => {
                faults.push(fault(config, *line, format!("the revocation list `{}` cannot be used", file.display()), why));
                StatusRule::Required { list: None, age_max: config.device.status_list_age_max }
            }
        },
    };
    faults.or(Trust { anchors: all, status })
}

fn fault(config: &Config, line: usize, what: String, remedy: String) -> Fault {
    Fault { file: config.file.clone(), line: Some(line), what, remedy }
}

/// Reads a file of anchors that the operator trusts for keys in hardware.
///
/// # Errors
/// What to do about it, in words.
pub fn anchors(file: &Path) -> Result<Anchors, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("make it a readable file ({e})"))?;
    Anchors::parse(Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware }, &text).map_err(|e| e.to_string())
}

/// Reads a revocation list; it is as old as its file.
fn status_list(file: &Path) -> Result<StatusList, String> {
    let unreadable = |e: std::io::Error| format!("make it a readable file ({e})");
    let changed = fs::metadata(file).and_then(|meta| meta.modified()).map_err(unreadable)?;
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let fetched_at = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    StatusList::parse(&text, UnixSeconds(fetched_at)).map_err(|e| e.to_string())
}

/// The PEM files of a directory, sorted; none when there is no directory.
fn pem_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pem"))
        .collect();
    found.sort();
    found
}

/// What a device key has to fulfil to be this app's. `also` are signers beyond the app's own: the software phone's on a
/// development node.
#[must_use]
pub fn requirements(config: &Config, app: &App, also: &[[u8; 32]]) -> Requirements {
    let rules = &config.device;
    let signers = app.signers.iter().chain(also).copied().collect();
    Requirements {
        security_level_min: rules.security_level_min,
        boot_states: rules.boot_states.clone(),
        boot_keys: BootKeyRule::Any,
        bootloader: match rules.bootloader {
            Bootloader::Any => BootloaderRule::Any,
            Bootloader::Locked => BootloaderRule::Locked,
        },
        root_of_trust: RootOfTrustRule::Required,
        patch_level_min: None,
        app: AppRule::OneOf(vec![android::App { package: app.package.clone(), signers }]),
        applications: ApplicationsRule::OnlyItsOwn,
        key: KeyRule::P256,
        origin: OriginRule::Generated,
        purpose: PurposeRule::SignOnly,
    }
}
