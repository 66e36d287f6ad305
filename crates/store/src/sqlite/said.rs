//! Vendor's verdicts and apps' reports, each as one JSON text in a column.

use std::collections::BTreeSet;

use countersign_core::{AppAccess, AppFinding, AppReport, Integrity, Licensing, PlayProtect, Recognition, UnixSeconds, VendorVerdict};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportText {
    at: u64,
    findings: Vec<String>,
    os_version: Option<u64>,
    app_version: Option<u64>,
    installer: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerdictText {
    at: u64,
    integrity: String,
    recognition: Option<String>,
    licensing: Option<String>,
    play_protect: Option<String>,
    app_access: Vec<String>,
    recent_activity: Option<u8>,
    sdk_version: Option<u32>,
    recall: Option<[bool; 3]>,
    testing: bool,
}

pub(crate) fn report_text(report: &AppReport) -> String {
    let text = ReportText {
        at: report.at.0,
        findings: report.findings.iter().map(|finding| finding.as_str().to_owned()).collect(),
        os_version: report.os_version,
        app_version: report.app_version,
        installer: report.installer.clone(),
    };
    // A struct of numbers and texts always has a JSON form; an empty text would not be read back, so the row would be refused.
    serde_json::to_string(&text).unwrap_or_default()
}

pub fn report(text: &str) -> Option<AppReport> {
    let text: ReportText = serde_json::from_str(text).ok()?;
    Some(AppReport {
        at: UnixSeconds(text.at),
        findings: text.findings.iter().map(|word| AppFinding::parse(word)).collect::<Option<_>>()?,
        os_version: text.os_version,
        app_version: text.app_version,
        installer: text.installer,
    })
}

pub(crate) fn verdict_text(verdict: &VendorVerdict) -> String {
    let text = VerdictText {
        at: verdict.at.0,
        integrity: verdict.integrity.as_str().to_owned(),
        recognition: verdict.recognition.map(|value| value.as_str().to_owned()),
        licensing: verdict.licensing.map(|value| value.as_str().to_owned()),
        play_protect: verdict.play_protect.map(|value| value.as_str().to_owned()),
        app_access: verdict.app_access.iter().map(|value| value.as_str().to_owned()).collect(),
        recent_activity: verdict.recent_activity,
        sdk_version: verdict.sdk_version,
        recall: verdict.recall,
        testing: verdict.testing,
    };
    serde_json::to_string(&text).unwrap_or_default()
}

pub fn verdict(text: &str) -> Option<VendorVerdict> {
    let text: VerdictText = serde_json::from_str(text).ok()?;
    Some(VendorVerdict {
        at: UnixSeconds(text.at),
        integrity: Integrity::parse(&text.integrity)?,
        recognition: word(text.recognition, Recognition::parse)?,
        licensing: word(text.licensing, Licensing::parse)?,
        play_protect: word(text.play_protect, PlayProtect::parse)?,
        app_access: text.app_access.iter().map(|value| AppAccess::parse(value)).collect::<Option<BTreeSet<_>>>()?,
        recent_activity: text.recent_activity,
        sdk_version: text.sdk_version,
        recall: text.recall,
        testing: text.testing,
    })
}

/// Reads an optional word: an absent word stays absent, and an unknown one makes the whole text unreadable.
fn word<T>(text: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => parse(&text).map(Some),
    }
}
