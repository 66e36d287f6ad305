//! Whom we believe about phones: anchors and revocation list, from files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    android::{StatusList, StatusRule, Trust},
};
use countersign_compliance::{FeedKind, Revocations};
use countersign_core::{Seconds, UnixSeconds};
use countersign_feeds::content::Content;
use countersign_issuer::DeviceTrust;

use crate::{
    config::{Dev, DeviceRules, Fault, Faults, WhenStale},
    files,
    settings::fetched::Fetched,
};

/// Below the data directory of a development node: further anchors, one PEM file each.
pub const DEV_ANCHORS: &str = "dev/anchors";

/// Whom we believe, and the certificates that we no longer do.
pub struct Trusted {
    /// For new evidence.
    pub devices: DeviceTrust,
    /// For devices that were enrolled before.
    pub revocations: Revocations,
}

/// Reads every file about trust.
///
/// # Errors
/// Each file that is missing or is not what it should be.
pub fn trust(config: &Path, rules: &DeviceRules, fetched: &Fetched<'_>, dev: Dev) -> Result<Trusted, Faults> {
    let mut faults = Faults::default();
    let mut further = |files: &[(PathBuf, usize)], purpose| {
        let mut all = Anchors::none();
        for (file, line) in files {
            match anchors(file, purpose) {
                Ok(more) => all = all.and(more),
                Err(why) => faults.push(Fault::at(config, *line, format!("the trust anchors `{}` cannot be used", file.display()), why)),
            }
        }
        all
    };
    // What was fetched takes the place of what is shipped, and stands beside what the operator names.
    let vendors = |kind, shipped: Result<Anchors, _>| match fetched.of(kind) {
        Some(Content::Anchors(anchors)) => anchors,
        Some(Content::BootKeys(_) | Content::StatusList(_)) | None => shipped.unwrap_or_else(|_| Anchors::none()),
    };
    let mut all = vendors(FeedKind::AndroidAnchors, Anchors::google()).and(further(&rules.anchors, Purpose::AndroidHardware));
    let apple = vendors(FeedKind::AppAttestAnchors, Anchors::apple_app_attest()).and(further(&rules.apple_anchors, Purpose::AppAttest));
    let receipts =
        vendors(FeedKind::ReceiptAnchors, Anchors::apple_receipt()).and(further(&rules.apple_anchors, Purpose::AppAttestReceipt));
    if dev == Dev::On {
        for file in pem_files(&fetched.data.join(DEV_ANCHORS)) {
            match anchors(&file, Purpose::AndroidHardware) {
                Ok(more) => all = all.and(more),
                Err(why) => faults.push(Fault { file, line: None, what: "the trust anchors cannot be used".to_owned(), remedy: why }),
            }
        }
    }
    let mut revocations = Revocations::default();
    let age_max = status_list_age_max(rules);
    let status = match (fetched.of(FeedKind::StatusList), rules.status_list.file()) {
        (Some(Content::StatusList(list)), _) => {
            revocations = list.revocations();
            StatusRule::Required { list: Some(list), age_max }
        }
        // A list is fetched and none is there yet: nobody is believed until it is.
        (Some(Content::Anchors(_) | Content::BootKeys(_)) | None, None) if fetched.names(FeedKind::StatusList) => {
            StatusRule::Required { list: None, age_max }
        }
        (Some(Content::Anchors(_) | Content::BootKeys(_)) | None, None) => StatusRule::NotAsked,
        (Some(Content::Anchors(_) | Content::BootKeys(_)) | None, Some((file, line))) => match status_list(file) {
            Ok(list) => {
                revocations = list.revocations();
                StatusRule::Required { list: Some(list), age_max }
            }
            Err(why) => {
                faults.push(Fault::at(config, line, format!("the revocation list `{}` cannot be used", file.display()), why));
                StatusRule::Required { list: None, age_max }
            }
        },
    };
    faults.or(Trusted { devices: DeviceTrust { android: Trust { anchors: all, status }, apple, receipts }, revocations })
}

/// How old the list may be for evidence to be looked at. Where an outage of its vendor limits phones instead of refusing them,
/// an old list is better than none, and the requirement on its age limits.
fn status_list_age_max(rules: &DeviceRules) -> Seconds {
    match rules.status_list_then {
        WhenStale::Limit => Seconds(u64::MAX),
        WhenStale::Refuse => Seconds(rules.status_list_age_max.0.saturating_add(rules.status_list_grace.0)),
    }
}

/// Reads a file of anchors that the operator trusts.
///
/// # Errors
/// What to do about it, in words.
pub fn anchors(file: &Path, purpose: Purpose) -> Result<Anchors, String> {
    let text = files::read_text(file).map_err(|e| format!("give a readable file ({e})"))?;
    Anchors::parse(Source { vendor: Vendor::Operator, purpose }, &text).map_err(|e| e.to_string())
}

/// Reads a revocation list; it is as old as its file.
fn status_list(file: &Path) -> Result<StatusList, String> {
    let unreadable = |e: std::io::Error| format!("give a readable file ({e})");
    let changed = fs::metadata(file).and_then(|meta| meta.modified()).map_err(unreadable)?;
    let text = files::read_text(file).map_err(unreadable)?;
    let fetched_at = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    StatusList::parse(&text, UnixSeconds(fetched_at)).map_err(|e| e.to_string())
}

/// The PEM files of a directory, sorted; none when there is no directory.
fn pem_files(directory: &Path) -> Vec<PathBuf> {
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
